// SPDX-License-Identifier: Apache-2.0
// The lanes of a mask, for the kernels. Compiled once for each instruction set:
// include it after hwy/highway.h, outside of all namespaces.
#if defined(SALTUS_MACHINE_MASK_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef SALTUS_MACHINE_MASK_INL
#undef SALTUS_MACHINE_MASK_INL
#else
#define SALTUS_MACHINE_MASK_INL
#endif

#include <hwy/highway.h>

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {

/// One bit per lane.
template <class Tag>
HWY_INLINE std::uint64_t bits_of(Tag tag, hwy::HWY_NAMESPACE::Mask<Tag> mask) {
  std::uint64_t bits = 0;
  hwy::HWY_NAMESPACE::StoreMaskBits(tag, mask, reinterpret_cast<std::uint8_t*>(&bits));
  return bits;
}

}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();
#endif
