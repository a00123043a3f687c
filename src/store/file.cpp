// SPDX-License-Identifier: Apache-2.0
// Text files, written aside and then renamed.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <mutex>
#include <set>
#include <sstream>
#include <string_view>
#include <system_error>

#include "machine/kind_of_file.hpp"
#include "saltus/error.hpp"
#include "saltus/store.hpp"

namespace saltus::store {

namespace {

[[noreturn]] void fail(std::string_view what, const std::filesystem::path& file, int error) {
  throw FileError(fmt::format("cannot {} {}: {}", what, file.string(), std::strerror(error)));
}

// Where a name leads: through links, to what is there or is to be there. What is no file stays:
// renaming over a device would replace it.
std::filesystem::path target_of(const std::filesystem::path& file) {
  constexpr int most_links = 40;  // as the kernel has it
  std::filesystem::path target = file;
  std::error_code error;
  for (int k = 0; std::filesystem::is_symlink(target, error); ++k) {
    if (k == most_links) fail("write", file, ELOOP);
    const auto next = std::filesystem::read_symlink(target, error);
    if (error) fail("write", file, error.value());
    target = target.parent_path() / next;
  }
  const auto status = std::filesystem::status(target, error);
  if (std::filesystem::is_directory(status)) fail("write", file, EISDIR);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    throw FileError(fmt::format(
        "cannot write {}: it is a device, a pipe or a socket; expected a file", file.string()));
  }
  return target;
}

// Writes all of a text, and sees to it that it is on the disk. @returns  0, or what went wrong
int write_through(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return wrote < 0 ? errno : EIO;
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return ::fsync(fd) == 0 ? 0 : errno;
}

std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

// A new name of a file is on the disk once its folder is. Some file systems cannot tell: they need not.
// @returns  0, or what went wrong
int sync_folder(const std::filesystem::path& file) {
  const int fd = ::open(folder_of(file).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return 0;
  const int error = ::fsync(fd) != 0 && (errno == EIO || errno == ENOSPC) ? errno : 0;
  ::close(fd);
  return error;
}

// What a file is written to first: a name that no other writer has, be it of this process or of another.
std::filesystem::path beside(const std::filesystem::path& target) {
  static std::atomic<unsigned> count{0};
  return fmt::format("{}.{}-{}.tmp", target.string(), ::getpid(), count.fetch_add(1));
}

// Is it the name of beside(), of a process that is gone?
bool left_behind(std::string_view name, const std::string& target) {
  if (!name.starts_with(target) || !name.ends_with(".tmp")) return false;
  name.remove_prefix(target.size());
  name.remove_suffix(4);
  int process = 0;
  unsigned number = 0;
  char dot = 0, dash = 0;
  std::istringstream parts{std::string(name)};
  if (!(parts >> dot >> process >> dash >> number) || dot != '.' || dash != '-' || !parts.eof()) {
    return false;
  }
  return process > 0 && ::kill(process, 0) != 0 && errno == ESRCH;
}

// Killed runs leave half a file; whoever writes the same one next takes it away, once.
void clean(const std::filesystem::path& target) {
  static std::mutex mutex;
  static std::set<std::filesystem::path> cleaned;
  {
    const std::lock_guard lock(mutex);
    if (!cleaned.insert(target).second) return;
  }
  const std::string name = target.filename().string();
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder_of(target), error), end;
       !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    if (left_behind(entry->path().filename().string(), name)) {
      std::filesystem::remove(entry->path(), ignored);
    }
  }
}

}  // namespace

void write_file(const std::filesystem::path& file, const std::string& text) {
  const std::filesystem::path target = target_of(file);
  clean(target);
  const std::filesystem::path aside = beside(target);
  const auto give_up = [&](std::string_view what, int error) {
    std::error_code ignored;
    std::filesystem::remove(aside, ignored);
    fail(what, file, error);
  };
  const int fd = ::open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) fail("create", file, errno);
  int error = write_through(fd, text);
  if (::close(fd) != 0 && error == 0) error = errno;
  if (error != 0) give_up("write", error);
  if (std::rename(aside.c_str(), target.c_str()) != 0) give_up("rename to", errno);
  if (error = sync_folder(target); error != 0) fail("sync the folder of", file, error);
}

std::string read_file(const std::filesystem::path& file) {
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (std::filesystem::is_directory(status)) fail("read", file, EISDIR);  // opens like a file
  if (const auto kind = endless(file); !kind.empty()) {
    throw FileError(fmt::format("cannot read {}: it is {}; expected a file", file.string(), kind));
  }
  std::ifstream in(file, std::ios::binary);
  if (!in.is_open()) fail("read", file, errno);
  std::string text;
  std::array<char, 1 << 16> block;
  while (in.read(block.data(), block.size()), in.gcount() > 0) {
    text.append(block.data(), static_cast<std::size_t>(in.gcount()));
  }
  if (in.bad()) fail("read", file, EIO);
  return text;
}

}  // namespace saltus::store
