// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "neuron/linear_slopes_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "machine/aligned.hpp"
#include "neuron/linear_flow-inl.hpp"
#include "neuron/linear_slopes.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus::linear {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
namespace vectors = saltus::HWY_NAMESPACE;

// A time in each lane.
void values_in_vectors(std::span<const Difference> differences,
                       std::span<const SlopedFlow::Path> paths, std::span<const double> dt,
                       double* out, std::size_t times, std::size_t numbers) {
  const hn::ScalableTag<double> tag;
  const std::size_t lanes = hn::Lanes(tag);
  thread_local Aligned<double> memory;
  memory.reserve(differences.size() * hn::MaxLanes(tag));
  double* const values = memory.data();
  HWY_ALIGN double of[hn::MaxLanes(tag)] = {};
  for (std::size_t at = 0; at < dt.size(); at += lanes) {
    const std::size_t count = std::min(lanes, dt.size() - at);
    std::copy_n(dt.data() + at, count, of);
    vectors::differences_at(tag, differences, hn::Load(tag, of), values);
    for (std::size_t k = 0; k < paths.size();) {
      const std::size_t number = paths[k].number;
      auto sum = hn::Zero(tag);
      for (; k < paths.size() && paths[k].number == number; ++k) {
        const auto difference = hn::Load(tag, values + paths[k].difference * lanes);
        sum = hn::Add(sum, hn::Mul(hn::Set(tag, paths[k].factor), difference));
      }
      HWY_ALIGN double sums[hn::MaxLanes(tag)];
      hn::Store(sum, tag, sums);
      double* const to = out + at * times + number * numbers;
      for (std::size_t l = 0; l < count; ++l) to[l * times] = sums[l];
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus::linear
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus::linear {
HWY_EXPORT(values_in_vectors);

void SlopedFlow::values(std::span<const double> dt, double* out, std::size_t times,
                        std::size_t numbers) const {
  HWY_DYNAMIC_DISPATCH(values_in_vectors)(differences_, paths_, dt, out, times, numbers);
}
}  // namespace saltus::linear
#endif
