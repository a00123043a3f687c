// SPDX-License-Identifier: Apache-2.0
// The free peaks behind spikes (docs/ghosts.md): the next local maximum of V, had the spike not
// happened, and when V would be as high again. For one spike by its free course; for all spikes of
// a layer side by side, to the last bit the same.
#pragma once

#include <numeric>
#include <span>
#include <vector>

#include "ghosts/free_course.hpp"
#include "ghosts/free_courses.hpp"
#include "observe/local_maxima.hpp"
#include "saltus/simulate.hpp"

namespace saltus {

/// The spikes of one sample of a population, with what the record holds of them.
template <class Real>
struct Spiked {
  SampleSpikes spikes;
  std::span<const Real> currents, thresholds;  // no thresholds: those of the neurons

  Spiked(const SpikeRecord<Real>& record, std::size_t sample)
      : spikes(sample_of(record.spikes.view(), sample)) {
    const auto first = static_cast<std::size_t>(record.spikes.offsets[sample]);
    currents = of_spikes(record.currents, first, spikes.times.size());
    thresholds = of_spikes(record.thresholds, first, spikes.times.size());
  }
  Real threshold(std::size_t k, const neuron::Lif<Real>& n) const {
    return thresholds.empty() ? n.theta : thresholds[k];
  }
};

template <class Real>
struct FreePeak {
  LocalMaximum<Real> peak = {};  // not found: there is none, or it is too high to matter
  double later = infinity;       // when V is as high again
};

template <class Real>
double rise_in_piece_after(const neuron::Lif<Real>& n, const LocalMaximum<Real>& m,
                           const Piece<Real>& p) {
  if (p.t0 == m.time && !(p.i < 0)) return infinity;  // falls from the peak
  return first_rise_to(n, p, m.height);
}

/// When V would be as high again as at a peak.
template <class Real>
double rise_after(const neuron::Lif<Real>& n, const Arrivals<Real>& arrivals, std::size_t j,
                  const LocalMaximum<Real>& m, double end) {
  double later = infinity;
  FreeCourse<Real> on(n, arrivals, j, m.time, m.height, m.current, end);
  while (!on.done() && later == infinity) {
    on.step(infinity, [&](const Piece<Real>& p) { later = rise_in_piece_after(n, m, p); });
  }
  return later;
}

/// The peak of a climb in this piece; at the end of the sample V may still rise.
template <class Real>
LocalMaximum<Real> peak_in(const neuron::Lif<Real>& n, const Piece<Real>& p,
                           LocalMaxima<Real>& maxima, double end) {
  const LocalMaximum<Real> m = maxima.in(n, p);
  if (m.found() || p.t1 < end || p.t1 == infinity) return m;
  return {p.t1, Place::end, p.v_end, maxima.current};
}

/// @param highest  peaks above this do not matter
template <class Real>
FreePeak<Real> free_peak(const neuron::Lif<Real>& n, const Arrivals<Real>& arrivals, std::size_t j,
                         double spike, Real threshold, Real current, Real highest, double end) {
  FreeCourse<Real> free(n, arrivals, j, spike, threshold, current, end);
  LocalMaxima<Real> maxima{true, current};
  LocalMaximum<Real> m;
  while (!free.done() && !m.found() && !(free.v() > highest)) {
    free.step(infinity, [&](const Piece<Real>& p) { m = peak_in(n, p, maxima, end); });
  }
  if (!m.found() || m.height > highest) return {};
  return {m, rise_after(n, arrivals, j, m, end)};
}

template <class Real>
class FreePeaks {
 public:
  /// The neurons see the same arrivals, decay alike and are not refractory.
  /// @param range  peaks further above the threshold do not matter
  void find(const PopulationPlan<Real>& plan, const Arrivals<Real>& arrivals, double end,
            const Spiked<Real>& spiked, Real range) {
    const auto& kernels = CourseKernels<Real>::best();
    const SampleSpikes& spikes = spiked.spikes;
    peaks_.assign(spikes.times.size(), {});
    climbing_.clear();
    waiting_.clear();
    double from = 0;
    std::size_t next_spike = 0;
    for (std::size_t g = 0; g <= arrivals.group_count(); ++g) {
      const bool last = g == arrivals.group_count();
      const Interval interval{from, last ? end : arrivals.times[g], last, arrivals.decays[g]};
      wait(plan, interval);
      started_.clear();
      climb(plan, arrivals, interval, end, spiked);
      for (; next_spike < spikes.times.size() && spikes.times[next_spike] <= interval.to;
           ++next_spike) {
        begin(plan, arrivals, interval, end, spiked, next_spike, range);
      }
      if (last) break;
      for (const Start& s : started_) {
        waiting_.add(s.spike, s.neuron, plan.neuron(s.neuron).bias, s.v, s.i, s.level);
      }
      for (const auto& arrival : arrivals.group(g)) {
        kernels.arrive(climbing_, arrival.row);
        kernels.arrive(waiting_, arrival.row);
      }
      from = interval.to;
    }
  }

  const FreePeak<Real>& of(std::size_t spike) const { return peaks_[spike]; }

 private:
  struct Interval {
    double from, to;
    bool last;
    const neuron::Decay<Real>& decay;
  };
  struct Start {
    std::size_t spike, neuron;
    Real v, i, level;
  };

  FreeCourses<Real> climbing_;         // from the spike up to the peak
  FreeCourses<Real> waiting_;          // from the peak on, until V is as high again
  std::vector<FreePeak<Real>> peaks_;  // [spike]
  std::vector<Start> started_;         // to wait from the next interval on
  std::vector<std::int32_t> found_;

  static Piece<Real> piece(const FreeCourses<Real>& c, std::size_t at, const Interval& in) {
    return {in.from, in.to, c.v[at], c.i[at], false, in.decay, c.v_end[at]};
  }

  void wait(const PopulationPlan<Real>& plan, const Interval& in) {
    const auto& kernels = CourseKernels<Real>::best();
    kernels.await(waiting_, in.decay, found_);
    for (std::size_t k = found_.size(); k-- > 0;) {
      const auto at = static_cast<std::size_t>(found_[k]);
      const auto& n = plan.neuron(static_cast<std::size_t>(waiting_.neuron[at]));
      const double later = first_rise_to(n, piece(waiting_, at, in), waiting_.level[at]);
      if (later == infinity) continue;
      peaks_[waiting_.id[at]].later = later;
      waiting_.remove(at);
    }
    kernels.to_the_end(waiting_.stretch(), in.decay);
  }

  void climb(const PopulationPlan<Real>& plan, const Arrivals<Real>& arrivals, const Interval& in,
             double end, const Spiked<Real>& spiked) {
    const auto& kernels = CourseKernels<Real>::best();
    kernels.climb(climbing_, in.decay, found_);
    if (in.last) {
      found_.resize(climbing_.count());
      std::iota(found_.begin(), found_.end(), 0);
    }
    for (std::size_t k = found_.size(); k-- > 0;) {
      const auto at = static_cast<std::size_t>(found_[k]);
      const std::size_t spike = climbing_.id[at];
      const auto j = static_cast<std::size_t>(climbing_.neuron[at]);
      const auto& n = plan.neuron(j);
      const Piece<Real> p = piece(climbing_, at, in);
      const Real highest = climbing_.level[at];
      LocalMaxima<Real> maxima{true, climbing_.i_before[at]};
      look(n, arrivals, j, spiked, spike, p, maxima, highest, end);
      climbing_.remove(at);
    }
    kernels.to_the_end(climbing_.stretch(), in.decay);
  }

  // The course behind a spike in this interval, to its end.
  void begin(const PopulationPlan<Real>& plan, const Arrivals<Real>& arrivals, const Interval& in,
             double end, const Spiked<Real>& spiked, std::size_t spike, Real range) {
    const auto j = static_cast<std::size_t>(spiked.spikes.neurons[spike]);
    const auto& n = plan.neuron(j);
    const double time = spiked.spikes.times[spike];
    const Real v = spiked.threshold(spike, n), i = spiked.currents[spike],
               highest = n.theta + range;
    if (time == in.to && !in.last) {
      climbing_.add(spike, j, n.bias, v, i, highest);
      return;
    }
    const auto d = neuron::decay<Real>(n.tc, in.to - time);
    const Piece<Real> p{time, in.to, v, i, false, d, neuron::membrane_after(n, v, i, d)};
    LocalMaxima<Real> maxima{true, i};
    if (look(n, arrivals, j, spiked, spike, p, maxima, highest, end) || in.last) return;
    climbing_.add(spike, j, n.bias, p.v_end, i * d.syn, highest);
  }

  // Does the climb end in this piece, at a peak or above all that matters?
  bool look(const neuron::Lif<Real>& n, const Arrivals<Real>& arrivals, std::size_t j,
            const Spiked<Real>& spiked, std::size_t spike, const Piece<Real>& p,
            LocalMaxima<Real>& maxima, Real highest, double end) {
    const LocalMaximum<Real> m = peak_in(n, p, maxima, end);
    if ((m.found() ? m.height : p.v_end) > highest) return true;
    FreePeak<Real>& found = peaks_[spike];
    if (!m.found()) {
      if (maxima.rising) return false;
      // Flat but for rounding: no peak was found where V no longer rises.
      found = free_peak(n, arrivals, j, spiked.spikes.times[spike], spiked.threshold(spike, n),
                        spiked.currents[spike], highest, end);
      return true;
    }
    found.peak = m;
    if (p.t1 >= end || m.time >= p.t1) {
      found.later = rise_after(n, arrivals, j, m, end);
      return true;
    }
    // What is left of this interval behind the peak.
    const Real i = m.place == Place::arrival ? p.i : m.current;
    const neuron::Decay<Real> d =
        m.place == Place::arrival ? p.decay : neuron::decay<Real>(n.tc, p.t1 - m.time);
    const Piece<Real> rest{
        m.time, p.t1, m.height, i, false, d, neuron::membrane_after(n, m.height, i, d)};
    found.later = rise_in_piece_after(n, m, rest);
    if (found.later < infinity) return true;
    started_.push_back({spike, j, rest.v_end, i * d.syn, m.height});
    return true;
  }
};

}  // namespace saltus
