// SPDX-License-Identifier: Apache-2.0
// Memory that a short-lived object uses and the next one of its kind, in the same thread, uses again.
#pragma once

#include <memory>
#include <utility>
#include <vector>

namespace saltus {

/// A T as the last one left it: whoever takes it clears what it needs.
template <class T>
class Reused {
 public:
  Reused() {
    auto& left = pool();
    if (left.empty()) {
      value_ = std::make_unique<T>();
    } else {
      value_ = std::move(left.back());
      left.pop_back();
    }
  }
  ~Reused() { pool().push_back(std::move(value_)); }
  Reused(const Reused&) = delete;
  Reused& operator=(const Reused&) = delete;

  T& operator*() const { return *value_; }
  T* operator->() const { return value_.get(); }

 private:
  std::unique_ptr<T> value_;

  static std::vector<std::unique_ptr<T>>& pool() {
    thread_local std::vector<std::unique_ptr<T>> left;
    return left;
  }
};

}  // namespace saltus
