// SPDX-License-Identifier: Apache-2.0
// How many numbers stand side by side.
#pragma once

#include <cstddef>

namespace saltus {

/// As many numbers as the widest vectors of any machine hold. What is shorter is filled up to so
/// many, so that a vector can be loaded.
inline constexpr std::size_t widest_vector = 16;

}  // namespace saltus
