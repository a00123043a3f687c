// SPDX-License-Identifier: Apache-2.0
// The mirror of simulate/sweep.cpp. Without a cycle the errors E_k of a neuron's spikes are known
// when its turn comes, and its lambda depends on nothing else:
//
//     from the end back to 0:
//       lambda decays                                                    (neuron/adjoint.hpp)
//       at a sample or a maximum of V:  lambda_V -= dL/dV / tau_mem
//       at a spike:  lambda_V = ((dV/dt^+) lambda_V + E_k / tau_mem) / (dV/dt^-)
#include <algorithm>

#include "adjoint/dynamics.hpp"
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

}  // namespace

template <class Real>
void sweep_back(const SampleAdjoint<Real>& sample, std::size_t population,
                const std::vector<double>& spike_errors, Segments<Real>& segments) {
  const PopulationAdjoint<Real> p(sample, population, spike_errors);
  thread_local OwnSpikes own_spikes;
  thread_local std::vector<Point> points;
  thread_local std::vector<Segment<Real>> behind;  // of this neuron, latest first; if it has ghosts
  own_spikes.sort({p.times, p.neurons}, p.size);
  segments.start(p.size);
  const bool v_counts = !p.errors.samples.empty() || !p.errors.maxima.empty() ||
                        !p.errors.integrals.empty() || p.ghosts;
  // Where V does not count no error reaches a silent neuron: lambda is 0.
  const auto next = [&](std::size_t j) { return v_counts ? j : own_spikes.next(j); };
  for (std::size_t j = next(0); j < p.size; j = next(j + 1)) {
    const auto own = own_spikes.of(j);
    const neuron::Lif<Real>& n = p.plan.neuron(j);
    const bool has_ghosts = p.ghosts && p.ghosts->any(j);
    behind.clear();
    collect_points(p, j, points);
    auto point = points.begin();

    double t = p.end;
    neuron::Adjoint<Real> lambda = p.last(j);
    Real source = p.driving_source(j);
    const auto emit = [&] {
      segments.add(j, {t, lambda, source});
      if (has_ghosts) behind.push_back({t, lambda, source});
    };
    const auto move_to = [&](double to) {
      if (to == t) return;
      // Nothing to do while all is 0: the usual case for silent neurons and late spikes.
      if (lambda.v != 0 || lambda.i != 0 || source != 0) {
        lambda = neuron::flow_back(n.tc, lambda, source, neuron::decay<Real>(n.tc, t - to));
      }
      t = to;
    };
    const auto pass_points = [&](double down_to) {  // those later than `down_to`
      for (; point != points.end() && point->time > down_to; ++point) {
        move_to(point->time);
        if (point->ghost >= 0) {
          point->error = p.ghosts->settle(n, static_cast<std::size_t>(point->ghost), behind,
                                          segments.jumps[j]);
          if (point->error == 0) continue;
        }
        if (point->ghost >= 0 ? terms::ghost_jump
            : point->maximum  ? terms::maximum_jump
                              : terms::sample_jump) {
          lambda.v -= static_cast<Real>(point->error / n.tc.tau_mem);
        }
        emit();
      }
    };

    emit();
    for (std::size_t k = own.size(); k-- > 0;) {
      const double spike = p.times[own[k]], release = spike + n.tau_ref;
      Real after = 0;
      if (release < p.end || n.tau_ref == 0) {
        pass_points(release);
        move_to(release);
        after = lambda.v;
      }
      if (n.tau_ref > 0) {  // V is held: lambda_V = 0, lambda_I goes on
        lambda.v = source = 0;
        emit();
        for (; point != points.end() && point->time > spike; ++point) {
          if (terms::clamp_sample) segments.jumps[j].v_reset += point->error;
        }
        move_to(spike);
        source = p.driving_source(j);
      }
      const double error = p.spike_errors.empty() ? 0 : p.spike_errors[own[k]];
      lambda.v = jump_over_spike(p, own[k], after, error, segments.jumps[j]);
      if (has_ghosts) {
        const auto handed = p.ghosts->settle_behind(n, j, own[k], spike, behind, segments.jumps[j]);
        lambda.v += handed.v;
        lambda.i += handed.i;
      }
      emit();
    }
    pass_points(-1);
  }
  segments.finish();
  if (p.ghosts) p.ghosts->finish();
}

template void sweep_back(const SampleAdjoint<float>&, std::size_t, const std::vector<double>&,
                         Segments<float>&);
template void sweep_back(const SampleAdjoint<double>&, std::size_t, const std::vector<double>&,
                         Segments<double>&);

}  // namespace saltus
