// SPDX-License-Identifier: Apache-2.0
// integer_power (machine/power.hpp) in vectors, for the kernels. Compiled once for each instruction
// set: include it after hwy/highway.h, outside of all namespaces.
#if defined(SALTUS_MACHINE_POWER_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef SALTUS_MACHINE_POWER_INL
#undef SALTUS_MACHINE_POWER_INL
#else
#define SALTUS_MACHINE_POWER_INL
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {

/// x to the power n, by the same products. Short cuts for 3 and 4, those of the usual ratio of time
/// constants.
template <class V>
HWY_INLINE V integer_power(V x, int n) {
  namespace hn = hwy::HWY_NAMESPACE;
  const V square = hn::Mul(x, x);
  if (n == 3) return hn::Mul(x, square);
  if (n == 4) return hn::Mul(square, square);
  V result = hn::Set(hn::DFromV<V>(), hn::TFromV<V>(1));
  for (; n > 0; n >>= 1, x = hn::Mul(x, x)) {
    if (n & 1) result = hn::Mul(result, x);
  }
  return result;
}

}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();
#endif
