// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ghosts/free_courses_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <bit>

#include "ghosts/free_courses.hpp"
#include "machine/mask-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class Real>
using Tag = hn::CappedTag<Real, widest_vector>;

template <class Real>
void add_row(FreeCourses<Real>& c, const Real* row) {
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
  const auto zero = hn::Zero(tag), reach = hn::Set(tag, d.reach);
  const auto mem = hn::Set(tag, d.mem), k = hn::Set(tag, d.k);
  const auto end_slope = hn::Set(tag, d.end_slope);
  const Real *const v_of = c.v.data(), *const i_of = c.i.data();
  const Real *const bias_of = c.bias.data(), *const level_of = c.level.data();
  Real* const end_of = c.v_end.data();
  const std::size_t lanes = hn::Lanes(tag), count = c.count();
  found.clear();
  for (std::size_t at = 0; at < count; at += lanes) {
    const auto v = hn::LoadU(tag, v_of + at), i = hn::LoadU(tag, i_of + at);
    const auto bias = hn::LoadU(tag, bias_of + at), level = hn::LoadU(tag, level_of + at);
    const auto above = hn::Sub(v, bias);
    const auto end = hn::Add(hn::Add(bias, hn::Mul(above, mem)), hn::Mul(i, k));
    hn::StoreU(end, tag, end_of + at);
    hn::Mask<Tag<Real>> happens;
    if constexpr (climbing) {
      const auto rises = hn::And(hn::Gt(hn::Add(i, bias), v), hn::Lt(above, hn::Mul(i, end_slope)));
      happens = hn::Or(hn::Not(rises), hn::Gt(end, level));
    } else {
      const auto top = hn::Add(hn::Max(v, bias), hn::Mul(hn::Max(i, zero), reach));
      happens = hn::Ge(top, level);
    }
    std::uint64_t bits = bits_of(tag, happens);
    if (count - at < lanes) bits &= (std::uint64_t{1} << (count - at)) - 1;
    for (; bits != 0; bits &= bits - 1) {
      found.push_back(static_cast<std::int32_t>(at) + std::countr_zero(bits));
    }
  }
}

template <class Real>
void end(const Stretch<Real>& s, const neuron::Decay<Real>& d) {
  const Tag<Real> tag;
  const auto syn = hn::Set(tag, d.syn);
  for (std::size_t at = 0; at < s.count; at += hn::Lanes(tag)) {
    const auto i = hn::Mul(hn::LoadU(tag, s.i + at), syn);
    hn::StoreU(hn::LoadU(tag, s.v_end + at), tag, s.v + at);
    hn::StoreU(i, tag, s.i + at);
    hn::StoreU(i, tag, s.i_before + at);
  }
}

void add_float(FreeCourses<float>& c, const float* row) { add_row(c, row); }
void add_double(FreeCourses<double>& c, const double* row) { add_row(c, row); }
void climb_float(FreeCourses<float>& c, const neuron::Decay<float>& d,
                 std::vector<std::int32_t>& found) {
  look<true>(c, d, found);
}
void climb_double(FreeCourses<double>& c, const neuron::Decay<double>& d,
                  std::vector<std::int32_t>& found) {
  look<true>(c, d, found);
}
void await_float(FreeCourses<float>& c, const neuron::Decay<float>& d,
                 std::vector<std::int32_t>& found) {
  look<false>(c, d, found);
}
void await_double(FreeCourses<double>& c, const neuron::Decay<double>& d,
                  std::vector<std::int32_t>& found) {
  look<false>(c, d, found);
}
void end_float(const Stretch<float>& s, const neuron::Decay<float>& d) { end(s, d); }
void end_double(const Stretch<double>& s, const neuron::Decay<double>& d) { end(s, d); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus {

HWY_EXPORT(add_float);
HWY_EXPORT(add_double);
HWY_EXPORT(climb_float);
HWY_EXPORT(climb_double);
HWY_EXPORT(await_float);
HWY_EXPORT(await_double);
HWY_EXPORT(end_float);
HWY_EXPORT(end_double);

void arrive(FreeCourses<float>& courses, const float* row) {
  HWY_DYNAMIC_DISPATCH(add_float)(courses, row);
}
void arrive(FreeCourses<double>& courses, const double* row) {
  HWY_DYNAMIC_DISPATCH(add_double)(courses, row);
}
void climb(FreeCourses<float>& courses, const neuron::Decay<float>& d,
           std::vector<std::int32_t>& found) {
  HWY_DYNAMIC_DISPATCH(climb_float)(courses, d, found);
}
void climb(FreeCourses<double>& courses, const neuron::Decay<double>& d,
           std::vector<std::int32_t>& found) {
  HWY_DYNAMIC_DISPATCH(climb_double)(courses, d, found);
}
void await(FreeCourses<float>& courses, const neuron::Decay<float>& d,
           std::vector<std::int32_t>& found) {
  HWY_DYNAMIC_DISPATCH(await_float)(courses, d, found);
}
void await(FreeCourses<double>& courses, const neuron::Decay<double>& d,
           std::vector<std::int32_t>& found) {
  HWY_DYNAMIC_DISPATCH(await_double)(courses, d, found);
}
void to_the_end(const Stretch<float>& stretch, const neuron::Decay<float>& d) {
  HWY_DYNAMIC_DISPATCH(end_float)(stretch, d);
}
void to_the_end(const Stretch<double>& stretch, const neuron::Decay<double>& d) {
  HWY_DYNAMIC_DISPATCH(end_double)(stretch, d);
}

}  // namespace saltus
#endif
