// SPDX-License-Identifier: Apache-2.0
#include "hdf5/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <exception>
#include <fstream>
#include <limits>
#include <new>
#include <string>
#include <system_error>
#include <utility>

#include "machine/kind_of_file.hpp"
#include "machine/parallel.hpp"
#include "machine/sanitized.hpp"
#include "saltus/error.hpp"

namespace saltus::hdf5 {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double megabyte = 1e6;

// --- the child ----------------------------------------------------------------------------------

void limit(__rlimit_resource resource, double most) {
  rlimit now{};
  getrlimit(resource, &now);
  const double allowed = now.rlim_max == RLIM_INFINITY ? most : static_cast<double>(now.rlim_max);
  now.rlim_cur = static_cast<rlim_t>(std::min(most, allowed));
  now.rlim_max = now.rlim_cur;
  setrlimit(resource, &now);
}

double address_space() {
  double pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

// A crash here is expected, and nobody's but ours: no handler, no core, no word of the C library.
void shield(const Bounds& bounds) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int s : {SIGINT, SIGTERM, SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGPIPE}) {
    std::signal(s, SIG_DFL);
  }
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) dup2(nowhere, fd);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, std::max(1.0, std::round(bounds.seconds)));  // it counts in whole ones
  // (A sanitizer maps memory beyond any limit.)
  if (const double taken = address_space(); taken > 0 && !sanitized) {
    limit(RLIMIT_AS, taken + bounds.bytes);
  }
}

void send(int pipe, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(pipe, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) _exit(1);  // the parent is gone
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

// (What a file says is in it, and need not be UTF-8.)
Archive failure(const char* kind, const std::string& what) {
  using nlohmann::json;
  Archive failed;
  failed.about = {
      {"error", kind},
      {"what", json::parse(json(what).dump(-1, ' ', false, json::error_handler_t::replace))}};
  return failed;
}

Archive attempt(const Bounds& bounds, const std::function<Archive()>& read) {
  try {
    shield(bounds);
    return read();
  } catch (const InvalidInput& e) {
    return failure("InvalidInput", e.what());
  } catch (const std::bad_alloc&) {
    return failure("memory", "");
  } catch (const std::length_error&) {
    return failure("memory", "");
  } catch (const std::exception& e) {
    return failure("FileError", e.what());
  }
}

// Nothing may be thrown out of here: it would go on as a second copy of the caller.
[[noreturn]] void run(int pipe, const std::filesystem::path& file, const Bounds& bounds,
                      const std::function<Archive()>& read) noexcept {
  const auto hand_over = [&](const Archive& result) {
    result.write([&](std::string_view piece) { send(pipe, piece); });
  };
  try {
    hand_over(attempt(bounds, read));
  } catch (const InvalidInput& e) {  // before a byte of it was sent
    hand_over(failure("FileError", fmt::format("{}: {}", file.string(), e.what())));
  }
  _exit(0);  // no destructor runs: what HDF5 holds may be in ruins
}

// --- the parent ---------------------------------------------------------------------------------

class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    if (pid_ > 0) kill(pid_, SIGKILL);  // does nothing to one that has ended
    wait();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // How it ended, as waitpid() says it.
  int wait() {
    if (pid_ > 0) {
      while (waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
      }
      pid_ = -1;
    }
    return status_;
  }

 private:
  pid_t pid_;
  int status_ = 0;
};

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

[[noreturn]] void fail(const std::filesystem::path& file, const std::string& what) {
  throw FileError(fmt::format("{}: {}", file.string(), what));
}

std::string too_slow(const Bounds& bounds) {
  return fmt::format(
      "cannot be read in {:.0f} s, far longer than a file of its size takes: damaged",
      bounds.seconds);
}
std::string too_large(const Bounds& bounds) {
  return fmt::format(
      "asks for more than {:.0f} MB of memory, far more than a file of its size needs: damaged",
      bounds.bytes / megabyte);
}

// All that the child sends, until it closes its end.
std::string receive(int pipe, const std::filesystem::path& file, const Bounds& bounds) {
  const auto until = Clock::now() + std::chrono::duration<double>(10 * bounds.seconds);
  std::string all;
  for (std::size_t size = 0;;) {
    heed();
    if (Clock::now() > until) fail(file, too_slow(bounds));
    pollfd ready{pipe, POLLIN, 0};
    const int found = poll(&ready, 1, 100);
    if (found < 0 && errno != EINTR) fail(file, std::strerror(errno));
    if (found <= 0) continue;
    if (static_cast<double>(size) > bounds.bytes) fail(file, too_large(bounds));
    if (size == all.size()) all.resize(std::max<std::size_t>(2 * size, 1U << 20));
    const ssize_t got = ::read(pipe, all.data() + size, all.size() - size);
    if (got < 0 && errno != EINTR) fail(file, std::strerror(errno));
    size += static_cast<std::size_t>(std::max<ssize_t>(got, 0));
    if (got == 0) {
      all.resize(size);
      return all;
    }
  }
}

}  // namespace

Bounds Bounds::of(const std::filesystem::path& file) {
  std::error_code error;
  const auto size = static_cast<double>(std::filesystem::file_size(file, error));
  if (error) return {500 * megabyte, 1};
  // Two bytes of a file hold a time or a unit, which take 8 here; packed ones ten times that.
  return {500 * megabyte + 40 * size, 1 + size / (5 * megabyte)};
}

void open_no_more() {
  if (!sanitized) limit(RLIMIT_NOFILE, 0);
}

Archive in_child(const std::filesystem::path& file, const Bounds& bounds,
                 const std::function<Archive()>& read) {
  if (const auto kind = endless(file); !kind.empty()) {
    throw FileError(fmt::format("{}: is {}; expected an HDF5 file", file.string(), kind));
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) fail(file, std::strerror(errno));
  fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);  // fewer turns; without it, it works too
  const Descriptor in{ends[0]};
  const pid_t pid = fork();
  if (pid == 0) run(ends[1], file, bounds, read);
  ::close(ends[1]);
  if (pid < 0) fail(file, fmt::format("no process to read it in: {}", std::strerror(errno)));
  Child child(pid);
  std::string sent = receive(in.fd, file, bounds);
  const int status = child.wait();
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    if (signal == SIGINT || signal == SIGTERM) throw Interrupted();
    if (signal == SIGXCPU || signal == SIGKILL) fail(file, too_slow(bounds));
    fail(file, fmt::format("HDF5 broke down over it ({}): damaged", strsignal(signal)));
  }
  if (WEXITSTATUS(status) != 0) fail(file, "HDF5 broke down over it: damaged");
  Archive result = Archive::parse(std::move(sent));
  const auto error = result.about.find("error");
  if (error == result.about.end()) return result;
  if (*error == "memory") fail(file, too_large(bounds));
  const auto what = result.about.at("what").get<std::string>();
  if (*error == "InvalidInput") throw InvalidInput(what);
  throw FileError(what);
}

}  // namespace saltus::hdf5
