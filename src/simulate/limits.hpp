// SPDX-License-Identifier: Apache-2.0
// One sample on its way, held against its limits. Where none is set all that is left of them is a
// null pointer, looked at every 4096 steps.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <limits>
#include <mutex>
#include <string_view>
#include <utility>

#include "machine/parallel.hpp"
#include "saltus/limits.hpp"

namespace saltus {

/// What a sample had too much of, and where that was.
struct TooMuch {
  std::string_view of;     // the limit
  std::size_t population;  // whose spikes took it over that, or that was run
  double time;             // s that the simulation had come to
};

class SampleWatch {
 public:
  /// @param spike_bytes  what the record holds of a spike
  SampleWatch(const SampleLimits& limits, std::size_t spike_bytes);

  /// Now a population goes on, until this time at most.
  void enter(std::size_t population, double until) {
    population_ = population;
    until_ = until;
  }
  /// Spikes of it that come into the record. @throws TooMuch
  void take(std::size_t spikes) {
    count(spikes);
    recorded_ += spikes;
  }
  /// Spikes of it that have been found and are not in the record yet. @throws TooMuch
  void count(std::size_t found) const {
    if (recorded_ + found > most_spikes_) throw TooMuch{most_spikes_of_, population_, until_};
  }
  /// The same, and the clock. @param time  that the population has come to @throws TooMuch
  void look(double time, std::size_t found) const;
  /// The clock alone, where only the time is known until which it goes. @throws TooMuch
  void look() const { look(until_, 0); }

  class Again;

  static constexpr std::string_view seconds = "max_seconds_per_sample";

 private:
  std::size_t most_spikes_ = std::numeric_limits<std::size_t>::max();
  std::string_view most_spikes_of_;
  double most_seconds_, begun_;
  std::size_t recorded_ = 0, population_ = 0;
  double until_ = 0;
};

/// Of the sample that this thread runs; null: without limits.
inline thread_local SampleWatch* sample_watch = nullptr;

/// While it lives the same spikes count from where they do now, and no clock.
class SampleWatch::Again {
 public:
  Again() : again_(*sample_watch), before_(std::exchange(sample_watch, &again_)) {
    again_.most_seconds_ = 0;
  }
  ~Again() { sample_watch = before_; }
  Again(const Again&) = delete;
  Again& operator=(const Again&) = delete;

 private:
  SampleWatch again_;
  SampleWatch* before_;
};

/// While it lives this thread runs a sample with limits.
class Watched {
 public:
  Watched(const SampleLimits& limits, std::size_t spike_bytes) : watch_(limits, spike_bytes) {
    if (limits.max_spikes_per_sample > 0 || limits.max_memory_per_sample > 0 ||
        limits.max_seconds_per_sample > 0) {
      sample_watch = &watch_;
      around = std::exchange(before_task, look);  // one search of a spike can last, too
    }
  }
  ~Watched() {
    if (!sample_watch) return;
    sample_watch = nullptr;
    before_task = around;
  }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

 private:
  SampleWatch watch_;

  inline static thread_local void (*around)() = nullptr;
  static void look() {
    if (around) around();
    sample_watch->look();
  }
};

/// As heed(), in the loops of a sample.
/// @param time   that it has come to, s
/// @param found  spikes that are not in the record yet
inline void heed_sample(std::size_t step, double time, std::size_t found,
                        std::size_t every = 4096) {
  if (step % every != every - 1) return;
  if (sample_watch) sample_watch->look(time, found);
  heed();
}

/// run(s) for each sample; LimitExceeded is that of the first sample of which it is thrown,
/// whatever the threads do.
template <class Run>
void for_each_sample(int threads, std::size_t samples, Run&& run) {
  std::atomic<std::size_t> first{samples};
  std::exception_ptr thrown;
  std::mutex mutex;
  parallel_for(threads, samples, [&](std::size_t s) {
    if (s > first) return;
    try {
      run(s);
    } catch (const LimitExceeded&) {
      const std::lock_guard lock(mutex);
      if (s > first) return;
      first = s;
      thrown = std::current_exception();
    }
  });
  if (thrown) std::rethrow_exception(thrown);
}

/// As people are told. @param populations  their names
LimitExceeded limit_exceeded(const TooMuch& what, const SampleLimits& limits, std::size_t sample,
                             std::string_view population);

}  // namespace saltus
