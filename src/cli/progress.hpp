// SPDX-License-Identifier: Apache-2.0
// A line that tells how far a long piece of work is: redrawn in place on a terminal, left out
// elsewhere (plain lines say what was finished).
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

namespace saltus::cli {

/// 95 -> "1:35", 3700 -> "1:01:40".
inline std::string clock_time(double seconds) {
  const long s = std::lround(seconds);
  return s < 3600 ? fmt::format("{}:{:02}", s / 60, s % 60)
                  : fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

/// Tells the user something. A closed or full standard error does not stop the work.
template <class... Values>
void say(fmt::format_string<Values...> format, Values&&... values) {
  std::fputs(fmt::format(format, std::forward<Values>(values)...).c_str(), stderr);
}

class Progress {
 public:
  /// @param quiet  draw nothing
  Progress(std::size_t total, std::string unit, bool quiet)
      : total_(total), unit_(std::move(unit)) {
    const char* const terminal = std::getenv("TERM");
    const bool plain = terminal != nullptr && std::string_view(terminal) == "dumb";
    live_ = !quiet && !plain && isatty(STDERR_FILENO) != 0;
  }
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(std::size_t done, const std::string& what) {
    const auto now = std::chrono::steady_clock::now();
    if (!live_ || now - drawn_ < std::chrono::milliseconds(100)) return;
    drawn_ = now;
    const double elapsed = std::chrono::duration<double>(now - start_).count();
    const double rate = static_cast<double>(done) / elapsed;
    const double left = rate > 0 ? static_cast<double>(total_ - done) / rate : 0;
    say("\r\033[K{}  {:.0f} %  {:.0f} {}/s  {} left", what,
        100.0 * static_cast<double>(done) / static_cast<double>(total_), rate, unit_,
        clock_time(left));
    std::fflush(stderr);
  }

  /// Makes room for a line that stays.
  void clear() const {
    if (live_) say("\r\033[K");
  }

 private:
  std::size_t total_;
  std::string unit_;
  bool live_ = false;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now(), drawn_;
};

}  // namespace saltus::cli
