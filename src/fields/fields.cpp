// SPDX-License-Identifier: Apache-2.0
#include "saltus/fields.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "saltus/error.hpp"

namespace saltus {

void Bound::operator()(std::string_view name, double value) const {
  if (!good(value)) {
    throw InvalidInput(fmt::format("{} is {}; expected {}", name, value, expected));
  }
}

void refuse_name(std::string_view what, std::string_view name,
                 const std::vector<std::string_view>& known) {
  throw InvalidInput(
      fmt::format("no {} is called '{}'; there are: {}", what, name, fmt::join(known, ", ")));
}

}  // namespace saltus
