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

// A time in each lane: Alike::step.
void steps_in_vectors(const System<double>& system, std::size_t components, bool integral,
                      std::span<const double> dt, Step* out) {
  const hn::ScalableTag<double> tag;
  using Tag = hn::ScalableTag<double>;
  const std::size_t lanes = hn::Lanes(tag);
  const std::size_t rows = integral ? dimension : most_components;
  const auto differences = system.differences(rows);
  const auto paths = system.paths(rows);
  HWY_ALIGN double values[vectors::room_for_differences<Tag>];
  HWY_ALIGN double of[hn::MaxLanes(Tag())] = {};
  for (std::size_t at = 0; at < dt.size(); at += lanes) {
    const std::size_t count = std::min(lanes, dt.size() - at);
    if (HWY_UNLIKELY(count < lanes)) std::copy_n(dt.data() + at, count, of);
    vectors::differences_at(tag, differences, hn::LoadU(tag, count < lanes ? of : dt.data() + at),
                            values);
    std::fill_n(out + at, count, Step{});
    for (std::size_t k = 0; k < paths.size();) {
      const auto entry = paths[k].entry;
      auto value = hn::Zero(tag);
      for (; k < paths.size() && paths[k].entry == entry; ++k) {
        const auto difference = hn::Load(tag, values + paths[k].difference * lanes);
        value = hn::Add(value, hn::Mul(hn::Set(tag, paths[k].factor), difference));
      }
      if (!Step::holds(entry, components)) continue;
      hn::Store(value, tag, of);
      for (std::size_t l = 0; l < count; ++l) out[at + l].at(entry, components) = of[l];
    }
  }
}

// The same of a neuron in each slot.
void own_steps_in_vectors(std::span<const Neuron> neurons, const SlotLayout& layout,
                          std::size_t components, bool integral, std::span<const double> dt,
                          OwnSteps& out) {
  const hn::ScalableTag<double> tag;
  using Tag = hn::ScalableTag<double>;
  const std::size_t lanes = hn::Lanes(tag);
  const std::size_t rows = integral ? dimension : most_components;
  HWY_ALIGN double values[vectors::room_for_differences<Tag>];
  HWY_ALIGN double of[hn::MaxLanes(Tag())] = {};
  // What no path leads to is 0. (And the bias of one may drive it where that of another is 0.)
  std::array<bool, OwnSteps::numbers> told{};
  for (const auto& path : neurons[0].free.paths(rows)) {
    const auto& entry = path.entry;
    if (!Step::holds(entry, components) || entry.of_constant) continue;
    told[OwnSteps::number(entry, components)] = true;
  }
  const auto clear = [&](std::size_t number) {
    for (std::size_t k = 0; !told[number] && k < dt.size(); ++k) {
      std::fill_n(out[k](number), layout.count(), 0.0);
    }
  };
  clear(OwnSteps::of_bias);
  for (std::size_t to = 0; to < components; ++to) {
    for (std::size_t from = to; from < components; ++from) clear(OwnSteps::number(to, from));
    if (integral) clear(OwnSteps::of_integral + to);
  }
  for (std::size_t s = 0; s < layout.count(); ++s) {
    const System<double>& system = neurons[layout.used(s) ? layout.neuron(s) : 0].free;
    const auto differences = system.differences(rows);
    const auto paths = system.paths(rows);
    for (std::size_t at = 0; at < dt.size(); at += lanes) {
      const std::size_t count = std::min(lanes, dt.size() - at);
      if (HWY_UNLIKELY(count < lanes)) std::copy_n(dt.data() + at, count, of);
      vectors::differences_at(tag, differences, hn::LoadU(tag, count < lanes ? of : dt.data() + at),
                              values);
      for (std::size_t k = 0; k < paths.size();) {
        const auto entry = paths[k].entry;
        auto value = hn::Zero(tag);
        for (; k < paths.size() && paths[k].entry == entry; ++k) {
          const auto difference = hn::Load(tag, values + paths[k].difference * lanes);
          value = hn::Add(value, hn::Mul(hn::Set(tag, paths[k].factor), difference));
        }
        if (!Step::holds(entry, components)) continue;
        hn::Store(value, tag, of);
        const std::size_t number = OwnSteps::number(entry, components);
        for (std::size_t l = 0; l < count; ++l) out[at + l](number)[s] = of[l];
      }
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

void Alike::steps(std::span<const double> dt, Step* out, bool integral) const {
  HWY_DYNAMIC_DISPATCH(steps_in_vectors)(free_, components, integral, dt, out);
}
void Alike::own_steps(std::span<const Neuron> neurons, const SlotLayout& layout,
                      std::span<const double> dt, OwnSteps& out, bool integral) const {
  out.resize(layout);
  HWY_DYNAMIC_DISPATCH(own_steps_in_vectors)(neurons, layout, components, integral, dt, out);
}
}  // namespace saltus::linear
#endif
