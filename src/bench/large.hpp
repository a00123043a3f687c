// SPDX-License-Identifier: Apache-2.0
// `saltus bench large`: a recurrent network of many neurons, each with a few synapses of its own
// delays, and its adjoint: what a synaptic event costs when nothing fits into a cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "saltus/inputs.hpp"
#include "saltus/network.hpp"

namespace saltus::bench {

struct LargeSettings {
  std::vector<std::size_t> neurons = {1000, 10000, 100000};
  std::size_t synapses = 100;  ///< into each neuron
  double t_end = 1;            ///< s
  std::size_t rounds = 3;      ///< the best of them counts
  std::uint64_t seed = 0;
  int threads = 1;
  Kernel kernel = Kernel::vector;
  std::string precision = "float32";
};

/// One sample. A synaptic event is a spike that arrives at a neuron before the end.
struct Large {
  std::size_t neurons = 0, synapses = 0;
  std::size_t spikes = 0, synaptic_events = 0;
  double rate = 0;  ///< spikes a second and neuron
  double build_s = 0, forward_s = 0, backward_s = 0;
  double forward_ns = 0, backward_ns = 0;  ///< per synaptic event
  double largest_gradient = 0;             ///< of a weight: not finite if it has overflowed
  double peak_mib = 0;                     ///< resident, of the process so far
};

/// LIF neurons, four fifths of them excitatory, `synapses` drawn for each among all, each with a delay
/// of its own from 1 to 10 ms; every neuron has a bias and a first V of its own, and they fire at
/// about 10 spikes a second, out of step.
template <class Real>
Network<Real> large_network(std::size_t neurons, const LargeSettings& settings);

/// For each size one sample and its adjoint: the gradients of all weights and delays of a loss that
/// pulls each spike one way or the other (dL/dt is 1 or -1, drawn).
/// @param progress  told what comes next
/// @throws InvalidInput  a setting without a meaning
std::vector<Large> large(const LargeSettings& settings,
                         const std::function<void(const std::string&)>& progress);

}  // namespace saltus::bench
