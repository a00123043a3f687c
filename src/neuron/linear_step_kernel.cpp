// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "neuron/linear_step_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <array>

#include "neuron/linear_alike.hpp"
#include "neuron/linear_flow-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus::linear {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
namespace vectors = saltus::HWY_NAMESPACE;

// A time in each lane: calls visit(entry, number of the first time, how many, their values) for what Step holds.
template <class Visit>
HWY_INLINE void over_times(const System<double>& system, std::size_t components, bool integral,
                           std::span<const double> dt, const Visit& visit) {
  const hn::ScalableTag<double> tag;
  using Tag = hn::ScalableTag<double>;
  const std::size_t lanes = hn::Lanes(tag);
  const std::size_t rows = integral ? dimension : most_components;
  const auto differences = system.differences(rows);
  HWY_ALIGN double values[vectors::room_for_differences<Tag>];
  HWY_ALIGN double of[hn::MaxLanes(Tag())] = {};
  for (std::size_t at = 0; at < dt.size(); at += lanes) {
    const std::size_t count = std::min(lanes, dt.size() - at);
    if (HWY_UNLIKELY(count < lanes)) std::copy_n(dt.data() + at, count, of);
    vectors::differences_at(tag, differences, hn::LoadU(tag, count < lanes ? of : dt.data() + at),
                            values);
    const auto unpack = [&](const auto& entry, auto value) HWY_ATTR {
      if (!Step::holds(entry, components)) return;
      hn::Store(value, tag, of);
      visit(entry, at, count, of);
    };
    vectors::for_each_entry(tag, system.paths(rows), values, unpack);
  }
}

// Alike::step
void steps_in_vectors(const System<double>& system, std::size_t components, bool integral,
                      std::span<const double> dt, Step* out) {
  std::fill_n(out, dt.size(), Step{});
  const auto take = [&](const auto& entry, std::size_t at, std::size_t count, const double* of)
                        HWY_ATTR {
                          for (std::size_t l = 0; l < count; ++l)
                            out[at + l].at(entry, components) = of[l];
                        };
  over_times(system, components, integral, dt, take);
}

// What no path leads to is 0. (And the bias of one may drive it where that of another is 0.)
void clear_untold(const System<double>& system, const SlotLayout& layout, std::size_t components,
                  bool integral, std::size_t intervals, OwnSteps& out) {
  std::array<bool, OwnSteps::numbers> told{};
  for (const auto& path : system.paths(integral ? dimension : most_components)) {
    const auto& entry = path.entry;
    if (!Step::holds(entry, components) || entry.of_constant) continue;
    told[OwnSteps::number(entry, components)] = true;
  }
  const auto clear = [&](std::size_t number) {
    for (std::size_t k = 0; !told[number] && k < intervals; ++k) {
      std::fill_n(out[k](number), layout.count(), 0.0);
    }
  };
  clear(OwnSteps::of_bias);
  for (std::size_t to = 0; to < components; ++to) {
    for (std::size_t from = to; from < components; ++from) clear(OwnSteps::number(to, from));
    if (integral) clear(OwnSteps::of_integral + to);
  }
}

// The same of a neuron in each slot, each in its own way.
void own_steps_in_vectors(std::span<const Neuron> neurons, std::size_t first,
                          const SlotLayout& layout, std::size_t components, bool integral,
                          std::span<const double> dt, OwnSteps& out) {
  clear_untold(neurons[0].free, layout, components, integral, dt.size(), out);
  for (std::size_t s = 0; s < layout.count(); ++s) {
    if (!layout.used(s) || layout.repeats(s)) {
      for (std::size_t k = 0; k < dt.size() * OwnSteps::numbers; ++k) {
        double* const all = out[k / OwnSteps::numbers](k % OwnSteps::numbers);
        all[s] = layout.used(s) ? all[layout.neuron(s)] : 0;
      }
      continue;
    }
    const auto take = [&](const auto& entry, std::size_t at, std::size_t count, const double* of)
                          HWY_ATTR {
                            const std::size_t number = OwnSteps::number(entry, components);
                            for (std::size_t l = 0; l < count; ++l) out[at + l](number)[s] = of[l];
                          };
    over_times(neurons[first + layout.neuron(s)].free, components, integral, dt, take);
  }
}

// The differences of a vector of neurons.
struct OwnDifferences {
  using V = hn::Vec<hn::ScalableTag<double>>;
  const OwnFlows& of;
  std::size_t neuron;

  HWY_INLINE V rate(std::size_t m) const { return at(of.rates(m)); }
  HWY_INLINE V spread(std::size_t m) const { return at(of.spreads(m)); }
  HWY_INLINE V per_spread(std::size_t m) const { return at(of.per_spreads(m)); }
  HWY_INLINE V series(std::size_t m, std::size_t p) const { return at(of.series(m, p)); }
  HWY_INLINE V at(const double* row) const {
    return hn::LoadU(hn::ScalableTag<double>(), row + neuron);
  }
};

// The same, a neuron in each lane: all in the same way.
void own_steps_side_by_side(const OwnFlows& flows, std::size_t first, const SlotLayout& layout,
                            std::size_t components, bool integral, std::span<const double> dt,
                            OwnSteps& out) {
  const hn::ScalableTag<double> tag;
  using Tag = hn::ScalableTag<double>;
  const std::size_t lanes = hn::Lanes(tag);
  const std::size_t rows = integral ? dimension : most_components;
  const auto differences = flows.shape().differences(rows);
  const auto paths = flows.shape().paths(rows);
  HWY_ALIGN double values[vectors::room_for_differences<Tag>];
  clear_untold(flows.shape(), layout, components, integral, dt.size(), out);
  for (std::size_t s = 0; s < layout.count(); s += lanes) {
    // (Of slots that no neuron uses it may be anything finite: zeros.)
    const OwnDifferences own{flows, layout.used(s) ? first + layout.place(s) : 0};
    const auto factor_of = [&](std::size_t k) HWY_ATTR { return own.at(flows.factors(k)); };
    for (std::size_t i = 0; i < dt.size(); ++i) {
      vectors::differences_at(tag, differences, own, hn::Set(tag, dt[i]), values);
      const auto take = [&](const auto& entry, auto value) HWY_ATTR {
        if (!Step::holds(entry, components)) return;
        hn::Store(value, tag, out[i](OwnSteps::number(entry, components)) + s);
      };
      vectors::for_each_entry(tag, paths, values, factor_of, take);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus::linear
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus::linear {
HWY_EXPORT(steps_in_vectors);
HWY_EXPORT(own_steps_in_vectors);
HWY_EXPORT(own_steps_side_by_side);

void Alike::steps(std::span<const double> dt, Step* out, bool integral) const {
  HWY_DYNAMIC_DISPATCH(steps_in_vectors)(free_, components, integral, dt, out);
}
void Alike::own_steps(std::span<const Neuron> neurons, std::size_t first, const SlotLayout& layout,
                      std::span<const double> dt, OwnSteps& out, bool integral) const {
  out.resize(layout);
  if (own_flows_) {
    HWY_DYNAMIC_DISPATCH(own_steps_side_by_side)
    (*own_flows_, first, layout, components, integral, dt, out);
  } else {
    HWY_DYNAMIC_DISPATCH(own_steps_in_vectors)
    (neurons, first, layout, components, integral, dt, out);
  }
}
}  // namespace saltus::linear
#endif
