// SPDX-License-Identifier: Apache-2.0
#include "archive/json.hpp"

#include <fmt/format.h>

#include <limits>
#include <set>
#include <string>
#include <vector>

#include "saltus/error.hpp"

namespace saltus {

using nlohmann::json;

nlohmann::json parse_json(std::string_view text) {
  constexpr int deepest = 64;
  std::vector<std::set<std::string>> names;  // of the objects around
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > deepest) {
      throw InvalidInput(fmt::format("lists and objects are nested deeper than {}", deepest));
    }
    if (event == json::parse_event_t::object_start) names.emplace_back();
    if (event == json::parse_event_t::object_end) names.pop_back();
    if (event == json::parse_event_t::key &&
        !names.back().insert(parsed.get<std::string>()).second) {
      throw InvalidInput(fmt::format("{} is given twice; expected it once", parsed.dump()));
    }
    return true;
  };
  try {
    return json::parse(text, watch);
  } catch (const json::parse_error& e) {
    throw InvalidInput(fmt::format("not JSON from byte {} on", e.byte));
  } catch (const json::out_of_range&) {
    throw InvalidInput(
        fmt::format("holds a number beyond {:.2g}; expected one that a double can hold",
                    std::numeric_limits<double>::max()));
  } catch (const json::exception& e) {  // a name that is not UTF-8
    throw InvalidInput(fmt::format("not JSON: {}", e.what()));
  }
}

}  // namespace saltus
