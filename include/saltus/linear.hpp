// SPDX-License-Identifier: Apache-2.0
/// @file
/// A neuron model in one file: any neuron that is linear between events (docs/theory.md, section
/// 14). Its mathematics is one function of its parameters; spikes, gradients by every parameter,
/// files, checks and Python follow from it.
///
///     dx/dt = a x + b      a spike when c.x - theta crosses 0 from below:  x <- reset x + reset_to
///     an arrival of weight w:  x <- x + w receptor, one of a few if the model has several
///
///     struct Adex { // somewhere in a .cpp
///       static constexpr std::string_view name = "...", says = "...";
///       static constexpr ParameterRow parameters[] = {rows::tau_mem, ...};
///       static constexpr std::string_view components[] = {"V", "I"};
///       template <class T>
///       static LinearNeuron<T> neuron(const Values<T>& q) {
///         LinearNeuron<T> n;
///         n.a[0][0] = -1.0 / q["tau_mem"];
///         ...
///         return n;
///       }
///       static void check(const Population&);      // if parameters must fit each other
///       static constexpr bool spikes = false;      // a readout
///       static constexpr std::string_view receptors[] = {"ex", "in"};  // projections name theirs
///     };
///     constexpr ModelInfo info = linear_model<Adex>();
///     const Model adex = Model::add(info);
///
/// tests/extending/toy_neuron.cpp is one, src/neuron/alif.cpp another.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>

#include "saltus/model.hpp"

namespace saltus {

/// A number and its derivatives by a few parameters at once: what a model's function is evaluated
/// with when gradients are wanted.
struct Dual {
  static constexpr std::size_t width = 4;  ///< so many parameters
  double value = 0;                        ///< the number
  std::array<double, width> slopes{};      ///< its derivative by each of them

  Dual() = default;
  /// A constant.
  Dual(double v) : value(v) {}  // NOLINT(google-explicit-constructor)

  /// Arithmetic and functions, with their rules of differentiation.
  /// @{
  Dual& operator+=(const Dual& o) {
    value += o.value;
    for (std::size_t k = 0; k < width; ++k) slopes[k] += o.slopes[k];
    return *this;
  }
  Dual& operator-=(const Dual& o) { return *this += -o; }
  Dual operator-() const { return *this * -1.0; }
  friend Dual operator+(Dual a, const Dual& b) { return a += b; }
  friend Dual operator-(Dual a, const Dual& b) { return a -= b; }
  friend Dual operator*(const Dual& a, const Dual& b) {
    return of(a.value * b.value,
              [&](std::size_t k) { return a.slopes[k] * b.value + a.value * b.slopes[k]; });
  }
  friend Dual operator*(const Dual& a, double b) {
    return of(a.value * b, [&](std::size_t k) { return a.slopes[k] * b; });
  }
  friend Dual operator*(double a, const Dual& b) { return b * a; }
  friend Dual operator/(const Dual& a, const Dual& b) {
    const double q = a.value / b.value;
    return of(q, [&](std::size_t k) { return (a.slopes[k] - q * b.slopes[k]) / b.value; });
  }
  friend Dual exp(const Dual& a) {
    const double e = std::exp(a.value);
    return of(e, [&](std::size_t k) { return e * a.slopes[k]; });
  }
  friend Dual log(const Dual& a) {
    return of(std::log(a.value), [&](std::size_t k) { return a.slopes[k] / a.value; });
  }
  friend Dual sqrt(const Dual& a) {
    const double root = std::sqrt(a.value);
    return of(root, [&](std::size_t k) { return a.slopes[k] / (2 * root); });
  }
  friend Dual sin(const Dual& a) {
    const double cosine = std::cos(a.value);
    return of(std::sin(a.value), [&](std::size_t k) { return cosine * a.slopes[k]; });
  }
  friend Dual cos(const Dual& a) {
    const double sine = std::sin(a.value);
    return of(std::cos(a.value), [&](std::size_t k) { return -sine * a.slopes[k]; });
  }
  /// @}

 private:
  template <class Slope>
  static Dual of(double v, Slope&& slope) {
    Dual d(v);
    for (std::size_t k = 0; k < width; ++k) d.slopes[k] = slope(k);
    return d;
  }
};

inline constexpr std::size_t most_components = 4;  ///< that a state may have
inline constexpr std::size_t most_receptors = 2;   ///< that a model may have

/// One neuron, as its model makes it of the parameters. Component 0 is V, which a loss sees and
/// which is held at its value after a spike for tau_ref seconds, with others that `held` names. What is
/// left alone is 0, `reset` the identity. Two components may act on each other so that they oscillate
/// (src/neuron/resonate_and_fire.cpp); else none may act on itself through others. No a[k][k] may be
/// above 0.
template <class T>
struct LinearNeuron {
  using Vector = std::array<T, most_components>;       ///< [component]
  using Matrix = std::array<Vector, most_components>;  ///< [row][column]

  Matrix a{};                                      ///< per second
  Vector b{};                                      ///< per second
  std::array<Vector, most_receptors> receptors{};  ///< what an arrival of weight 1 adds to x
  Vector c{};                                      ///< what of x meets the threshold
  T theta{};  ///< the threshold: a spike where c.x - theta crosses 0 from below
  /// What a spike does to x: reset x + reset_to.
  Matrix reset = [] {
    Matrix one{};
    for (std::size_t k = 0; k < most_components; ++k) one[k][k] = T(1);
    return one;
  }();
  Vector reset_to{};                             ///< the other half of it
  Vector initial{};                              ///< x(0)
  T tau_ref{};                                   ///< seconds
  std::array<bool, most_components> held{true};  ///< what stays as it is for tau_ref
};

/// The parameters of one neuron by their names. @tparam T  double or Dual
template <class T>
class Values {
 public:
  /// @param values  in the order of the model's table
  Values(const ModelInfo& info, std::span<const T> values) : info_(info), values_(values) {}
  /// @throws InvalidInput  the model's table has no such row
  const T& operator[](std::string_view parameter) const { return values_[info_.index(parameter)]; }

 private:
  const ModelInfo& info_;
  std::span<const T> values_;
};

/// A model's function, for numbers and for numbers with derivatives.
struct LinearModel {
  std::span<const std::string_view> components;  ///< their names; the first is V
  std::span<const std::string_view> receptors;   ///< the same; none: one without a name
  /// In numbers.
  LinearNeuron<double> (*neuron)(const Values<double>&);
  /// In numbers with derivatives.
  LinearNeuron<Dual> (*with_slopes)(const Values<Dual>&);
};

/// Those that a model names; none: it has one, without a name.
template <class M>
constexpr std::span<const std::string_view> receptors_of() {
  if constexpr (requires { M::receptors; }) {
    static_assert(std::size(M::receptors) <= most_receptors);
    return M::receptors;
  }
  return {};
}

/// Of a model as above.
template <class M>
inline constexpr LinearModel linear_mathematics{
    M::components, receptors_of<M>(), [](const Values<double>& q) { return M::neuron(q); },
    [](const Values<Dual>& q) { return M::neuron(q); }};

/// What Model::add takes. Keep it as long as the process lives.
template <class M>
constexpr ModelInfo linear_model() {
  static_assert(std::size(M::components) >= 1 && std::size(M::components) <= most_components);
  ModelInfo info{M::name, M::says, M::parameters};
  info.spikes = true;
  if constexpr (requires { M::spikes; }) info.spikes = M::spikes;
  if constexpr (requires(const Population& p) { M::check(p); }) info.check = &M::check;
  info.linear = &linear_mathematics<M>;
  return info;
}

}  // namespace saltus
