// SPDX-License-Identifier: Apache-2.0
/// @file
/// How far a network is from a change of which spikes there are: how far its exact gradient can be
/// believed (docs/ghosts.md).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "saltus/adjoint.hpp"
#include "saltus/network.hpp"

namespace saltus {

/// How far a network is from a change of which spikes there are.
struct Margin {
  /// Peaks of V within the range below the threshold, and free peaks behind spikes within it above:
  /// spikes that nearly exist, or nearly do not.
  std::size_t near_peaks = 0;
  /// The largest s for which the network with parameters p - s gradient has, to first order, the
  /// same spikes: the first of those peaks meets its threshold there. Infinite: none does.
  double step = infinity;
};

/// Measured in float64 by a small step along the gradient.
/// @param gradients  of the network; only the tensors named in `trainable` move
/// @param trainable  as TrainSettings::trainable
/// @param range      in units of V: peaks further from the threshold are not looked at
/// @throws InvalidInput  as simulate(); range not above 0
template <class Real>
Margin margin(const Network<Real>& network, const Inputs& inputs, const Gradients<Real>& gradients,
              const std::vector<std::string>& trainable = {"weights"}, double range = 0.1,
              const Options& = {});

}  // namespace saltus
