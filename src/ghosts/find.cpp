// SPDX-License-Identifier: Apache-2.0
// Finds ghosts by a replay of the record (docs/ghosts.md): walks V of each neuron once more and
// notes where a local maximum is higher than all of V since the last spike and near the threshold.
//
//     a local maximum:   inside a piece, where dV/dt = 0;
//                        at an arrival, where V rises on the left and falls on the right;
//                        at the end, where V still rises
//     missed peaks:      before a spike, or without one
//     a free peak:       the next maximum behind a spike, had it not happened
#include "ghosts/find.hpp"

#include <algorithm>

#include "ghosts/free_course.hpp"
#include "ghosts/free_peaks.hpp"
#include "ghosts/ghosts_kernel.hpp"
#include "machine/parallel.hpp"
#include "simulate/continued.hpp"
#include "simulate/prepared.hpp"
#include "thresholds/noise.hpp"
#include "thresholds/thresholds.hpp"

namespace saltus {
namespace {

// Visits the replay of one neuron in one sample.
template <class Real>
class Finder : public ReplayVisitor {
 public:
  Finder(const neuron::Lif<Real>& n, const ThresholdNoise& noise, const Smoothing& smoothing,
         const Arrivals<Real>& arrivals, std::size_t j, double end, const Spiked<Real>& spiked,
         const FreePeaks<Real>* peaks, std::vector<Ghost<Real>>& out)
      : n_(n),
        noise_(noise),
        sampled_(smoothing.thresholds == ThresholdReading::sampled),
        lowest_(n.theta - static_cast<Real>(smoothing.range())),
        highest_allowed_(n.theta + static_cast<Real>(smoothing.range())),
        arrivals_(arrivals),
        j_(j),
        end_(end),
        spiked_(spiked),
        peaks_(peaks),
        out_(out),
        first_(out.size()) {}

  void piece(const Piece<Real>& p) {
    if (p.held) {
      fresh_ = true;
      return;
    }
    if (fresh_) {
      highest_ = p.v;
      maxima_.rising = false;
      fresh_ = false;
    }
    const LocalMaximum<Real> m = maxima_.in(n_, p);
    if (m.place == Place::arrival) note(m);
    if (pending_ != none) {
      out_[pending_].later = first_rise_to(n_, p, out_[pending_].height);
      if (out_[pending_].later < infinity) pending_ = none;
    }
    if (m.place == Place::interior) note(m);
    if (p.t1 >= end_ && p.t1 < infinity && maxima_.rising) {
      at_end_ = {p.t1, Place::end, p.v_end, maxima_.current};
    }
  }

  void spike(std::size_t k, Real) {
    at_end_ = {};
    const double time = spiked_.spikes.times[k];
    const Real threshold = spiked_.threshold(k, n_);
    if (pending_ != none) out_[pending_].later = time;  // but for rounding it was met before
    pending_ = none;
    for (std::size_t g = first_; g < out_.size(); ++g) felt_after_spike(out_[g], time, threshold);
    if (!sampled_) {
      note_behind(k, peaks_ ? peaks_->of(k)
                            : free_peak(n_, arrivals_, j_, time, threshold, spiked_.currents[k],
                                        highest_allowed_, end_));
    }
    first_ = out_.size();
    ++segment_;
    fresh_ = true;
  }

  /// A peak can be a ghost, or the end of the wait for V to be as high again, only above this.
  Real bar() const { return fresh_ ? lowest_ : std::max(highest_, lowest_); }
  /// Does any piece that rises matter, or any piece at all?
  bool waits() const { return pending_ != none; }
  bool fresh() const { return fresh_; }
  bool rising() const { return maxima_.rising; }
  /// Pieces without a local maximum above bar() were left out; how the last of them ended.
  void skipped(bool rising, Real current) {
    maxima_.rising = rising;
    maxima_.current = current;
    at_end_ = {};
  }

  /// After the last piece.
  void finish() {
    note(at_end_);
    for (std::size_t g = first_; g < out_.size(); ++g) felt_without_spike(out_[g]);
  }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  const neuron::Lif<Real>& n_;
  const ThresholdNoise& noise_;
  bool sampled_;
  Real lowest_, highest_allowed_;
  const Arrivals<Real>& arrivals_;
  std::size_t j_;
  double end_;
  const Spiked<Real>& spiked_;
  const FreePeaks<Real>* peaks_;  // of all spikes, if known
  std::vector<Ghost<Real>>& out_;
  std::size_t first_;           // of this segment, in out_
  std::size_t pending_ = none;  // the last peak, while V has not been as high again
  std::int32_t segment_ = 0;
  bool fresh_ = true;  // no piece of this segment yet
  Real highest_ = 0;   // V of the segment so far, at its start and its local maxima
  LocalMaxima<Real> maxima_;
  LocalMaximum<Real> at_end_;

  Ghost<Real> ghost(const LocalMaximum<Real>& m) const {
    Ghost<Real> g{m.time, static_cast<std::int32_t>(j_), segment_, m.place, m.height, m.current, 0};
    const double distance = static_cast<double>(m.height) - static_cast<double>(n_.theta);
    g.density = sampled_ ? noise_.hazard(distance) : noise_.density(distance);
    return g;
  }

  void note(const LocalMaximum<Real>& m) {
    if (!m.found() || !(m.height > highest_)) return;
    highest_ = m.height;
    pending_ = none;
    if (m.height < lowest_ || m.height > highest_allowed_) return;
    pending_ = out_.size();
    out_.push_back(ghost(m));
  }

  FreeCourse<Real> course(double t, Real v, Real current) const {
    return FreeCourse<Real>(n_, arrivals_, j_, t, v, current, end_);
  }

  // With the spike at the peak V starts from V_reset at its release; what is left of the
  // difference decays like V. Without it V is free until `last`, if it spikes then.
  void felt_after_spike(Ghost<Real>& g, double last, Real threshold) const {
    const double until = last + n_.tau_ref;
    if (until >= end_) return;
    Real at_release = g.height, at_last = threshold;
    if (n_.tau_ref > 0) {
      FreeCourse<Real> free = course(g.time, g.height, g.current);
      free.go(g.time + n_.tau_ref);
      at_release = free.v();
      free.go(until);
      at_last = free.v();
    }
    const Real left = static_cast<Real>(std::exp(-(last - g.time) / n_.tc.tau_mem));
    g.effect_time = until;
    g.effect = at_last + (n_.v_reset - at_release) * left - n_.v_reset;
  }

  void felt_without_spike(Ghost<Real>& g) const {
    const double release = g.time + n_.tau_ref;
    if (g.later < infinity || release >= end_) return;
    Real at_release = g.height;
    if (n_.tau_ref > 0) {
      FreeCourse<Real> free = course(g.time, g.height, g.current);
      free.go(release);
      at_release = free.v();
    }
    g.effect_time = release;
    g.effect = n_.v_reset - at_release;
  }

  void note_behind(std::size_t k, const FreePeak<Real>& free) {
    if (!free.peak.found()) return;
    Ghost<Real> g = ghost(free.peak);
    g.behind = static_cast<std::int64_t>(k);
    g.later = free.later;
    if (g.later < infinity) {
      felt_after_spike(g, g.later, g.height);
    } else {
      felt_without_spike(g);
    }
    out_.push_back(g);
  }
};

// A population in one sample, all of whose neurons see the same arrivals.
template <class Real>
struct Scene {
  const PopulationPlan<Real>& plan;
  const Arrivals<Real>& arrivals;
  std::size_t size;
  double end;
  const Spiked<Real>& spiked;
  const OwnSpikes& own;
  const ThresholdNoise& noise;
  const Smoothing& smoothing;
};

// All neurons of a population in one sample, side by side: they see the same arrivals, decay alike
// and are not refractory. Looked at are only pieces with a spike and those that can rise above the
// bar, by the bound of docs/theory.md, section 2, and where it matters: V has a local maximum
// there, or is awaited. The ghosts have the same bits.
template <class Real>
class SideBySide {
 public:
  void find(const Scene<Real>& scene, std::vector<Ghost<Real>>& out) {
    start(scene);
    const auto& kernels = GhostKernels<Real>::best();
    const Arrivals<Real>& arrivals = scene.arrivals;
    const SampleSpikes& spikes = scene.spiked.spikes;
    double t = 0;
    std::size_t next_spike = 0;
    for (std::size_t g = 0; g <= arrivals.group_count(); ++g) {
      const bool last = g == arrivals.group_count();
      const double to = last ? scene.end : arrivals.times[g];
      const neuron::Decay<Real> d = arrivals.decays[g];
      kernels.look_closer(layer_, d, last && scene.end < infinity, look_);
      for (; next_spike < spikes.times.size() && spikes.times[next_spike] <= to; ++next_spike) {
        look_.push_back(spikes.neurons[next_spike]);
      }
      for (const std::int32_t neuron : look_) {
        const auto j = static_cast<std::size_t>(neuron);
        if (next_group_[j] == g + 1) continue;  // looked at already
        if (next_group_[j] != g) finders_[j].skipped(layer_.did_rise[j] != 0, layer_.i_before[j]);
        next_group_[j] = g + 1;
        walk(scene, j, t, to, d);
      }
      CourseKernels<Real>::best().to_the_end(layer_.stretch(), d);
      for (const auto& [j, current] : late_) layer_.i[j] = layer_.i_before[j] = current;
      late_.clear();
      if (last) break;
      for (const auto& arrival : arrivals.group(g)) {
        kernels.arrive(layer_, arrival.row, scene.size);
      }
      t = to;
    }
    finish(scene, out);
  }

 private:
  std::vector<Finder<Real>> finders_;
  std::vector<std::vector<Ghost<Real>>> lists_;
  std::vector<std::size_t> next_own_, next_group_;
  std::vector<std::int32_t> look_;
  GhostLayer<Real> layer_;
  FreePeaks<Real> peaks_;
  std::vector<std::pair<std::size_t, Real>> late_;  // I of neurons that spiked before an arrival

  void start(const Scene<Real>& scene) {
    const auto& [plan, arrivals, size, end, spiked, own, noise, smoothing] = scene;
    if (smoothing.thresholds == ThresholdReading::fixed) {
      peaks_.find(plan, arrivals, end, spiked, static_cast<Real>(smoothing.range()));
    }
    lists_.resize(std::max(lists_.size(), size));
    finders_.clear();
    finders_.reserve(size);
    next_own_.assign(size, 0);
    next_group_.assign(size, 0);
    layer_.start(size);
    GhostLayer<Real>& l = layer_;
    for (std::size_t j = 0; j < size; ++j) {
      const auto& n = plan.neuron(j);
      lists_[j].clear();
      finders_.emplace_back(n, noise, smoothing, arrivals, j, end, spiked, &peaks_, lists_[j]);
      l.v[j] = n.v_initial;
      l.i[j] = l.i_before[j] = n.i_initial;
      l.bias[j] = n.bias;
      l.bar[j] = finders_[j].bar();
      l.fresh[j] = 1;
    }
  }

  // One neuron from an arrival to the next, through its own spikes, as replay() walks it.
  // @param whole  the decay from `from` to `to`
  void walk(const Scene<Real>& scene, std::size_t j, double from, double to,
            const neuron::Decay<Real>& whole) {
    GhostLayer<Real>& l = layer_;
    Finder<Real>& finder = finders_[j];
    const auto& n = scene.plan.neuron(j);
    Real v = l.v[j], i = l.i[j];
    const auto piece = [&](double start, double until, const neuron::Decay<Real>& decay) {
      const Real reached = neuron::membrane_after(n, v, i, decay);
      finder.piece(Piece<Real>{start, until, v, i, false, decay, reached});
      return reached;
    };
    const auto& times = scene.spiked.spikes.times;
    const auto own = scene.own.of(j);
    std::size_t& k = next_own_[j];
    const bool any = k < own.size() && times[own[k]] <= to;
    for (; k < own.size() && times[own[k]] <= to; ++k) {
      const double until = times[own[k]];
      const auto decay = neuron::decay<Real>(n.tc, until - from);
      piece(from, until, decay);
      i *= decay.syn;
      finder.spike(own[k], i);
      v = n.v_reset;
      from = until;
    }
    if (any) {
      const auto decay = neuron::decay<Real>(n.tc, to - from);
      l.v_end[j] = piece(from, to, decay);
      late_.push_back({j, i * decay.syn});
    } else {
      piece(from, to, whole);
    }
    l.bar[j] = finder.bar();
    l.waits[j] = finder.waits();
    l.fresh[j] = finder.fresh();
    l.rises[j] = finder.rising();
  }

  void finish(const Scene<Real>& scene, std::vector<Ghost<Real>>& out) {
    for (std::size_t j = 0; j < scene.size; ++j) {
      if (next_group_[j] != scene.arrivals.group_count() + 1) finders_[j].skipped(false, 0);
      finders_[j].finish();
      std::ranges::sort(lists_[j], {}, &Ghost<Real>::time);
      out.insert(out.end(), lists_[j].begin(), lists_[j].end());
    }
  }
};

}  // namespace

template <class Real>
void find_ghosts(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record,
                 const Smoothing& smoothing, int threads, Timelines<Real>* timelines,
                 Ghosts<Real>& ghosts) {
  const std::size_t samples = inputs.samples();
  ghosts.smoothing = smoothing;
  ghosts.differences_known = false;
  ghosts.populations.resize(plan.populations.size());
  for (std::size_t p = 0; p < plan.populations.size(); ++p) {
    const bool lif = plan.network->populations()[p].model == Model::lif;
    ghosts.populations[p].resize(lif ? samples : 0);
    for (auto& list : ghosts.populations[p]) list.clear();
  }
  if (smoothing.sigma == 0) return;
  refuse_state(inputs, "ghosts");
  check_noisy(*plan.network);
  const ThresholdNoise noise(smoothing);
  parallel_for(threads, samples, [&](std::size_t s) {
    thread_local Timeline<Real> timeline;
    thread_local OwnSpikes own_spikes;
    for (std::size_t p = 0; p < plan.populations.size(); ++p) {
      if (ghosts.populations[p].empty()) continue;
      std::vector<Ghost<Real>>& list = ghosts.populations[p][s];
      const Spiked<Real> spiked(record.populations[p], s);
      if (plan.in_vectors(p) && plan.populations[p].alike() && !plan.populations[p].refractory) {
        thread_local SideBySide<Real> side_by_side;
        start_timeline(plan, inputs, record, p, s, timeline, timelines);
        own_spikes.sort(spiked.spikes, plan.size(p));
        side_by_side.find({plan.populations[p], timeline.of(0), plan.size(p), inputs.end(s), spiked,
                           own_spikes, noise, smoothing},
                          list);
        continue;
      }
      for_each_neuron(plan, inputs, record, p, s, timeline, own_spikes,
                      [&](std::size_t j, const auto& arrivals, auto own, auto times) {
                        const auto first = static_cast<std::ptrdiff_t>(list.size());
                        const auto& n = plan.populations[p].neuron(j);
                        Finder<Real> finder(n, noise, smoothing, arrivals, j, inputs.end(s), spiked,
                                            nullptr, list);
                        replay(n, arrivals, j, own, times, inputs.end(s), finder);
                        finder.finish();
                        std::ranges::sort(list.begin() + first, list.end(), {}, &Ghost<Real>::time);
                      });
    }
  });
}

template <class Real>
Ghosts<Real> find_ghosts(const Network<Real>& network, const Inputs& inputs,
                         const Record<Real>& record, const Smoothing& smoothing,
                         const Options& options) {
  check(smoothing);
  const Prepared<Real> prepared(network, inputs, record, options);
  Ghosts<Real> ghosts;
  find_ghosts<Real>(prepared.plan, inputs, record, smoothing, options.threads, nullptr, ghosts);
  return ghosts;
}

template void find_ghosts(const Plan<float>&, const Inputs&, const Record<float>&, const Smoothing&,
                          int, Timelines<float>*, Ghosts<float>&);
template void find_ghosts(const Plan<double>&, const Inputs&, const Record<double>&,
                          const Smoothing&, int, Timelines<double>*, Ghosts<double>&);
template Ghosts<float> find_ghosts(const Network<float>&, const Inputs&, const Record<float>&,
                                   const Smoothing&, const Options&);
template Ghosts<double> find_ghosts(const Network<double>&, const Inputs&, const Record<double>&,
                                    const Smoothing&, const Options&);

}  // namespace saltus
