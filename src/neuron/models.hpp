// SPDX-License-Identifier: Apache-2.0
// The models of the library that have a file of their own, the exponential synapse first where there
// is one: a line here and one in models.cpp.
#pragma once

#include <array>

#include "saltus/model.hpp"

namespace saltus {

extern const std::array<ModelInfo, 4> lif_models, li_models;  // with other synapses
extern const std::array<ModelInfo, 5> alif_models, if_models, rf_models;

}  // namespace saltus
