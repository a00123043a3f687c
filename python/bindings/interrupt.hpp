// SPDX-License-Identifier: Apache-2.0
// Long work without the GIL that still hears Ctrl-C.
#pragma once

#include <nanobind/nanobind.h>

#include <chrono>
#include <utility>

#include "machine/parallel.hpp"

namespace saltus::python {

namespace nb = nanobind;

/// While it lives the GIL is released, and a signal that Python has caught (Ctrl-C:
/// KeyboardInterrupt) ends the loops of the library.
class Released {
 public:
  Released() : outer_(std::exchange(before_task, look_for_signals)) {}
  ~Released() { before_task = outer_; }
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;

 private:
  static void look_for_signals() {
    using Clock = std::chrono::steady_clock;
    thread_local Clock::time_point last = Clock::now();
    const Clock::time_point now = Clock::now();
    if (now - last < std::chrono::milliseconds(50)) return;
    last = now;
    const nb::gil_scoped_acquire acquire;
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
  }

  decltype(before_task) outer_;  // a loss in Python, called by the core, may call the core
  nb::gil_scoped_release release_;
};

}  // namespace saltus::python
