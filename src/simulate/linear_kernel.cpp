// SPDX-License-Identifier: Apache-2.0
// One pass over the neurons of a layer (simulate/linear_layer.hpp): add, test, move. The test is one
// bound for y = c.x - theta over the interval, by its values at the ends and how much it can bend between them
// (neuron/linear_alike.hpp); whoever passes it is isolated by the search (neuron/linear_crossing.hpp).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simulate/linear_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <bit>
#include <cstdint>

#include "machine/dispatch.hpp"
#include "machine/mask-inl.hpp"
#include "machine/promote-inl.hpp"
#include "simulate/linear_layer.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::ScalableTag<double>;
using V = hn::Vec<Tag>;

// The state of a vector of neurons. (Vectors do not lie in arrays.)
struct State {
  V x0, x1, x2, x3;
};

// Of n components.
template <std::size_t n>
class Side {
 public:
  template <class Real>
  static HWY_INLINE State load(const LinearLayer<Real>& layer, std::size_t s) {
    const Tag tag;
    State at{hn::Load(tag, layer.x[0] + s), hn::Zero(tag), hn::Zero(tag), hn::Zero(tag)};
    if constexpr (n > 1) at.x1 = hn::Load(tag, layer.x[1] + s);
    if constexpr (n > 2) at.x2 = hn::Load(tag, layer.x[2] + s);
    if constexpr (n > 3) at.x3 = hn::Load(tag, layer.x[3] + s);
    return at;
  }
  static HWY_INLINE void store(const State& at, double* const* to, std::size_t s) {
    const Tag tag;
    hn::Store(at.x0, tag, to[0] + s);
    if constexpr (n > 1) hn::Store(at.x1, tag, to[1] + s);
    if constexpr (n > 2) hn::Store(at.x2, tag, to[2] + s);
    if constexpr (n > 3) hn::Store(at.x3, tag, to[3] + s);
  }
  static HWY_INLINE void receive(State& at, const linear::Vector<double>& receptor, V weight) {
    const Tag tag;
    const auto add = [&](V& x, double e) HWY_ATTR {
      if (e != 0) x = hn::Add(x, hn::Mul(hn::Set(tag, e), weight));
    };
    add(at.x0, receptor[0]);
    if constexpr (n > 1) add(at.x1, receptor[1]);
    if constexpr (n > 2) add(at.x2, receptor[2]);
    if constexpr (n > 3) add(at.x3, receptor[3]);
  }
  // In the order of linear::System::flow.
  static HWY_INLINE State flow(const State& at, const linear::Step& step, V bias) {
    const Tag tag;
    const auto& m = step.m;
    const auto times = [&](double factor, V x)
                           HWY_ATTR { return hn::Mul(hn::Set(tag, factor), x); };
    State to = at;
    to.x0 = times(m[0][0], at.x0);
    if constexpr (n > 1) {
      to.x0 = hn::Add(to.x0, times(m[0][1], at.x1));
      to.x1 = times(m[1][1], at.x1);
    }
    if constexpr (n > 2) {
      to.x0 = hn::Add(to.x0, times(m[0][2], at.x2));
      to.x1 = hn::Add(to.x1, times(m[1][2], at.x2));
      to.x2 = times(m[2][2], at.x2);
    }
    if constexpr (n > 3) {
      to.x0 = hn::Add(to.x0, times(m[0][3], at.x3));
      to.x1 = hn::Add(to.x1, times(m[1][3], at.x3));
      to.x2 = hn::Add(to.x2, times(m[2][3], at.x3));
      to.x3 = times(m[3][3], at.x3);
    }
    to.x0 = hn::Add(to.x0, times(step.of_bias, bias));
    return to;
  }
  // c.x - theta, in the order of linear::Functional.
  template <class Real>
  static HWY_INLINE V above(const State& at, const LinearLayer<Real>& layer, std::size_t s) {
    const Tag tag;
    const linear::Alike& all = *layer.alike;
    V y = all.plain_v ? at.x0 : hn::Mul(hn::Load(tag, layer.c[0] + s), at.x0);
    const auto add = [&](std::size_t k, V x) HWY_ATTR {
      if (all.in_c[k]) y = hn::Add(y, hn::Mul(hn::Load(tag, layer.c[k] + s), x));
    };
    if constexpr (n > 1) add(1, at.x1);
    if constexpr (n > 2) add(2, at.x2);
    if constexpr (n > 3) add(3, at.x3);
    return hn::Sub(y, hn::Load(tag, layer.theta + s));
  }
  static HWY_INLINE V bent(const State& at, const linear::Bend& bend) {
    const Tag tag;
    const auto part = [&](std::size_t k, V x)
                          HWY_ATTR { return hn::Mul(hn::Set(tag, bend.of[k]), hn::Abs(x)); };
    V sum = hn::Add(hn::Set(tag, bend.constant), part(0, at.x0));
    if constexpr (n > 1) sum = hn::Add(sum, part(1, at.x1));
    if constexpr (n > 2) sum = hn::Add(sum, part(2, at.x2));
    if constexpr (n > 3) sum = hn::Add(sum, part(3, at.x3));
    return sum;
  }
};

template <std::size_t n, bool tell, bool move, class Real>
void over(LinearLayer<Real>& layer, const linear::Step& step, const linear::Bend& bend,
          std::span<const Arrival<Real>> arrived) {
  const Tag tag;
  const SlotLayout layout = layer.slots.layout();
  const std::size_t lanes = hn::Lanes(tag), end = layout.end(lanes);
  if constexpr (tell) layer.may_spike.clear();
  for (std::size_t s = 0; s < end; s += lanes) {
    State at = Side<n>::load(layer, s);
    for (const auto& arrival : arrived) {
      Side<n>::receive(at, layer.alike->receptors[layer.alike->receptor_of(arrival.projection)],
                       load_promoted(tag, arrival.row + layout.place(s)));
    }
    const State to = Side<n>::flow(at, step, hn::Load(tag, layer.bias + s));
    if constexpr (move) Side<n>::store(to, layer.x, s);
    if constexpr (tell) {
      const V higher = hn::Max(Side<n>::above(at, layer, s), Side<n>::above(to, layer, s));
      const auto may = hn::Ge(hn::Add(higher, Side<n>::bent(at, bend)), hn::Zero(tag));
      if (HWY_LIKELY(hn::AllFalse(tag, may))) continue;
      Side<n>::store(at, layer.start, s);
      for (std::uint64_t told = bits_of(tag, may); told != 0; told &= told - 1) {
        const std::size_t slot = s + static_cast<std::size_t>(std::countr_zero(told));
        if (!layout.repeats(slot)) layer.may_spike.push_back(layout.neuron(slot));
      }
    }
  }
}

template <bool tell, bool move, class Real>
void by_components(LinearLayer<Real>& layer, const linear::Step& step, const linear::Bend& bend,
                   std::span<const Arrival<Real>> arrived) {
  switch (layer.alike->components) {
    case 1:
      return over<1, tell, move>(layer, step, bend, arrived);
    case 2:
      return over<2, tell, move>(layer, step, bend, arrived);
    case 3:
      return over<3, tell, move>(layer, step, bend, arrived);
    default:
      return over<4, tell, move>(layer, step, bend, arrived);
  }
}

template <class Real>
void pass(LinearLayer<Real>& layer, const linear::Step& step, const linear::Bend& bend,
          std::span<const Arrival<Real>> arrived) {
  by_components<true, true>(layer, step, bend, arrived);
}

template <class Real>
void look(LinearLayer<Real>& layer, const linear::Step& step, const linear::Bend& bend) {
  by_components<true, false>(layer, step, bend, {});
}

template <class Real>
void flow(LinearLayer<Real>& layer, const linear::Step& step,
          std::span<const Arrival<Real>> arrived) {
  by_components<false, true>(layer, step, {}, arrived);
}

template <class Real>
void arrive(LinearLayer<Real>& layer, const Real* row, std::size_t receptor) {
  const Tag tag;
  const SlotLayout layout = layer.slots.layout();
  for (std::size_t k = 0; k < layer.alike->components; ++k) {
    const double e = layer.alike->receptors[receptor][k];
    if (e == 0) continue;
    for (std::size_t s = 0; s < layout.count(); s += hn::Lanes(tag)) {
      const V more = hn::Mul(hn::Set(tag, e), load_promoted(tag, row + layout.place(s)));
      hn::Store(hn::Add(hn::Load(tag, layer.x[k] + s), more), tag, layer.x[k] + s);
    }
  }
}

SALTUS_KERNELS(LinearKernels, pass<Real>, look<Real>, flow<Real>, arrive<Real>)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus {
SALTUS_DISPATCH(LinearKernels)
}  // namespace saltus
#endif
