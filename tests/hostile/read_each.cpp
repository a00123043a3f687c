// SPDX-License-Identifier: Apache-2.0
// read_each KIND: reads each file that a line of standard input names, in a process of its own, and
// says in a line what came of it: seconds of processor time, megabytes, and
//
//     ok NUMBER       for what was read
//     error MESSAGE   that a user would see
//     fault WHAT      an exception that is none of ours
//     signal NAME     it crashed; SIGXCPU and SIGALRM: it did not end
//
// scripts/hostile.py feeds it with damaged files.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iostream>

#include "hostile/readers.hpp"
#include "saltus/error.hpp"

namespace {

constexpr rlim_t most_seconds = 6;    // of processor time
constexpr unsigned most_waited = 60;  // by the clock: for one that waits for ever
constexpr rlim_t most_bytes = rlim_t{4} << 30;

std::string outcome(std::string_view kind, const std::string& file) {
  try {
    return fmt::format("ok {:016x}", saltus::test::read_as(kind, file));
  } catch (const saltus::FileError& e) {
    return fmt::format("error {}", e.what());
  } catch (const saltus::InvalidInput& e) {
    return fmt::format("error {}", e.what());
  } catch (const std::exception& e) {
    return fmt::format("fault {}", e.what());
  }
}

void limit(__rlimit_resource resource, rlim_t most) {
  const rlimit both{most, most};
  setrlimit(resource, &both);
}

double seconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
}

std::string tried(std::string_view kind, const std::string& file) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("no pipe");
  const pid_t pid = fork();
  if (pid == 0) {
    limit(RLIMIT_CPU, most_seconds);
    limit(RLIMIT_AS, most_bytes);
    limit(RLIMIT_CORE, 0);
    alarm(most_waited);
    const std::string said = outcome(kind, file);
    const ssize_t wrote = write(ends[1], said.data(), std::min<std::size_t>(said.size(), 4000));
    _exit(wrote < 0);
  }
  close(ends[1]);
  std::string said(4000, '\0');
  const ssize_t size = read(ends[0], said.data(), said.size());
  close(ends[0]);
  said.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  int status = 0;
  rusage used{};  // with that of the processes that it waited for
  wait4(pid, &status, 0, &used);
  if (WIFSIGNALED(status)) said = fmt::format("signal {}", strsignal(WTERMSIG(status)));
  std::replace(said.begin(), said.end(), '\n', ' ');
  return fmt::format("{:.3f} {:.0f} {}", seconds(used.ru_utime) + seconds(used.ru_stime),
                     static_cast<double>(used.ru_maxrss) / 1e3, said);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "read_each KIND < names of files\n";
    return 2;
  }
  for (std::string file; std::getline(std::cin, file);) {
    std::cout << tried(argv[1], file) << std::endl;
  }
}
