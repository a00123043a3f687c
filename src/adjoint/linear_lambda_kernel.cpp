// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "adjoint/linear_lambda_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "adjoint/linear_lambda.hpp"
#include "adjoint/partial_sums.hpp"
#include "machine/dispatch.hpp"
#include "machine/promote-inl.hpp"
#include "neuron/terms.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::CappedTag<double, partial_sums>;
using V = hn::Vec<Tag>;

// Of the one component after the other, by those that are used: V(k, p_k).
template <std::size_t n>
class Back {
 public:
  // p = m^T p, and what the integral of V adds.
  static HWY_INLINE void flow(LinearLambda& lambda, const linear::Step& step, bool driven) {
    const Tag tag;
    const std::size_t count = lambda.slots.layout().count();
    const auto& m = step.m;
    const auto times = [&](double factor, V p)
                           HWY_ATTR { return hn::Mul(hn::Set(tag, factor), p); };
    for (std::size_t s = 0; s < count; s += hn::Lanes(tag)) {
      const V p0 = load(lambda, 0, s), p1 = load(lambda, 1, s), p2 = load(lambda, 2, s),
              p3 = load(lambda, 3, s);
      V to0 = times(m[0][0], p0), to1 = p1, to2 = p2, to3 = p3;
      if constexpr (n > 1) to1 = hn::Add(times(m[0][1], p0), times(m[1][1], p1));
      if constexpr (n > 2) {
        to2 = hn::Add(hn::Add(times(m[0][2], p0), times(m[1][2], p1)), times(m[2][2], p2));
      }
      if constexpr (n > 3) {
        to3 = hn::Add(hn::Add(times(m[0][3], p0), times(m[1][3], p1)),
                      hn::Add(times(m[2][3], p2), times(m[3][3], p3)));
      }
      if (HWY_UNLIKELY(driven)) {
        const V source = hn::Load(tag, lambda.slots[most_components] + s);
        to0 = hn::Add(to0, times(step.of_integral[0], source));
        if constexpr (n > 1) to1 = hn::Add(to1, times(step.of_integral[1], source));
        if constexpr (n > 2) to2 = hn::Add(to2, times(step.of_integral[2], source));
        if constexpr (n > 3) to3 = hn::Add(to3, times(step.of_integral[3], source));
      }
      store(to0, lambda, 0, s);
      store(to1, lambda, 1, s);
      store(to2, lambda, 2, s);
      store(to3, lambda, 3, s);
    }
  }

  // gradient += e.p and, if `row` is given, the sum of w (A e).p.
  template <bool with_row, class Real>
  static HWY_INLINE double read(const linear::Alike& all, const LinearLambda& lambda,
                                std::size_t receptor, Real* gradient, const Real* row) {
    const auto &e = all.receptors[receptor], &slope = all.slopes_of_receptors[receptor];
    const Tag tag;
    const SlotLayout layout = lambda.slots.layout();
    const std::size_t lanes = hn::Lanes(tag), count = layout.count();
    HWY_ALIGN double sum[partial_sums];
    for (std::size_t l = 0; l < partial_sums; l += lanes) {
      V part = hn::Zero(tag);
      for (std::size_t s = l; s < count; s += partial_sums) {
        if (gradient) add_demoted(tag, weighed(e, lambda, s), gradient + s);
        if constexpr (with_row) {
          const V w = load_promoted(tag, row + layout.place(s));
          part = hn::Add(part, hn::Mul(w, weighed(slope, lambda, s)));
        }
      }
      hn::Store(part, tag, sum + l);
    }
    return terms::linear_e ? -total(sum) : 0;
  }

 private:
  static HWY_INLINE V load(const LinearLambda& lambda, std::size_t k, std::size_t s) {
    return k < n ? hn::Load(Tag(), lambda.slots[k] + s) : hn::Zero(Tag());
  }
  static HWY_INLINE void store(V v, LinearLambda& lambda, std::size_t k, std::size_t s) {
    if (k < n) hn::Store(v, Tag(), lambda.slots[k] + s);
  }
  // The sum of factors[k] p_k.
  static HWY_INLINE V weighed(const linear::Vector<double>& factors, const LinearLambda& lambda,
                              std::size_t s) {
    const Tag tag;
    V sum = hn::Zero(tag);
    for (std::size_t k = 0; k < n; ++k) {
      if (factors[k] == 0) continue;
      sum = hn::Add(sum, hn::Mul(hn::Set(tag, factors[k]), load(lambda, k, s)));
    }
    if (const double factor = factors[linear::integral_of_v]; factor != 0) {
      const V source = hn::Load(tag, lambda.slots[most_components] + s);
      sum = hn::Add(sum, hn::Mul(hn::Set(tag, factor), source));
    }
    return sum;
  }
};

template <std::size_t n, class Real>
void read_by(const linear::Alike& all, const LinearEntries<Real>& found, std::size_t tile,
             const Arrivals<Real>& arrivals, std::size_t first, std::size_t width,
             const std::vector<Target<Real>>& targets) {
  const std::span<const LinearEntry> entries = found.of(tile);
  if (entries.empty()) return;
  thread_local LinearLambda memory;
  LinearLambda& lambda = memory;
  lambda.start(width);
  const std::size_t stride = lambda.slots.layout().count(), latest = entries.front().group;
  auto entry = entries.begin();
  for (std::size_t g = latest + 1; g-- > 0;) {
    if (g < latest) Back<n>::flow(lambda, found.steps[g], found.driven);
    for (; entry != entries.end() && entry->group == g; ++entry) {
      lambda.set(entry->neuron, entry->segment);
    }
    for (const auto& arrival : arrivals.group(g)) {
      const Target<Real>& target = targets[static_cast<std::size_t>(arrival.projection)];
      Real* const gradient = target.weights + static_cast<std::size_t>(arrival.pre) * stride;
      const std::size_t receptor = all.receptor_of(arrival.projection);
      if (!target.errors && !target.delays) {
        Back<n>::template read<false, Real>(all, lambda, receptor, gradient, nullptr);
        continue;
      }
      target.move(arrival, Back<n>::template read<true, Real>(all, lambda, receptor, gradient,
                                                              arrival.row + first));
    }
  }
}

template <class Real>
void read_arrivals(const linear::Alike& all, const LinearEntries<Real>& entries, std::size_t tile,
                   const Arrivals<Real>& arrivals, std::size_t first, std::size_t width,
                   const std::vector<Target<Real>>& targets) {
  switch (all.components) {
    case 1:
      return read_by<1>(all, entries, tile, arrivals, first, width, targets);
    case 2:
      return read_by<2>(all, entries, tile, arrivals, first, width, targets);
    case 3:
      return read_by<3>(all, entries, tile, arrivals, first, width, targets);
    default:
      return read_by<4>(all, entries, tile, arrivals, first, width, targets);
  }
}

// Components that are not used are 0.
template <class Real>
void flow_back(LinearLambda& lambda, const linear::Step& step) {
  Back<most_components>::flow(lambda, step, true);
}

template <class Real>
double error_of_arrival(const linear::Alike& all, const LinearLambda& lambda, const Real* row,
                        std::size_t receptor) {
  return Back<most_components>::template read<true, Real>(all, lambda, receptor, nullptr, row);
}

SALTUS_KERNELS(LinearLambdaKernels, read_arrivals<Real>, flow_back<Real>, error_of_arrival<Real>)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus {
SALTUS_DISPATCH(LinearLambdaKernels)
}  // namespace saltus
#endif
