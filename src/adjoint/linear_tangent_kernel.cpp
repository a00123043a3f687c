// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "adjoint/linear_tangent_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "adjoint/linear_tangent.hpp"
#include "machine/dispatch.hpp"
#include "machine/promote-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class Real>
void add(const LinearTangents& lanes, const Real* weights, std::size_t receiver) {
  const hn::ScalableTag<double> tag;
  const SlotLayout layout = lanes.layout();
  const double* const factors = lanes.factors(receiver);
  double* const to = lanes.row(lanes.shape().receivers()[receiver].row);
  const std::size_t end = layout.end(hn::Lanes(tag));
  for (std::size_t s = 0; s < end; s += hn::Lanes(tag)) {
    const auto weight = load_promoted(tag, weights + layout.place(s));
    const auto more = hn::Mul(weight, hn::LoadU(tag, factors + s));
    hn::StoreU(hn::Add(hn::LoadU(tag, to + s), more), tag, to + s);
  }
}

template <bool own>
HWY_INLINE void flow_by(const LinearTangents& lanes, const double* values, std::size_t stride) {
  const hn::ScalableTag<double> tag;
  const auto terms = lanes.shape().terms();
  const auto updates = lanes.shape().updates();
  const std::size_t end = lanes.layout().end(hn::Lanes(tag));
  const double* const rows = lanes.row(0);
  const std::size_t from_row_to_row = static_cast<std::size_t>(lanes.row(1) - rows);
  for (const TangentShape::Update& update : updates) {
    double* const to = lanes.row(update.to);
    for (std::size_t s = 0; s < end; s += hn::Lanes(tag)) {
      auto sum = hn::Zero(tag);
      for (std::size_t k = update.first; k < update.last; ++k) {
        const auto [number, from] = terms[k];
        const auto x = hn::LoadU(tag, rows + from * from_row_to_row + s);
        if constexpr (own) {
          sum = hn::Add(sum, hn::Mul(hn::LoadU(tag, values + number * stride + s), x));
        } else {
          sum = hn::Add(sum, hn::Mul(hn::Set(tag, values[number]), x));
        }
      }
      hn::StoreU(sum, tag, to + s);
    }
  }
}

template <class Real>
void flow(const LinearTangents& lanes, const double* values, std::size_t own) {
  own == 0 ? flow_by<false>(lanes, values, own) : flow_by<true>(lanes, values, own);
}

SALTUS_KERNELS(LinearTangentKernels, add<Real>, flow<Real>)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus {
SALTUS_DISPATCH(LinearTangentKernels)
}  // namespace saltus
#endif
