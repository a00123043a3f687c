// SPDX-License-Identifier: Apache-2.0
// What of the jump of p at a spike of a linear neuron the states alone tell (docs/theory.md, section
// 14): found for all spikes of a sample at once, before the way back asks for one after the other.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "neuron/linear.hpp"
#include "neuron/linear_pattern.hpp"

namespace saltus {

/// At a spike.
struct LinearJump {
  linear::Vector<double> moves;    // R f- - f+: what a later spike changes of x behind it
  linear::Vector<double> release;  // what a later release changes of x, if it lies at the spike
  double rise;                     // c.f-: how fast y crosses 0
  bool held;                       // is the neuron held behind it?
};

/// What a later release changes of x: from it on x moves otherwise.
inline linear::Vector<double> change_at_release(const linear::Neuron& n,
                                                const linear::Vector<double>& slope) {
  linear::Vector<double> change{};
  for (std::size_t k = 0; k < most_components; ++k) {
    if (n.holds[k]) change[k] = -slope[k];
  }
  return change;
}

class LinearJumps {
 public:
  LinearJumps(std::span<const linear::Neuron> neurons)
      : neurons_(neurons),
        motion_(
            neurons, [](const auto& n) -> auto& { return n.free.matrix(); }),
        reset_(
            neurons, [](const auto& n) -> auto& { return n.reset; }) {}

  const linear::Pattern& reset() const { return reset_; }
  linear::Vector<double> slope(const linear::Neuron& n, const linear::Vector<double>& x) const {
    linear::Vector<double> f = motion_.product(n.free.matrix(), x);
    linear::add(f, n.free.constant(), 1.0);
    return f;
  }

  /// @param numbers  of the neurons that spike @param before  x there
  /// @param held  (number of the spike) -> is its neuron held behind it?
  template <class Held>
  void find(std::span<const std::int32_t> numbers, std::span<const linear::Vector<double>> before,
            Held&& held, std::vector<LinearJump>& out) const {
    out.resize(numbers.size());
    for (std::size_t first = 0; first < numbers.size(); first += block) {
      const std::size_t count = std::min(block, numbers.size() - first);
      find_block(numbers.subspan(first, count), before.data() + first, out.data() + first);
      for (std::size_t k = first; k < first + count; ++k) {
        out[k].held = held(k);
        if (!out[k].held) continue;
        const linear::Neuron& n = neuron(numbers[k]);
        for (std::size_t c = 0; c < most_components; ++c) {
          if (n.holds[c]) out[k].moves[c] -= out[k].release[c];  // f+ is 0 there
        }
      }
    }
  }

 private:
  static constexpr std::size_t block = 64;  // of spikes: side by side
  using Lanes = std::array<double, block>;
  using State = std::array<Lanes, linear::dimension>;
  std::span<const linear::Neuron> neurons_;  // one for all, or one per neuron
  linear::Pattern motion_, reset_;

  const linear::Neuron& neuron(std::int32_t j) const {
    return neurons_[neurons_.size() == 1 ? 0 : static_cast<std::size_t>(j)];
  }
  // to += factor(neuron) * of
  template <class Factor>
  void add(std::span<const std::int32_t> numbers, Lanes& to, Factor&& factor,
           const Lanes& of) const {
    if (neurons_.size() == 1) {
      const double shared = factor(neurons_[0]);
      for (std::size_t k = 0; k < numbers.size(); ++k) to[k] += shared * of[k];
    } else {
      for (std::size_t k = 0; k < numbers.size(); ++k) {
        to[k] += factor(neuron(numbers[k])) * of[k];
      }
    }
  }
  template <class Part>
  void add_product(std::span<const std::int32_t> numbers, const linear::Pattern& pattern,
                   Part&& matrix_of, const State& x, State& y) const {
    for (const auto& e : pattern.entries()) {
      const auto factor = [&](const linear::Neuron& n) { return matrix_of(n)[e.to][e.from]; };
      add(numbers, y[e.to], factor, x[e.from]);
    }
  }
  template <class Part>
  void add_vector(std::span<const std::int32_t> numbers, Part&& vector_of, State& y) const {
    for (std::size_t c = 0; c < linear::dimension; ++c) {
      for (std::size_t k = 0; k < numbers.size(); ++k) y[c][k] += vector_of(neuron(numbers[k]))[c];
    }
  }

  void find_block(std::span<const std::int32_t> numbers, const linear::Vector<double>* before,
                  LinearJump* out) const {
    const auto motion = [](const linear::Neuron& n) -> auto& { return n.free.matrix(); };
    const auto constant = [](const linear::Neuron& n) -> auto& { return n.free.constant(); };
    const auto reset = [](const linear::Neuron& n) -> auto& { return n.reset; };
    const auto reset_to = [](const linear::Neuron& n) -> auto& { return n.reset_to; };
    const std::size_t count = numbers.size();
    State x, slope{}, after{}, slope_after{}, moves{};
    for (std::size_t k = 0; k < count; ++k) {
      for (std::size_t c = 0; c < linear::dimension; ++c) x[c][k] = before[k][c];
    }
    add_product(numbers, motion_, motion, x, slope);
    add_vector(numbers, constant, slope);
    add_product(numbers, reset_, reset, x, after);
    add_vector(numbers, reset_to, after);
    add_product(numbers, motion_, motion, after, slope_after);
    add_vector(numbers, constant, slope_after);
    add_product(numbers, reset_, reset, slope, moves);
    for (std::size_t k = 0; k < count; ++k) {
      const linear::Neuron& n = neuron(numbers[k]);
      linear::Vector<double> f;
      double rise = 0;
      for (std::size_t c = 0; c < linear::dimension; ++c) {
        f[c] = slope_after[c][k];
        out[k].moves[c] = moves[c][k] - f[c];
        rise += n.c[c] * slope[c][k];
      }
      out[k].release = change_at_release(n, f);
      out[k].rise = std::max(rise, least_rise(n));
    }
  }
  // A spike needs a slope to divide by, however slowly it came.
  static double least_rise(const linear::Neuron& n) {
    return std::numeric_limits<double>::epsilon() * n.free.fastest() *
           std::max(std::fabs(n.theta), 1e-300);
  }
};

}  // namespace saltus
