// SPDX-License-Identifier: Apache-2.0
// Hidden layers from what the settings say of them, each on top of the one below it.
#pragma once

#include <string>
#include <vector>

#include "saltus/connection.hpp"
#include "saltus/data.hpp"
#include "saltus/task.hpp"

namespace saltus {

struct HiddenLayer {
  enum class Kind { dense, convolution, pooling };
  Kind kind = Kind::dense;
  std::string called;       ///< in errors
  std::size_t size = 0;     ///< neurons
  data::Grid grid{};        ///< of its neurons; none of a dense layer
  Connection connection{};  ///< from the layer below
  std::size_t weights = 0;
  double synapses = 0;
};

/// @throws InvalidInput  a layer that does not fit on the one below: names it
std::vector<HiddenLayer> hidden_layers(const RunSettings& settings,
                                       const data::LabelledSpikes& inputs);

}  // namespace saltus
