// SPDX-License-Identifier: Apache-2.0
// The first spike of a linear neuron in an interval: none is missed (docs/theory.md, section 14).
//
// y = c.x - theta is a sum of exponentials. Of y exp(rate t) the derivative is chain[1] exp(rate t),
// which has one exponential less: so between two zeros of chain[k] lies one of chain[k + 1], and the
// zeros of chain[k + 1] cut the interval into pieces in each of which chain[k] has at most one.
// Down the chain it ends with a single exponential, which has none. And as with polynomials (Budan,
// Fourier) there are no more zeros in an interval than changes of sign along the chain are lost in
// it: most intervals are done with that count.
//
// Where V oscillates the chain ends with the pair alone. Its zeros lie half a turn apart, and are known:
// no piece goes over one, so that all of this holds in each.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "machine/parallel.hpp"
#include "neuron/linear.hpp"

namespace saltus::linear {

struct Crossing {
  double after;      // the start of the interval; infinity if there is none
  Vector<double> x;  // the state there

  bool found() const { return after < std::numeric_limits<double>::infinity(); }
};

/// Of a polynomial that is y to the last digit, in an interval not longer than any time constant.
inline constexpr std::size_t most_degree = 20;

class Search {
 public:
  /// @param below  V comes from below the threshold, whatever rounding says; else from above
  Search(const Neuron& n, const Vector<double>& x, bool below) : n_(n), start_(x) {
    begin_ = point(0, x);
    double& y = begin_.f[0];
    y = below ? std::min(y, 0.0) : std::max(y, smallest);
  }

  /// The first crossing from below in (0, end].
  Crossing first(double end, const Vector<double>& x_end) {
    const Point finish = point(end, x_end);
    if (n_.turns) return first_between_turns(finish);
    // In pieces, each as long as all before: in a long one Newton would lose its way.
    Point from = begin_;
    for (double to = 1 / n_.free.fastest(); may_cross(from, finish); to *= 2) {
      const bool last = !(to < end);
      const Point next = last ? finish : point(to);
      const Crossing found = first(from, next);
      if (found.found() || last) return found;
      from = next;
    }
    return none();
  }

 private:
  struct Point {
    double t;
    Vector<double> x;
    std::array<double, dimension + 1> f;
  };
  struct Zeros {
    std::size_t count = 0;
    std::array<Point, dimension> at;
  };
  static constexpr double smallest = std::numeric_limits<double>::min();
  const Neuron& n_;
  Vector<double> start_;
  Point begin_;
  Point point(double t, const Vector<double>& x) const {
    Point p{t, x, {}};
    for (std::size_t k = 0; k <= n_.last; ++k) p.f[k] = n_.chain[k](x);
    return p;
  }
  Point point(double t) const { return point(t, n_.free.flow(start_, t, most_components)); }

  // chain[k] and its derivative at a time.
  struct Value {
    double f, slope;
  };
  // In an interval not longer than any time constant chain[k] is a polynomial, to the last digit.
  struct Polynomial {
    static constexpr std::size_t most_degree = linear::most_degree;
    double origin;
    std::size_t degree = 0;  // even
    std::array<double, most_degree + 1> of;

    // Even and odd powers by themselves: the machine takes both at once.
    Value operator()(double t) const {
      t -= origin;
      const double square = t * t;
      Value even{of[degree], 0}, odd{of[degree - 1], 0};
      for (std::size_t k = degree; k > 1; k -= 2) {
        even = {even.f * square + of[k - 2], even.slope * square + even.f};
        if (k > 2) odd = {odd.f * square + of[k - 3], odd.slope * square + odd.f};
      }
      return {even.f + t * odd.f, 2 * t * (even.slope + t * odd.slope) + odd.f};
    }
  };
  // None if it is longer.
  std::optional<Polynomial> polynomial(std::size_t k, const Point& from, double end) const {
    const double reach = (end - from.t) * n_.free.fastest();
    if (!(reach <= 1)) return std::nullopt;
    Polynomial p{from.t, 0, {}};
    double left = 1;  // of the largest term, about
    while (p.degree < Polynomial::most_degree && (left > 1e-18 || p.degree % 2 == 1)) {
      left *= reach * inverse[++p.degree];
    }
    Vector<double> power = from.x;  // of A, applied to x (and to f), over the factorial
    p.of[0] = n_.chain[0](from.x);
    for (std::size_t m = 1; m <= p.degree; ++m) {
      power = m == 1 ? n_.free.slope(power) : product(n_.free.matrix(), power);
      for (std::size_t l = 0; l < most_components; ++l) power[l] *= inverse[m];
      power[integral_of_v] = 0;
      p.of[m] = dot(n_.c, power);
    }
    for (std::size_t c = 0; c < k; ++c) {  // down the chain
      for (std::size_t m = 0; m <= p.degree; ++m) {
        p.of[m] *= n_.rates[c];
        if (m < p.degree) p.of[m] += static_cast<double>(m + 1) * p.of[m + 1];
      }
    }
    return p;
  }
  static constexpr auto inverse = [] {
    std::array<double, Polynomial::most_degree + 1> values{};
    for (std::size_t k = 1; k < values.size(); ++k) values[k] = 1.0 / static_cast<double>(k);
    return values;
  }();

  // The same where V oscillates.
  Crossing first_between_turns(Point finish) const {
    const Turns& turns = *n_.turns;
    Point from = begin_;
    if (turns.stays_below(start_, from.f[0], finish.f[0], finish.t)) return none();
    const Turns::Zero zero = turns.first_zero(start_);
    double turn = zero.after, sign = zero.sign;  // the next, and the sign of what turns until then
    double length = 1 / n_.free.fastest();
    for (std::size_t count = 1, pieces = 0; turns.may_rise(from.x); ++pieces) {
      heed(pieces);  // of a million turns
      const double to = std::min(from.t + length, turn);
      const bool last = !(to < finish.t);
      Point next = last ? finish : point(to);
      for (Point* const p : {&from, &next}) {
        double& turning = p->f[n_.last];
        if (sign != 0) turning = sign * std::max(std::fabs(turning), smallest);
      }
      const Crossing found = first(from, next);
      if (found.found() || last) return found;
      if (to == turn) {
        turn = zero.after + turns.half() * static_cast<double>(count++);
        sign = -sign;
      }
      length = std::max(length, to);
      from = next;
    }
    return none();
  }

  static Crossing none() { return {std::numeric_limits<double>::infinity(), {}}; }

  bool may_cross(const Point& from, const Point& to) const {
    return (from.f[0] <= 0 && to.f[0] > 0) || changes(from, 0) > changes(to, 0);
  }
  Crossing first(const Point& begin, const Point& finish) const {
    if (!may_cross(begin, finish)) return none();
    Zeros turns;
    if (changes(begin, 0) > changes(finish, 0)) turns = zeros(1, begin, finish);
    const Point* from = &begin;
    for (std::size_t k = 0; k <= turns.count; ++k) {
      const Point& to = k < turns.count ? turns.at[k] : finish;
      if (from->f[0] <= 0 && to.f[0] > 0) {
        const Point found = zero_between(0, *from, to);
        return {found.t, found.x};
      }
      from = &to;
    }
    return none();
  }

  // Of sign, along the chain from `first` on.
  std::size_t changes(const Point& p, std::size_t first) const {
    std::size_t count = 0;
    double before = 0;
    for (std::size_t k = first; k <= n_.last; ++k) {
      if (p.f[k] == 0) continue;
      count += before != 0 && std::signbit(before) != std::signbit(p.f[k]);
      before = p.f[k];
    }
    return count;
  }

  // All zeros of chain[k] between two points, in order.
  Zeros zeros(std::size_t k, const Point& from, const Point& to) const {
    Zeros result;
    if (k == n_.last || changes(from, k) <= changes(to, k)) return result;
    const Zeros turns = zeros(k + 1, from, to);
    const Point* left = &from;
    for (std::size_t m = 0; m <= turns.count; ++m) {
      const Point& right = m < turns.count ? turns.at[m] : to;
      if ((left->f[k] < 0 && right.f[k] > 0) || (left->f[k] > 0 && right.f[k] < 0)) {
        result.at[result.count++] = zero_between(k, *left, right);
      }
      left = &right;
    }
    return result;
  }

  // Where chain[k], whose signs at the two points differ, is 0: Newton, held between them.
  Point zero_between(std::size_t k, const Point& from, const Point& to) const {
    if (const auto p = polynomial(k, from, to.t)) return point(newton(k, from, to, *p));
    Point at = to;
    newton(k, from, to, [&](double t) {
      at = point(t);
      return Value{at.f[k], at.f[k + 1] - n_.rates[k] * at.f[k]};
    });
    return at;
  }
  // The zero of the parabola through both ends with the slope at the first; outside: the middle.
  static double first_guess(double f, double slope, double f_end, double low, double high) {
    const double length = high - low, bend = ((f_end - f) / length - slope) / length;
    const double root = std::sqrt(slope * slope - 4 * bend * f);
    return low - 2 * f / (slope + std::copysign(root, slope));
  }
  // @returns  the last time for which `value_at` was asked; the end if for none
  template <class ValueAt>
  double newton(std::size_t k, const Point& from, const Point& to, ValueAt&& value_at) const {
    const bool rises = to.f[k] > 0;
    double low = from.t, high = to.t, asked = high;
    double t = first_guess(from.f[k], from.f[k + 1] - n_.rates[k] * from.f[k], to.f[k], low, high);
    for (int step = 0; step < 100; ++step) {
      if (!(t > low && t < high)) t = low + (high - low) / 2;
      if (!(t > low && t < high)) break;  // neighbours
      asked = t;
      const Value v = value_at(t);
      if (v.f == 0) break;
      (rises == (v.f < 0) ? low : high) = t;
      const double next = t - v.f / v.slope;
      if (std::fabs(next - t) <= 2e-16 * t) break;
      t = next;
    }
    return asked;
  }
};

}  // namespace saltus::linear
