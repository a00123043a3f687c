// SPDX-License-Identifier: Apache-2.0
// Long work without the GIL that still hears Ctrl-C.
#pragma once

#include <nanobind/nanobind.h>
#include <pythread.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <utility>

#include "machine/stoppable.hpp"

namespace saltus::python {

namespace nb = nanobind;

/// Ctrl-C as a flag that all threads of a loop see, for as long as Python would make it a
/// KeyboardInterrupt. Python itself would tell its main thread, which may be waiting for the others.
class Interrupt {
 public:
  Interrupt() : active_(is_usual()) {
    if (!active_ || users++ > 0) return;
    heard = false;
    sigaction(SIGINT, nullptr, &pythons);
    struct sigaction ours = pythons;
    ours.sa_handler = note;
    sigaction(SIGINT, &ours, nullptr);
  }
  ~Interrupt() {
    if (!active_ || --users > 0) return;
    struct sigaction now {};
    sigaction(SIGINT, nullptr, &now);  // a callback may have chosen another
    if (now.sa_handler == note) sigaction(SIGINT, &pythons, nullptr);
  }
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  /// Null: somebody else decides what Ctrl-C does.
  const std::atomic<bool>* flag() const { return active_ ? &heard : nullptr; }

 private:
  bool active_;
  inline static int users = 0;  // of the main thread: calls within calls
  inline static std::atomic<bool> heard{false};
  inline static struct sigaction pythons {};

  static void note(int number) {
    heard = true;
    pythons.sa_handler(number);
  }
  // In the main thread, with Python's own handler?
  static bool is_usual() {
    static const Known& known = *new Known;  // never destroyed: Python would be gone by then
    return known.main == PyThread_get_thread_ident() && known.get(known.number).is(known.usual);
  }
  struct Known {
    nb::module_ signals = nb::module_::import_("signal");
    nb::object get = signals.attr("getsignal"), number = signals.attr("SIGINT");
    nb::object usual = signals.attr("default_int_handler");
    unsigned long main = nb::cast<unsigned long>(
        nb::module_::import_("threading").attr("main_thread")().attr("ident"));
  };
};

/// While it lives the GIL is released, and a signal that Python has caught (Ctrl-C:
/// KeyboardInterrupt) ends the loops of the library.
class Released {
 public:
  Released()
      : stoppable_(interrupt_.flag()), outer_(std::exchange(before_task, look_for_signals)) {}
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

  Interrupt interrupt_;
  Stoppable stoppable_;
  decltype(before_task) outer_;  // a loss in Python, called by the core, may call the core
  nb::gil_scoped_release release_;
};

}  // namespace saltus::python
