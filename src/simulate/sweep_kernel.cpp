// SPDX-License-Identifier: Apache-2.0
// A tile of two vectors of neurons stays in registers while all events of a sample pass by
// (docs/architecture.md). Per interval and neuron: V and I decay, and two exact tests tell who
// cannot spike (neuron/spike_search.hpp). Whoever might leaves the registers for neuron::advance.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simulate/sweep_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "neuron/lif.hpp"
#include "simulate/sweep_kernel.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class Real>
struct Sink {
  std::vector<RecordedSpike<Real>>& spikes;
  std::int32_t neuron;
  bool counts;  // the last tile overlaps the one before it

  void spike(double time, Real current) {
    if (counts) spikes.push_back({time, neuron, current});
  }
  void release(Real) {}  // no refractory time here
};

// Neurons first .. first + 2 Lanes - 1; those before `fresh` have been run already.
template <class Real>
HWY_INLINE void sweep_tile(const PopulationPlan<Real>& plan, const Arrivals<Real>& arrivals,
                           std::size_t first, std::size_t fresh, double end,
                           std::vector<RecordedSpike<Real>>& spikes) {
  const hn::ScalableTag<Real> tag;
  using V = hn::Vec<decltype(tag)>;
  const std::size_t lanes = hn::Lanes(tag);
  HWY_ALIGN Real v[2 * HWY_MAX_BYTES / sizeof(Real)], i[2 * HWY_MAX_BYTES / sizeof(Real)];
  HWY_ALIGN Real next_v[2 * HWY_MAX_BYTES / sizeof(Real)], next_i[2 * HWY_MAX_BYTES / sizeof(Real)];
  for (std::size_t l = 0; l < 2 * lanes; ++l) {
    v[l] = plan.neuron(first + l).bias;
    i[l] = plan.neuron(first + l).theta;
  }
  const V bias0 = hn::Load(tag, v), bias1 = hn::Load(tag, v + lanes);
  const V theta0 = hn::Load(tag, i), theta1 = hn::Load(tag, i + lanes);
  for (std::size_t l = 0; l < 2 * lanes; ++l) {
    v[l] = plan.neuron(first + l).v_initial;
    i[l] = plan.neuron(first + l).i_initial;
  }
  V v0 = hn::Load(tag, v), v1 = hn::Load(tag, v + lanes);
  V i0 = hn::Load(tag, i), i1 = hn::Load(tag, i + lanes);
  const V zero = hn::Zero(tag);

  double t = 0;
  const std::size_t groups = arrivals.group_count();
  for (std::size_t g = 0; g <= groups; ++g) {
    const double next = g < groups ? arrivals.times[g] : end;
    const neuron::Decay<Real>& d = arrivals.decays[g];
    const V mem = hn::Set(tag, d.mem), syn = hn::Set(tag, d.syn), k = hn::Set(tag, d.k);
    const V reach = hn::Set(tag, d.reach), end_slope = hn::Set(tag, d.end_slope);
    const V above0 = hn::Sub(v0, bias0), above1 = hn::Sub(v1, bias1);
    const V end0 = hn::Add(hn::Add(bias0, hn::Mul(above0, mem)), hn::Mul(i0, k));
    const V end1 = hn::Add(hn::Add(bias1, hn::Mul(above1, mem)), hn::Mul(i1, k));
    const V top0 = hn::Add(hn::Max(v0, bias0), hn::Mul(hn::Max(i0, zero), reach));
    const V top1 = hn::Add(hn::Max(v1, bias1), hn::Mul(hn::Max(i1, zero), reach));
    // Might spike: V ends at or above theta; or it may reach theta and has its peak inside.
    const auto may0 =
        hn::Or(hn::Ge(end0, theta0),
               hn::And(hn::Ge(top0, theta0), hn::Not(hn::Lt(above0, hn::Mul(i0, end_slope)))));
    const auto may1 =
        hn::Or(hn::Ge(end1, theta1),
               hn::And(hn::Ge(top1, theta1), hn::Not(hn::Lt(above1, hn::Mul(i1, end_slope)))));
    const V later_i0 = hn::Mul(i0, syn), later_i1 = hn::Mul(i1, syn);
    if (HWY_LIKELY(hn::AllFalse(tag, hn::Or(may0, may1)))) {
      v0 = end0;
      v1 = end1;
      i0 = later_i0;
      i1 = later_i1;
    } else {
      hn::Store(v0, tag, v);
      hn::Store(v1, tag, v + lanes);
      hn::Store(i0, tag, i);
      hn::Store(i1, tag, i + lanes);
      hn::Store(end0, tag, next_v);
      hn::Store(end1, tag, next_v + lanes);
      hn::Store(later_i0, tag, next_i);
      hn::Store(later_i1, tag, next_i + lanes);
      std::uint8_t bits[2][8] = {};
      hn::StoreMaskBits(tag, may0, bits[0]);
      hn::StoreMaskBits(tag, may1, bits[1]);
      for (std::size_t l = 0; l < 2 * lanes; ++l) {
        const std::size_t in_vector = l % lanes;
        if (!(bits[l / lanes][in_vector / 8] >> (in_vector % 8) & 1)) continue;
        const std::size_t j = first + l;
        neuron::State<Real> state{v[l], i[l]};
        Sink<Real> sink{spikes, static_cast<std::int32_t>(j), j >= fresh};
        neuron::advance(plan.neuron(j), state, t, next, d, sink);
        next_v[l] = state.v;
        next_i[l] = state.i;
      }
      v0 = hn::Load(tag, next_v);
      v1 = hn::Load(tag, next_v + lanes);
      i0 = hn::Load(tag, next_i);
      i1 = hn::Load(tag, next_i + lanes);
    }
    if (g == groups) break;
    for (const auto& arrival : arrivals.group(g)) {
      i0 = hn::Add(i0, hn::LoadU(tag, arrival.row + first));
      i1 = hn::Add(i1, hn::LoadU(tag, arrival.row + first + lanes));
    }
    t = next;
  }
}

template <class Real>
bool sweep(const PopulationPlan<Real>& plan, const Arrivals<Real>& arrivals, std::size_t size,
           double end, std::vector<RecordedSpike<Real>>& spikes) {
  const std::size_t tile = 2 * hn::Lanes(hn::ScalableTag<Real>());
  if (size < tile) return false;
  for (std::size_t j = 0; j < size; j += tile) {
    sweep_tile(plan, arrivals, std::min(j, size - tile), j, end, spikes);
  }
  return true;
}

bool sweep_float(const PopulationPlan<float>& plan, const Arrivals<float>& arrivals,
                 std::size_t size, double end, std::vector<RecordedSpike<float>>& spikes) {
  return sweep(plan, arrivals, size, end, spikes);
}
bool sweep_double(const PopulationPlan<double>& plan, const Arrivals<double>& arrivals,
                  std::size_t size, double end, std::vector<RecordedSpike<double>>& spikes) {
  return sweep(plan, arrivals, size, end, spikes);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus {

HWY_EXPORT(sweep_float);
HWY_EXPORT(sweep_double);

bool sweep_in_vectors(const PopulationPlan<float>& plan, const Arrivals<float>& arrivals,
                      std::size_t size, double end, std::vector<RecordedSpike<float>>& spikes) {
  return HWY_DYNAMIC_DISPATCH(sweep_float)(plan, arrivals, size, end, spikes);
}
bool sweep_in_vectors(const PopulationPlan<double>& plan, const Arrivals<double>& arrivals,
                      std::size_t size, double end, std::vector<RecordedSpike<double>>& spikes) {
  return HWY_DYNAMIC_DISPATCH(sweep_double)(plan, arrivals, size, end, spikes);
}

}  // namespace saltus
#endif
