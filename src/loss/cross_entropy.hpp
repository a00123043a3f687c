// SPDX-License-Identifier: Apache-2.0
// What losses of scores share: the cross-entropy of their softmax, and who wins.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

#include "loss/part.hpp"
#include "saltus/loss.hpp"

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

/// The winner, and what became of the label.
template <class Real>
void count(LossResult<Real>& result, std::size_t sample, std::size_t label, bool label_silent,
           bool all_silent, std::span<const double> scores) {
  const auto winner =
      static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  result.predictions[sample] = all_silent ? -1 : static_cast<std::int32_t>(winner);
  result.correct += !all_silent && winner == label;
  result.silent += label_silent;
}

/// The mean cross-entropy of scores that are proportional to what was observed of V.
/// @param observed  [sample, neuron]
/// @param silent  (score): does an output with it say nothing?
/// @param observed_errors  becomes the derivatives by them
template <class Real, class Silent>
void cross_entropy_of(const Batch<Real>& b, const std::vector<Real>& observed, double scale,
                      std::size_t size, Silent silent, std::vector<Real>& observed_errors,
                      LossResult<Real>& result) {
  observed_errors.resize(observed.size());
  std::vector<double> scores(size), errors(size);
  std::vector<double> terms;
  const double share = share_of(b);
  for (std::size_t s = 0; s < b.labels.size(); ++s) {
    bool all_silent = true;
    for (std::size_t n = 0; n < size; ++n) {
      scores[n] = scale * static_cast<double>(observed[s * size + n]);
      all_silent = all_silent && scores[n] == 0;
    }
    const auto label = static_cast<std::size_t>(b.labels[s]);
    terms.push_back(share * cross_entropy(scores, label, errors));
    for (std::size_t n = 0; n < size; ++n) {
      observed_errors[s * size + n] = static_cast<Real>(share * scale * errors[n]);
    }
    count(result, s, label, silent(scores[label]), all_silent, scores);
  }
  add_in_order<Real>(b, terms, result.value);
}

/// The largest of 0 and |values|.
template <class Real>
double largest_of(const std::vector<Real>& values) {
  double largest = 0;
  for (const Real v : values) largest = std::max(largest, std::fabs(static_cast<double>(v)));
  return largest;
}

}  // namespace saltus
