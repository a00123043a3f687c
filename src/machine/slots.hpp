// SPDX-License-Identifier: Apache-2.0
// Arrays of numbers of the neurons of a population, laid out so that every vector of them is full:
// blocks of widest_vector slots, of which the last overlaps the one before it. (A population
// smaller than a block leaves slots unused.) The layout is the same on every machine.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include "machine/lanes.hpp"

namespace saltus {

/// A small value: kernels copy it, so that a compiler can keep it in registers.
class SlotLayout {
 public:
  SlotLayout() = default;
  explicit SlotLayout(std::size_t neurons)
      : size_(neurons),
        last_((neurons + widest_vector - 1) / widest_vector * widest_vector - widest_vector),
        overlap_(neurons < widest_vector ? 0 : count() - neurons) {}

  std::size_t count() const { return last_ + widest_vector; }
  /// Where a slot lies in a row of numbers, one per neuron. (A vector of slots lies in one piece.)
  std::size_t place(std::size_t slot) const { return slot < last_ ? slot : slot - overlap_; }
  std::size_t neuron(std::size_t slot) const { return place(slot); }
  std::size_t slot_of(std::size_t neuron) const {
    return neuron < last_ ? neuron : neuron + overlap_;
  }
  /// The other one of a neuron that has two; else the same.
  std::size_t second_slot_of(std::size_t neuron) const {
    return neuron + overlap_ < last_ ? neuron : neuron + overlap_;
  }
  bool used(std::size_t slot) const { return neuron(slot) < size_; }
  /// Is this the second slot of its neuron?
  bool repeats(std::size_t slot) const { return slot >= last_ && slot < last_ + overlap_; }
  /// Where vectors of so many lanes end that hold any neuron.
  std::size_t end(std::size_t lanes) const {
    return last_ + (size_ - last_ + overlap_ + lanes - 1) / lanes * lanes;
  }
  /// From slots to one number per neuron.
  template <class Real>
  void unpack(const Real* slots, Real* numbers) const {
    std::copy(slots, slots + last_, numbers);
    std::copy(slots + last_ + overlap_, slots + size_ + overlap_, numbers + last_);
  }

 private:
  std::size_t size_ = 0, last_ = 0, overlap_ = 0;  // last_: first slot of the last block
};

template <class Real, std::size_t arrays>
class Slots {
 public:
  /// Keeps its memory, if it is enough, and what is in it.
  void resize(std::size_t neurons) {
    layout_ = SlotLayout(neurons);
    const std::size_t stride = layout_.count() + widest_vector;  // a store may run over the end
    if (stride <= stride_) return;
    stride_ = stride;
    constexpr std::size_t line = 64;  // bytes: no vector straddles two cache lines
    std::size_t bytes = (arrays * stride_ + line / sizeof(Real)) * sizeof(Real);
    memory_.assign(bytes / sizeof(Real), Real(0));
    void* begin = memory_.data();
    begin_ = static_cast<Real*>(std::align(line, arrays * stride_ * sizeof(Real), begin, bytes));
  }

  const SlotLayout& layout() const { return layout_; }
  Real* operator[](std::size_t array) const { return begin_ + array * stride_; }

 private:
  SlotLayout layout_;
  std::size_t stride_ = 0;
  std::vector<Real> memory_;
  Real* begin_ = nullptr;
};

}  // namespace saltus
