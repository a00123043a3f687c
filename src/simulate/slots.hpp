// SPDX-License-Identifier: Apache-2.0
// Arrays of numbers of the neurons of a population, laid out so that every vector of them is full:
// blocks of widest_vector slots, of which the last overlaps the one before it. (A population
// smaller than a block leaves slots unused.) The layout is the same on every machine.
#pragma once

#include <hwy/base.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "simulate/plan.hpp"

namespace saltus {

template <class Real, std::size_t arrays>
class Slots {
 public:
  /// Keeps its memory, if it is enough, and what is in it.
  void resize(std::size_t neurons) {
    size_ = neurons;
    blocks_ = (neurons + widest_vector - 1) / widest_vector;
    overlap_ = neurons < widest_vector ? 0 : blocks_ * widest_vector - neurons;
    const std::size_t stride = count() + widest_vector;  // a store may run over the end
    if (stride <= stride_) return;
    stride_ = stride;
    constexpr std::size_t line = 64;  // bytes: no vector straddles two cache lines
    std::size_t bytes = (arrays * stride_ + line / sizeof(Real)) * sizeof(Real);
    memory_.assign(bytes / sizeof(Real), Real(0));
    void* begin = memory_.data();
    begin_ = static_cast<Real*>(std::align(line, arrays * stride_ * sizeof(Real), begin, bytes));
  }

  Real* operator[](std::size_t array) const { return begin_ + array * stride_; }
  std::size_t count() const { return blocks_ * widest_vector; }
  std::size_t neuron(std::size_t slot) const { return place(slot); }
  std::size_t slot_of(std::size_t neuron) const {
    return neuron < (blocks_ - 1) * widest_vector ? neuron : neuron + overlap_;
  }
  /// Where a slot lies in a row of numbers, one per neuron. (A vector of slots lies in one piece.)
  std::size_t place(std::size_t slot) const {
    return slot < (blocks_ - 1) * widest_vector ? slot : slot - overlap_;
  }
  bool used(std::size_t slot) const { return neuron(slot) < size_; }
  /// Is this the second slot of its neuron?
  bool repeats(std::size_t slot) const {
    return slot / widest_vector + 1 == blocks_ && slot % widest_vector < overlap_;
  }

  /// Calls body(first slot, its neuron) for every vector.
  template <class Body>
  HWY_INLINE void for_each_vector(std::size_t lanes, const Body& body) const {
    const std::size_t last = (blocks_ - 1) * widest_vector;
    const std::size_t end = last + (size_ - last + overlap_ + lanes - 1) / lanes * lanes;
    for (std::size_t slot = 0; slot < end; slot += lanes) {
      body(slot, slot < last ? slot : slot - overlap_);
    }
  }

 private:
  std::size_t size_ = 0, blocks_ = 0, overlap_ = 0, stride_ = 0;
  std::vector<Real> memory_;
  Real* begin_ = nullptr;
};

}  // namespace saltus
