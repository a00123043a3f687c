// SPDX-License-Identifier: Apache-2.0
// `saltus bench large`, once its options are read.
#pragma once

#include "bench/large.hpp"

namespace saltus::cli {

/// Measures and prints.
/// @param json  one object instead of a table
/// @return an exit code
int bench_large(const bench::LargeSettings& settings, bool json);

}  // namespace saltus::cli
