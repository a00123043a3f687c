// SPDX-License-Identifier: Apache-2.0
#include "fields/nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace saltus {
namespace {

// How many letters must be put in, taken out or replaced to make one of the other (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t corner = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = corner + (a[i - 1] != b[j - 1]);
      corner = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string nearest_name(std::string_view name, const std::vector<std::string_view>& known) {
  std::string_view best;
  std::size_t least = 1 + std::max<std::size_t>(2, name.size() / 2);
  for (const std::string_view other : known) {
    const std::size_t d = distance(name, other);
    if (d < least) {
      least = d;
      best = other;
    }
  }
  return best.empty() ? "" : fmt::format("; did you mean '{}'?", best);
}

}  // namespace saltus
