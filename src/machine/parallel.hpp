// SPDX-License-Identifier: Apache-2.0
// Independent tasks on a chosen number of threads. What a task computes never depends on which
// thread runs it, so results have the same bits for any number.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <utility>

#include "saltus/error.hpp"

#ifndef SALTUS_WITHOUT_TBB
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>
#include <memory>
#else
#include <exception>
#include <mutex>
#include <thread>
#include <vector>
#endif

namespace saltus {

/// Called before each task of the thread that set it, and by heed(), unless null. Python sets it to look
/// for Ctrl-C: what it throws ends the loop.
inline thread_local void (*before_task)() = nullptr;

/// Flags that end the loops of a thread, in whichever threads their tasks run (machine/stoppable.hpp).
struct StopWatch {
  const std::atomic<bool>* stop;
  const StopWatch* around;
};
inline thread_local const StopWatch* stop_watch = nullptr;  // the innermost

/// Another task of the loop has ended it.
struct Abandoned {};
#ifdef SALTUS_WITHOUT_TBB
inline thread_local const std::atomic<bool>* loop_has_ended =
    nullptr;  // that which runs this thread
#endif

/// Before each task; long ones call it every few thousand steps, so that they end too.
inline void heed() {
  if (before_task) before_task();
  for (const StopWatch* watch = stop_watch; watch; watch = watch->around) {
    if (*watch->stop) throw Interrupted();
  }
#ifndef SALTUS_WITHOUT_TBB
  if (tbb::is_current_task_group_canceling()) throw Abandoned();
#else
  if (loop_has_ended && *loop_has_ended) throw Abandoned();
#endif
}
/// The same, of a step with this number: every so many.
inline void heed(std::size_t step, std::size_t every = 4096) {
  if (step % every == every - 1) heed();
}

/// While it lives this thread looks at the flags of another one.
class Watching {
 public:
  explicit Watching(const StopWatch* of) : own_(std::exchange(stop_watch, of)) {}
  ~Watching() { stop_watch = own_; }
  Watching(const Watching&) = delete;
  Watching& operator=(const Watching&) = delete;

 private:
  const StopWatch* own_;
};

#ifndef SALTUS_WITHOUT_TBB
/// The workers of this thread's loops. They live as long as it does, or until it wants another
/// number of them: an arena made for each loop had to wake its workers each time.
inline tbb::task_arena& workers(int threads) {
  // More than there are cores would only make oneTBB complain, and fail for very many.
  const int cores = tbb::info::default_concurrency();
  const int wanted = threads > 0 ? std::min(threads, cores) : cores;
  thread_local std::unique_ptr<tbb::task_arena> arena;
  if (!arena || arena->max_concurrency() != wanted) {
    arena = std::make_unique<tbb::task_arena>(wanted);
  }
  return *arena;
}
#endif

/// Calls body(k) for k in [0, count). @param threads  0: all cores
template <class Body>
void parallel_for(int threads, std::size_t count, Body&& task) {
  const auto body = [&task, watch = stop_watch](std::size_t k) {
    const Watching watching(watch);
    heed();
    task(k);
  };
  if (threads == 1 || count < 2) {
    for (std::size_t k = 0; k < count; ++k) body(k);
    return;
  }
#ifndef SALTUS_WITHOUT_TBB
  workers(threads).execute([&] { tbb::parallel_for(std::size_t{0}, count, body); });
#else
  // The thread sanitizer cannot look into oneTBB, and would call every loop a race. (The counter is
  // relaxed on purpose: a stronger one would order the tasks, and hide races between them.)
  std::atomic<std::size_t> next{0};
  std::atomic<bool> ended{false};
  std::exception_ptr first;
  std::mutex mutex;
  const auto work = [&] {
    const auto* const outer = std::exchange(loop_has_ended, &ended);
    for (std::size_t k; !ended && (k = next.fetch_add(1, std::memory_order_relaxed)) < count;) {
      try {
        body(k);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!ended.exchange(true)) first = std::current_exception();
      }
    }
    loop_has_ended = outer;
  };
  {
    const std::size_t all = std::max(1u, std::thread::hardware_concurrency());
    std::vector<std::jthread> pool;
    for (std::size_t k = 1; k < (threads > 0 ? static_cast<std::size_t>(threads) : all); ++k) {
      pool.emplace_back(work);
    }
    work();
  }
  if (first) std::rethrow_exception(first);
#endif
}

}  // namespace saltus
