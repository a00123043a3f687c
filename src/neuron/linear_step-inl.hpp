// SPDX-License-Identifier: Apache-2.0
// The numbers of a step (neuron/linear_alike.hpp) as a kernel multiplies with them: those of all neurons, or
// those of the neurons of a vector. Compiled once for each instruction set: include it after
// hwy/highway.h, outside of all namespaces.
#if defined(SALTUS_NEURON_LINEAR_STEP_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef SALTUS_NEURON_LINEAR_STEP_INL
#undef SALTUS_NEURON_LINEAR_STEP_INL
#else
#define SALTUS_NEURON_LINEAR_STEP_INL
#endif

#include <hwy/highway.h>

#include "neuron/linear_alike.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {

template <class Tag>
struct SharedStep {
  using V = hwy::HWY_NAMESPACE::Vec<Tag>;
  const linear::Step& step;

  HWY_INLINE V m(std::size_t to, std::size_t from) const { return all(step.m[to][from]); }
  HWY_INLINE V of_bias() const { return all(step.of_bias); }
  HWY_INLINE V of_integral(std::size_t k) const { return all(step.of_integral[k]); }

 private:
  static HWY_INLINE V all(double value) { return hwy::HWY_NAMESPACE::Set(Tag(), value); }
};

template <class Tag>
struct OwnStep {
  using V = hwy::HWY_NAMESPACE::Vec<Tag>;
  using Numbers = linear::OwnSteps;
  linear::OwnSteps::Interval interval;
  std::size_t slot;  // the first of the vector

  HWY_INLINE V m(std::size_t to, std::size_t from) const { return at(Numbers::number(to, from)); }
  HWY_INLINE V of_bias() const { return at(Numbers::of_bias); }
  HWY_INLINE V of_integral(std::size_t k) const { return at(Numbers::of_integral + k); }

 private:
  HWY_INLINE V at(std::size_t number) const {
    return hwy::HWY_NAMESPACE::Load(Tag(), interval(number) + slot);
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();
#endif
