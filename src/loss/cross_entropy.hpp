// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

namespace saltus {

/// -log softmax(scores)[label]; `errors` becomes its derivative by each score.
inline double cross_entropy(std::span<const double> scores, std::size_t label,
                            std::span<double> errors) {
  const double top = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (std::size_t n = 0; n < scores.size(); ++n) sum += errors[n] = std::exp(scores[n] - top);
  for (double& e : errors) e /= sum;
  errors[label] -= 1;
  return std::log(sum) + top - scores[label];
}

}  // namespace saltus
