// SPDX-License-Identifier: Apache-2.0
// An array that vectors can be loaded from, whose memory is kept.
#pragma once

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace saltus {

template <class T>
class Aligned {
 public:
  /// Room for so many; what was in it may be lost.
  void reserve(std::size_t count) {
    if (count <= capacity_) return;
    memory_ = hwy::AllocateAligned<T>(count);
    capacity_ = count;
  }
  /// Room for so many; keeps what was in it.
  void extend(std::size_t count) {
    if (count <= capacity_) return;
    const std::size_t grown = std::max(count, 2 * capacity_);
    auto memory = hwy::AllocateAligned<T>(grown);
    std::copy_n(memory_.get(), capacity_, memory.get());
    memory_ = std::move(memory);
    capacity_ = grown;
  }
  T* data() const { return memory_.get(); }
  T& operator[](std::size_t k) const { return memory_[k]; }

 private:
  std::size_t capacity_ = 0;
  hwy::AlignedFreeUniquePtr<T[]> memory_;
};

}  // namespace saltus
