// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plan/lane_order_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <limits>

#include "machine/dispatch.hpp"
#include "plan/lane_order.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr std::size_t lists = widest_vector;
using Key = std::int32_t;
using Keys = hn::CappedTag<Key, lists>;
constexpr Key nothing = std::numeric_limits<Key>::max();

// The smaller of two rows goes up.
HWY_INLINE void exchange(Key* upper, Key* lower) {
  const Keys tag;
  for (std::size_t l = 0; l < lists; l += hn::Lanes(tag)) {
    const auto a = hn::Load(tag, upper + l), b = hn::Load(tag, lower + l);
    hn::Store(hn::Min(a, b), tag, upper + l);
    hn::Store(hn::Max(a, b), tag, lower + l);
  }
}

// Knuth's names.
void merge_exchange(Key* rows, std::size_t n) {
  const std::size_t highest = std::bit_ceil(n) / 2;
  for (std::size_t p = highest; p > 0; p /= 2) {
    std::size_t q = highest, r = 0, d = p;
    for (;;) {
      for (std::size_t first = r; first + d < n; first += 2 * p) {
        const std::size_t end = std::min(first + p, n - d);
        for (std::size_t i = first; i < end; ++i)
          exchange(rows + i * lists, rows + (i + d) * lists);
      }
      if (q == p) break;
      d = q - p;
      q /= 2;
      r = p;
    }
  }
}

// A key is the time in small steps, then the place, in as many digits as it takes.
template <class Real>
void make_keys(const Real* times, std::size_t count, int digits, Key* keys) {
  const hn::CappedTag<Real, lists> tag;
  const hn::Rebind<Key, decltype(tag)> whole;
  constexpr Real infinity = std::numeric_limits<Real>::infinity();
  const auto endless = hn::Set(tag, infinity);
  auto lows = endless, highs = hn::Neg(endless);
  for (std::size_t k = 0; k < count * lists; k += hn::Lanes(tag)) {
    const auto time = hn::Load(tag, times + k);
    lows = hn::Min(lows, time);
    highs = hn::Max(highs, hn::IfThenElse(hn::Lt(time, endless), time, lows));
  }
  const auto low = hn::MinOfLanes(tag, lows), span = hn::Sub(hn::MaxOfLanes(tag, highs), low);
  const auto steps = hn::Set(tag, static_cast<Real>((nothing >> digits) - 1));
  const auto most = hn::Set(tag, std::numeric_limits<Real>::max() / 4);
  const auto scale = hn::Min(hn::Div(steps, span), most);
  for (std::size_t k = 0; k < count; ++k) {
    const auto place = hn::Set(whole, static_cast<Key>(k)), none = hn::Set(whole, nothing);
    for (std::size_t l = 0; l < lists; l += hn::Lanes(tag)) {
      const auto time = hn::Load(tag, times + k * lists + l);
      const auto step = hn::Mul(hn::Sub(time, low), scale);  // an endless one becomes `nothing`
      const auto number = [&]() HWY_ATTR {
        if constexpr (sizeof(Real) == sizeof(Key)) {
          return hn::ConvertTo(whole, step);
        } else {
          return hn::DemoteTo(whole, step);
        }
      }();
      const auto key = hn::Add(hn::ShiftLeftSame(number, digits), place);
      const auto empty = hn::Eq(number, none);
      hn::Store(hn::IfThenElse(empty, none, key), whole, keys + k * lists + l);
    }
  }
}

template <class Real>
bool order(const Real* times, std::size_t count, Key* keys) {
  const Keys tag;
  const int digits = std::bit_width(count - 1);
  make_keys(times, count, digits, keys);
  merge_exchange(keys, count);
  const auto place = hn::Set(tag, static_cast<Key>((1u << digits) - 1));
  const auto wide = hn::Set(tag, static_cast<Key>(lists)), none = hn::Set(tag, nothing);
  bool certain = true;
  for (std::size_t l = 0; l < lists; l += hn::Lanes(tag)) {
    const auto lane = hn::Iota(tag, static_cast<Key>(l));
    auto before = hn::Set(tag, Key{-1});
    for (std::size_t k = l; k < count * lists; k += lists) {
      const auto key = hn::Load(tag, keys + k), step = hn::ShiftRightSame(key, digits);
      const auto empty = hn::Eq(key, none);
      certain = certain && hn::AllFalse(tag, hn::AndNot(empty, hn::Eq(step, before)));
      before = step;
      const auto from = hn::Add(hn::Mul(hn::And(key, place), wide), lane);
      hn::Store(hn::IfThenElse(empty, lane, from), tag, keys + k);
    }
  }
  return certain;
}

SALTUS_KERNELS(LaneOrderKernels, order<Real>)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus {
SALTUS_DISPATCH(LaneOrderKernels)
}  // namespace saltus
#endif
