// SPDX-License-Identifier: Apache-2.0
// Which entries of the matrices of some linear neurons are not 0: few are, and a product needs no others.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "neuron/linear.hpp"

namespace saltus::linear {

class Pattern {
 public:
  /// Of the matrix that `matrix_of` says of each neuron.
  template <class MatrixOf>
  Pattern(std::span<const Neuron> neurons, MatrixOf&& matrix_of) {
    for (std::uint8_t to = 0; to < dimension; ++to) {
      for (std::uint8_t from = 0; from < dimension; ++from) {
        for (const Neuron& n : neurons) {
          if (matrix_of(n)[to][from] == 0) continue;
          list_.push_back({to, from});
          break;
        }
      }
    }
  }

  struct Entry {
    std::uint8_t to, from;
  };
  std::span<const Entry> entries() const { return list_; }

  Vector<double> product(const Matrix<double>& m, const Vector<double>& x) const {
    Vector<double> y{};
    for (const Entry& e : list_) y[e.to] += m[e.to][e.from] * x[e.from];
    return y;
  }
  /// With the transposed matrix.
  Vector<double> product_back(const Matrix<double>& m, const Vector<double>& p) const {
    Vector<double> y{};
    for (const Entry& e : list_) y[e.from] += m[e.to][e.from] * p[e.to];
    return y;
  }

 private:
  std::vector<Entry> list_;
};

}  // namespace saltus::linear
