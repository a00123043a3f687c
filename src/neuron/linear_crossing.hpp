// SPDX-License-Identifier: Apache-2.0
// The first spike of a linear neuron in an interval: none is missed (docs/theory.md, section 14).
//
// y = c.x - theta is a sum of exponentials. Of y exp(rate t) the derivative is chain[1] exp(rate t),
// which has one exponential less: so between two zeros of chain[k] lies one of chain[k + 1], and the
// zeros of chain[k + 1] cut the interval into pieces in each of which chain[k] has at most one.
// Down the chain it ends with a single exponential, which has none. And as with polynomials (Budan,
// Fourier) there are no more zeros in an interval than changes of sign along the chain are lost in
// it: most intervals are done with that count.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "neuron/linear.hpp"

namespace saltus::linear {

struct Crossing {
  double after;      // the start of the interval; infinity if there is none
  Vector<double> x;  // the state there

  bool found() const { return after < std::numeric_limits<double>::infinity(); }
};

class Search {
 public:
  /// @param below  V comes from below the threshold, whatever rounding says
  Search(const Neuron& n, const Vector<double>& x, bool below) : n_(n), start_(x) {
    begin_ = point(0, x);
    if (below) begin_.f[0] = std::min(begin_.f[0], 0.0);
  }

  /// The first crossing from below in (0, end].
  Crossing first(double end, const Vector<double>& x_end) const {
    const Point finish = point(end, x_end);
    Zeros turns;
    if (changes(begin_, 0) > changes(finish, 0)) turns = zeros(1, begin_, finish);
    const Point* from = &begin_;
    for (std::size_t k = 0; k <= turns.count; ++k) {
      const Point& to = k < turns.count ? turns.at[k] : finish;
      if (from->f[0] <= 0 && to.f[0] > 0) {
        const Point found = zero_between(0, *from, to);
        return {found.t, found.x};
      }
      from = &to;
    }
    return {std::numeric_limits<double>::infinity(), {}};
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
  const Neuron& n_;
  Vector<double> start_;
  Point begin_;

  Point point(double t, const Vector<double>& x) const {
    Point p{t, x, {}};
    for (std::size_t k = 0; k <= n_.last; ++k) p.f[k] = n_.chain[k](x);
    return p;
  }
  Point point(double t) const { return point(t, n_.free.flow(start_, t)); }

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
  Point zero_between(std::size_t k, Point low, Point high) const {
    const bool rises = high.f[k] > 0;
    Point best = high;
    double t = low.t + (high.t - low.t) * (low.f[k] / (low.f[k] - high.f[k]));
    for (int step = 0; step < 100; ++step) {
      if (!(t > low.t && t < high.t)) t = low.t + (high.t - low.t) / 2;
      if (!(t > low.t && t < high.t)) break;  // neighbours
      best = point(t);
      if (best.f[k] == 0) break;
      (rises == (best.f[k] < 0) ? low : high) = best;
      const double next = t - best.f[k] / (best.f[k + 1] - n_.rates[k] * best.f[k]);
      if (std::fabs(next - t) <= 2e-16 * t) break;
      t = next;
    }
    return best;
  }
};

}  // namespace saltus::linear
