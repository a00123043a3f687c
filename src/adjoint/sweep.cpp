// SPDX-License-Identifier: Apache-2.0
// The mirror of simulate/sweep.cpp. Without a cycle the errors E_k of a neuron's spikes are known
// when its turn comes, and its lambda depends on nothing else:
//
//     from the end back to 0:
//       lambda decays                                                    (neuron/adjoint.hpp)
//       at a sample or a maximum of V:  lambda_V -= dL/dV / tau_mem
//       at a spike:  lambda_V = ((dV/dt^+) lambda_V + E_k / tau_mem) / (dV/dt^-)
#include <algorithm>

#include "adjoint/jump.hpp"
#include "spikes/own_spikes.hpp"

namespace saltus {
namespace {

// Where the loss looks at V of one neuron.
struct Point {
  double time, error;
  bool maximum = false;
  std::ptrdiff_t ghost = -1;  // its error is known when its turn comes
};

// Samples, and the maximum unless it lies at infinity; latest first.
template <class Real>
void collect_points(const PopulationAdjoint<Real>& p, std::size_t j, std::vector<Point>& points) {
  points.clear();
  for (std::size_t k = p.errors.sample_times.size(); k-- > 0;) {
    points.push_back({p.errors.sample_times[k], static_cast<double>(p.at_sample(k, j))});
  }
  if (p.ghosts && p.ghosts->any(j)) {
    for (std::size_t k = p.ghosts->first[j]; k < p.ghosts->first[j + 1]; ++k) {
      const Ghost<Real>& g = (*p.ghosts->list)[k];
      if (g.behind < 0) points.push_back({g.time, 0, false, static_cast<std::ptrdiff_t>(k)});
    }
    std::stable_sort(points.begin(), points.end(),
                     [](const Point& a, const Point& b) { return a.time > b.time; });
  }
  if (p.errors.maxima.empty()) return;
  const std::size_t at = p.sample * p.size + j;
  const Point maximum{p.maxima.times[at], static_cast<double>(p.errors.maxima[at]), true};
  if (maximum.error == 0 || std::isinf(maximum.time)) return;
  const auto place = std::find_if(points.begin(), points.end(),
                                  [&](const Point& q) { return q.time < maximum.time; });
  points.insert(place, maximum);
}

// One neuron on its way back through a sample.
template <class Real>
class NeuronBack {
 public:
  /// @param points  of this neuron, latest first
  NeuronBack(const PopulationAdjoint<Real>& p, std::size_t j, std::span<Point> points,
             Segments<Real>& segments)
      : p_(p),
        j_(j),
        n_(p.plan.neuron(j)),
        has_ghosts_(p.ghosts && p.ghosts->any(j)),
        point_(points.begin()),
        points_end_(points.end()),
        segments_(segments),
        jumps_(segments.jumps[j]),
        t_(p.end),
        lambda_(p.last(j)),
        source_(p.driving_source(j)) {
    behind_.clear();
    emit();
  }

  // Spike k of the sample.
  void spike(std::size_t k) {
    const double time = p_.times[k], release = time + n_.tau_ref;
    Real after = 0;
    if (release < p_.end || n_.tau_ref == 0) {
      pass_points(release);
      move_to(release);
      after = lambda_.v;
    }
    if (n_.tau_ref > 0) {  // V is held: lambda_V = 0, lambda_I goes on
      lambda_.v = source_ = 0;
      emit();
      for (; point_ != points_end_ && point_->time > time; ++point_) {
        if (terms::clamp_sample) jumps_.v_reset += point_->error;
      }
      move_to(time);
      source_ = p_.driving_source(j_);
    }
    const double error = p_.spike_errors.empty() ? 0 : p_.spike_errors[k];
    lambda_.v = jump_over_spike(p_, k, after, error, jumps_);
    if (has_ghosts_) {
      const auto handed = p_.ghosts->settle_behind(n_, j_, k, time, behind_, jumps_);
      lambda_.v += handed.v;
      lambda_.i += handed.i;
    }
    emit(true);
  }

  // Those later than `down_to`.
  void pass_points(double down_to) {
    for (; point_ != points_end_ && point_->time > down_to; ++point_) {
      move_to(point_->time);
      if (point_->ghost >= 0) {
        const auto ghost = static_cast<std::size_t>(point_->ghost);
        point_->error = p_.ghosts->settle(n_, ghost, behind_, jumps_);
        if (point_->error == 0) continue;
      }
      if (point_->ghost >= 0 ? terms::ghost_jump
          : point_->maximum  ? terms::maximum_jump
                             : terms::sample_jump) {
        lambda_.v -= static_cast<Real>(point_->error / n_.tc.tau_mem);
      }
      emit();
    }
  }

 private:
  const PopulationAdjoint<Real>& p_;
  const std::size_t j_;
  const neuron::Lif<Real>& n_;
  const bool has_ghosts_;
  std::span<Point>::iterator point_, points_end_;
  Segments<Real>& segments_;
  JumpSums& jumps_;
  double t_;
  neuron::Adjoint<Real> lambda_;
  Real source_;
  // Its segments, latest first; if it has ghosts.
  inline static thread_local std::vector<Segment<Real>> behind_;

  void emit(bool at_spike = false) {
    segments_.add(j_, {t_, lambda_, source_, at_spike});
    if (has_ghosts_) behind_.push_back({t_, lambda_, source_});
  }
  void move_to(double t) {
    if (t == t_) return;
    // Nothing to do while all is 0: the usual case for silent neurons and late spikes.
    if (lambda_.v != 0 || lambda_.i != 0 || source_ != 0) {
      lambda_ = neuron::flow_back(n_.tc, lambda_, source_, neuron::decay<Real>(n_.tc, t_ - t));
    }
    t_ = t;
  }
};

}  // namespace

template <class Real>
void sweep_back(const SampleAdjoint<Real>& sample, std::size_t population,
                const std::vector<double>& spike_errors, Segments<Real>& segments) {
  const PopulationAdjoint<Real> p(sample, population, spike_errors);
  thread_local OwnSpikes own_spikes;
  thread_local std::vector<Point> points;
  own_spikes.sort({p.times, p.neurons}, p.size);
  segments.start(p.size);
  const bool v_counts = !p.errors.samples.empty() || !p.errors.maxima.empty() ||
                        !p.errors.integrals.empty() || p.ghosts;
  // Where V does not count no error reaches a silent neuron: lambda is 0.
  const auto next = [&](std::size_t j) { return v_counts ? j : own_spikes.next(j); };
  for (std::size_t j = next(0); j < p.size; j = next(j + 1)) {
    const auto own = own_spikes.of(j);
    collect_points(p, j, points);
    NeuronBack<Real> back(p, j, points, segments);
    for (std::size_t k = own.size(); k-- > 0;) back.spike(own[k]);
    back.pass_points(-1);
  }
  segments.finish();
  if (p.ghosts) p.ghosts->finish();
}

template void sweep_back(const SampleAdjoint<float>&, std::size_t, const std::vector<double>&,
                         Segments<float>&);
template void sweep_back(const SampleAdjoint<double>&, std::size_t, const std::vector<double>&,
                         Segments<double>&);

}  // namespace saltus
