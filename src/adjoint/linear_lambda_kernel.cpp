// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "adjoint/linear_lambda_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "adjoint/linear_lambda.hpp"
#include "adjoint/partial_sums.hpp"
#include "machine/dispatch.hpp"
#include "machine/promote-inl.hpp"
#include "neuron/linear_step-inl.hpp"
#include "neuron/terms.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::CappedTag<double, partial_sums>;
using V = hn::Vec<Tag>;

// Of the n first components, one after the other.
template <std::size_t n>
class Back {
 public:
  // p = m^T p, and what the integral of V adds.
  static HWY_INLINE void flow(LinearLambda& lambda, const linear::Step& step, bool driven) {
    flow_by(lambda, driven, [&](std::size_t) HWY_ATTR { return SharedStep<Tag>{step}; });
  }
  static HWY_INLINE void flow(LinearLambda& lambda, const linear::OwnSteps::Interval& own,
                              bool driven) {
    flow_by(lambda, driven, [&](std::size_t s) HWY_ATTR { return OwnStep<Tag>{own, s}; });
  }

  // gradient += e.p and, if `row` is given, the sum of w (A e).p.
  template <bool with_row, class Real>
  static HWY_INLINE double read(const linear::Alike& alike, const LinearLambda& lambda,
                                std::size_t receptor, Real* gradient, const Real* row,
                                const OwnReceptors* own) {
    const Tag tag;
    const View all(lambda);
    const Factors e(alike.receptors[receptor]), slope(alike.slopes_of_receptors[receptor]);
    const SlotLayout layout = lambda.slots.layout();
    const std::size_t lanes = hn::Lanes(tag), count = layout.count();
    HWY_ALIGN double sum[partial_sums];
    for (std::size_t l = 0; l < partial_sums; l += lanes) {
      V part = hn::Zero(tag);
      for (std::size_t s = l; s < count; s += partial_sums) {
        if (gradient) {
          const V weighed = own ? hn::Mul(hn::Load(tag, own->e(receptor) + s), all.load(e.only, s))
                                : e.weigh(all, s);
          add_demoted(tag, weighed, gradient + s);
        }
        if constexpr (with_row) {
          const V w = load_promoted(tag, row + layout.place(s));
          const V moved = own ? slope.weigh_own(all, s, *own, receptor) : slope.weigh(all, s);
          part = hn::Add(part, hn::Mul(w, moved));
        }
      }
      hn::Store(part, tag, sum + l);
    }
    return terms::linear_e ? -total(sum) : 0;
  }

 private:
  // Copies: a store of a vector might change the members, for all that a compiler knows.
  struct View {
    double *p[n], *source;

    explicit View(const LinearLambda& lambda) : source(lambda.slots[most_components]) {
      for (std::size_t k = 0; k < n; ++k) p[k] = lambda.slots[k];
    }
    HWY_INLINE V load(std::size_t k, std::size_t s) const {
      return k < n ? hn::Load(Tag(), p[k < n ? k : 0] + s) : hn::Zero(Tag());
    }
    HWY_INLINE void store(V v, std::size_t k, std::size_t s) const {
      if (k < n) hn::Store(v, Tag(), p[k < n ? k : 0] + s);
    }
  };
  template <class StepAt>
  static HWY_INLINE void flow_by(LinearLambda& lambda, bool driven, StepAt&& step_at) {
    const Tag tag;
    const std::size_t count = lambda.slots.layout().count();
    const View all(lambda);
    for (std::size_t s = 0; s < count; s += hn::Lanes(tag)) {
      const auto step = step_at(s);
      const auto times = [&](std::size_t to, std::size_t from, V p)
                             HWY_ATTR { return hn::Mul(step.m(to, from), p); };
      const V p0 = all.load(0, s), p1 = all.load(1, s), p2 = all.load(2, s), p3 = all.load(3, s);
      V to0 = times(0, 0, p0), to1 = p1, to2 = p2, to3 = p3;
      if constexpr (n > 1) to1 = hn::Add(times(0, 1, p0), times(1, 1, p1));
      if constexpr (n > 2) {
        to2 = hn::Add(hn::Add(times(0, 2, p0), times(1, 2, p1)), times(2, 2, p2));
      }
      if constexpr (n > 3) {
        to3 = hn::Add(hn::Add(times(0, 3, p0), times(1, 3, p1)),
                      hn::Add(times(2, 3, p2), times(3, 3, p3)));
      }
      if (HWY_UNLIKELY(driven)) {
        const V source = hn::Load(tag, all.source + s);
        to0 = hn::Add(to0, hn::Mul(step.of_integral(0), source));
        if constexpr (n > 1) to1 = hn::Add(to1, hn::Mul(step.of_integral(1), source));
        if constexpr (n > 2) to2 = hn::Add(to2, hn::Mul(step.of_integral(2), source));
        if constexpr (n > 3) to3 = hn::Add(to3, hn::Mul(step.of_integral(3), source));
      }
      all.store(to0, 0, s);
      all.store(to1, 1, s);
      all.store(to2, 2, s);
      all.store(to3, 3, s);
    }
  }

  // The sum of factors[k] p_k. Most receptors drive one component.
  struct Factors {
    const linear::Vector<double>& of;
    std::size_t only = n;

    explicit Factors(const linear::Vector<double>& factors) : of(factors) {
      std::size_t used = of[linear::integral_of_v] != 0 ? 2 : 0;
      for (std::size_t k = 0; k < n; ++k) {
        if (of[k] == 0) continue;
        only = k;
        ++used;
      }
      if (used != 1) only = n;
    }
    HWY_INLINE V weigh(const View& all, std::size_t s) const {
      const Tag tag;
      if (HWY_LIKELY(only < n)) return hn::Mul(hn::Set(tag, of[only]), all.load(only, s));
      V sum = hn::Zero(tag);
      for (std::size_t k = 0; k < n; ++k) {
        if (of[k] != 0) sum = hn::Add(sum, hn::Mul(hn::Set(tag, of[k]), all.load(k, s)));
      }
      if (const double factor = of[linear::integral_of_v]; factor != 0) {
        sum = hn::Add(sum, hn::Mul(hn::Set(tag, factor), hn::Load(tag, all.source + s)));
      }
      return sum;
    }
    // The same of neurons with a motion of their own.
    HWY_INLINE V weigh_own(const View& all, std::size_t s, const OwnReceptors& own,
                           std::size_t receptor) const {
      const Tag tag;
      V sum = hn::Zero(tag);
      for (std::size_t k = 0; k < n; ++k) {
        if (of[k] == 0) continue;
        sum = hn::Add(sum, hn::Mul(hn::Load(tag, own.slope(receptor, k) + s), all.load(k, s)));
      }
      if (of[linear::integral_of_v] != 0) {
        const V factor = hn::Load(tag, own.slope(receptor, linear::integral_of_v) + s);
        sum = hn::Add(sum, hn::Mul(factor, hn::Load(tag, all.source + s)));
      }
      return sum;
    }
  };
};

template <std::size_t n, class Real>
void read_by(const PopulationPlan<Real>& plan, const LinearEntries<Real>& found, std::size_t tile,
             const Arrivals<Real>& arrivals, std::size_t first, std::size_t width,
             const std::vector<Target<Real>>& targets) {
  const std::span<const LinearEntry> entries = found.of(tile);
  if (entries.empty()) return;
  const linear::Alike& all = *plan.alike_linear;
  thread_local OwnReceptors own_memory;
  thread_local linear::OwnSteps own_steps;
  OwnReceptors* const own = all.own() ? &own_memory : nullptr;
  if (own) own->start(all, std::span(plan.linear_neurons).subspan(first, width));
  // From group g + 1 back to g. Of their own they are found a few at once.
  std::size_t known_from = arrivals.group_count();
  const auto flow_to = [&](LinearLambda& lambda, std::size_t g, std::size_t latest) {
    if (!own) return Back<n>::flow(lambda, found.step(arrivals, g), found.driven);
    if (g < known_from) {
      known_from = g - g % linear::OwnSteps::intervals;
      double lengths[linear::OwnSteps::intervals];
      const std::size_t count = std::min(latest - known_from, linear::OwnSteps::intervals);
      for (std::size_t k = 0; k < count; ++k) {
        lengths[k] = arrivals.times[known_from + k + 1] - arrivals.times[known_from + k];
      }
      all.own_steps(plan.linear_neurons, first, lambda.slots.layout(), {lengths, count}, own_steps,
                    found.driven);
    }
    Back<n>::flow(lambda, own_steps[g - known_from], found.driven);
  };
  thread_local LinearLambda memory;
  LinearLambda& lambda = memory;
  lambda.start(width);
  const std::size_t stride = lambda.slots.layout().count(), latest = entries.front().group;
  auto entry = entries.begin();
  for (std::size_t g = latest + 1; g-- > 0;) {
    if (g < latest) flow_to(lambda, g, latest);
    for (; entry != entries.end() && entry->group == g; ++entry) {
      lambda.set(entry->neuron, entry->segment);
    }
    for (const auto& arrival : arrivals.group(g)) {
      const Target<Real>& target = targets[static_cast<std::size_t>(arrival.projection)];
      Real* const gradient = target.weights + static_cast<std::size_t>(arrival.pre) * stride;
      const std::size_t receptor = all.receptor_of(arrival.projection);
      if (!target.errors && !target.delays) {
        Back<n>::template read<false, Real>(all, lambda, receptor, gradient, nullptr, own);
        continue;
      }
      target.move(arrival, Back<n>::template read<true, Real>(all, lambda, receptor, gradient,
                                                              arrival.row + first, own));
    }
  }
}

template <class Real>
void read_arrivals(const PopulationPlan<Real>& plan, const LinearEntries<Real>& entries,
                   std::size_t tile, const Arrivals<Real>& arrivals, std::size_t first,
                   std::size_t width, const std::vector<Target<Real>>& targets) {
  const linear::Alike& all = *plan.alike_linear;
  // p of those behind the last one that an arrival asks for drives no other: a of ALIF.
  std::size_t asked = 1;
  for (std::size_t r = 0; r < most_receptors; ++r) {
    for (std::size_t k = asked; k < all.components; ++k) {
      if (all.receptors[r][k] != 0 || all.slopes_of_receptors[r][k] != 0) asked = k + 1;
    }
  }
  switch (asked) {
    case 1:
      return read_by<1>(plan, entries, tile, arrivals, first, width, targets);
    case 2:
      return read_by<2>(plan, entries, tile, arrivals, first, width, targets);
    case 3:
      return read_by<3>(plan, entries, tile, arrivals, first, width, targets);
    default:
      return read_by<4>(plan, entries, tile, arrivals, first, width, targets);
  }
}

// Components that are not used are 0.
template <class Real>
void flow_back(LinearLambda& lambda, const linear::Step& step) {
  Back<most_components>::flow(lambda, step, true);
}

template <class Real>
void flow_own_back(LinearLambda& lambda, const linear::OwnSteps& steps, std::size_t components,
                   bool driven) {
  switch (components) {
    case 1:
      return Back<1>::flow(lambda, steps[0], driven);
    case 2:
      return Back<2>::flow(lambda, steps[0], driven);
    case 3:
      return Back<3>::flow(lambda, steps[0], driven);
    default:
      return Back<4>::flow(lambda, steps[0], driven);
  }
}

template <class Real>
double error_of_arrival(const linear::Alike& all, const OwnReceptors* own,
                        const LinearLambda& lambda, const Real* row, std::size_t receptor) {
  return Back<most_components>::template read<true, Real>(all, lambda, receptor, nullptr, row, own);
}

SALTUS_KERNELS(LinearLambdaKernels, read_arrivals<Real>, flow_back<Real>, flow_own_back<Real>,
               error_of_arrival<Real>)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus {
SALTUS_DISPATCH(LinearLambdaKernels)
}  // namespace saltus
#endif
