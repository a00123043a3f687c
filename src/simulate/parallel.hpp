// SPDX-License-Identifier: Apache-2.0
// Independent tasks on a chosen number of threads. What a task computes never depends on which
// thread runs it, so results have the same bits for any number.
#pragma once

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <cstddef>

namespace saltus {

/// Calls body(k) for k in [0, count). @param threads  0: all cores
template <class Body>
void parallel_for(int threads, std::size_t count, Body&& body) {
  if (threads == 1 || count < 2) {
    for (std::size_t k = 0; k < count; ++k) body(k);
    return;
  }
  tbb::task_arena arena(threads > 0 ? threads : tbb::task_arena::automatic);
  arena.execute([&] { tbb::parallel_for(std::size_t{0}, count, body); });
}

}  // namespace saltus
