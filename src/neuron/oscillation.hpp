// SPDX-License-Identifier: Apache-2.0
// Two components of a linear neuron that act on each other, and so oscillate: a pair of complex rates
// (docs/theory.md, section 14).
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <optional>

#include "saltus/linear.hpp"

namespace saltus::linear {

inline double number(double v) { return v; }
inline double number(const Dual& v) { return v.value; }

/// Of parts that may carry derivatives.
template <class T>
struct Complex {
  T re, im;

  friend Complex operator+(const Complex& a, const Complex& b) {
    return {a.re + b.re, a.im + b.im};
  }
  friend Complex operator-(const Complex& a, const Complex& b) {
    return {a.re - b.re, a.im - b.im};
  }
  friend Complex operator*(const Complex& a, const Complex& b) {
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
  }
  friend Complex operator*(const Complex& a, double b) { return {a.re * b, a.im * b}; }
  friend Complex operator/(const Complex& a, const Complex& b) {
    const T square = b.re * b.re + b.im * b.im;
    return {(a.re * b.re + a.im * b.im) / square, (a.im * b.re - a.re * b.im) / square};
  }
  friend Complex exp(const Complex& z) {
    using std::cos;
    using std::exp;
    using std::sin;
    const T size = exp(z.re);
    return {size * cos(z.im), size * sin(z.im)};
  }
  double size() const { return std::hypot(number(re), number(im)); }
};

/// The pair: rates -decay +- i turn.
template <class T>
struct Pair {
  std::array<std::size_t, 2> components;
  T decay, turn;
  /// (a + decay)/turn of the pair, [to][from]: of a function of that matrix, with the value f at
  /// -decay + i turn, it is Re f + of_imaginary Im f.
  std::array<std::array<T, 2>, 2> of_imaginary;

  Complex<T> rate() const { return {-decay, turn}; }
  bool has(std::size_t component) const {
    return component == components[0] || component == components[1];
  }
};

/// None if no two components act on each other, or if they do not oscillate.
/// @param a  [to][from], square
template <class T, class Matrix>
std::optional<Pair<T>> pair_of(const Matrix& a) {
  using std::sqrt;
  for (std::size_t k = 0; k < a.size(); ++k) {
    for (std::size_t l = k + 1; l < a.size(); ++l) {
      if (number(a[k][l]) == 0 || number(a[l][k]) == 0) continue;
      const T apart = (a[k][k] - a[l][l]) * 0.5;
      const T square = -(a[k][l] * a[l][k]) - apart * apart;
      if (!(number(square) > 0)) return {};
      const T turn = sqrt(square);
      return Pair<T>{{k, l},
                     (a[k][k] + a[l][l]) * -0.5,
                     turn,
                     {{{apart / turn, a[k][l] / turn}, {a[l][k] / turn, -apart / turn}}}};
    }
  }
  return {};
}

}  // namespace saltus::linear
