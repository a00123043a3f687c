// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "train/optimizer_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "machine/dispatch.hpp"
#include "train/optimizer_kernel.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class V>
HWY_INLINE V or_zero(V x, V least) {
  return hn::IfThenElseZero(hn::Ge(hn::Abs(x), least), x);
}
template <class T>
T number_or_zero(T x, T least) {
  return std::fabs(x) >= least ? x : 0;
}

template <class T>
void adam_step(const AdamStep<T>& step, std::size_t size, T* HWY_RESTRICT w,
               const T* HWY_RESTRICT g, T* HWY_RESTRICT m, T* HWY_RESTRICT v) {
  const hn::ScalableTag<T> tag;
  const std::size_t lanes = hn::Lanes(tag);
  const auto scale = hn::Set(tag, step.scale), keep = hn::Set(tag, step.keep);
  const auto b1 = hn::Set(tag, step.b1), rest1 = hn::Set(tag, 1 - step.b1);
  const auto b2 = hn::Set(tag, step.b2), rest2 = hn::Set(tag, 1 - step.b2);
  const auto rate = hn::Set(tag, step.rate), epsilon = hn::Set(tag, step.epsilon);
  // rest2 slope^2 counts if it is a normal number; without a v there is no m.
  const T least = least_slope<T>, least_v = std::numeric_limits<T>::min();
  const T least_new = least / std::sqrt(std::max(1 - step.b2, std::numeric_limits<T>::epsilon()));
  std::size_t k = 0;
  for (; k + lanes <= size; k += lanes) {
    const auto slope = or_zero(hn::Mul(scale, hn::LoadU(tag, g + k)), hn::Set(tag, least_new));
    auto second =
        hn::Add(hn::Mul(b2, hn::LoadU(tag, v + k)), hn::Mul(hn::Mul(rest2, slope), slope));
    const auto seen = hn::Ge(second, hn::Set(tag, least_v));
    second = hn::IfThenElseZero(seen, second);
    auto first = hn::Add(hn::Mul(b1, hn::LoadU(tag, m + k)), hn::Mul(rest1, slope));
    first = hn::IfThenElseZero(seen, or_zero(first, hn::Set(tag, least)));
    hn::StoreU(first, tag, m + k);
    hn::StoreU(second, tag, v + k);
    const auto change = hn::Div(hn::Mul(rate, first), hn::Add(hn::Sqrt(second), epsilon));
    hn::StoreU(hn::Sub(hn::Mul(keep, hn::LoadU(tag, w + k)), change), tag, w + k);
  }
  for (; k < size; ++k) {
    const T slope = number_or_zero(step.scale * g[k], least_new);
    v[k] = number_or_zero(step.b2 * v[k] + (1 - step.b2) * slope * slope, least_v);
    m[k] = v[k] == 0 ? 0 : number_or_zero(step.b1 * m[k] + (1 - step.b1) * slope, least);
    w[k] = step.keep * w[k] - step.rate * m[k] / (std::sqrt(v[k]) + step.epsilon);
  }
}

template <class T>
double sum_of_squares(std::size_t size, const T* values) {
  constexpr std::size_t width = 32;  // partial sums, whatever the vectors hold
  const hn::CappedTag<T, 16> tag;
  const std::size_t lanes = hn::Lanes(tag);
  HWY_ALIGN T part[width] = {};
  std::size_t k = 0;
  for (; k + 16 * width <= size; k += 16 * width) {
    for (std::size_t l = 0; l < width; l += lanes) {
      auto sum = hn::Load(tag, part + l);
      for (std::size_t at = k + l; at < k + 16 * width; at += width) {
        const auto x = or_zero(hn::LoadU(tag, values + at), hn::Set(tag, least_slope<T>));
        sum = hn::Add(sum, hn::Mul(x, x));
      }
      hn::Store(sum, tag, part + l);
    }
  }
  double sum = 0;
  for (; k < size; ++k) {
    const T x = number_or_zero(values[k], least_slope<T>);
    sum += static_cast<double>(x * x);
  }
  for (const T p : part) sum += static_cast<double>(p);
  return sum;
}

SALTUS_KERNELS(OptimizerKernels, adam_step<Real>, sum_of_squares<Real>)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus {
SALTUS_DISPATCH(OptimizerKernels)
}  // namespace saltus
#endif
