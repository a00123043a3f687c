// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "saltus/error.hpp"
#include "saltus/store.hpp"

namespace saltus::store {
namespace {

// Who holds it, for whoever comes second.
std::string about_this_process() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  const std::time_t now = std::time(nullptr);
  std::tm when{};
  localtime_r(&now, &when);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &when);
  return fmt::format("process {} on {} since {}", ::getpid(), host.data(), text.data());
}

std::string first_line(int fd) {
  std::array<char, 512> text{};
  const ssize_t size = ::pread(fd, text.data(), text.size() - 1, 0);
  const std::string_view line(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  return std::string(line.substr(0, line.find('\n')));
}

// Is what is open still what has the name? Whoever held it before may have removed it meanwhile.
bool still_named(int fd, const std::filesystem::path& file) {
  struct stat open {
  }, named{};
  return ::fstat(fd, &open) == 0 && ::stat(file.c_str(), &named) == 0 &&
         open.st_ino == named.st_ino && open.st_dev == named.st_dev;
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder) : file_(folder / "lock") {
  for (;;) {
    fd_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd_ < 0) {
      throw FileError(fmt::format("cannot create {}: {}", file_.string(), std::strerror(errno)));
    }
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      const std::string holder = first_line(fd_);
      ::close(std::exchange(fd_, -1));
      if (error != EWOULDBLOCK) return;  // a file system without locks
      throw FileError(
          fmt::format("{} is in use by another run ({}); expected a folder of its own for each run",
                      folder.string(), holder.empty() ? "which has just begun" : holder));
    }
    if (still_named(fd_, file_)) break;
    ::close(fd_);
  }
  const std::string about = about_this_process() + "\n";
  if (::ftruncate(fd_, 0) != 0 ||
      ::pwrite(fd_, about.data(), about.size(), 0) != static_cast<ssize_t>(about.size())) {
    // A full disk: the lock holds, though it cannot say whose it is.
  }
}

FolderLock::~FolderLock() { release(); }

FolderLock::FolderLock(FolderLock&& other) noexcept
    : file_(std::move(other.file_)), fd_(std::exchange(other.fd_, -1)) {}

FolderLock& FolderLock::operator=(FolderLock&& other) noexcept {
  if (this != &other) {
    release();
    file_ = std::move(other.file_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void FolderLock::release() {
  if (fd_ < 0) return;
  std::error_code ignored;
  std::filesystem::remove(file_, ignored);  // before it is let go: nobody else's is removed
  ::close(std::exchange(fd_, -1));
}

}  // namespace saltus::store
