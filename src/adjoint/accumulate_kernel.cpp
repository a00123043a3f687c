// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "adjoint/accumulate_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <hwy/cache_control.h>

#include <algorithm>

#include "adjoint/accumulate_kernel.hpp"
#include "adjoint/mutations.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Eight neurons: a block, in as many vectors as it takes. The last block of a tile overlaps the one
// before it; lambda of the neurons that it repeats stays 0 there.
constexpr std::size_t block = 8;
constexpr std::size_t most_blocks = 16;

template <class Real>
class Tile {
 public:
  using Tag = hn::CappedTag<Real, block>;
  using V = hn::Vec<Tag>;

  void run(const neuron::TimeConstants& tc, const Segments<Real>& segments,
           const Arrivals<Real>& arrivals, std::size_t first, std::size_t width,
           const std::vector<Target<Real>>& targets) {
    if (!enter(segments, arrivals, first, width)) return;
    const Tag tag;
    const std::size_t lanes = hn::Lanes(tag), slots = blocks_ * block;
    const V p = hn::Set(tag, static_cast<Real>(terms::lambda_v_drives_i ? tc.p : 0));
    const V minus_tau_syn = hn::Set(tag, static_cast<Real>(-tc.tau_syn));
    std::fill_n(v_, slots, Real(0));
    std::fill_n(i_, slots, Real(0));
    std::fill_n(source_, slots, Real(0));
    bool driven = false;  // by a loss of the integral of V
    for (std::size_t g = last_group_ + 1; g-- > 0;) {
      if (g > 3) prefetch(arrivals.group(g - 4), targets, first);
      const neuron::Decay<Real>& d = arrivals.decays[g + 1];
      const V mem = hn::Set(tag, d.mem), syn = hn::Set(tag, d.syn);
      const V drive = hn::Mul(p, hn::Set(tag, d.k));
      for (std::size_t s = 0; s < slots; s += lanes) {  // neuron::flow_back
        V v = hn::Load(tag, v_ + s), i = hn::Load(tag, i_ + s);
        if (driven) {
          const V source = hn::Load(tag, source_ + s), a = hn::Add(v, source);
          i = hn::Sub(hn::Add(hn::Mul(hn::Add(i, source), syn), hn::Mul(a, drive)), source);
          v = hn::Sub(hn::Mul(a, mem), source);
        } else {
          i = hn::Add(hn::Mul(i, syn), hn::Mul(v, drive));
          v = hn::Mul(v, mem);
        }
        hn::Store(v, tag, v_ + s);
        hn::Store(i, tag, i_ + s);
      }
      for (std::int32_t e = head_[g]; e >= 0; e = entries_[static_cast<std::size_t>(e)].next) {
        const Entry& entry = entries_[static_cast<std::size_t>(e)];
        const auto lambda = entry.segment->read(tc, arrivals.times[g]);
        v_[entry.slot] = lambda.v;
        i_[entry.slot] = lambda.i;
        source_[entry.slot] = entry.segment->source;
        driven = driven || entry.segment->source != 0;
      }
      for (const auto& arrival : arrivals.group(g)) {
        const Target<Real>& target = targets[static_cast<std::size_t>(arrival.projection)];
        Real* const gradient =
            target.weights + static_cast<std::size_t>(arrival.pre) * target.stride + first;
        for (std::size_t s = 0; s < slots; s += lanes) {
          Real* const at = gradient + place(s);
          const V change = hn::Mul(minus_tau_syn, hn::Load(tag, i_ + s));
          hn::StoreU(hn::Add(hn::LoadU(tag, at), change), tag, at);
        }
        if (!target.errors && !target.delays) continue;
        const double moved = dot(arrival.row + first);
        if (target.errors) target.errors[arrival.spike] += moved;
        if (target.delays) {
          const auto pre = static_cast<std::size_t>(arrival.pre);
          target.delays[target.projection->delay.index(pre, 0, 1)] += moved;
        }
      }
    }
  }

 private:
  struct Entry {
    std::int32_t next;  // entry at the same group; -1: none
    std::uint32_t slot;
    const Segment<Real>* segment;
  };

  // Where a slot lies in a row, from the first neuron of the tile.
  std::size_t place(std::size_t slot) const { return slot < repeated_ ? slot : slot - overlap_; }

  // Sorts the segments by the arrival at which they are read first.
  bool enter(const Segments<Real>& segments, const Arrivals<Real>& arrivals, std::size_t first,
             std::size_t width) {
    blocks_ = (width + block - 1) / block;
    repeated_ = (blocks_ - 1) * block;
    overlap_ = width < block ? 0 : blocks_ * block - width;
    entries_.clear();
    head_.assign(arrivals.group_count(), -1);
    last_group_ = 0;
    for (std::size_t l = 0; l < width; ++l) {
      const auto own = segments.of(first + l);
      for (std::size_t k = 0; k < own.size(); ++k) {
        const std::size_t below = arrivals.count_before(own[k].from);
        // A segment without an arrival in it is never read.
        if (below == 0 || (k + 1 < own.size() && own[k + 1].from > arrivals.times[below - 1])) {
          continue;
        }
        const std::size_t group = below - 1;
        const std::size_t slot = l < repeated_ ? l : l + overlap_;
        entries_.push_back({head_[group], static_cast<std::uint32_t>(slot), &own[k]});
        head_[group] = static_cast<std::int32_t>(entries_.size()) - 1;
        last_group_ = std::max(last_group_, group);
      }
    }
    return !entries_.empty();
  }

  // Rows come in no order that the machine could guess.
  void prefetch(std::span<const Arrival<Real>> next, const std::vector<Target<Real>>& targets,
                std::size_t first) const {
    for (const auto& arrival : next) {
      const Target<Real>& target = targets[static_cast<std::size_t>(arrival.projection)];
      const Real* const row =
          target.weights + static_cast<std::size_t>(arrival.pre) * target.stride + first;
      constexpr std::size_t line = 64 / sizeof(Real);
      for (std::size_t s = 0; s < blocks_ * block; s += line) hwy::Prefetch(row + s);
    }
  }

  // The sum of w (lambda_V - lambda_I) over the tile.
  double dot(const Real* row) const {
    const Tag tag;
    const std::size_t lanes = hn::Lanes(tag);
    HWY_ALIGN Real sum[block];
    for (std::size_t l = 0; l < block; l += lanes) {
      V part = hn::Zero(tag);
      for (std::size_t s = l; s < blocks_ * block; s += block) {
        const V v = terms::lambda_v_in_e ? hn::Load(tag, v_ + s) : hn::Zero(tag);
        const V i = terms::lambda_i_in_e ? hn::Load(tag, i_ + s) : hn::Zero(tag);
        part = hn::Add(part, hn::Mul(hn::LoadU(tag, row + place(s)), hn::Sub(v, i)));
      }
      hn::Store(part, tag, sum + l);
    }
    return static_cast<double>(((sum[0] + sum[4]) + (sum[2] + sum[6])) +
                               ((sum[1] + sum[5]) + (sum[3] + sum[7])));
  }

  std::size_t blocks_ = 0, repeated_ = 0, overlap_ = 0, last_group_ = 0;
  std::vector<Entry> entries_;
  std::vector<std::int32_t> head_;  // [group]; -1: none
  alignas(64) Real v_[most_blocks * block], i_[most_blocks * block], source_[most_blocks * block];
};

template <class Real>
void accumulate(const neuron::TimeConstants& tc, const Segments<Real>& segments,
                const Arrivals<Real>& arrivals, std::size_t first, std::size_t width,
                const std::vector<Target<Real>>& targets) {
  thread_local Tile<Real> tile;
  tile.run(tc, segments, arrivals, first, width, targets);
}

void accumulate_float(const neuron::TimeConstants& tc, const Segments<float>& segments,
                      const Arrivals<float>& arrivals, std::size_t first, std::size_t width,
                      const std::vector<Target<float>>& targets) {
  accumulate(tc, segments, arrivals, first, width, targets);
}
void accumulate_double(const neuron::TimeConstants& tc, const Segments<double>& segments,
                       const Arrivals<double>& arrivals, std::size_t first, std::size_t width,
                       const std::vector<Target<double>>& targets) {
  accumulate(tc, segments, arrivals, first, width, targets);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus {

HWY_EXPORT(accumulate_float);
HWY_EXPORT(accumulate_double);

void accumulate_in_vectors(const neuron::TimeConstants& tc, const Segments<float>& segments,
                           const Arrivals<float>& arrivals, std::size_t first, std::size_t width,
                           const std::vector<Target<float>>& targets) {
  HWY_DYNAMIC_DISPATCH(accumulate_float)(tc, segments, arrivals, first, width, targets);
}
void accumulate_in_vectors(const neuron::TimeConstants& tc, const Segments<double>& segments,
                           const Arrivals<double>& arrivals, std::size_t first, std::size_t width,
                           const std::vector<Target<double>>& targets) {
  HWY_DYNAMIC_DISPATCH(accumulate_double)(tc, segments, arrivals, first, width, targets);
}

}  // namespace saltus
#endif
