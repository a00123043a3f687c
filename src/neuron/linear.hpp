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

/// dx/dt = a x + b.
template <class T>
struct System {
  Matrix<T> a{};
  Vector<T> b{};
  double norm = 0;  // of a: the largest sum of a row

  System() = default;
  System(const Matrix<T>& matrix, const Vector<T>& constant) : a(matrix), b(constant) {
    for (const Vector<T>& row : a) {
      double sum = 0;
      for (const T& value : row) sum += std::fabs(number(value));
      norm = std::max(norm, sum);
    }
  }
  Vector<T> slope(const Vector<T>& x) const {
    Vector<T> f = product(a, x);
    for (std::size_t k = 0; k < dimension; ++k) f[k] += b[k];
    return f;
  }
};

/// After so many terms the rest of the series of exp(z), |z| <= 1, is below rounding.
inline int terms_of_exponential(double z) {
  int count = 1;
  for (double term = z; term > 1e-18; term *= z / count) ++count;
  return count;
}

/// The state `dt` later, where that is long: exp(a dt) and its integral by squaring.
template <class T>
Vector<T> flow_long(const System<T>& s, const Vector<T>& x, double dt) {
  int doublings = 0;
  double h = dt;
  for (; h * s.norm > 1; h /= 2) ++doublings;
  Matrix<T> power{}, flow, integral;  // (h a)^k/k!, exp(h a), the integral of exp(t a) to h
  for (std::size_t k = 0; k < dimension; ++k) power[k][k] = T(1);
  flow = power;
  integral = power;
  const int count = terms_of_exponential(h * s.norm);
  for (int k = 1; k <= count; ++k) {
    power = product(power, s.a);
    for (std::size_t r = 0; r < dimension; ++r) {
      for (std::size_t c = 0; c < dimension; ++c) {
        power[r][c] = power[r][c] * (h / k);
        flow[r][c] += power[r][c];
        integral[r][c] += power[r][c] * (1.0 / (k + 1));
      }
    }
  }
  for (Vector<T>& row : integral) {
    for (T& value : row) value = value * h;
  }
  for (; doublings > 0; --doublings) {
    const Matrix<T> later = product(flow, integral);
    for (std::size_t r = 0; r < dimension; ++r) {
      for (std::size_t c = 0; c < dimension; ++c) integral[r][c] += later[r][c];
    }
    flow = product(flow, flow);
  }
  Vector<T> y = product(flow, x);
  add(y, product(integral, s.b), 1.0);
  return y;
}

/// The state `dt` later: the Taylor series, in steps of at most one over the norm.
template <class T>
Vector<T> flow(const System<T>& s, Vector<T> x, double dt) {
  const double size = dt * s.norm;
  if (size > 32) return flow_long(s, x, dt);
  const int steps = std::max(1, static_cast<int>(std::ceil(size)));
  const double h = dt / steps;
  const int count = terms_of_exponential(h * s.norm);
  for (int step = 0; step < steps; ++step) {
    Vector<T> term = s.slope(x);
    for (T& value : term) value = value * h;
    add(x, term, 1.0);
    for (int k = 2; k <= count; ++k) {
      term = product(s.a, term);
      for (T& value : term) value = value * (h / k);
      add(x, term, 1.0);
    }
  }
  return x;
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
  explicit Motion(const LinearNeuron<T>& n) : theta(n.theta), tau_ref(n.tau_ref) {
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
    free = System<T>(a, b);
    a[0] = {};
    b[0] = T(0);
    held = System<T>(a, b);
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
      : Motion<double>(n),
        free_back(transposed(free.a), {}),
        held_back(transposed(held.a), {}),
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
