// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "machine/parallel.hpp"

namespace saltus {

/// While it lives loops of this thread run to their end: for what is done whole or not at all.
class Uninterrupted {
 public:
  Uninterrupted() : watching_(nullptr), outer_(std::exchange(before_task, nullptr)) {}
  ~Uninterrupted() { before_task = outer_; }
  Uninterrupted(const Uninterrupted&) = delete;
  Uninterrupted& operator=(const Uninterrupted&) = delete;

 private:
  Watching watching_;
  decltype(before_task) outer_;
};

}  // namespace saltus
