// SPDX-License-Identifier: Apache-2.0
// What the tests of several rooms need: messages of refusals, spikes by hand, comparison by bits.
#pragma once

#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "gradcheck/tensors.hpp"
#include "saltus/error.hpp"
#include "saltus/simulate.hpp"

namespace saltus::test {

inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// The message with which `call` throws an Exception; empty if it does not throw.
template <class Exception = InvalidInput, class Call>
std::string refusal(Call&& call) {
  try {
    call();
  } catch (const Exception& e) {
    return e.what();
  }
  return "";
}

/// Spikes of a batch: per sample a list of (time, neuron).
inline Spikes spikes_of(const std::vector<std::vector<std::pair<double, int>>>& samples) {
  Spikes result;
  for (const auto& sample : samples) {
    for (const auto& [time, neuron] : sample) {
      result.times.push_back(time);
      result.neurons.push_back(neuron);
    }
    result.offsets.push_back(static_cast<std::int64_t>(result.times.size()));
  }
  return result;
}

/// Also tells 0 from -0 and one NaN from another.
template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

template <class Real>
bool same_bits(const Record<Real>& a, const Record<Real>& b) {
  if (a.samples != b.samples || a.populations.size() != b.populations.size()) return false;
  for (std::size_t p = 0; p < a.populations.size(); ++p) {
    const auto &x = a.populations[p], &y = b.populations[p];
    if (!(same_bits(x.spikes.offsets, y.spikes.offsets) &&
          same_bits(x.spikes.times, y.spikes.times) &&
          same_bits(x.spikes.neurons, y.spikes.neurons) && same_bits(x.currents, y.currents) &&
          same_bits(x.release_currents, y.release_currents))) {
      return false;
    }
  }
  return true;
}

template <class Real>
bool same_bits(const Gradients<Real>& a, const Gradients<Real>& b) {
  bool same = a.weights.size() == b.weights.size() && a.neurons.size() == b.neurons.size();
  for (std::size_t k = 0; same && k < a.weights.size(); ++k) {
    same = same_bits(a.weights[k], b.weights[k]) && same_bits(a.delays[k], b.delays[k]);
  }
  for (std::size_t p = 0; same && p < a.neurons.size(); ++p) {
    const auto &x = a.neurons[p].parameters, &y = b.neurons[p].parameters;
    same = same_bits(a.times[p], b.times[p]) && x.size() == y.size();
    for (std::size_t q = 0; same && q < x.size(); ++q) same = same_bits(x[q], y[q]);
  }
  return same;
}

using gradcheck::largest_difference;

}  // namespace saltus::test
