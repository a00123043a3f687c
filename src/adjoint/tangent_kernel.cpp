// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "adjoint/tangent_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "adjoint/tangent.hpp"
#include "machine/dispatch.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class Real>
void add(const SlotLayout& slots, const Real* row, Real* to) {
  const hn::ScalableTag<Real> tag;
  const SlotLayout layout = slots;
  for (std::size_t s = 0; s < layout.count(); s += hn::Lanes(tag)) {
    const auto weight = hn::LoadU(tag, row + layout.place(s));
    hn::Store(hn::Add(hn::Load(tag, to + s), weight), tag, to + s);
  }
}

template <bool mem, bool syn, class Real>
HWY_INLINE void flow_by(TangentLanes<Real>& lanes, const neuron::Decay<Real>& d,
                        const neuron::DecaySlopes<Real>& s) {
  const hn::ScalableTag<Real> tag;
  const TangentLanes<Real>& l = lanes;
  Real *const v_of = l.v, *const i_of = l.i, *const v_mem_of = l.v_mem, *const v_syn_of = l.v_syn;
  Real* const i_syn_of = l.i_syn;
  const Real* const bias_of = l.bias;
  const auto em = hn::Set(tag, d.mem), es = hn::Set(tag, d.syn), k = hn::Set(tag, d.k);
  const auto mem_mem = hn::Set(tag, s.mem_mem), k_mem = hn::Set(tag, s.k_mem);
  const auto syn_syn = hn::Set(tag, s.syn_syn), k_syn = hn::Set(tag, s.k_syn);
  const std::size_t count = l.slots.layout().count();
  for (std::size_t at = 0; at < count; at += hn::Lanes(tag)) {
    const auto i = hn::Load(tag, i_of + at);
    if constexpr (mem) {
      const auto bias = hn::Load(tag, bias_of + at);
      const auto above = hn::Sub(hn::Load(tag, v_of + at), bias);
      const auto v_mem = hn::Load(tag, v_mem_of + at);
      hn::Store(hn::Add(hn::Add(hn::Mul(v_mem, em), hn::Mul(above, mem_mem)), hn::Mul(i, k_mem)),
                tag, v_mem_of + at);
      hn::Store(hn::Add(hn::Add(bias, hn::Mul(above, em)), hn::Mul(i, k)), tag, v_of + at);
    }
    if constexpr (syn) {
      const auto v_syn = hn::Load(tag, v_syn_of + at), i_syn = hn::Load(tag, i_syn_of + at);
      hn::Store(hn::Add(hn::Add(hn::Mul(v_syn, em), hn::Mul(i_syn, k)), hn::Mul(i, k_syn)), tag,
                v_syn_of + at);
      hn::Store(hn::Add(hn::Mul(i_syn, es), hn::Mul(i, syn_syn)), tag, i_syn_of + at);
    }
    hn::Store(hn::Mul(i, es), tag, i_of + at);
  }
}

template <class Real>
void flow(TangentLanes<Real>& lanes, bool mem, bool syn, const neuron::Decay<Real>& d,
          const neuron::DecaySlopes<Real>& s) {
  if (mem && syn) return flow_by<true, true>(lanes, d, s);
  if (mem) return flow_by<true, false>(lanes, d, s);
  flow_by<false, true>(lanes, d, s);
}

SALTUS_KERNELS(TangentKernels, add<Real>, flow<Real>)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus {
SALTUS_DISPATCH(TangentKernels)
}  // namespace saltus
#endif
