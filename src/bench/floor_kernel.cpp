// SPDX-License-Identifier: Apache-2.0
// The floor under any simulation that adds weights where spikes arrive: reading them.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/floor_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "bench/bench.hpp"
#include "machine/dispatch.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus::bench {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class Real>
Real read_rows(const Rows<Real>& rows, std::size_t width, const std::int32_t* neurons,
               std::size_t count) {
  const hn::ScalableTag<Real> tag;
  const std::size_t lanes = hn::Lanes(tag);
  auto sum = hn::Zero(tag);
  Real rest = 0;
  for (std::size_t k = 0; k < count; ++k) {
    const Real* const row = rows[static_cast<std::size_t>(neurons[k])];
    std::size_t j = 0;
    for (; j + lanes <= width; j += lanes) sum = hn::Add(sum, hn::LoadU(tag, row + j));
    for (; j < width; ++j) rest += row[j];
  }
  return rest + hn::GetLane(hn::SumOfLanes(tag, sum));
}

SALTUS_KERNELS(FloorKernels, read_rows<Real>)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus::bench
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus::bench {
SALTUS_DISPATCH(FloorKernels)
}  // namespace saltus::bench
#endif
