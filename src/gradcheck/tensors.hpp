// SPDX-License-Identifier: Apache-2.0
// The parameters of a network and their gradients side by side, tensor by tensor.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "saltus/adjoint.hpp"

namespace saltus::gradcheck {

struct Tensor {
  std::string name;
  std::vector<double>* values;  // in the network
  const std::vector<double>* gradient;
  double typical;              // size of a sensible change
  bool bounded_below = false;  // 0 is the least value allowed
};

inline std::vector<Tensor> tensors(Network<double>& network, const Gradients<double>& g) {
  std::vector<Tensor> result;
  for (std::size_t k = 0; k < network.projections().size(); ++k) {
    auto& p = network.projections()[k];
    result.push_back({p.name + ".weight", &p.weight, &g.weights[k], 1.0});
    if (!p.delay.values.empty()) {
      result.push_back({p.name + ".delay", &p.delay.values, &g.delays[k], 5e-3, true});
    }
  }
  for (std::size_t k = 0; k < network.populations().size(); ++k) {
    auto& p = network.populations()[k];
    for (std::size_t q = 0; q < p.parameters.size(); ++q) {
      const ParameterRow& row = p.model->parameters[q];
      result.push_back({fmt::format("{}.{}", p.name, row.name), &p.parameters[q].values(),
                        &g.neurons[k].parameters[q], row.typical, row.range != Range::any});
    }
  }
  return result;
}

/// The largest term that a sensible change of a parameter makes anywhere, or `magnitude` if that is
/// larger: what rounding scales with.
inline double largest_term(const std::vector<Tensor>& tensors, double magnitude) {
  for (const Tensor& tensor : tensors) {
    for (const double v : *tensor.gradient) {
      if (std::isfinite(v)) magnitude = std::max(magnitude, std::fabs(v) * tensor.typical);
    }
  }
  return magnitude;
}

/// The largest difference of two gradients, relative to the largest entry of its tensor. Where a
/// whole tensor cancels, what is left is rounding of the largest terms anywhere: not less than that
/// counts.
inline double largest_difference(Network<double> network, const Gradients<double>& a,
                                 const Gradients<double>& b, double bar, double magnitude = 0,
                                 std::string* where = nullptr,
                                 double rounding = 16 * std::numeric_limits<double>::epsilon()) {
  const auto x = gradcheck::tensors(network, a), y = gradcheck::tensors(network, b);
  const double terms = largest_term(x, magnitude);
  double worst = 0;
  const auto compare = [&](const std::vector<double>& p, const std::vector<double>& q,
                           double typical, const std::string& name) {
    double scale = rounding * terms / typical / bar;
    for (const double v : q) {
      if (std::isfinite(v)) scale = std::max(scale, std::fabs(v));
    }
    for (std::size_t k = 0; k < q.size(); ++k) {
      const bool equal = p[k] == q[k] || (!std::isfinite(p[k]) && !std::isfinite(q[k]));
      const double error = equal ? 0 : std::fabs(p[k] - q[k]) / scale;
      if (error > worst || std::isnan(error)) {
        worst = std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
        if (where) *where = name;
      }
    }
  };
  for (std::size_t k = 0; k < x.size(); ++k) {
    compare(*x[k].gradient, *y[k].gradient, x[k].typical, x[k].name);
  }
  for (std::size_t p = 0; p < a.times.size(); ++p) {
    compare(a.times[p], b.times[p], 1e-3, "input times");
  }
  return worst;
}

}  // namespace saltus::gradcheck
