// SPDX-License-Identifier: Apache-2.0
// What takes linear neurons that move alike from time to time, found out once for all of them: of any
// shape, as against linear::Step (neuron/linear_alike.hpp), which vectors read.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "neuron/linear.hpp"

namespace saltus::linear {

/// The motion of any of them: driven by 1 wherever a constant drives one.
/// @param constant  not 0 there
template <class T>
System<T> driven_by_ones(const System<T>& free, const Vector<double>& constant,
                         std::size_t components) {
  Vector<T> ones{};
  for (std::size_t k = 0; k < components; ++k) ones[k] = T(constant[k] != 0 ? 1 : 0);
  return {free.matrix(), ones, components};
}

/// That; none if they do not move alike.
inline std::optional<System<double>> shared_motion(std::span<const Neuron> neurons,
                                                   std::size_t components) {
  Vector<double> constant{1};  // a bias of V that is 0 now may be another one's
  for (const Neuron& n : neurons) {
    if (n.free.matrix() != neurons[0].free.matrix()) return {};
    for (std::size_t k = 0; k < components; ++k) {
      if (n.free.constant()[k] != 0) constant[k] = 1;
    }
  }
  return driven_by_ones(neurons[0].free, constant, components);
}

template <class T>
class SharedSteps {
 public:
  /// @param motion  of any of them, driven by ones
  /// @param times  ascending, from `from` on
  /// @param rows  as for System::flow
  void find(const System<T>& motion, std::span<const double> times, std::size_t rows,
            double from = 0) {
    first_.assign(1, 0);
    entries_.clear();
    for (const double next : times) {
      motion.for_each_entry(
          next - from, rows, [](const auto&) { return true; },
          [&](const auto& entry, const T& value) {
            entries_.push_back({entry, value});
          });
      first_.push_back(entries_.size());
      from = next;
    }
  }
  void clear() { first_.clear(); }
  bool known(std::size_t number) const { return number + 1 < first_.size(); }
  /// To a time from the one before, or from the start: as System::flow, to the last bit.
  Vector<T> flow(std::size_t number, const Motion<T>& n, const Vector<T>& x) const {
    Vector<T> result{};
    for (std::size_t k = first_[number]; k < first_[number + 1]; ++k) {
      const auto& [entry, value] = entries_[k];
      result[entry.to] += value * (entry.of_constant ? n.free.constant() : x)[entry.from];
    }
    return result;
  }
  /// p = dL/dx from there back.
  Vector<T> back(std::size_t number, const Vector<T>& p) const {
    Vector<T> result{};
    for (std::size_t k = first_[number]; k < first_[number + 1]; ++k) {
      const auto& [entry, value] = entries_[k];
      if (!entry.of_constant) result[entry.from] += value * p[entry.to];
    }
    return result;
  }

 private:
  struct Known {
    typename System<T>::Entry entry;
    T value;
  };
  std::vector<Known> entries_;
  std::vector<std::size_t> first_;  // [time + 1]
};

}  // namespace saltus::linear
