// SPDX-License-Identifier: Apache-2.0
// The mirror of simulate/sweep.cpp. Without a cycle the errors E_k of a neuron's spikes are known
// when its turn comes, and its lambda depends on nothing else:
//
//     from the end back to 0:
//       lambda decays                                                    (neuron/adjoint.hpp)
//       at a sample or a maximum of V:  lambda_V -= dL/dV / tau_mem
//       at a spike:  lambda_V = ((dV/dt^+) lambda_V + E_k / tau_mem) / (dV/dt^-)
//
// Neurons know nothing of each other: their spikes are taken latest first, whose ever they are, so
// that segments leave in order of time (adjoint/entries.hpp).
#include <algorithm>

#include "adjoint/jump.hpp"
#include "neuron/decay_kernel.hpp"
#include "spikes/own_spikes.hpp"

namespace saltus {
namespace {

// Where the loss looks at V of one neuron.
struct Point {
  double time, error;
  bool maximum = false;
  std::ptrdiff_t ghost = -1;  // its error is known when its turn comes
};

// Adds samples, ghosts, and the maximum unless it lies at infinity; latest first.
template <class Real>
void collect_points(const PopulationAdjoint<Real>& p, std::size_t j, std::vector<Point>& points) {
  const auto first = static_cast<std::ptrdiff_t>(points.size());
  for (std::size_t k = p.errors.sample_times.size(); k-- > 0;) {
    points.push_back({p.errors.sample_times[k], static_cast<double>(p.at_sample(k, j))});
  }
  if (p.ghosts && p.ghosts->any(j)) {
    for (std::size_t k = p.ghosts->first[j]; k < p.ghosts->first[j + 1]; ++k) {
      const Ghost<Real>& g = (*p.ghosts->list)[k];
      if (g.behind < 0) points.push_back({g.time, 0, false, static_cast<std::ptrdiff_t>(k)});
    }
    std::stable_sort(points.begin() + first, points.end(),
                     [](const Point& a, const Point& b) { return a.time > b.time; });
  }
  if (p.errors.maxima.empty()) return;
  const std::size_t at = p.sample * p.size + j;
  const Point maximum{p.maxima.times[at], static_cast<double>(p.errors.maxima[at]), true};
  if (maximum.error == 0 || std::isinf(maximum.time)) return;
  const auto place = std::find_if(points.begin() + first, points.end(),
                                  [&](const Point& q) { return q.time < maximum.time; });
  points.insert(place, maximum);
}

// A neuron on its way back through a sample.
template <class Real>
struct Course {
  double t;
  neuron::Adjoint<Real> lambda;
  Real source = 0;
  std::size_t point = 0, points_end = 0;  // those still to come
};

template <class Real>
class SweepBack {
 public:
  SweepBack(const PopulationAdjoint<Real>& p, Segments<Real>& segments)
      : p_(p),
        segments_(segments),
        points_count_(!p.errors.samples.empty() || !p.errors.maxima.empty() || p.ghosts),
        plain_(p.plan.same_time_constants && !points_count_) {
    segments.start(p.size);
    segments.past.assign(p.past, 0);
    points_.clear();
    courses_.assign(p.size, {p.end, {}});
  }

  void run() {
    if (p_.ghosts) {  // what lies behind a spike is asked for at once: neuron by neuron
      own_spikes_.sort({p_.times, p_.neurons}, p_.size);
      for (std::size_t j = 0; j < p_.size; ++j) {
        begin(j);
        const auto own = own_spikes_.of(j);
        for (std::size_t k = own.size(); k-- > 0;) spike(own[k]);
        pass_points(j, -1);
      }
      return;
    }
    // Where V does not count no error reaches a silent neuron: lambda is 0.
    if (points_count_ || !p_.errors.integrals.empty() || !p_.errors.at_end.x.empty()) {
      for (std::size_t j = 0; j < p_.size; ++j) begin(j);
    }
    if (plain_) find_decays();
    for (std::size_t k = p_.times.size(); k-- > p_.past;) plain_ ? plain_spike(k) : spike(k);
    for (std::size_t k = p_.past; k-- > 0;) past_spike(k);
    for (std::size_t j = 0; points_count_ && j < p_.size; ++j) pass_points(j, -1);
  }

 private:
  const PopulationAdjoint<Real>& p_;
  Segments<Real>& segments_;
  const bool points_count_;
  // Nothing but spikes and releases happens to a neuron, and all decay alike.
  const bool plain_;
  // Memory is kept.
  inline static thread_local OwnSpikes own_spikes_;
  inline static thread_local std::vector<Course<Real>> courses_;  // [neuron]
  inline static thread_local std::vector<Point> points_;          // neuron by neuron
  inline static thread_local std::vector<double> gaps_;  // [spike] to what the neuron does next
  inline static thread_local std::vector<neuron::Decay<Real>> decays_;
  inline static thread_local std::vector<Segment<Real>> behind_;  // of a neuron that has ghosts

  // Of each spike, from where V starts to move again to what the neuron does next; and, if any is
  // refractory, from the spike to there.
  void find_decays() {
    const std::size_t count = p_.times.size();
    gaps_.resize(p_.plan.refractory ? 2 * count : count);
    for (std::size_t k = count; k-- > p_.past;) {
      const auto j = static_cast<std::size_t>(p_.neurons[k]);
      double& later = courses_[j].t;
      const double release = std::min(p_.times[k] + p_.plan.neuron(j).tau_ref, later);
      gaps_[k] = later - release;
      if (p_.plan.refractory) gaps_[count + k] = release - p_.times[k];
      later = p_.times[k];
    }
    decays_.resize(gaps_.size());
    neuron::decays(p_.plan.neuron(0).tc, gaps_, decays_.data());
    for (auto& course : courses_) course.t = p_.end;
  }

  // As spike(), if plain_.
  void plain_spike(std::size_t k) {
    const auto j = static_cast<std::size_t>(p_.neurons[k]);
    const auto& n = p_.plan.neuron(j);
    Course<Real>& course = courses_[j];
    const double time = p_.times[k], release = time + n.tau_ref;
    neuron::Adjoint<Real> lambda = course.lambda;
    Real after = 0;
    if (release <= p_.end) {
      lambda = neuron::flow_back(n.tc, lambda, course.source, decays_[k]);
      after = lambda.v;
    }
    if (n.tau_ref > 0) {
      lambda.v = 0;
      segments_.add(j, {std::min(release, p_.end), lambda, 0});
      lambda = neuron::flow_back(n.tc, lambda, Real(0), decays_[p_.times.size() + k]);
    }
    if (n.tau_ref > 0 && release > p_.end) held_at_end(j);
    lambda.v = jump_over_spike(p_, k, after, p_.spike_errors[k], segments_.jumps[j]);
    course.lambda = lambda;
    course.t = time;
    segments_.add(j, {time, lambda, course.source, true});
  }
  void held_at_end(std::size_t j) { segments_.jumps[j].v_reset += p_.held_at_end(j); }

  // Of before the sample: it may hold its neuron at the start (docs/theory.md, section 15).
  void past_spike(std::size_t k) {
    const auto j = static_cast<std::size_t>(p_.neurons[k]);
    const double release = p_.times[k] + p_.plan.neuron(j).tau_ref;
    double moved = 0;
    if (release > 0) {
      const double after = take_to_release(j, release, 0);
      moved = release_of_past(p_, k, after, segments_.jumps[j]);
    }
    segments_.past[k] = moved + (terms::past_arrivals ? p_.spike_errors[k] : 0);
  }

  bool has_ghosts(std::size_t j) const { return p_.ghosts && p_.ghosts->any(j); }

  // Neuron j at the end of the sample.
  void begin(std::size_t j) {
    Course<Real>& course = courses_[j];
    course.point = points_.size();
    if (points_count_) collect_points(p_, j, points_);
    course.points_end = points_.size();
    course.lambda = p_.last(j);
    course.source = p_.driving_source(j);
    behind_.clear();
    emit(j);
  }

  // Spike k of the sample.
  void spike(std::size_t k) {
    const auto j = static_cast<std::size_t>(p_.neurons[k]);
    const auto& n = p_.plan.neuron(j);
    Course<Real>& course = courses_[j];
    JumpSums& jumps = segments_.jumps[j];
    const double time = p_.times[k], release = time + n.tau_ref;
    Real after = 0;
    if (n.tau_ref == 0) {
      pass_points(j, time);
      move_to(j, time);
      after = course.lambda.v;
    } else {
      after = take_to_release(j, release, time);
      move_to(j, time);
      course.source = p_.driving_source(j);
    }
    course.lambda.v = jump_over_spike(p_, k, after, p_.spike_errors[k], jumps);
    if (has_ghosts(j)) {
      const auto handed = p_.ghosts->settle_behind(n, j, k, time, behind_, jumps);
      course.lambda.v += handed.v;
      course.lambda.i += handed.i;
    }
    emit(j, true);
  }

  // Neuron j to where V is held no more, and past the samples in (time, release]. Returns lambda_V there, or 0
  // if that lies past the end.
  Real take_to_release(std::size_t j, double release, double time) {
    Course<Real>& course = courses_[j];
    Real after = 0;
    if (release <= p_.end) {
      pass_points(j, release);
      move_to(j, release);
      after = course.lambda.v;
    } else {
      held_at_end(j);
    }
    course.lambda.v = course.source = 0;  // V is held: lambda_V = 0, lambda_I goes on
    emit(j);
    for (; course.point < course.points_end && points_[course.point].time > time; ++course.point) {
      if (terms::clamp_sample) segments_.jumps[j].v_reset += points_[course.point].error;
    }
    return after;
  }

  // Those of neuron j later than `down_to`.
  void pass_points(std::size_t j, double down_to) {
    Course<Real>& course = courses_[j];
    const auto& n = p_.plan.neuron(j);
    for (; course.point < course.points_end && points_[course.point].time > down_to;
         ++course.point) {
      Point& point = points_[course.point];
      move_to(j, point.time);
      if (point.ghost >= 0) {
        const auto ghost = static_cast<std::size_t>(point.ghost);
        point.error = p_.ghosts->settle(n, ghost, behind_, segments_.jumps[j]);
        if (point.error == 0) continue;
      }
      if (point.ghost >= 0 ? terms::ghost_jump
          : point.maximum  ? terms::maximum_jump
                           : terms::sample_jump) {
        course.lambda.v -= static_cast<Real>(point.error / n.tc.tau_mem);
      }
      emit(j);
    }
  }

  void emit(std::size_t j, bool at_spike = false) {
    const Course<Real>& course = courses_[j];
    segments_.add(j, {course.t, course.lambda, course.source, at_spike});
    if (has_ghosts(j)) behind_.push_back({course.t, course.lambda, course.source});
  }
  void move_to(std::size_t j, double t) {
    Course<Real>& course = courses_[j];
    if (t == course.t) return;
    // Nothing to do while all is 0: the usual case for silent neurons and late spikes.
    if (course.lambda.v != 0 || course.lambda.i != 0 || course.source != 0) {
      const auto& tc = p_.plan.neuron(j).tc;
      course.lambda = neuron::flow_back(tc, course.lambda, course.source,
                                        neuron::decay<Real>(tc, course.t - t));
    }
    course.t = t;
  }
};

}  // namespace

template <class Real>
void sweep_back(const SampleAdjoint<Real>& sample, std::size_t population,
                const std::vector<double>& spike_errors, Segments<Real>& segments) {
  const PopulationAdjoint<Real> p(sample, population, spike_errors);
  SweepBack<Real>(p, segments).run();
  if (p.ghosts) p.ghosts->finish();
}

template void sweep_back(const SampleAdjoint<float>&, std::size_t, const std::vector<double>&,
                         Segments<float>&);
template void sweep_back(const SampleAdjoint<double>&, std::size_t, const std::vector<double>&,
                         Segments<double>&);

}  // namespace saltus
