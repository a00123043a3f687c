// SPDX-License-Identifier: Apache-2.0
// Any neuron that is linear between events (docs/theory.md, section 14): its flow, there and back.
// All in double, whatever the network's type. The state has one more component than the model says,
// the integral of V: a loss of it is then one of the state like any other.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "saltus/linear.hpp"

namespace saltus::linear {

inline constexpr std::size_t dimension = most_components + 1;
inline constexpr std::size_t integral_of_v = most_components;  // its place; V's is 0

template <class T>
using Vector = std::array<T, dimension>;
template <class T>
using Matrix = std::array<Vector<T>, dimension>;

template <class A, class B>
auto dot(const Vector<A>& a, const Vector<B>& b) {
  auto sum = a[0] * b[0];
  for (std::size_t k = 1; k < dimension; ++k) sum += a[k] * b[k];
  return sum;
}

template <class T>
Vector<T> product(const Matrix<T>& m, const Vector<T>& x) {
  Vector<T> y;
  for (std::size_t k = 0; k < dimension; ++k) y[k] = dot(m[k], x);
  return y;
}

template <class T>
Matrix<T> product(const Matrix<T>& a, const Matrix<T>& b) {
  Matrix<T> result{};
  for (std::size_t k = 0; k < dimension; ++k) {
    for (std::size_t l = 0; l < dimension; ++l) {
      for (std::size_t m = 0; m < dimension; ++m) result[k][m] += a[k][l] * b[l][m];
    }
  }
  return result;
}

template <class T>
Matrix<T> transposed(const Matrix<T>& m) {
  Matrix<T> t;
  for (std::size_t k = 0; k < dimension; ++k) {
    for (std::size_t l = 0; l < dimension; ++l) t[k][l] = m[l][k];
  }
  return t;
}

template <class T, class Factor>
void add(Vector<T>& to, const Vector<T>& v, const Factor& factor) {
  for (std::size_t k = 0; k < dimension; ++k) to[k] += v[k] * factor;
}

inline double number(double v) { return v; }
inline double number(const Dual& v) { return v.value; }

template <class T>
using Nodes = std::array<T, dimension + 1>;

/// exp[z_0, ..., z_k] for every k < count, where all z lie within 1 of each other: the series
///
///     e^c sum over p of h_p(z_0 - c, ..., z_k - c)/(p + k)!    h_p: the sum of all products of p
template <class T>
Nodes<T> close_exponentials(const T* z, std::size_t count) {
  using std::exp;
  const T middle = (z[0] + z[count - 1]) * 0.5;
  Nodes<T> y{}, h{}, sum{};
  double inverse = 1;  // of (p + k)!
  for (std::size_t k = 0; k < count; ++k) {
    y[k] = z[k] - middle;
    h[k] = T(1);
    sum[k] = T(inverse);
    inverse /= static_cast<double>(k + 1);
  }
  const double reach = std::fabs(number(y[0]));
  double first = 1;  // 1/p!
  double left = 1;   // what the terms from p on are at most, next to e^c
  for (int p = 1; left > 1e-17; ++p) {
    first /= p;
    left *= reach / p;
    inverse = first;
    h[0] = h[0] * y[0];
    sum[0] += h[0] * inverse;
    for (std::size_t k = 1; k < count; ++k) {
      h[k] = h[k - 1] + y[k] * h[k];
      inverse /= static_cast<double>(p) + static_cast<double>(k);
      sum[k] += h[k] * inverse;
    }
  }
  const T e = exp(middle);
  for (std::size_t k = 0; k < count; ++k) sum[k] = sum[k] * e;
  return sum;
}

/// exp[z_0, ..., z_k] for every k < count: divided differences of the exponential at ascending z.
/// Those of points that lie close by their series, as a difference would cancel.
template <class T>
Nodes<T> divided_exponentials(const Nodes<T>& z, std::size_t count) {
  using std::exp;
  if (number(z[count - 1]) - number(z[0]) <= 1) return close_exponentials(z.data(), count);
  Nodes<T> row{}, result{};  // row[i] = exp[z_i, ..., z_(i + order)]
  for (std::size_t i = 0; i < count; ++i) row[i] = exp(z[i]);
  result[0] = row[0];
  for (std::size_t order = 1; order < count; ++order) {
    for (std::size_t i = 0; i + order < count; ++i) {
      const T spread = z[i + order] - z[i];
      row[i] = number(spread) > 1 ? (row[i + 1] - row[i]) / spread
                                  : close_exponentials(&z[i], order + 1)[order];
    }
    result[order] = row[0];
  }
  return result;
}

/// dx/dt = a x + b, where no component acts on itself through others.
template <class T>
struct System {
  Matrix<T> a{};
  Vector<T> b{};
  // The eigenvalues of a, which are its diagonal: fastest first; that of the constant, 0; that of
  // the integral of V, 0.
  Nodes<T> nodes{};
  std::size_t count = 0;
  bool forwards = true;

  System() = default;
  /// @param components  of the state that the model uses
  System(const Matrix<T>& matrix, const Vector<T>& constant, std::size_t components)
      : a(matrix), b(constant) {
    for (std::size_t k = 0; k < components; ++k) nodes[count++] = a[k][k];
    count += 2;
    std::sort(nodes.begin(), nodes.begin() + static_cast<std::ptrdiff_t>(count),
              [](const T& x, const T& y) { return number(x) < number(y); });
  }
  /// That of p = dL/dx backwards, which has no constant.
  System back() const {
    System result = *this;
    result.a = transposed(a);
    result.b = {};
    result.forwards = false;
    --result.count;
    return result;
  }
  Vector<T> slope(const Vector<T>& x) const {
    Vector<T> f = product(a, x);
    for (std::size_t k = 0; k < dimension; ++k) f[k] += b[k];
    return f;
  }
  double fastest() const { return std::fabs(number(nodes[0])); }
};

/// The state as a function of the time since it was x: Newton's form of the matrix exponential,
///
///     x(t) = sum over k of t^k exp[t nodes_0, ..., t nodes_k] (a - nodes_0) ... (a - nodes_(k-1)) x
///
/// exact, as the polynomial of degree dimension that a fulfils is that of its eigenvalues.
template <class T>
class Course {
 public:
  Course(const System<T>& s, const Vector<T>& x) : system_(s) {
    T constant(1);
    terms_[0] = x;
    for (std::size_t k = 1; k < s.count; ++k) {
      const Vector<T>& last = terms_[k - 1];
      terms_[k] = product(s.a, last);
      for (std::size_t c = 0; c < dimension; ++c) {
        terms_[k][c] += s.b[c] * constant - s.nodes[k - 1] * last[c];
      }
      constant = -s.nodes[k - 1] * constant;
    }
    // All but the integral are done before: what is left of them is rounding.
    if (s.forwards) std::fill_n(terms_[s.count - 1].begin(), most_components, T(0));
  }
  Vector<T> at(double t) const {
    Nodes<T> z{};
    for (std::size_t k = 0; k < system_.count; ++k) z[k] = system_.nodes[k] * t;
    const auto d = divided_exponentials(z, system_.count);
    Vector<T> x{};
    double power = 1;
    for (std::size_t k = 0; k < system_.count; ++k, power *= t) add(x, terms_[k], d[k] * power);
    return x;
  }

 private:
  const System<T>& system_;
  std::array<Vector<T>, dimension + 1> terms_{};
};

/// The state `dt` later.
template <class T>
Vector<T> flow(const System<T>& s, const Vector<T>& x, double dt) {
  return Course<T>(s, x).at(dt);
}

/// A neuron as its model says it, ready to run.
template <class T>
struct Motion {
  System<T> free, held;  // held: V stays where it is
  Vector<T> receptor{}, c{};
  T theta{};
  Matrix<T> reset{};
  Vector<T> reset_to{}, initial{};
  T tau_ref{};

  Motion() = default;
  Motion(const LinearNeuron<T>& n, std::size_t components) : theta(n.theta), tau_ref(n.tau_ref) {
    Matrix<T> a{};
    Vector<T> b{};
    for (std::size_t k = 0; k < most_components; ++k) {
      b[k] = n.b[k];
      receptor[k] = n.receptor[k];
      c[k] = n.c[k];
      reset_to[k] = n.reset_to[k];
      initial[k] = n.initial[k];
      for (std::size_t l = 0; l < most_components; ++l) {
        a[k][l] = n.a[k][l];
        reset[k][l] = n.reset[k][l];
      }
    }
    a[integral_of_v][0] = T(1);
    reset[integral_of_v][integral_of_v] = T(1);
    free = System<T>(a, b, components);
    a[0] = {};
    b[0] = T(0);
    held = System<T>(a, b, components);
  }
  const System<T>& system(bool is_held) const { return is_held ? held : free; }
  Vector<T> after_spike(const Vector<T>& before) const {
    Vector<T> x = product(reset, before);
    add(x, reset_to, 1.0);
    return x;
  }
};

/// A linear functional of the state, v.x + constant.
struct Functional {
  Vector<double> v{};
  double constant = 0;

  double operator()(const Vector<double>& x) const { return dot(v, x) + constant; }
};

struct Neuron : Motion<double> {
  System<double> free_back, held_back;  // of p = dL/dx, backwards: dp/dt = a^T p
  std::size_t last = 0;                 // of `chain`
  bool spikes = false;
  // How y = c.x - theta moves (docs/theory.md, section 14): chain[0] is y, chain[k + 1] is
  // d chain[k]/dt + rates[k] chain[k], which has an exponential less; chain[last] has but one.
  std::array<Functional, dimension + 1> chain;
  std::array<double, dimension + 1> rates{};

  Neuron(const LinearNeuron<double>& n, std::size_t components, bool may_spike)
      : Motion<double>(n, components),
        free_back(free.back()),
        held_back(held.back()),
        last(components),
        spikes(may_spike) {
    for (std::size_t k = 0; k < components; ++k) rates[k] = -free.a[k][k];
    std::sort(rates.begin(), rates.begin() + static_cast<std::ptrdiff_t>(components),
              std::greater<>());
    rates[components] = 0;  // of the constant
    chain[0] = {c, -theta};
    const Matrix<double> back = transposed(free.a);
    for (std::size_t k = 0; k < components; ++k) {
      chain[k + 1] = {product(back, chain[k].v),
                      dot(chain[k].v, free.b) + rates[k] * chain[k].constant};
      add(chain[k + 1].v, chain[k].v, rates[k]);
    }
  }

  /// How far y is above 0.
  double above(const Vector<double>& x) const { return chain[0](x); }
  double slope_above(const Vector<double>& x) const { return dot(c, free.slope(x)); }
  /// When all that decays has, to the last digit; infinite if something does not.
  double settling_time() const {
    double slowest = rates[0];
    for (std::size_t k = 0; k < last; ++k) slowest = std::min(slowest, rates[k]);
    return slowest > 0 ? 745 / slowest : std::numeric_limits<double>::infinity();
  }
};

/// Does a component grow by itself?
inline bool grows(const LinearNeuron<double>& n) {
  for (std::size_t k = 0; k < most_components; ++k) {
    if (!(n.a[k][k] <= 0)) return true;
  }
  return false;
}

/// The rates are the diagonal of `a` only if no component acts on itself through others.
inline bool has_circle(const LinearNeuron<double>& n) {
  auto reaches = n.a;
  for (std::size_t k = 0; k < most_components; ++k) reaches[k][k] = 0;
  for (std::size_t via = 0; via < most_components; ++via) {
    for (std::size_t k = 0; k < most_components; ++k) {
      for (std::size_t l = 0; l < most_components; ++l) {
        if (reaches[k][via] != 0 && reaches[via][l] != 0) reaches[k][l] = 1;
      }
    }
  }
  for (std::size_t k = 0; k < most_components; ++k) {
    if (reaches[k][k] != 0) return true;
  }
  return false;
}

}  // namespace saltus::linear
