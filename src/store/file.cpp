// SPDX-License-Identifier: Apache-2.0
// Text files, written aside and then renamed.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "saltus/error.hpp"
#include "saltus/store.hpp"

namespace saltus::store {

void write_file(const std::filesystem::path& file, const std::string& text) {
  // A name that no other writer has, be it of this process or of another.
  static std::atomic<unsigned> count{0};
  const std::filesystem::path aside =
      fmt::format("{}.{}-{}.tmp", file.string(), ::getpid(), count.fetch_add(1));
  const auto fail = [&](std::string_view what) {
    const int error = errno;
    std::error_code ignored;
    std::filesystem::remove(aside, ignored);
    throw FileError(fmt::format("cannot {} {}: {}", what, file.string(), std::strerror(error)));
  };
  const int fd = ::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) fail("create");
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t wrote = ::write(fd, text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      const int error = errno;
      ::close(fd);
      errno = error;
      fail("write");
    }
    done += static_cast<std::size_t>(wrote);
  }
  const bool synced = ::fsync(fd) == 0;
  if (::close(fd) != 0 || !synced) fail("write");
  if (std::rename(aside.c_str(), file.c_str()) != 0) fail("rename to");
}

std::string read_file(const std::filesystem::path& file) {
  const auto fail = [&](int error) {
    throw FileError(fmt::format("cannot read {}: {}", file.string(), std::strerror(error)));
  };
  std::ifstream in(file, std::ios::binary);
  if (!in.is_open()) fail(errno);
  if (std::filesystem::is_directory(file)) fail(EISDIR);  // opens like a file
  std::string text;
  try {  // the iterators throw where the file cannot be read
    text.assign(std::istreambuf_iterator<char>(in), {});
  } catch (const std::ios_base::failure&) {
    fail(EIO);
  }
  return text;
}

}  // namespace saltus::store
