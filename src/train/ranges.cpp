// SPDX-License-Identifier: Apache-2.0
#include "train/ranges.hpp"

#include <string_view>

#include "saltus/error.hpp"

namespace saltus {
namespace {

// @returns  how many values it changed
std::size_t clamp(std::vector<double>& values, const std::vector<double>& before, Range range) {
  std::size_t changed = 0;
  for (std::size_t k = 0; k < values.size(); ++k) {
    const double least = range == Range::positive       ? before[k] / 2
                         : range == Range::not_negative ? 0
                                                        : -infinity;
    if (!(values[k] < least)) continue;
    values[k] = least;
    ++changed;
  }
  return changed;
}

bool fits(const Population& p) {
  try {
    p.model->check(p);
  } catch (const InvalidInput&) {
    return false;
  }
  return true;
}

// V_reset and V(0) stay below the threshold, where the model asks for it. What else it asks for and does not find
// any more undoes the step of all of its parameters: a rare case.
std::size_t keep_below(Population& p, const std::vector<Parameter>& before) {
  if (!p.model->check) return 0;
  if (!p.model->has("v_threshold") || !p.model->has("v_reset")) return 0;
  constexpr std::string_view names[] = {"v_threshold", "v_reset", "v_initial"};
  std::size_t changed = 0;
  // Where neurons share one of the three, others are met once more.
  for (int pass = 0; pass < 2; ++pass) {
    for (std::size_t j = 0; j < p.size; ++j) {
      const double v_threshold = p["v_threshold"][j];
      if (p["v_reset"][j] < v_threshold && p["v_initial"][j] < v_threshold) continue;
      for (const std::string_view name : names) {
        Parameter& now = p[name];
        const std::size_t at = now.shared() ? 0 : j;
        const double then = before[p.model->index(name)][j];
        changed += now.values()[at] != then;
        now.values()[at] = then;
      }
    }
  }
  if (fits(p)) return changed;
  for (std::size_t q = 0; q < p.parameters.size(); ++q) {
    std::vector<double>& now = p.parameters[q].values();
    for (std::size_t k = 0; k < now.size(); ++k) {
      changed += now[k] != before[q].values()[k];
      now[k] = before[q].values()[k];
    }
  }
  return changed;
}

}  // namespace

template <class Real>
std::size_t clamp(Network<Real>& network, const Ranged& before) {
  std::size_t changed = 0;
  for (std::size_t k = 0; k < before.delays.size(); ++k) {
    changed += clamp(network.projections()[k].delay.values, before.delays[k], Range::not_negative);
  }
  for (std::size_t k = 0; k < before.neurons.size(); ++k) {
    Population& p = network.populations()[k];
    for (std::size_t q = 0; q < p.parameters.size(); ++q) {
      changed += clamp(p.parameters[q].values(), before.neurons[k][q].values(),
                       p.model->parameters[q].range);
    }
    changed += keep_below(p, before.neurons[k]);
  }
  return changed;
}

template std::size_t clamp(Network<float>&, const Ranged&);
template std::size_t clamp(Network<double>&, const Ranged&);

}  // namespace saltus
