// SPDX-License-Identifier: Apache-2.0
// The flow of neuron/linear_flow.hpp in vectors, a time in each lane: the same operations in the same
// order, so the same bits. Compiled once for each instruction set: include it after hwy/highway.h,
// outside of all namespaces.
#if defined(SALTUS_NEURON_LINEAR_FLOW_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef SALTUS_NEURON_LINEAR_FLOW_INL
#undef SALTUS_NEURON_LINEAR_FLOW_INL
#else
#define SALTUS_NEURON_LINEAR_FLOW_INL
#endif

#include <hwy/highway.h>

#include <span>

#include "machine/exponential-inl.hpp"
#include "neuron/linear_flow.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {

/// What all lanes share of linear::Difference.
template <class Tag>
struct SharedDifferences {
  using V = hwy::HWY_NAMESPACE::Vec<Tag>;
  std::span<const linear::Difference> list;

  HWY_INLINE V rate(std::size_t m) const { return all(list[m].rate); }
  HWY_INLINE V spread(std::size_t m) const { return all(list[m].spread); }
  HWY_INLINE V per_spread(std::size_t m) const { return all(list[m].per_spread); }
  HWY_INLINE V series(std::size_t m, std::size_t p) const { return all(list[m].series[p]); }

 private:
  static HWY_INLINE V all(double value) { return hwy::HWY_NAMESPACE::Set(Tag(), value); }
};

/// linear::differences_at
/// @param list  what they are made of @param of  as SharedDifferences
/// @param values  [difference, lane]
template <class Tag, class Numbers>
HWY_INLINE void differences_at(Tag tag, std::span<const linear::Difference> list,
                               const Numbers& numbers, hwy::HWY_NAMESPACE::Vec<Tag> t,
                               double* HWY_RESTRICT values) {
  namespace hn = hwy::HWY_NAMESPACE;
  using linear::Difference;
  const std::size_t lanes = hn::Lanes(tag);
  const auto of = [&](std::size_t m) HWY_ATTR { return hn::Load(tag, values + m * lanes); };
  for (std::size_t m = 0; m < list.size(); ++m) {
    const Difference& d = list[m];
    double* const to = values + m * lanes;
    if (d.order == 0) {
      hn::Store(d.last == m ? exponential(hn::Mul(numbers.rate(m), t)) : of(d.last), tag, to);
      continue;
    }
    const auto whole = of(d.last), spread = numbers.spread(m), length = hn::Mul(spread, t);
    const auto per_spread = numbers.per_spread(m);
    if (d.order == 1) {
      const auto is_one = hn::Eq(spread, hn::Zero(tag));  // node
      auto value = hn::Mul(whole, t);
      if (!hn::AllTrue(tag, is_one)) {
        const auto lost = hn::Neg(exponential_less_one(hn::Neg(length)));
        value = hn::IfThenElse(is_one, value, hn::Mul(hn::Mul(lost, per_spread), whole));
      }
      hn::Store(value, tag, to);
      continue;
    }
    auto even = numbers.series(m, Difference::terms - 1);
    auto odd = numbers.series(m, Difference::terms - 2);
    const auto square = hn::Mul(length, length);
    for (std::size_t p = Difference::terms - 2; p > 1; p -= 2) {
      even = hn::Add(hn::Mul(even, square), numbers.series(m, p - 1));
      odd = hn::Add(hn::Mul(odd, square), numbers.series(m, p - 2));
    }
    const auto sum =
        hn::Add(hn::Add(hn::Mul(even, square), numbers.series(m, 0)), hn::Mul(odd, length));
    auto near = hn::Mul(whole, sum);
    for (std::size_t k = 0; k < d.order; ++k) near = hn::Mul(near, t);
    const auto far = hn::Mul(hn::Sub(of(d.without_first), of(d.without_last)), per_spread);
    hn::Store(hn::IfThenElse(hn::Le(length, hn::Set(tag, 1.0)), near, far), tag, to);
  }
}
template <class Tag>
HWY_INLINE void differences_at(Tag tag, std::span<const linear::Difference> list,
                               hwy::HWY_NAMESPACE::Vec<Tag> t, double* HWY_RESTRICT values) {
  differences_at(tag, list, SharedDifferences<Tag>{list}, t, values);
}

/// Room for all of them.
template <class Tag>
inline constexpr std::size_t room_for_differences =
    linear::most_differences* hwy::HWY_NAMESPACE::MaxLanes(Tag());

/// linear::System::for_each_entry: calls visit(entry, its value in each lane).
/// @param values  of differences_at @param factor_of  (number of a path) -> its factor
template <class Tag, class FactorOf, class Visit>
HWY_INLINE void for_each_entry(Tag tag, std::span<const linear::System<double>::Path> paths,
                               const double* HWY_RESTRICT values, const FactorOf& factor_of,
                               const Visit& visit) {
  namespace hn = hwy::HWY_NAMESPACE;
  for (std::size_t k = 0; k < paths.size();) {
    const auto entry = paths[k].entry;
    auto value = hn::Zero(tag);
    for (; k < paths.size() && paths[k].entry == entry; ++k) {
      const auto difference = hn::Load(tag, values + paths[k].difference * hn::Lanes(tag));
      value = hn::Add(value, hn::Mul(factor_of(k), difference));
    }
    visit(entry, value);
  }
}
/// The factors are those of the paths.
template <class Tag, class Visit>
HWY_INLINE void for_each_entry(Tag tag, std::span<const linear::System<double>::Path> paths,
                               const double* HWY_RESTRICT values, const Visit& visit) {
  const auto factor_of = [&](std::size_t k)
                             HWY_ATTR { return hwy::HWY_NAMESPACE::Set(tag, paths[k].factor); };
  for_each_entry(tag, paths, values, factor_of, visit);
}

/// linear::System::flow of a state in each lane, without the integral.
/// @param x, to  [component, lane]; `to` is not x
template <class Tag>
HWY_INLINE void flow(Tag tag, const linear::System<double>& system,
                     hwy::HWY_NAMESPACE::Vec<Tag> bias, hwy::HWY_NAMESPACE::Vec<Tag> t,
                     const double* HWY_RESTRICT x, double* HWY_RESTRICT to,
                     std::size_t components) {
  namespace hn = hwy::HWY_NAMESPACE;
  const std::size_t lanes = hn::Lanes(tag);
  HWY_ALIGN double values[room_for_differences<Tag>];
  differences_at(tag, system.differences(most_components), t, values);
  for (std::size_t k = 0; k < components; ++k) hn::Store(hn::Zero(tag), tag, to + k * lanes);
  const auto add = [&](const auto& entry, auto value) HWY_ATTR {
    const auto from = entry.of_constant ? bias : hn::Load(tag, x + entry.from * lanes);
    double* const at = to + entry.to * lanes;
    hn::Store(hn::Add(hn::Load(tag, at), hn::Mul(value, from)), tag, at);
  };
  for_each_entry(tag, system.paths(most_components), values, add);
}

}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();
#endif
