// SPDX-License-Identifier: Apache-2.0
// `saltus bench cliffs`, once its options are read.
#pragma once

#include <string>
#include <vector>

#include "saltus/task.hpp"

namespace saltus::cli {

/// Measures and prints; the arguments are those of bench::fast_path() and bench::cliffs().
/// @param json  one object instead of a table
/// @return an exit code
int bench_cliffs(const RunSettings& given, const std::vector<std::string>& only, std::size_t rounds,
                 bool json);

}  // namespace saltus::cli
