// SPDX-License-Identifier: Apache-2.0
// The flow of dx/dt = a x + b (neuron/linear_flow.hpp) with its derivatives by parameters, as numbers
// that are found for many times at once, in vectors. The derivative of a divided difference by one of
// its nodes is the one that has this node twice:
//
//     d/dz_k e^(z t)[z_0, ..., z_k, ..., z_n] = e^(z t)[z_0, ..., z_k, z_k, ..., z_n]
//
// so that nothing cancels in the derivatives either.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "neuron/linear_flow.hpp"

namespace saltus::linear {

/// An entry of the flow, or its derivative by one of the parameters.
struct SlopedEntry {
  System<Dual>::Entry entry;
  std::size_t by;  // 0: the entry itself; else 1 + the number of the parameter
  bool operator==(const SlopedEntry&) const = default;
};

/// Calls visit(sloped entry, whole, factor, node) for all that the entries of a flow and their
/// derivatives are sums of: the factor times the difference of the path's nodes, of which `node` is
/// there twice (none: -1).
template <class Visit>
void for_each_slope(const System<Dual>& system, std::size_t rows, Visit&& visit) {
  for (const auto& path : system.paths(rows)) {
    visit(SlopedEntry{path.entry, 0}, path.nodes, path.factor.value, -1);
    for (std::size_t q = 0; q < Dual::width; ++q) {
      const SlopedEntry by{path.entry, 1 + q};
      if (path.factor.slopes[q] != 0) visit(by, path.nodes, path.factor.slopes[q], -1);
      for (std::size_t m = 0; m < system.rates().size(); ++m) {
        const double slope = system.rates()[m].slopes[q];
        if (!(path.nodes & 1U << m) || slope == 0) continue;
        visit(by, path.nodes, path.factor.value * slope, static_cast<int>(m));
      }
    }
  }
}

/// What the values of some sloped entries are found from, of one system without a pair that oscillates.
class SlopedFlow {
 public:
  /// @param number_of  (SlopedEntry) -> its number, or -1 if nobody asks for it
  template <class NumberOf>
  SlopedFlow(const System<Dual>& system, std::size_t rows, NumberOf&& number_of) {
    std::vector<double> rates;
    for (const Dual& rate : system.rates()) rates.push_back(rate.value);
    for_each_slope(
        system, rows, [&](const SlopedEntry& e, unsigned nodes, double factor, int twice) {
          const int number = number_of(e);
          if (number < 0) return;
          std::vector<std::uint8_t> list;
          for (std::uint8_t m = 0; m < rates.size(); ++m) {
            if (nodes & 1U << m) list.push_back(m);
            if (twice == m) list.push_back(m);
          }
          paths_.push_back({static_cast<std::size_t>(number), difference(list, rates), factor});
        });
    std::ranges::stable_sort(paths_, {}, &Path::number);
    nodes_.clear();
  }

  /// A number is the sum over its paths of the factor times the value of the difference.
  struct Path {
    std::size_t number, difference;
    double factor;
  };
  std::span<const Path> paths() const { return paths_; }
  std::span<const Difference> differences() const { return differences_; }

  /// Sets out[time * times + number * numbers] for each time and for each number that has a path;
  /// leaves the others. In vectors, with the same bits on every instruction set.
  void values(std::span<const double> dt, double* out, std::size_t times,
              std::size_t numbers) const;

 private:
  std::vector<Difference> differences_;           // each behind those that it is made of
  std::vector<Path> paths_;                       // by number
  std::vector<std::vector<std::uint8_t>> nodes_;  // of the differences, while they are collected

  std::size_t difference(const std::vector<std::uint8_t>& nodes, std::span<const double> rates) {
    const auto known = std::ranges::find(nodes_, nodes);
    if (known != nodes_.end()) return static_cast<std::size_t>(known - nodes_.begin());
    Difference d{};
    d.order = nodes.size() - 1;
    d.rate = rates[nodes.back()];
    if (d.order > 0) {
      d.without_first = difference({nodes.begin() + 1, nodes.end()}, rates);
      d.without_last = difference({nodes.begin(), nodes.end() - 1}, rates);
      d.last = difference({nodes.back()}, rates);
      std::array<double, dimension + 2> z{};
      for (std::size_t k = 0; k <= d.order; ++k) z[k] = rates[nodes[k]];
      prepare(d, z);
    } else {
      d.last = differences_.size();
    }
    differences_.push_back(d);
    nodes_.push_back(nodes);
    return differences_.size() - 1;
  }
};

}  // namespace saltus::linear
