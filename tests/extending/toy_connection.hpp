// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace saltus::toy {

/// Makes "ring" known: each neuron reaches those at most `reach` places away on a ring, with a
/// weight for each distance that all share.
void add_ring();

}  // namespace saltus::toy
