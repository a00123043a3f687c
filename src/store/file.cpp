// SPDX-License-Identifier: Apache-2.0
// Text files, written aside and then renamed.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>
#include <system_error>

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
    if (wrote < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return ::fsync(fd) == 0 ? 0 : errno;
}

// A new name of a file is on the disk once its folder is. Some file systems cannot tell: they need not.
void sync_folder(const std::filesystem::path& file) {
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

}  // namespace

void write_file(const std::filesystem::path& file, const std::string& text) {
  const std::filesystem::path target = target_of(file);
  // A name that no other writer has, be it of this process or of another.
  static std::atomic<unsigned> count{0};
  const std::filesystem::path aside =
      fmt::format("{}.{}-{}.tmp", target.string(), ::getpid(), count.fetch_add(1));
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
  sync_folder(target);
}

std::string read_file(const std::filesystem::path& file) {
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (std::filesystem::is_directory(status)) fail("read", file, EISDIR);  // opens like a file
  if (std::filesystem::is_character_file(status) || std::filesystem::is_block_file(status)) {
    throw FileError(fmt::format("cannot read {}: it is a device; expected a file", file.string()));
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
