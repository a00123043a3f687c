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

// Of the n first components, one after the other.
template <std::size_t n>
class Back {
 public:
  // p = m^T p, and what the integral of V adds.
  static HWY_INLINE void flow(LinearLambda& lambda, const linear::Step& step, bool driven) {
    const Tag tag;
    const std::size_t count = lambda.slots.layout().count();
    const View all(lambda);
    const auto& m = step.m;
    const auto times = [&](double factor, V p)
                           HWY_ATTR { return hn::Mul(hn::Set(tag, factor), p); };
    for (std::size_t s = 0; s < count; s += hn::Lanes(tag)) {
      const V p0 = all.load(0, s), p1 = all.load(1, s), p2 = all.load(2, s), p3 = all.load(3, s);
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
        const V source = hn::Load(tag, all.source + s);
        to0 = hn::Add(to0, times(step.of_integral[0], source));
        if constexpr (n > 1) to1 = hn::Add(to1, times(step.of_integral[1], source));
        if constexpr (n > 2) to2 = hn::Add(to2, times(step.of_integral[2], source));
        if constexpr (n > 3) to3 = hn::Add(to3, times(step.of_integral[3], source));
      }
      all.store(to0, 0, s);
      all.store(to1, 1, s);
      all.store(to2, 2, s);
      all.store(to3, 3, s);
    }
  }

  // gradient += e.p and, if `row` is given, the sum of w (A e).p.
  template <bool with_row, class Real>
  static HWY_INLINE double read(const linear::Alike& alike, const LinearLambda& lambda,
                                std::size_t receptor, Real* gradient, const Real* row) {
    const Tag tag;
    const View all(lambda);
    const Factors e(alike.receptors[receptor]), slope(alike.slopes_of_receptors[receptor]);
    const SlotLayout layout = lambda.slots.layout();
    const std::size_t lanes = hn::Lanes(tag), count = layout.count();
    HWY_ALIGN double sum[partial_sums];
    for (std::size_t l = 0; l < partial_sums; l += lanes) {
      V part = hn::Zero(tag);
      for (std::size_t s = l; s < count; s += partial_sums) {
        if (gradient) add_demoted(tag, e.weigh(all, s), gradient + s);
        if constexpr (with_row) {
          const V w = load_promoted(tag, row + layout.place(s));
          part = hn::Add(part, hn::Mul(w, slope.weigh(all, s)));
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
  };
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
    if (g < latest) Back<n>::flow(lambda, found.step(arrivals, g), found.driven);
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
  // p of those behind the last one that an arrival asks for drives no other: a of ALIF.
  std::size_t asked = 1;
  for (std::size_t r = 0; r < most_receptors; ++r) {
    for (std::size_t k = asked; k < all.components; ++k) {
      if (all.receptors[r][k] != 0 || all.slopes_of_receptors[r][k] != 0) asked = k + 1;
    }
  }
  switch (asked) {
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
