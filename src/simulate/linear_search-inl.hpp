// SPDX-License-Identifier: Apache-2.0
// linear::Search (neuron/linear_crossing.hpp) of neurons that move alike, or in the same way, one in each
// lane: the same operations in the same order, so the same bits. It knows what nearly all intervals need, one zero of
// y or of the function behind it in the chain; of a neuron whose chain has more it says so, and that one
// is searched by itself. Compiled once for each instruction set: include it after hwy/highway.h,
// outside of all namespaces.
#if defined(SALTUS_SIMULATE_LINEAR_SEARCH_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef SALTUS_SIMULATE_LINEAR_SEARCH_INL
#undef SALTUS_SIMULATE_LINEAR_SEARCH_INL
#else
#define SALTUS_SIMULATE_LINEAR_SEARCH_INL
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <span>

#include "machine/mask-inl.hpp"
#include "neuron/linear_crossing.hpp"
#include "neuron/linear_flow-inl.hpp"
#include "simulate/linear_layer.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Of n components.
template <std::size_t n>
class LinearSearch {
 public:
  using Tag = hn::ScalableTag<double>;
  using V = hn::Vec<Tag>;
  using M = hn::Mask<Tag>;

  /// @param neurons  one for all, or one per neuron
  /// @param at  the first of the candidates that go into the lanes
  LinearSearch(const linear::Alike& all, std::span<const linear::Neuron> neurons,
               const LinearCandidates& candidates, std::size_t at)
      : all_(all), neuron_(neurons[0]) {
    const std::size_t used = std::min(lanes(), candidates.count - at);
    used_ = hn::FirstN(Tag(), used);
    for (std::size_t l = 0; all.own() && l < used; ++l) {
      of_lane_[l] = &neurons[candidates.neuron[at + l]];
    }
    read(neurons, candidates.neuron.data() + at, used);
    for (std::size_t k = 0; k < n; ++k) {
      begin_.x[k] = hn::LoadU(Tag(), candidates.x[k] + at);
      hn::Store(begin_.x[k], Tag(), start_ + k * lanes());
    }
    begin_.t = zero();
    see(begin_);
    begin_.f[0] = hn::Min(begin_.f[0], zero());
  }

  /// Where each is at the end of an interval of length t, without a spike.
  HWY_INLINE void go_to_end(LinearCandidates& candidates, std::size_t at) const {
    const Point end = point(used_, hn::LoadU(Tag(), candidates.length.data() + at));
    for (std::size_t k = 0; k < n; ++k) hn::StoreU(end.x[k], Tag(), candidates.end[k] + at);
  }

  /// linear::Search::first
  HWY_INLINE void first(LinearCandidates& candidates, std::size_t at) {
    Point finish;
    finish.t = hn::LoadU(Tag(), candidates.length.data() + at);
    for (std::size_t k = 0; k < n; ++k) finish.x[k] = hn::LoadU(Tag(), candidates.end[k] + at);
    see(finish);
    V found = hn::Set(Tag(), std::numeric_limits<double>::infinity());
    Point from = begin_;
    M open = hn::And(used_, may_cross(from, finish));
    for (V until = hn::Div(set(1), fastest_); !hn::AllFalse(Tag(), open);
         until = hn::Mul(until, set(2))) {
      const M goes_on = hn::Lt(until, finish.t), in_between = hn::And(open, goes_on);
      Point next = finish;
      if (!hn::AllFalse(Tag(), in_between))
        next = choose(goes_on, point(in_between, until), finish);
      const V here = in_piece(open, from, next);
      found = hn::IfThenElse(open, here, found);
      open = hn::And(hn::And(open, goes_on), hn::Eq(here, hn::Inf(Tag())));
      if (hn::AllFalse(Tag(), open)) break;
      from = next;
      open = hn::And(open, may_cross(from, finish));
    }
    hn::StoreU(found, Tag(), candidates.after.data() + at);
    const M spikes = hn::And(hn::Ge(found, zero()), hn::Lt(found, hn::Inf(Tag())));
    if (hn::AllFalse(Tag(), hn::And(spikes, used_))) return;
    const Point spike = point(hn::And(spikes, used_), hn::IfThenElseZero(spikes, found));
    for (std::size_t k = 0; k < n; ++k) hn::StoreU(spike.x[k], Tag(), candidates.at[k] + at);
  }

 private:
  struct Point {
    V t, x[n], f[n + 1];
  };
  struct Value {
    V f, slope;
  };
  const linear::Alike& all_;
  const linear::Neuron& neuron_;                        // any: all have the same zeros
  const linear::Neuron* of_lane_[hn::MaxLanes(Tag())];  // where each has a motion of its own
  M used_;
  V bias_, c_[n], chain_[n][n], constant_[n + 1];  // of linear::Neuron::chain
  V a_[n][n], rate_[2], fastest_;                  // those of the chain that are asked for
  Point begin_;
  HWY_ALIGN double start_[n * hn::MaxLanes(Tag())];  // [component, lane] begin_.x

  static HWY_INLINE std::size_t lanes() { return hn::Lanes(Tag()); }
  static HWY_INLINE V zero() { return hn::Zero(Tag()); }
  static HWY_INLINE V set(double v) { return hn::Set(Tag(), v); }

  HWY_INLINE void read(std::span<const linear::Neuron> neurons, const std::size_t* numbers,
                       std::size_t used) {
    HWY_ALIGN double of[hn::MaxLanes(Tag())] = {};
    const auto number = [&](auto&& of_neuron) HWY_ATTR {
      if (neurons.size() == 1) return set(of_neuron(neuron_));
      for (std::size_t l = 0; l < used; ++l) of[l] = of_neuron(neurons[numbers[l]]);
      return hn::Load(Tag(), of);
    };
    bias_ = number([](const linear::Neuron& j) { return j.free.constant()[0]; });
    for (std::size_t k = 0; k <= n; ++k) {
      constant_[k] = number([k](const linear::Neuron& j) { return j.chain[k].constant; });
      if (k == n) break;
      c_[k] = number([k](const linear::Neuron& j) { return j.c[k]; });
      for (std::size_t l = 0; l < n; ++l) {
        chain_[k][l] = number([k, l](const linear::Neuron& j) { return j.chain[k].v[l]; });
      }
    }
    const auto of_motion = [&](auto&& of_neuron) HWY_ATTR {
      return all_.own() ? number(of_neuron) : set(of_neuron(neuron_));
    };
    for (std::size_t k = 0; k < n; ++k) {
      for (std::size_t l = k; l < n; ++l) {
        a_[k][l] = of_motion([k, l](const linear::Neuron& j) { return j.free.matrix()[k][l]; });
      }
    }
    for (std::size_t k = 0; k < 2; ++k) {
      rate_[k] = of_motion([k](const linear::Neuron& j) { return j.rates[k]; });
    }
    fastest_ = of_motion([](const linear::Neuron& j) { return j.free.fastest(); });
  }

  HWY_INLINE V see(const Point& p, std::size_t k) const {
    if (k == n) return constant_[n];
    V sum = hn::Mul(chain_[k][0], p.x[0]);
    for (std::size_t l = 1; l < n; ++l) sum = hn::Add(sum, hn::Mul(chain_[k][l], p.x[l]));
    return hn::Add(sum, constant_[k]);
  }
  HWY_INLINE void see(Point& p) const {
    for (std::size_t k = 0; k <= n; ++k) p.f[k] = see(p, k);
  }
  // @param wanted  the others are anywhere, if that is easier
  HWY_NOINLINE Point point(M wanted, V t) const {
    HWY_ALIGN double to[n * hn::MaxLanes(Tag())];
    if (all_.own()) {
      go_alone(wanted, t, to);
    } else {
      flow(Tag(), all_.motion(), bias_, t, start_, to, n);
    }
    Point p;
    p.t = t;
    for (std::size_t k = 0; k < n; ++k) p.x[k] = hn::Load(Tag(), to + k * lanes());
    see(p);
    return p;
  }
  // Each by the flow of its own.
  HWY_INLINE void go_alone(M wanted, V t, double* HWY_RESTRICT to) const {
    HWY_ALIGN double times[hn::MaxLanes(Tag())];
    hn::Store(t, Tag(), times);
    std::copy_n(start_, n * lanes(), to);
    for (std::uint64_t bits = bits_of(Tag(), wanted); bits != 0; bits &= bits - 1) {
      const auto l = static_cast<std::size_t>(std::countr_zero(bits));
      linear::Vector<double> x{};
      for (std::size_t k = 0; k < n; ++k) x[k] = start_[k * lanes() + l];
      x = of_lane_[l]->free.flow(x, times[l], most_components);
      for (std::size_t k = 0; k < n; ++k) to[k * lanes() + l] = x[k];
    }
  }
  static HWY_INLINE Point choose(M mask, const Point& yes, const Point& no) {
    Point p;
    p.t = hn::IfThenElse(mask, yes.t, no.t);
    for (std::size_t k = 0; k < n; ++k) p.x[k] = hn::IfThenElse(mask, yes.x[k], no.x[k]);
    for (std::size_t k = 0; k <= n; ++k) p.f[k] = hn::IfThenElse(mask, yes.f[k], no.f[k]);
    return p;
  }

  static HWY_INLINE V changes(const Point& p, std::size_t first) {
    V count = zero();
    M above = hn::Lt(count, count), below = above;  // what came before
    for (std::size_t k = first; k <= n; ++k) {
      const M is_above = hn::Gt(p.f[k], zero()), is_below = hn::Lt(p.f[k], zero());
      const M changed = hn::Or(hn::And(above, is_below), hn::And(below, is_above));
      count = hn::Add(count, hn::IfThenElseZero(changed, set(1)));
      above = hn::Or(is_above, hn::AndNot(is_below, above));
      below = hn::Or(is_below, hn::AndNot(is_above, below));
    }
    return count;
  }
  static HWY_INLINE M loses(const Point& from, const Point& to, std::size_t first) {
    return hn::Gt(changes(from, first), changes(to, first));
  }
  static HWY_INLINE M rises(const Point& from, const Point& to) {
    return hn::And(hn::Le(from.f[0], zero()), hn::Gt(to.f[0], zero()));
  }
  static HWY_INLINE M may_cross(const Point& from, const Point& to) {
    return hn::Or(rises(from, to), loses(from, to, 0));
  }

  // Search::first of a piece: infinity if there is no zero, -1 of those that have to be searched alone.
  HWY_INLINE V in_piece(M open, const Point& from, const Point& to) const {
    const V none = hn::Inf(Tag());
    M bends = hn::And(open, loses(from, to, 0)), deep = hn::Lt(none, zero());
    if constexpr (n > 1) {
      bends = hn::And(bends, loses(from, to, 1));
      if constexpr (n > 2) deep = hn::And(bends, loses(from, to, 2));
      bends = hn::AndNot(deep, bends);
      const M falls = hn::And(hn::Gt(from.f[1], zero()), hn::Lt(to.f[1], zero()));
      const M lifts = hn::And(hn::Lt(from.f[1], zero()), hn::Gt(to.f[1], zero()));
      bends = hn::And(bends, hn::Or(falls, lifts));
    } else {
      bends = deep;
    }
    const M plain = hn::AndNot(deep, open);
    Point left = from, right = to;
    M crosses = hn::AndNot(bends, hn::And(plain, rises(from, to)));
    if (!hn::AllFalse(Tag(), bends)) {
      const Point turn = point(bends, zero_between<1>(bends, from, to));
      const M before = hn::And(bends, rises(from, turn));
      const M behind = hn::AndNot(before, hn::And(bends, rises(turn, to)));
      left = choose(behind, turn, from);
      right = choose(before, turn, to);
      crosses = hn::Or(crosses, hn::Or(before, behind));
    }
    V found = hn::IfThenElse(deep, set(-1), none);
    if (!hn::AllFalse(Tag(), crosses)) {
      found = hn::IfThenElse(crosses, zero_between<0>(crosses, left, right), found);
    }
    return found;
  }

  // Search::Polynomial of chain[k], k at most 1.
  struct Polynomial {
    static constexpr std::size_t most_degree = linear::most_degree;
    V origin;
    std::size_t degree = 0;  // of the longest; even
    V of[most_degree + 1];

    HWY_INLINE Value operator()(V t) const {
      t = hn::Sub(t, origin);
      const V square = hn::Mul(t, t);
      Value even{of[degree], hn::Zero(Tag())}, odd{of[degree - 1], hn::Zero(Tag())};
      for (std::size_t k = degree; k > 1; k -= 2) {
        even = {hn::Add(hn::Mul(even.f, square), of[k - 2]),
                hn::Add(hn::Mul(even.slope, square), even.f)};
        if (k > 2) {
          odd = {hn::Add(hn::Mul(odd.f, square), of[k - 3]),
                 hn::Add(hn::Mul(odd.slope, square), odd.f)};
        }
      }
      const V twice = hn::Mul(set(2), t);
      return {hn::Add(even.f, hn::Mul(t, odd.f)),
              hn::Add(hn::Mul(twice, hn::Add(even.slope, hn::Mul(t, odd.slope))), odd.f)};
    }
  };
  template <std::size_t k>
  HWY_INLINE void expand(M wanted, const Point& from, V reach, Polynomial& p) const {
    V left = set(1), degree = zero();
    p.origin = from.t;
    p.degree = 0;
    for (M going = wanted; p.degree < Polynomial::most_degree;) {
      if (p.degree % 2 == 0) going = hn::And(going, hn::Gt(left, set(1e-18)));
      if (hn::AllFalse(Tag(), going)) break;
      const double inverse = 1.0 / static_cast<double>(++p.degree);
      left = hn::IfThenElse(going, hn::Mul(left, hn::Mul(reach, set(inverse))), left);
      degree = hn::IfThenElse(going, set(static_cast<double>(p.degree)), degree);
    }
    V power[n];
    for (std::size_t l = 0; l < n; ++l) power[l] = from.x[l];
    p.of[0] = see(from, 0);
    const auto& a = neuron_.free.matrix();
    for (std::size_t m = 1; m <= p.degree; ++m) {
      const V inverse = set(1.0 / static_cast<double>(m));
      for (std::size_t row = 0; row < n; ++row) {  // those from `row` on are of the power before
        V sum = hn::Mul(a_[row][row], power[row]);
        for (std::size_t l = row + 1; l < n; ++l) {
          if (a[row][l] != 0) sum = hn::Add(sum, hn::Mul(a_[row][l], power[l]));
        }
        if (m == 1 && row == 0) sum = hn::Add(sum, bias_);
        power[row] = hn::Mul(sum, inverse);
      }
      V of = hn::Mul(c_[0], power[0]);
      for (std::size_t l = 1; l < n; ++l) of = hn::Add(of, hn::Mul(c_[l], power[l]));
      p.of[m] = hn::IfThenElseZero(hn::Ge(degree, set(static_cast<double>(m))), of);
    }
    if constexpr (k == 1) {  // down the chain
      for (std::size_t m = 0; m <= p.degree; ++m) {
        p.of[m] = hn::Mul(p.of[m], rate_[0]);
        if (m < p.degree) {
          p.of[m] = hn::Add(p.of[m], hn::Mul(set(static_cast<double>(m + 1)), p.of[m + 1]));
        }
      }
    }
  }

  // Search::zero_between: where chain[k] is 0.
  template <std::size_t k>
  HWY_NOINLINE V zero_between(M wanted, const Point& from, const Point& to) const {
    const V rate = rate_[k];
    const V reach = hn::Mul(hn::Sub(to.t, from.t), fastest_);
    const M is_short = hn::Le(reach, set(1));
    const bool any_short = !hn::AllFalse(Tag(), hn::And(wanted, is_short));
    const bool any_long = !hn::AllFalse(Tag(), hn::AndNot(is_short, wanted));
    Polynomial p;
    if (any_short) expand<k>(hn::And(wanted, is_short), from, reach, p);

    const M rising = hn::Gt(to.f[k], zero());
    V low = from.t, high = to.t, asked = high;
    // linear::Search::first_guess
    const V slope = hn::Sub(from.f[k + 1], hn::Mul(rate, from.f[k])), f = from.f[k];
    const V length = hn::Sub(high, low);
    const V bend = hn::Div(hn::Sub(hn::Div(hn::Sub(to.f[k], f), length), slope), length);
    const V root = hn::Sqrt(hn::Sub(hn::Mul(slope, slope), hn::Mul(hn::Mul(set(4), bend), f)));
    V t = hn::Sub(low, hn::Div(hn::Mul(set(2), f), hn::Add(slope, hn::CopySign(root, slope))));
    M going = wanted;
    for (int step = 0; step < 100; ++step) {
      M inside = hn::And(hn::Gt(t, low), hn::Lt(t, high));
      t = hn::IfThenElse(inside, t, hn::Add(low, hn::Div(hn::Sub(high, low), set(2))));
      inside = hn::And(hn::Gt(t, low), hn::Lt(t, high));
      going = hn::And(going, inside);
      if (hn::AllFalse(Tag(), going)) break;
      asked = hn::IfThenElse(going, t, asked);
      Value v{zero(), zero()};
      if (any_short) v = p(t);
      if (any_long) {
        const Point at = point(hn::AndNot(is_short, going), asked);
        const Value exact{at.f[k], hn::Sub(at.f[k + 1], hn::Mul(rate, at.f[k]))};
        v.f = hn::IfThenElse(is_short, v.f, exact.f);
        v.slope = hn::IfThenElse(is_short, v.slope, exact.slope);
      }
      going = hn::And(going, hn::Ne(v.f, zero()));
      const M below = hn::Lt(v.f, zero());
      const M from_left = hn::Not(hn::Xor(rising, below));
      low = hn::IfThenElse(hn::And(going, from_left), t, low);
      high = hn::IfThenElse(hn::AndNot(from_left, going), t, high);
      const V next = hn::Sub(t, hn::Div(v.f, v.slope));
      const M stays = hn::Le(hn::Abs(hn::Sub(next, t)), hn::Mul(set(2e-16), t));
      going = hn::AndNot(stays, going);
      t = next;
    }
    return asked;
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();
#endif
