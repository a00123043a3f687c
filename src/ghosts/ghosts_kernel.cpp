// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ghosts/ghosts_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <bit>

#include "ghosts/ghosts_kernel.hpp"
#include "machine/dispatch.hpp"
#include "machine/mask-inl.hpp"
#include "neuron/lif-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class Real>
void look_closer(GhostLayer<Real>& l, const neuron::Decay<Real>& d, bool any,
                 std::vector<std::int32_t>& found) {
  const hn::CappedTag<Real, widest_vector> tag;
  const auto decays = in_all_lanes(tag, d);
  const auto zero = hn::Zero(tag), one = hn::Set(tag, Real(1));
  const auto all = hn::Set(tag, any ? Real(1) : Real(0));
  found.clear();
  for (std::size_t j = 0; j < l.count(); j += hn::Lanes(tag)) {
    const auto v = hn::LoadU(tag, l.v + j), i = hn::LoadU(tag, l.i + j);
    const auto bias = hn::LoadU(tag, l.bias + j);
    hn::StoreU(membrane_after(v, i, bias, decays), tag, l.v_end + j);
    const auto top = highest_reach(v, i, bias, decays);
    const auto starts_up = rises_at_start(v, i, bias);
    const auto ends_up = rises_at_end(v, i, bias, decays);
    const auto rose = hn::LoadU(tag, l.rises + j);
    hn::StoreU(rose, tag, l.did_rise + j);
    const auto rises = hn::IfThenElseZero(ends_up, one);
    hn::StoreU(rises, tag, l.rises + j);
    // 1 or more: matters.
    const auto turns = hn::Add(hn::Sub(one, rises), hn::LoadU(tag, l.waits + j));
    const auto matters =
        hn::Add(hn::IfThenElse(starts_up, turns, rose), hn::Add(hn::LoadU(tag, l.fresh + j), all));
    const auto closer = hn::And(hn::Gt(top, hn::LoadU(tag, l.bar + j)), hn::Gt(matters, zero));
    for (std::uint64_t bits = bits_of(tag, closer); bits != 0; bits &= bits - 1) {
      found.push_back(static_cast<std::int32_t>(j) + std::countr_zero(bits));
    }
  }
}

template <class Real>
void arrive(GhostLayer<Real>& layer, const Real* row, std::size_t size) {
  const hn::CappedTag<Real, widest_vector> tag;
  const std::size_t lanes = hn::Lanes(tag);
  std::size_t j = 0;
  for (; j + lanes <= size; j += lanes) {
    hn::StoreU(hn::Add(hn::LoadU(tag, layer.i + j), hn::LoadU(tag, row + j)), tag, layer.i + j);
  }
  for (; j < size; ++j) layer.i[j] += row[j];
}

SALTUS_KERNELS(GhostKernels, look_closer<Real>, arrive<Real>)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus {
SALTUS_DISPATCH(GhostKernels)
}  // namespace saltus
#endif
