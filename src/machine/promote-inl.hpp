// SPDX-License-Identifier: Apache-2.0
// Between the type of a network's weights and vectors of double, for the kernels. Compiled once for
// each instruction set: include it after hwy/highway.h, outside of all namespaces.
#if defined(SALTUS_MACHINE_PROMOTE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef SALTUS_MACHINE_PROMOTE_INL
#undef SALTUS_MACHINE_PROMOTE_INL
#else
#define SALTUS_MACHINE_PROMOTE_INL
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {

/// @param tag  of double
template <class Tag>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<Tag> load_promoted(Tag tag, const double* from) {
  return hwy::HWY_NAMESPACE::LoadU(tag, from);
}
template <class Tag>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<Tag> load_promoted(Tag tag, const float* from) {
  namespace hn = hwy::HWY_NAMESPACE;
  return hn::PromoteTo(tag, hn::LoadU(hn::Rebind<float, Tag>(), from));
}

/// to[...] = v, rounded to the type of `to`.
template <class Tag>
HWY_INLINE void store_demoted(Tag tag, hwy::HWY_NAMESPACE::Vec<Tag> v, double* to) {
  hwy::HWY_NAMESPACE::StoreU(v, tag, to);
}
template <class Tag>
HWY_INLINE void store_demoted(Tag, hwy::HWY_NAMESPACE::Vec<Tag> v, float* to) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::Rebind<float, Tag> narrow;
  hn::StoreU(hn::DemoteTo(narrow, v), narrow, to);
}

/// to[...] += v, rounded to the type of `to` first.
template <class Tag>
HWY_INLINE void add_demoted(Tag tag, hwy::HWY_NAMESPACE::Vec<Tag> v, double* to) {
  namespace hn = hwy::HWY_NAMESPACE;
  hn::StoreU(hn::Add(hn::LoadU(tag, to), v), tag, to);
}
template <class Tag>
HWY_INLINE void add_demoted(Tag, hwy::HWY_NAMESPACE::Vec<Tag> v, float* to) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::Rebind<float, Tag> narrow;
  hn::StoreU(hn::Add(hn::LoadU(narrow, to), hn::DemoteTo(narrow, v)), narrow, to);
}

}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();
#endif
