// SPDX-License-Identifier: Apache-2.0
#include "adjoint/ghosts.hpp"

#include <algorithm>
#include <cmath>

#include "adjoint/accumulate.hpp"
#include "ghosts/free_peaks.hpp"
#include "machine/parallel.hpp"
#include "machine/sort_by_time.hpp"
#include "neuron/tangent.hpp"
#include "neuron/terms.hpp"
#include "plan/timeline.hpp"

namespace saltus {
namespace {

// A would-be spike, and whose.
struct Probe {
  double time;
  std::int32_t owner;
};
bool earlier(const Probe& a, const Probe& b) {
  return a.time != b.time ? a.time < b.time : a.owner < b.owner;
}

// lambda of a neuron just after t.
template <class Real>
neuron::Adjoint<Real> lambda_after(const neuron::TimeConstants& tc,
                                   std::span<const Segment<Real>> segments, double t) {
  for (std::size_t k = segments.size(); k-- > 0;) {
    if (segments[k].from > t) return segments[k].read(tc, t);
  }
  return {};
}

// What one group of simultaneous probes meets at neurons first .. first + width - 1.
template <class Real>
struct Lanes {
  static constexpr std::size_t most = 64;
  std::size_t width;
  Real v[most] = {}, i[most] = {}, source[most] = {};
};

// lambda_I of neighbouring neurons that decay alike, at each group of probes: 0 until the last
// segment of a neuron, read anew where it enters the next (cf. Tile in adjoint/lambda_kernel.cpp).
template <class Real, class Visit>
void walk_lanes(const neuron::TimeConstants& tc, const Segments<Real>& segments,
                const Arrivals<Real>& probes, std::size_t first, std::size_t width, Visit&& visit) {
  struct Entry {
    std::size_t group, lane;
    const Segment<Real>* segment;
  };
  thread_local std::vector<Entry> enter;
  enter.clear();
  for (std::size_t l = 0; l < width; ++l) {
    for (const Segment<Real>& segment : segments.of(first + l)) {
      const std::size_t below = probes.count_before(segment.from);
      if (below > 0) enter.push_back({below - 1, l, &segment});
    }
  }
  if (enter.empty()) return;
  // Latest first; of several segments of a lane without a probe in between the earliest counts.
  std::stable_sort(enter.begin(), enter.end(),
                   [](const Entry& a, const Entry& b) { return a.group > b.group; });
  Lanes<Real> lanes{width};
  auto next = enter.begin();
  for (std::size_t g = next->group + 1; g-- > 0;) {
    const neuron::Decay<Real>& d = probes.decays[g + 1];
    for (std::size_t l = 0; l < width; ++l) {
      const auto earlier =
          neuron::flow_back<Real>(tc, {lanes.v[l], lanes.i[l]}, lanes.source[l], d);
      lanes.v[l] = earlier.v;
      lanes.i[l] = earlier.i;
    }
    for (; next != enter.end() && next->group == g; ++next) {
      const auto lambda = next->segment->read(tc, probes.times[g]);
      lanes.v[next->lane] = lambda.v;
      lanes.i[next->lane] = lambda.i;
      lanes.source[next->lane] = next->segment->source;
    }
    visit(g, lanes);
  }
}

// What the probes find at a linear neuron, which is a readout (docs/theory.md, section 14): w e.p.
template <class Real>
void read_linear(const linear::Neuron& n, std::span<const LinearSegment> segments,
                 const Arrivals<Real>& probes, std::size_t j, SampleGhosts<Real>& ghosts) {
  if (segments.empty()) return;
  LinearSegment now = segments[0];
  std::size_t next = 1;
  for (std::size_t g = probes.group_count(); g-- > 0;) {
    const double t = probes.times[g];
    if (!now.holds_at(t)) continue;  // no error lies later
    while (next < segments.size() && segments[next].holds_at(t)) now = segments[next++];
    now.move_to(n, t);
    for (const auto& probe : probes.group(g)) {
      ghosts.book(ghosts.owners[static_cast<std::size_t>(probe.spike)],
                  static_cast<double>(probe.weight(j)) *
                      linear::dot(n.kick(probe.projection, now.held), now.p));
    }
  }
}

// One projection: adds -tau_syn w lambda_I to what each probe finds.
template <class Real>
void read_projection(const Pass<Real>& pass, std::size_t number, std::size_t sample,
                     SampleGhosts<Real>& ghosts) {
  const Projection<Real>& projection = pass.plan.network->projections()[number];
  const PopulationPlan<Real>& target = pass.plan.populations[projection.target];
  const Segments<Real>& segments = pass.segments[sample][projection.target];
  const std::size_t size = pass.plan.size(projection.target);
  const double end = pass.inputs.end(sample);
  const bool alone = pass.plan.has_lists(number);
  const bool together = target.same_time_constants && !alone;
  thread_local Arrivals<Real> probes;
  thread_local Deliveries<Real> deliveries;
  thread_local LaneLists<Real> lists;
  const Source<Real> source{&projection, pass.plan.rows(number), static_cast<std::int32_t>(number),
                            ghosts.probes()};
  if (!pass.plan.in_rows(number)) {
    deliveries.start(projection, ghosts.probes(), {0, size});
  }
  const auto start = [&](std::size_t column) {
    if (alone) {
      const std::size_t lane = column % LaneLists<Real>::lanes, first = column - lane;
      if (lane == 0) {
        const Neurons neurons{first, std::min(first + LaneLists<Real>::lanes, size)};
        lists.list({&source, 1}, {&deliveries, 1}, size, neurons, 0, end);
      }
      lists.copy(lane, probes);
    } else {
      probes.clear();
      probes.add(source, 0);
      probes.finish(end);
    }
    if (!target.is_linear()) probes.decay_through(target, column, 0, end);
  };
  if (target.is_linear()) {
    const LinearSegments& own = pass.linear[sample][projection.target];
    for (std::size_t j = 0; j < size; ++j) {
      if (j == 0 || alone) start(j);
      read_linear(target.linear_neuron(j), own.of(j), probes, j, ghosts);
    }
    return;
  }
  const std::size_t most = together ? Lanes<Real>::most : 1;
  for (std::size_t first = 0; first < size; first += most) {
    const std::size_t width = std::min(most, size - first);
    if (first == 0 || !together) start(first);
    const auto& tc = target.neuron(first).tc;
    walk_lanes(tc, segments, probes, first, width, [&](std::size_t g, const Lanes<Real>& lanes) {
      for (const auto& probe : probes.group(g)) {
        Real sum = 0;
        for (std::size_t l = 0; l < width; ++l) sum += probe.weight(first + l) * lanes.i[l];
        ghosts.book(ghosts.owners[static_cast<std::size_t>(probe.spike)],
                    -tc.tau_syn * static_cast<double>(sum));
      }
    });
    if (pass.ghosts == nullptr) continue;
    for (const FreePiece<Real>& piece : (*pass.ghosts)[sample][projection.target].free) {
      if (piece.neuron < first || piece.neuron >= first + width) continue;
      const auto& own = target.neuron(piece.neuron).tc;
      const auto from = std::lower_bound(probes.times.begin(), probes.times.end(), piece.from);
      for (auto at = from; at != probes.times.end() && *at < piece.to; ++at) {
        const Real lambda_i = piece.read(own, *at).i;
        for (const auto& probe :
             probes.group(static_cast<std::size_t>(at - probes.times.begin()))) {
          ghosts.book(ghosts.owners[static_cast<std::size_t>(probe.spike)],
                      -own.tau_syn * static_cast<double>(probe.weight(piece.neuron) * lambda_i));
        }
      }
    }
  }
}

}  // namespace

template <class Real>
void SampleGhosts<Real>::start(std::vector<Ghost<Real>>& ghosts, std::size_t size, bool known) {
  list = &ghosts;
  differences_known = known;
  first.assign(size + 1, 0);
  for (const Ghost<Real>& g : ghosts) ++first[static_cast<std::size_t>(g.neuron) + 1];
  for (std::size_t j = 0; j < size; ++j) first[j + 1] += first[j];
  sums.assign(ghosts.size(), 0);
  errors.assign(ghosts.size(), 0);
  times.clear();
  neurons.clear();
  owners.clear();
  free.clear();
  if (known) return;
  thread_local std::vector<Probe> probes;
  probes.clear();
  for (std::size_t k = 0; k < ghosts.size(); ++k) {
    const auto owner = static_cast<std::int32_t>(k);
    if (ghosts[k].place != Place::end) probes.push_back({ghosts[k].time, owner});
    if (terms::ghost_moves && ghosts[k].later < infinity) {
      probes.push_back({ghosts[k].later, ~owner});
    }
  }
  sort_by_time(std::span(probes));
  for (const Probe& probe : probes) {
    times.push_back(probe.time);
    owners.push_back(probe.owner);
    const auto k = static_cast<std::size_t>(probe.owner >= 0 ? probe.owner : ~probe.owner);
    neurons.push_back(ghosts[k].neuron);
  }
}

template <class Real>
double SampleGhosts<Real>::settle(const neuron::Lif<Real>& n, std::size_t ghost,
                                  std::span<const Segment<Real>> segments, JumpSums& jumps) {
  Ghost<Real>& g = (*list)[ghost];
  if (!differences_known) {
    g.difference = g.direct;
    if (terms::ghost_probe) g.difference += sums[ghost];
    if (terms::ghost_reset && g.effect_time < infinity) {
      const auto lambda = lambda_after<Real>(n.tc, segments, g.effect_time);
      g.difference -= n.tc.tau_mem * static_cast<double>(lambda.v * g.effect);
    }
  }
  const double error = g.density * g.difference;
  if (terms::ghost_threshold) jumps.v_threshold -= error;
  return errors[ghost] = error;
}

template <class Real>
FreePiece<Real> SampleGhosts<Real>::settle_free(const neuron::Lif<Real>& n, std::size_t ghost,
                                                double spike_time,
                                                std::span<const Segment<Real>> segments,
                                                JumpSums& jumps) {
  const double error = settle(n, ghost, segments, jumps);
  const Ghost<Real>& g = (*list)[ghost];
  const Real jump = terms::ghost_jump ? static_cast<Real>(-error / n.tc.tau_mem) : Real(0);
  return {static_cast<std::size_t>(g.neuron),
          static_cast<std::size_t>(g.behind),
          spike_time,
          g.time,
          {jump, 0}};
}

template <class Real>
neuron::Adjoint<Real> SampleGhosts<Real>::settle_behind(const neuron::Lif<Real>& n, std::size_t j,
                                                        std::size_t spike, double spike_time,
                                                        std::span<const Segment<Real>> segments,
                                                        JumpSums& jumps) {
  neuron::Adjoint<Real> sum;
  for (std::size_t k = first[j]; k < first[j + 1]; ++k) {
    if ((*list)[k].behind != static_cast<std::int64_t>(spike)) continue;
    const FreePiece<Real> piece = settle_free(n, k, spike_time, segments, jumps);
    if (piece.at.v == 0) continue;
    free.push_back(piece);
    const auto handed = piece.read(n.tc, spike_time);
    sum.v += handed.v;
    sum.i += handed.i;
  }
  return sum;
}

template <class Real>
void start_ghosts(const Plan<Real>& plan, std::size_t samples, int threads, Ghosts<Real>& ghosts,
                  GhostAdjoint<Real>& out) {
  out.resize(samples);
  parallel_for(threads, samples, [&](std::size_t s) {
    out[s].resize(plan.populations.size());
    for (std::size_t p = 0; p < plan.populations.size(); ++p) {
      if (ghosts.populations[p].empty()) continue;
      out[s][p].start(ghosts.populations[p][s], plan.size(p), ghosts.differences_known);
    }
  });
}

template <class Real>
void read_probes(Pass<Real>& pass, std::size_t population) {
  const auto& projections = pass.plan.network->projections();
  parallel_for(pass.threads, pass.segments.size(), [&](std::size_t s) {
    SampleGhosts<Real>& ghosts = (*pass.ghosts)[s][population];
    if (ghosts.times.empty()) return;
    for (std::size_t k = 0; k < projections.size(); ++k) {
      if (projections[k].source != population) continue;
      const bool inside =
          pass.plan.component_of[projections[k].target] == pass.plan.component_of[population];
      if (!inside) read_projection(pass, k, s, ghosts);
    }
  });
}

template <class Real>
void accumulate_free_pieces(Pass<Real>& pass, std::size_t population) {
  auto& out = pass.gradients.neurons[population];
  const PopulationPlan<Real>& plan = pass.plan.populations[population];
  const auto add = [](std::vector<double>& gradient, std::size_t j, double value) {
    if (!gradient.empty()) gradient[gradient.size() == 1 ? 0 : j] += value;
  };
  auto &bias = out["bias"], &tau_mem = out["tau_mem"], &tau_syn = out["tau_syn"];
  if (bias.empty() && tau_mem.empty() && tau_syn.empty()) return;  // not wanted
  const auto sums = [&](auto visit) {
    for (auto* values : {&bias, &tau_mem, &tau_syn}) visit(std::span(*values));
  };
  const int message = pass.number(1);
  if (pass.team) {
    from_last(*pass.team, sums);  // of all samples, before what is added here of the first
    take_over(*pass.team, message, sums);
  }
  Timeline<Real> timeline;
  for (std::size_t s = 0; s < pass.segments.size(); ++s) {
    const auto& free = (*pass.ghosts)[s][population].free;
    if (free.empty()) continue;
    start_timeline(pass.plan, pass.inputs, pass.record, population, s, timeline);
    const Spiked<Real> spiked(pass.record.populations[population], s);
    for (const FreePiece<Real>& piece : free) {
      const auto& n = plan.neuron(piece.neuron);
      // From the spike, where s is in its p, to the peak.
      neuron::Tangent<double> x;
      FreeCourse<Real> course(n, timeline.of(piece.neuron), piece.neuron, piece.from,
                              spiked.threshold(piece.spike, n), spiked.currents[piece.spike],
                              pass.inputs.end(s));
      while (course.time() < piece.to) {
        course.step(piece.to, [&](const Piece<Real>& p) {
          x.v = p.v;
          x.i = p.i;
          neuron::flow(x, n.tc, static_cast<double>(n.bias), p.t1 - p.t0);
        });
      }
      const double p_v = -n.tc.tau_mem * static_cast<double>(piece.at.v);
      if (!terms::ghost_free_parameters) continue;
      add(bias, piece.neuron, -p_v * std::expm1(-(piece.to - piece.from) / n.tc.tau_mem));
      add(tau_mem, piece.neuron, p_v * x.v_mem);
      add(tau_syn, piece.neuron, p_v * x.v_syn);
    }
  }
  if (pass.team) hand_on(*pass.team, message, sums);
}

#define SALTUS_INSTANTIATE(Real)                                                 \
  template struct SampleGhosts<Real>;                                            \
  template void start_ghosts(const Plan<Real>&, std::size_t, int, Ghosts<Real>&, \
                             GhostAdjoint<Real>&);                               \
  template void read_probes(Pass<Real>&, std::size_t);                           \
  template void accumulate_free_pieces(Pass<Real>&, std::size_t);
SALTUS_INSTANTIATE(float)
SALTUS_INSTANTIATE(double)
#undef SALTUS_INSTANTIATE

}  // namespace saltus
