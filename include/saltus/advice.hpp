// SPDX-License-Identifier: Apache-2.0
/// @file
/// What looks like a mistake although nothing is wrong: a sentence each, with what would remedy it.
/// The command line writes them to standard error, Python warns. Each is worth saying once.
#pragma once

#include <string>
#include <vector>

#include "saltus/data.hpp"
#include "saltus/inputs.hpp"
#include "saltus/network.hpp"
#include "saltus/train.hpp"

namespace saltus {

/// Of data before they are seen: input spikes after t_end, times or time constants that look like
/// another unit than seconds.
template <class Real>
std::vector<std::string> advice(const Network<Real>& network, const data::LabelledSpikes& data,
                                double t_end);

/// Of a run: times or time constants that look like another unit than seconds. It reads the first
/// and the last spike of each sample alone.
/// @param inputs  as simulate() took them
template <class Real>
std::vector<std::string> advice(const Network<Real>& network, const Inputs& inputs);

/// Of an epoch: a layer that stayed silent, a readout that nothing reaches. The cause alone, not
/// what follows from it. The same words in each epoch.
std::vector<std::string> advice(const EpochReport& report);

/// That no input spike comes before t_end; empty if one does. For errors that follow from it.
std::string no_input(const data::LabelledSpikes& data, double t_end);

}  // namespace saltus
