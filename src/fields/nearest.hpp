// SPDX-License-Identifier: Apache-2.0
// What a name was probably meant to be.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace saltus {

/// "; did you mean 'tau_mem'?", or nothing where none of the names is near.
std::string nearest_name(std::string_view name, const std::vector<std::string_view>& known);

}  // namespace saltus
