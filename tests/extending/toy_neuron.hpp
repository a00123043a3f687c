// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "saltus/model.hpp"

namespace saltus::toy {

/// Makes "AlphaSoft" known: a leaky neuron with an alpha synapse whose threshold is taken away from
/// V at a spike.
Model add_alpha_soft();

}  // namespace saltus::toy
