// SPDX-License-Identifier: Apache-2.0
// One pass over the neurons of a layer (simulate/linear_layer.hpp): add, test, move. The test is one
// bound for y = c.x - theta over the interval, by its values at the ends and how much it can bend between them
// (neuron/linear_alike.hpp); whoever passes it is searched (simulate/linear_search-inl.hpp).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simulate/linear_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <bit>
#include <cstdint>

#include "machine/dispatch.hpp"
#include "machine/mask-inl.hpp"
#include "machine/promote-inl.hpp"
#include "neuron/linear_step-inl.hpp"
#include "simulate/linear_layer.hpp"
#include "simulate/linear_search-inl.hpp"

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

// What a pass reads, in copies: a store of a vector might change a layer's members, for all that a
// compiler knows.
struct View {
  double* x[most_components];
  const double *bias, *theta, *c[most_components];
  linear::OwnSteps::Interval own;
  bool biased, plain_v, in_c[most_components];

  template <class Real>
  explicit View(const LinearLayer<Real>& layer)
      : bias(layer.bias),
        theta(layer.theta),
        own(layer.own[layer.interval]),
        biased(layer.biased),
        plain_v(layer.alike->plain_v) {
    for (std::size_t k = 0; k < most_components; ++k) {
      x[k] = layer.x[k];
      c[k] = layer.c[k];
      in_c[k] = layer.alike->in_c[k];
    }
  }
};

// Of n components. @tparam alone  the last one drives no other: a of ALIF
template <std::size_t n, bool alone>
class Side {
 public:
  static HWY_INLINE State load(const View& all, std::size_t s) {
    const Tag tag;
    State at{hn::Load(tag, all.x[0] + s), hn::Zero(tag), hn::Zero(tag), hn::Zero(tag)};
    if constexpr (n > 1) at.x1 = hn::Load(tag, all.x[1] + s);
    if constexpr (n > 2) at.x2 = hn::Load(tag, all.x[2] + s);
    if constexpr (n > 3) at.x3 = hn::Load(tag, all.x[3] + s);
    return at;
  }
  static HWY_INLINE void store(const State& at, double* const* to, std::size_t s) {
    const Tag tag;
    hn::Store(at.x0, tag, to[0] + s);
    if constexpr (n > 1) hn::Store(at.x1, tag, to[1] + s);
    if constexpr (n > 2) hn::Store(at.x2, tag, to[2] + s);
    if constexpr (n > 3) hn::Store(at.x3, tag, to[3] + s);
  }
  // One component alone.
  static HWY_INLINE void receive(State& at, int component, V more) {
    if (component == 0) at.x0 = hn::Add(at.x0, more);
    if (n > 1 && component == 1) at.x1 = hn::Add(at.x1, more);
    if (n > 2 && component == 2) at.x2 = hn::Add(at.x2, more);
    if (n > 3 && component == 3) at.x3 = hn::Add(at.x3, more);
  }
  static HWY_INLINE void receive(State& at, const linear::Vector<double>& receptor, V weight) {
    for (int k = 0; k < static_cast<int>(n); ++k) {
      const double e = receptor[static_cast<std::size_t>(k)];
      if (e != 0) receive(at, k, hn::Mul(hn::Set(Tag(), e), weight));
    }
  }
  // In the order of linear::System::flow.
  template <class StepOf>
  static HWY_INLINE State flow(const State& at, const StepOf& step) {
    const auto times = [&](std::size_t k, std::size_t from, V x)
                           HWY_ATTR { return hn::Mul(step.m(k, from), x); };
    constexpr std::size_t joined = n - alone;  // these drive one another
    State to = at;
    to.x0 = times(0, 0, at.x0);
    if constexpr (n > 1) to.x1 = times(1, 1, at.x1);
    if constexpr (n > 2) to.x2 = times(2, 2, at.x2);
    if constexpr (n > 3) to.x3 = times(3, 3, at.x3);
    if constexpr (joined > 1) to.x0 = hn::Add(to.x0, times(0, 1, at.x1));
    if constexpr (joined > 2) {
      to.x0 = hn::Add(to.x0, times(0, 2, at.x2));
      to.x1 = hn::Add(to.x1, times(1, 2, at.x2));
    }
    if constexpr (joined > 3) {
      to.x0 = hn::Add(to.x0, times(0, 3, at.x3));
      to.x1 = hn::Add(to.x1, times(1, 3, at.x3));
      to.x2 = hn::Add(to.x2, times(2, 3, at.x3));
    }
    return to;
  }
  // The higher one of c.x - theta at two times.
  static HWY_INLINE V higher(const State& at, const State& to, const View& all, std::size_t s) {
    const Tag tag;
    V before = at.x0, after = to.x0;
    if (!all.plain_v) {
      const V c = hn::Load(tag, all.c[0] + s);
      before = hn::Mul(c, before);
      after = hn::Mul(c, after);
    }
    const auto add = [&](std::size_t k, V x, V later) HWY_ATTR {
      if (!all.in_c[k]) return;
      const V c = hn::Load(tag, all.c[k] + s);
      before = hn::Add(before, hn::Mul(c, x));
      after = hn::Add(after, hn::Mul(c, later));
    };
    if constexpr (n > 1) add(1, at.x1, to.x1);
    if constexpr (n > 2) add(2, at.x2, to.x2);
    if constexpr (n > 3) add(3, at.x3, to.x3);
    return hn::Sub(hn::Max(before, after), hn::Load(tag, all.theta + s));
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

// Those of a vector that may spike.
template <std::size_t n, bool alone>
HWY_INLINE void keep(LinearCandidates& all, const SlotLayout& layout, std::size_t s,
                     std::uint64_t told, const State& at, const State& to) {
  constexpr std::size_t most_lanes = hn::MaxLanes(Tag());
  HWY_ALIGN double of[2 * most_components * most_lanes];
  double *x[most_components], *end[most_components];
  for (std::size_t k = 0; k < most_components; ++k) {
    x[k] = of + k * most_lanes;
    end[k] = of + (most_components + k) * most_lanes;
  }
  Side<n, alone>::store(at, x, 0);
  Side<n, alone>::store(to, end, 0);
  for (; told != 0; told &= told - 1) {
    const auto lane = static_cast<std::size_t>(std::countr_zero(told));
    if (layout.repeats(s + lane)) continue;
    all.neuron[all.count] = layout.neuron(s + lane);
    for (std::size_t k = 0; k < n; ++k) {
      all.x[k][all.count] = x[k][lane];
      all.end[k][all.count] = end[k][lane];
    }
    ++all.count;
  }
}

template <std::size_t n, bool alone, bool own, bool tell, bool move, class Real>
void over(LinearLayer<Real>& layer, const linear::Step& step, const linear::Bend& bend,
          std::span<const Arrival<Real>> arrived) {
  const Tag tag;
  const SlotLayout layout = layer.slots.layout();
  const std::size_t lanes = hn::Lanes(tag), end = layout.end(lanes);
  using Side = Side<n, alone>;
  const View all(layer);
  const auto receptor_of = [&](const Arrival<Real>& a) {
    return layer.alike->receptor_of(a.projection);
  };
  const Arrival<Real>* one =
      arrived.empty() ? nullptr : arrived.data();  // nearly always the only one
  const auto receptor = layer.receptors[one ? receptor_of(*one) : 0];
  if (one && receptor.only < 0) one = nullptr;
  const Real* const row = one ? one->row : nullptr;
  const auto others = arrived.subspan(one ? 1 : 0);
  if constexpr (tell) layer.may_spike.count = 0;
  for (std::size_t s = 0; s < end; s += lanes) {
    State at = Side::load(all, s);
    const auto weight = [&](const Real* of)
                            HWY_ATTR { return load_promoted(tag, of + layout.place(s)); };
    State to;
    if constexpr (own) {
      for (const auto& arrival : arrived) {
        const std::size_t r = receptor_of(arrival);
        const V factor = hn::Load(tag, layer.factors[r] + s);
        Side::receive(at, layer.receptors[r].only, hn::Mul(factor, weight(arrival.row)));
      }
      const OwnStep<Tag> own_step{all.own, s};
      to = Side::flow(at, own_step);
      if (all.biased)
        to.x0 = hn::Add(to.x0, hn::Mul(own_step.of_bias(), hn::Load(tag, all.bias + s)));
    } else {
      if (row)
        Side::receive(at, receptor.only, hn::Mul(hn::Set(tag, receptor.factor), weight(row)));
      for (const auto& arrival : others) {
        Side::receive(at, layer.alike->receptors[receptor_of(arrival)], weight(arrival.row));
      }
      const SharedStep<Tag> shared{step};
      to = Side::flow(at, shared);
      if (all.biased)
        to.x0 = hn::Add(to.x0, hn::Mul(shared.of_bias(), hn::Load(tag, all.bias + s)));
    }
    if constexpr (move) Side::store(to, all.x, s);
    if constexpr (tell) {
      const V highest = hn::Add(Side::higher(at, to, all, s), Side::bent(at, bend));
      const auto may = hn::Ge(highest, hn::Zero(tag));
      if (HWY_LIKELY(hn::AllFalse(tag, may))) continue;
      keep<n, alone>(layer.may_spike, layout, s, bits_of(tag, may), at, to);
    }
  }
}

template <bool alone, bool own, bool tell, bool move, class Real>
void by_components(LinearLayer<Real>& layer, const linear::Step& step, const linear::Bend& bend,
                   std::span<const Arrival<Real>> arrived) {
  switch (layer.alike->components) {
    case 1:
      return over<1, false, own, tell, move>(layer, step, bend, arrived);
    case 2:
      return over<2, alone, own, tell, move>(layer, step, bend, arrived);
    case 3:
      return over<3, alone, own, tell, move>(layer, step, bend, arrived);
    default:
      return over<4, alone, own, tell, move>(layer, step, bend, arrived);
  }
}

template <bool tell, bool move, class Real>
void go(LinearLayer<Real>& layer, const linear::Step& step, const linear::Bend& bend,
        std::span<const Arrival<Real>> arrived) {
  const bool own = layer.alike->own();
  if (layer.last_alone) {
    if (own) return by_components<true, true, tell, move>(layer, step, bend, arrived);
    return by_components<true, false, tell, move>(layer, step, bend, arrived);
  }
  if (own) return by_components<false, true, tell, move>(layer, step, bend, arrived);
  by_components<false, false, tell, move>(layer, step, bend, arrived);
}

template <class Real>
void pass(LinearLayer<Real>& layer, const linear::Step& step, const linear::Bend& bend,
          std::span<const Arrival<Real>> arrived) {
  go<true, true>(layer, step, bend, arrived);
}

template <class Real>
void look(LinearLayer<Real>& layer, const linear::Step& step, const linear::Bend& bend) {
  go<true, false>(layer, step, bend, {});
}

template <class Real>
void move(LinearLayer<Real>& layer, const linear::Step& step,
          std::span<const Arrival<Real>> arrived) {
  go<false, true>(layer, step, {}, arrived);
}

template <class Real>
void arrive(LinearLayer<Real>& layer, const Real* row, std::size_t receptor) {
  const Tag tag;
  const SlotLayout layout = layer.slots.layout();
  for (std::size_t k = 0; k < layer.alike->components; ++k) {
    const double e = layer.alike->receptors[receptor][k];
    if (e == 0) continue;
    const double* const own = layer.alike->own() ? layer.factors[receptor] : nullptr;
    for (std::size_t s = 0; s < layout.count(); s += hn::Lanes(tag)) {
      const V factor = own ? hn::Load(tag, own + s) : hn::Set(tag, e);
      const V more = hn::Mul(factor, load_promoted(tag, row + layout.place(s)));
      hn::Store(hn::Add(hn::Load(tag, layer.x[k] + s), more), tag, layer.x[k] + s);
    }
  }
}

template <std::size_t n>
void search_by(const linear::Alike& all, std::span<const linear::Neuron> neurons,
               LinearCandidates& candidates, bool again) {
  for (std::size_t at = 0; at < candidates.count; at += hn::Lanes(Tag())) {
    LinearSearch<n> search(all, neurons, candidates, at);
    if (again) search.go_to_end(candidates, at);
    search.first(candidates, at);
  }
}

void search(const linear::Alike& all, std::span<const linear::Neuron> neurons,
            LinearCandidates& candidates, bool again) {
  switch (all.components) {
    case 1:
      return search_by<1>(all, neurons, candidates, again);
    case 2:
      return search_by<2>(all, neurons, candidates, again);
    case 3:
      return search_by<3>(all, neurons, candidates, again);
    default:
      return search_by<4>(all, neurons, candidates, again);
  }
}

SALTUS_KERNELS(LinearKernels, pass<Real>, look<Real>, move<Real>, arrive<Real>, search)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus {
SALTUS_DISPATCH(LinearKernels)
}  // namespace saltus
#endif
