// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

namespace saltus {

/// JSON of a file that anybody may have written.
/// @throws InvalidInput  no JSON, nested deeper than 64, or a name that stands twice in an object:
///         JSON would take the last, a slip that no one would notice
nlohmann::json parse_json(std::string_view text);

}  // namespace saltus
