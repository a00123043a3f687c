// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "neuron/slopes_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <limits>

#include "neuron/tangent.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus::neuron {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// neuron::slopes and neuron::convolutions, an interval in each lane.
void slopes_in_vectors(const TimeConstants& tc, std::span<const double> dt, const Decay<double>* d,
                       DecaySlopes<double>* out) {
  const hn::ScalableTag<double> tag;
  constexpr std::size_t most_lanes = HWY_MAX_BYTES / sizeof(double);
  constexpr ConvolutionSeries series;
  const std::size_t lanes = hn::Lanes(tag);
  const double difference = tc.p - 1;
  const auto q = hn::Set(tag, difference), tau_mem = hn::Set(tag, tc.tau_mem);
  const auto mem2 = hn::Set(tag, tc.tau_mem * tc.tau_mem);
  const auto syn2 = hn::Set(tag, tc.tau_syn * tc.tau_syn);
  const auto longest = hn::Set(tag, std::numeric_limits<double>::max());
  HWY_ALIGN double of[4][most_lanes] = {};
  for (std::size_t at = 0; at < dt.size(); at += lanes) {
    const std::size_t count = std::min(lanes, dt.size() - at);
    for (std::size_t l = 0; l < count; ++l) {
      of[0][l] = dt[at + l];
      of[1][l] = d[at + l].mem;
      of[2][l] = d[at + l].syn;
      of[3][l] = d[at + l].k;
    }
    const auto t = hn::Load(tag, of[0]), mem = hn::Load(tag, of[1]), k = hn::Load(tag, of[3]);
    const auto r = hn::Div(hn::Mul(q, t), tau_mem);
    const auto t_mem = hn::Mul(t, mem), t_syn = hn::Mul(t, hn::Load(tag, of[2]));
    const auto mem_syn = hn::Mul(tau_mem, k);
    auto a = hn::Zero(tag), b = hn::Zero(tag);
    const auto minus_r = hn::Neg(r);
    for (std::size_t n = ConvolutionSeries::terms; n-- > 0;) {
      a = hn::Add(hn::Mul(a, minus_r), hn::Set(tag, series.a[n]));
      b = hn::Add(hn::Mul(b, minus_r), hn::Set(tag, series.b[n]));
    }
    const auto scale = hn::Div(hn::Mul(t_mem, t), tau_mem);
    const auto far = hn::Gt(hn::Abs(r), hn::Set(tag, 0.5));
    const auto mem_mem_syn =
        hn::IfThenElse(far, hn::Div(hn::Sub(t_mem, mem_syn), q), hn::Mul(scale, a));
    const auto mem_syn_syn =
        hn::IfThenElse(far, hn::Div(hn::Sub(mem_syn, t_syn), q), hn::Mul(scale, b));
    const auto ends = hn::Le(t, longest);  // else all has decayed
    const auto store = [&](auto value, double* to)
                           HWY_ATTR { hn::Store(hn::IfThenElseZero(ends, value), tag, to); };
    const auto syn = hn::Load(tag, of[2]);
    store(hn::Mul(hn::Div(t, mem2), mem), of[0]);
    store(hn::Mul(hn::Div(t, syn2), syn), of[1]);
    store(hn::Sub(hn::Div(mem_mem_syn, mem2), hn::Div(k, tau_mem)), of[2]);
    store(hn::Div(mem_syn_syn, syn2), of[3]);
    for (std::size_t l = 0; l < count; ++l) {
      out[at + l] = {of[0][l], of[1][l], of[2][l], of[3][l]};
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus::neuron
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus::neuron {
HWY_EXPORT(slopes_in_vectors);

void slopes(const TimeConstants& tc, std::span<const double> dt, const Decay<double>* d,
            DecaySlopes<double>* out) {
  HWY_DYNAMIC_DISPATCH(slopes_in_vectors)(tc, dt, d, out);
}
}  // namespace saltus::neuron
#endif
