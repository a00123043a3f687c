// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

#include "machine/parallel.hpp"

namespace saltus {

/// While it lives loops of this thread end with Interrupted soon after `stop` was set, within a sample
/// too, whichever thread runs it. Null: as before.
class Stoppable {
 public:
  explicit Stoppable(const std::atomic<bool>* stop)
      : watch_{stop, stop_watch}, watching_(stop ? &watch_ : stop_watch) {}
  Stoppable(const Stoppable&) = delete;
  Stoppable& operator=(const Stoppable&) = delete;

 private:
  StopWatch watch_;
  Watching watching_;
};

}  // namespace saltus
