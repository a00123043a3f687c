// SPDX-License-Identifier: Apache-2.0
#include "train/ranges.hpp"

#include <numeric>
#include <span>
#include <vector>

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

// Is it, or one of its neurons, as its model asks?
bool fits(const Population& p) {
  try {
    p.model->check(p);
  } catch (const InvalidInput&) {
    return false;
  }
  return true;
}
bool fits(const Population& p, std::size_t j) {
  Population one;
  one.model = p.model;
  one.size = 1;
  for (const Parameter& q : p.parameters) one.parameters.emplace_back(q[j]);
  return fits(one);
}

// Undoes the step of some parameters of neuron j, for all that share them. @returns  how many values it changed
std::size_t put_back(Population& p, std::size_t j, std::span<const std::size_t> parameters,
                     const std::vector<Parameter>& before) {
  std::size_t changed = 0;
  for (const std::size_t q : parameters) {
    Parameter& now = p.parameters[q];
    const std::size_t at = now.shared() ? 0 : j;
    changed += now.values()[at] != before[q][j];
    now.values()[at] = before[q][j];
  }
  return changed;
}

// V_reset and V(0) stay below the threshold, where the model asks for it; and what else it asks for holds.
std::size_t keep_below(Population& p, const std::vector<Parameter>& before) {
  if (!p.model->check) return 0;
  if (!p.model->has("v_threshold") || !p.model->has("v_reset")) return 0;
  const std::size_t of_v[] = {p.model->index("v_threshold"), p.model->index("v_reset"),
                              p.model->index("v_initial")};
  std::size_t changed = 0;
  // Where neurons share one of them, others are met once more.
  for (int pass = 0; pass < 2; ++pass) {
    for (std::size_t j = 0; j < p.size; ++j) {
      const double v_threshold = p["v_threshold"][j];
      if (p["v_reset"][j] < v_threshold && p["v_initial"][j] < v_threshold) continue;
      changed += put_back(p, j, of_v, before);
    }
  }
  if (fits(p)) return changed;
  std::vector<std::size_t> all(p.parameters.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  for (int pass = 0; pass < 2; ++pass) {
    for (std::size_t j = 0; j < p.size; ++j) {
      if (!fits(p, j)) changed += put_back(p, j, all, before);
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
