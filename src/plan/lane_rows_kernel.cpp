// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plan/lane_rows_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <hwy/cache_control.h>

#include <algorithm>
#include <bit>
#include <limits>

#include "machine/dispatch.hpp"
#include "machine/mask-inl.hpp"
#include "plan/lane_rows.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr std::size_t lists = widest_vector;

// Rows come in no order that the machine could guess.
template <class Real>
HWY_INLINE void prefetch(const SpikesInRows<Real>& in, std::size_t s) {
  constexpr std::size_t ahead = 8;
  if (s + ahead >= in.sent.size()) return;
  const auto pre = static_cast<std::size_t>(in.neurons[s + ahead]);
  hwy::Prefetch(in.weights + pre * in.stride);
  if (in.delays == nullptr) return;
  hwy::Prefetch(in.delays + pre * in.delay_stride);
  hwy::Prefetch(in.delays + pre * in.delay_stride + lists / 2);
}

template <class Real>
void put(const SpikesInRows<Real>& in, ListsInLanes<Real>& out) {
  const hn::CappedTag<double, lists> tag;
  const hn::CappedTag<Real, lists> real;
  const hn::CappedTag<std::uint32_t, lists> number;
  const std::size_t lanes = hn::Lanes(tag);
  const auto from = hn::Set(tag, out.from), to = hn::Set(tag, out.to);
  const std::uint64_t all = (std::uint64_t{1} << in.width) - 1;
  const bool narrow = in.width < lists;
  HWY_ALIGN Real
      few_weights[lists] = {};  // what of a row is there, where it is shorter than a vector
  HWY_ALIGN double few_delays[lists] = {};
  double* const out_times = out.times;
  Real* const out_weights = out.weights;
  std::uint32_t* const out_origins = out.origins;
  bool even = out.even;
  std::size_t rows = out.sizes[0];  // while they are even
  HWY_ALIGN double times[lists];
  for (std::size_t s = 0; s < in.sent.size(); ++s) {
    prefetch(in, s);
    const auto pre = static_cast<std::size_t>(in.neurons[s]);
    const Real* weights = in.weights + pre * in.stride;
    const double* delays = in.delays ? in.delays + pre * in.delay_stride : nullptr;
    if (narrow) {
      std::copy_n(weights, in.width, few_weights);
      weights = few_weights;
      if (delays) std::copy_n(delays, in.width, few_delays);
      if (delays) delays = few_delays;
    }
    const auto sent = hn::Set(tag, in.sent[s]);
    const auto least = s < in.fresh ? hn::Set(tag, -std::numeric_limits<double>::infinity()) : from;
    std::uint64_t in_time = 0;
    double* const to_times = even ? out_times + rows * lists : times;
    for (std::size_t l = 0; l < lists; l += lanes) {
      const auto arrives = delays ? hn::Add(sent, hn::LoadU(tag, delays + l)) : sent;
      const auto time = hn::Max(arrives, least);
      hn::Store(time, tag, to_times + l);
      in_time |= bits_of(tag, hn::And(hn::Ge(time, from), hn::Lt(time, to))) << l;
    }
    in_time &= all;
    if (in_time == 0) continue;
    const auto origin = in.first_origin + static_cast<std::uint32_t>(s);
    if (even && in_time == all) {
      for (std::size_t l = 0; l < lists; l += hn::Lanes(real)) {
        hn::Store(hn::LoadU(real, weights + l), real, out_weights + rows * lists + l);
      }
      for (std::size_t l = 0; l < lists; l += hn::Lanes(number)) {
        hn::Store(hn::Set(number, origin), number, out_origins + rows * lists + l);
      }
      ++rows;
      continue;
    }
    if (even) {
      even = false;
      std::copy_n(to_times, lists, times);
      std::fill_n(out.sizes, in.width, rows);
    }
    for (; in_time != 0; in_time &= in_time - 1) {
      const auto lane = static_cast<std::size_t>(std::countr_zero(in_time));
      const std::size_t at = out.sizes[lane]++ * lists + lane;
      out_times[at] = times[lane];
      out_weights[at] = weights[lane];
      out_origins[at] = origin;
    }
  }
  if (even) std::fill_n(out.sizes, in.width, rows);
  out.even = even;
}

template <class Real>
bool falls(const double* times, std::size_t count) {
  const hn::CappedTag<double, lists> tag;
  const std::size_t lanes = hn::Lanes(tag);
  auto any = hn::FirstN(tag, 0);
  for (std::size_t k = lists; k < count * lists; k += lanes) {
    any = hn::Or(any, hn::Gt(hn::Load(tag, times + k - lists), hn::Load(tag, times + k)));
  }
  return !hn::AllFalse(tag, any);
}

SALTUS_KERNELS(LaneRowKernels, put<Real>, falls<Real>)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus {
SALTUS_DISPATCH(LaneRowKernels)
}  // namespace saltus
#endif
