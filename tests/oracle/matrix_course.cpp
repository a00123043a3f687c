// SPDX-License-Identifier: Apache-2.0
#include "matrix_course.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace saltus_oracle::matrix_course {
namespace {

using std::size_t;
constexpr Scalar infinity = std::numeric_limits<Scalar>::infinity();

Matrix product(const Matrix& l, const Matrix& r) {
  Matrix result{};
  for (size_t k = 0; k < components; ++k)
    for (size_t m = 0; m < components; ++m)
      if (l[k][m] != 0)
        for (size_t n = 0; n < components; ++n) result[k][n] += l[k][m] * r[m][n];
  return result;
}

void add(Matrix& to, const Matrix& m, Scalar factor) {
  for (size_t k = 0; k < components; ++k)
    for (size_t n = 0; n < components; ++n) to[k][n] += factor * m[k][n];
}

Differentiable product(const Differentiable& l, const Differentiable& r) {
  Differentiable result;
  result.value = product(l.value, r.value);
  for (size_t p = 0; p < parameters; ++p) {
    result.d[p] = product(l.d[p], r.value);
    add(result.d[p], product(l.value, r.d[p]), 1);
  }
  return result;
}

}  // namespace

Vector product(const Matrix& m, const Vector& x) {
  Vector y{};
  for (size_t k = 0; k < components; ++k)
    for (size_t n = 0; n < components; ++n) y[k] += m[k][n] * x[n];
  return y;
}

Vector step(const Matrix& m, const Vector& x, Scalar t) {
  Vector term = x, sum = x;
  for (int k = 1; k < 16; ++k) {
    term = product(m, term);
    for (size_t c = 0; c < components; ++c) sum[c] += term[c] *= t / k;
  }
  return sum;
}

Differentiable generator(const Neuron& n, bool clamped) {
  using Current = Neuron::Current;
  Differentiable m;
  // An entry factor / tau.
  const auto entry = [&m](size_t row, size_t column, Scalar factor, double tau, Parameter by) {
    m.value[row][column] = factor / tau;
    m.d[by][row][column] = -factor / (Scalar(tau) * tau);
  };
  const size_t driven = n.resonates ? u : v;
  if (!clamped) {
    entry(v, v, n.leaks ? -1 : 0, n.tau_mem, tau_mem);
    entry(driven, i, 1, n.tau_mem, tau_mem);
    entry(driven, one, n.bias, n.tau_mem, tau_mem);
    m.d[bias][driven][one] = 1 / Scalar(n.tau_mem);
  }
  if (!clamped && n.resonates) {
    entry(u, u, -1, n.tau_mem, tau_mem);
    m.d[frequency][v][u] = 2 * std::numbers::pi_v<Scalar>;
    m.d[frequency][u][v] = -m.d[frequency][v][u];
    m.value[v][u] = m.d[frequency][v][u] * n.frequency;
    m.value[u][v] = -m.value[v][u];
  }
  entry(i, i, -1, n.tau_syn, tau_syn);
  if (n.current == Current::alpha || n.current == Current::double_exponential) m.value[i][h] = 1;
  if (n.current == Current::alpha) entry(h, h, -1, n.tau_syn, tau_syn);
  if (n.current == Current::double_exponential) entry(h, h, -1, n.tau_rise, tau_rise);
  if (n.current == Current::two) {
    entry(h, h, -1, n.tau_syn_in, tau_syn_in);
    if (!clamped) entry(driven, h, 1, n.tau_mem, tau_mem);
  }
  entry(a, a, -1, n.tau_adapt, tau_adapt);
  m.value[integral][v] = 1;
  return m;
}

Differentiable exponential(const Differentiable& generator, Scalar t) {
  Scalar norm = 0;
  for (const Vector& row : generator.value)
    for (const Scalar entry : row) norm = std::max(norm, std::fabs(entry * t));
  const int squarings = norm > 0.25L ? std::ilogb(norm) + 3 : 0;
  const Scalar step = std::ldexp(t, -squarings);
  Differentiable scaled, term, sum;
  add(scaled.value, generator.value, step);
  for (size_t p = 0; p < parameters; ++p) add(scaled.d[p], generator.d[p], step);
  for (size_t k = 0; k < components; ++k) term.value[k][k] = sum.value[k][k] = 1;
  for (int k = 1; k < 24; ++k) {
    term = product(term, scaled);
    const auto divide = [k](Matrix& m) {
      for (Vector& row : m)
        for (Scalar& entry : row) entry /= k;
    };
    divide(term.value);
    add(sum.value, term.value, 1);
    for (size_t p = 0; p < parameters; ++p) {
      divide(term.d[p]);
      add(sum.d[p], term.d[p], 1);
    }
  }
  for (int k = 0; k < squarings; ++k) sum = product(sum, sum);
  return sum;
}

Kick kick(const Neuron& n, int receptor) {
  using Current = Neuron::Current;
  Kick e;
  const Scalar s = n.tau_syn, r = n.tau_rise;
  switch (n.current) {
    case Current::exponential:
      e.value[i] = 1;
      break;
    case Current::two:
      e.value[receptor == 0 ? i : h] = 1;
      break;
    case Current::delta:
      e.value[n.resonates ? u : v] = 1;
      break;
    case Current::alpha:
      e.value[h] = std::exp(Scalar(1)) / s;
      e.d[tau_syn][h] = -e.value[h] / s;
      break;
    case Current::double_exponential: {
      // 1/N is the largest of exp(-t/s) - exp(-t/r), and that of the current has the slope
      // N (1/r - 1/s) at 0. Where it is largest its own time does not matter to first order.
      const Scalar peak = std::log(s / r) * s * r / (s - r);
      const Scalar slow = std::exp(-peak / s), fast = std::exp(-peak / r);
      const Scalar inverse = slow - fast, slope = 1 / r - 1 / s;
      e.value[h] = slope / inverse;
      e.d[tau_syn][h] = 1 / (s * s) / inverse - slope * peak / (s * s) * slow / (inverse * inverse);
      e.d[tau_rise][h] =
          -1 / (r * r) / inverse + slope * peak / (r * r) * fast / (inverse * inverse);
      break;
    }
  }
  return e;
}

Scalar distance(const Neuron& n, const Vector& x) { return x[v] - n.v_threshold - n.beta * x[a]; }

Scalar rest(const Neuron& n) {
  return 100 *
         Scalar(std::max({n.tau_mem, n.tau_syn, n.tau_adapt,
                          n.current == Neuron::Current::two ? n.tau_syn_in : 0,
                          n.current == Neuron::Current::double_exponential ? n.tau_rise : 0}));
}

Scalar first_crossing(const Neuron& n, const Vector& start, Scalar limit) {
  if (distance(n, start) >= 0) return 0;
  const Differentiable m = generator(n, false);
  const auto slope = [&](const Vector& x) {
    const Vector change = product(m.value, x);
    return change[v] - n.beta * change[a];
  };
  const auto at = [&](const Vector& x, Scalar after) { return step(m.value, x, after); };
  double fastest = std::min({n.tau_mem, n.tau_syn, n.tau_adapt});
  const bool rises = n.current == Neuron::Current::double_exponential;
  if (rises) fastest = std::min(fastest, n.tau_rise);
  const bool two = n.current == Neuron::Current::two;
  if (two) fastest = std::min(fastest, n.tau_syn_in);
  if (n.resonates) fastest = std::min(fastest, 1 / (7 * n.frequency));
  // Nothing lifts V over theta any more.
  const auto hopeless = [&](const Vector& x) {
    const double of_h = two ? 1 : rises ? std::min(n.tau_syn, n.tau_rise) : n.tau_syn;
    const Scalar current = std::fabs(x[i]) + std::fabs(x[h]) * of_h;
    if (n.resonates) {  // no further from 0 than z is, and what drives it
      return std::hypot(x[v], x[u]) + std::fabs(n.bias) + current < n.v_threshold;
    }
    return n.leaks &&
           n.bias + std::fabs(x[v] - n.bias) + current + std::fabs(n.beta * x[a]) < n.v_threshold;
  };
  const Scalar stride = Scalar(fastest) / 40;
  Vector from = start;
  for (Scalar t = 0; t < limit && !hopeless(from); t += stride) {
    Scalar high = std::min(stride, limit - t);
    const Vector to = at(from, high);
    if (distance(n, to) < 0) {
      if (!(slope(from) > 0 && slope(to) < 0)) {
        from = to;
        continue;
      }
      Scalar low = 0, top = high;  // the peak between the two
      for (int k = 0; k < 80; ++k) {
        const Scalar middle = (low + top) / 2;
        (slope(at(from, middle)) > 0 ? low : top) = middle;
      }
      if (distance(n, at(from, low)) < 0) {
        from = to;
        continue;
      }
      high = low;
    }
    Scalar low = 0;
    for (int k = 0; k < 80; ++k) {
      const Scalar middle = (low + high) / 2;
      (distance(n, at(from, middle)) < 0 ? low : high) = middle;
    }
    return t + high;
  }
  return infinity;
}

}  // namespace saltus_oracle::matrix_course
