// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <utility>

#include "machine/parallel.hpp"
#include "saltus/error.hpp"

namespace saltus {

/// While it lives loops of this thread end with Interrupted soon after `stop` was set, within a sample
/// too. Null: as before.
class Stoppable {
 public:
  explicit Stoppable(const std::atomic<bool>* stop)
      : around_(std::exchange(innermost(), {stop, before_task})) {
    if (stop) before_task = look;
  }
  ~Stoppable() {
    before_task = innermost().before;
    innermost() = around_;
  }
  Stoppable(const Stoppable&) = delete;
  Stoppable& operator=(const Stoppable&) = delete;

 private:
  struct Watch {
    const std::atomic<bool>* stop = nullptr;
    void (*before)() = nullptr;
  };
  Watch around_;

  static Watch& innermost() {
    thread_local Watch watch;
    return watch;
  }
  static void look() {
    if (innermost().before) innermost().before();
    if (*innermost().stop) throw Interrupted();
  }
};

}  // namespace saltus
