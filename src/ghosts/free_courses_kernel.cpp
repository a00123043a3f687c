// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ghosts/free_courses_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <bit>

#include "ghosts/free_courses.hpp"
#include "machine/dispatch.hpp"
#include "machine/mask-inl.hpp"
#include "neuron/lif-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class Real>
using Tag = hn::CappedTag<Real, widest_vector>;

template <class Real>
void arrive(FreeCourses<Real>& c, const Real* row) {
  const Tag<Real> tag;
  const hn::RebindToSigned<Tag<Real>> index_tag;
  Real* const i_of = c.i.data();
  const auto* const neuron_of = c.neuron.data();
  const std::size_t lanes = hn::Lanes(tag), count = c.count();
  for (std::size_t at = 0; at < count; at += lanes) {
    const auto w = hn::GatherIndex(tag, row, hn::LoadU(index_tag, neuron_of + at));
    hn::StoreU(hn::Add(hn::LoadU(tag, i_of + at), w), tag, i_of + at);
  }
}

template <bool climbing, class Real>
void look(FreeCourses<Real>& c, const neuron::Decay<Real>& d, std::vector<std::int32_t>& found) {
  const Tag<Real> tag;
  const auto decays = in_all_lanes(tag, d);
  const Real *const v_of = c.v.data(), *const i_of = c.i.data();
  const Real *const bias_of = c.bias.data(), *const level_of = c.level.data();
  Real* const end_of = c.v_end.data();
  const std::size_t lanes = hn::Lanes(tag), count = c.count();
  found.clear();
  for (std::size_t at = 0; at < count; at += lanes) {
    const auto v = hn::LoadU(tag, v_of + at), i = hn::LoadU(tag, i_of + at);
    const auto bias = hn::LoadU(tag, bias_of + at), level = hn::LoadU(tag, level_of + at);
    const auto end = membrane_after(v, i, bias, decays);
    hn::StoreU(end, tag, end_of + at);
    hn::Mask<Tag<Real>> happens;
    if constexpr (climbing) {
      const auto rises = hn::And(rises_at_start(v, i, bias), rises_at_end(v, i, bias, decays));
      happens = hn::Or(hn::Not(rises), hn::Gt(end, level));
    } else {
      happens = hn::Ge(highest_reach(v, i, bias, decays), level);
    }
    std::uint64_t bits = bits_of(tag, happens);
    if (count - at < lanes) bits &= (std::uint64_t{1} << (count - at)) - 1;
    for (; bits != 0; bits &= bits - 1) {
      found.push_back(static_cast<std::int32_t>(at) + std::countr_zero(bits));
    }
  }
}

template <class Real>
void to_the_end(const Stretch<Real>& s, const neuron::Decay<Real>& d) {
  const Tag<Real> tag;
  const auto syn = hn::Set(tag, d.syn);
  for (std::size_t at = 0; at < s.count; at += hn::Lanes(tag)) {
    const auto i = hn::Mul(hn::LoadU(tag, s.i + at), syn);
    hn::StoreU(hn::LoadU(tag, s.v_end + at), tag, s.v + at);
    hn::StoreU(i, tag, s.i + at);
    hn::StoreU(i, tag, s.i_before + at);
  }
}

SALTUS_KERNELS(CourseKernels, arrive<Real>, look<true, Real>, look<false, Real>, to_the_end<Real>)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus {
SALTUS_DISPATCH(CourseKernels)
}  // namespace saltus
#endif
