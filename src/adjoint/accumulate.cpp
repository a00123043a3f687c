// SPDX-License-Identifier: Apache-2.0
// At every arrival of spike k of neuron n at neuron j, with lambda on its right:
//
//     dL/dw_nj -= tau_syn lambda_I
//     dL/dd_nj += w_nj (lambda_V - lambda_I)       E_k += the same
//
// and where that arrival is a maximum of V_j:  dL/dd_nj += g dV/dt^-,  E_k += the same  (section
// 7).
#include <hwy/aligned_allocator.h>

#include <algorithm>

#include "adjoint/accumulate.hpp"
#include "adjoint/lambda.hpp"
#include "machine/parallel.hpp"
#include "plan/timeline.hpp"

namespace saltus {
namespace {

// What one tile adds to arrays that it shares with other tiles.
struct Partial {
  std::vector<std::vector<double>> delays;  // per incoming projection; empty if not shared
  std::vector<std::vector<double>> errors;  // per incoming projection: of the source's spikes
};

// The gradients of the weights into a tile, [pre, slot] of one projection after the other: in one
// piece, so that it stays in a cache whatever the length of the rows of the whole.
template <class Real>
class TileGradient {
 public:
  void start(std::size_t size) {
    if (size > capacity_) memory_ = hwy::AllocateAligned<Real>(capacity_ = size);
    std::fill_n(memory_.get(), size, Real(0));
  }
  Real* data() const { return memory_.get(); }

 private:
  std::size_t capacity_ = 0;
  hwy::AlignedFreeUniquePtr<Real[]> memory_;
};

// Reads lambda of neuron j at every arrival.
template <class Real>
class Reader {
 public:
  std::vector<Target<Real>> targets;  // by number of the projection in the network
  std::size_t post = 0;               // neurons of the population
  std::size_t first = 0;              // of the tile
  SlotLayout layout;                  // of the tile

  void read(const neuron::Lif<Real>& n, std::span<const Segment<Real>> segments,
            const Arrivals<Real>& arrivals, std::size_t j) {
    std::size_t g = arrivals.count_before(segments[0].from);
    const Real minus_tau_syn = static_cast<Real>(-n.tc.tau_syn);
    std::size_t segment = 0;
    bool known = false;  // lambda at group g + 1, in the same segment
    neuron::Adjoint<Real> lambda;
    while (g-- > 0) {
      const double t = arrivals.times[g];
      for (; segment + 1 < segments.size() && t < segments[segment + 1].from; ++segment) {
        known = false;
      }
      const bool earliest = segment + 1 == segments.size();
      if (earliest && segments[segment].is_zero()) break;  // and so all the way back
      lambda =
          known ? neuron::flow_back(n.tc, lambda, segments[segment].source, arrivals.decays[g + 1])
                : segments[segment].read(n.tc, t);
      known = true;
      for (const auto& arrival : arrivals.group(g)) {
        const Target<Real>& target = targets[static_cast<std::size_t>(arrival.projection)];
        target.weights[static_cast<std::size_t>(arrival.pre) * layout.count() +
                       layout.slot_of(j - first)] += minus_tau_syn * lambda.i;
        if (!target.errors && !target.delays) continue;
        const Real v = terms::lambda_v_in_e ? lambda.v : Real(0);
        const Real i = terms::lambda_i_in_e ? lambda.i : Real(0);
        move(target, arrival, j, static_cast<double>(arrival.row[j] * (v - i)));
      }
    }
  }

  // The same of a linear neuron (docs/theory.md, section 14).
  void read(const linear::Neuron& n, std::span<const LinearSegment> segments,
            const Arrivals<Real>& arrivals, std::size_t j) {
    std::size_t g = arrivals.count_before(segments[0].from), next = 0;
    LinearSegment now = segments[next++];
    while (g-- > 0) {
      const double t = arrivals.times[g];
      while (next < segments.size() && t < segments[next].from) now = segments[next++];
      if (next == segments.size() && now.is_zero()) break;  // and so all the way back
      now.move_to(n, t);
      for (const auto& arrival : arrivals.group(g)) {
        const Target<Real>& target = targets[static_cast<std::size_t>(arrival.projection)];
        target.weights[static_cast<std::size_t>(arrival.pre) * layout.count() +
                       layout.slot_of(j - first)] +=
            static_cast<Real>(linear::dot(n.receptor, now.p));
        if (!target.errors && !target.delays) continue;
        move(target, arrival, j, time_error(n, now, static_cast<double>(arrival.row[j])));
      }
    }
  }

  bool times_wanted() const {
    return std::any_of(targets.begin(), targets.end(),
                       [](const Target<Real>& t) { return t.errors || t.delays; });
  }

  // The maximum of V_j at an arrival moves with it. Several arrivals at one instant share it
  // equally: only one-sided derivatives exist there.
  void read_kink(const Arrivals<Real>& arrivals, std::size_t j, double time, double slope_error) {
    const std::size_t g = arrivals.count_before(time);
    if (g == arrivals.group_count() || arrivals.times[g] != time) return;
    const auto group = arrivals.group(g);
    for (const auto& arrival : group) {
      const Target<Real>& target = targets[static_cast<std::size_t>(arrival.projection)];
      move(target, arrival, j, slope_error / static_cast<double>(group.size()));
    }
  }

 private:
  // dL/d(time of this arrival)
  void move(const Target<Real>& target, const Arrival<Real>& arrival, std::size_t j, double error) {
    if (target.errors) target.errors[arrival.spike] += error;
    if (target.delays) {
      const auto pre = static_cast<std::size_t>(arrival.pre);
      target.delays[target.projection->delay.index(pre, j, post)] += error;
    }
  }
};

// Ghosts of neuron j at arrivals move with them.
template <class Real>
void read_ghosts(const SampleGhosts<Real>& ghosts, const neuron::Lif<Real>& n,
                 const Arrivals<Real>& arrivals, std::size_t j, Reader<Real>& reader) {
  for (std::size_t k = ghosts.first[j]; k < ghosts.first[j + 1]; ++k) {
    const Ghost<Real>& g = (*ghosts.list)[k];
    if (g.place != Place::arrival || ghosts.errors[k] == 0 || !terms::ghost_kink) continue;
    reader.read_kink(arrivals, j, g.time, ghosts.errors[k] * slope_before(n, g));
  }
}

template <class Real>
bool errors_wanted(const Pass<Real>& pass, std::size_t source, std::size_t target) {
  const auto& populations = pass.plan.network->populations();
  if (populations[source].model == Model::input) return pass.wanted.input_times;
  // Inside a cycle the dynamics have used them already.
  return pass.plan.component_of[source] != pass.plan.component_of[target];
}

}  // namespace

template <class Real>
void prepare_tiles(Pass<Real>& pass, std::size_t population, std::size_t sample) {
  if (!pass.plan.populations[population].in_step()) return;
  thread_local Timeline<Real> timeline;
  const Segments<Real>& segments = pass.segments[sample][population];
  pass.start(timeline, population, sample);
  timeline.of(0);
  if (!pass.plan.in_vectors(population)) return;
  Arrivals<Real>& arrivals = pass.timelines.at(population, sample).arrivals;
  if (4 * segments.count() > arrivals.group_count()) arrivals.index();
  std::span<const FreePiece<Real>> free;
  if (pass.ghosts && terms::ghost_free_synapses) free = (*pass.ghosts)[sample][population].free;
  thread_local EntryFinder<Real> finder;
  finder.find(pass.plan.populations[population].neuron(0).tc, segments, arrivals, free,
              pass.entries[sample][population]);
}

template <class Real>
void accumulate_synapses(Pass<Real>& pass, std::size_t population) {
  const PopulationPlan<Real>& plan = pass.plan.populations[population];
  const auto& projections = pass.plan.network->projections();
  const PopulationErrors<Real>& errors = pass.errors.populations[population];
  const Maxima<Real>& maxima = pass.errors.maxima[population];
  const std::size_t size = pass.plan.size(population);
  const Tiles tiles(size);
  const bool in_vectors = pass.plan.in_vectors(population);
  std::vector<Partial> partials(tiles.count);
  std::vector<SpikeView> sources;
  for (const std::size_t k : plan.incoming) {
    sources.push_back(pass.spikes_of(projections[k].source));
  }

  parallel_for(pass.threads, tiles.count, [&](std::size_t tile) {
    Partial& partial = partials[tile];
    partial.delays.resize(plan.incoming.size());
    partial.errors.resize(plan.incoming.size());
    const std::size_t begin = tiles.begin(tile), end = tiles.begin(tile + 1);
    Reader<Real> reader;
    reader.post = size;
    reader.first = begin;
    reader.layout = SlotLayout(end - begin);
    thread_local TileGradient<Real> gradient;
    std::size_t rows = 0;
    for (const std::size_t k : plan.incoming) rows += projections[k].weight.size() / size;
    gradient.start(rows * reader.layout.count());
    rows = 0;
    reader.targets.resize(projections.size());
    for (std::size_t k = 0; k < plan.incoming.size(); ++k) {
      const std::size_t number = plan.incoming[k];
      const Projection<Real>& p = projections[number];
      Target<Real>& target = reader.targets[number];
      target = {&p, gradient.data() + rows * reader.layout.count()};
      rows += p.weight.size() / size;
      if (pass.wanted.delays && p.delay.kind != Delay::Kind::none) {
        if (p.delay.kind == Delay::Kind::per_synapse) {
          target.delays = pass.gradients.delays[number].data();
        } else {
          partial.delays[k].assign(p.delay.values.size(), 0);
          target.delays = partial.delays[k].data();
        }
      }
      if (errors_wanted(pass, p.source, population)) {
        partial.errors[k].assign(sources[k].times.size(), 0);
      }
    }

    thread_local Timeline<Real> timeline;
    for (std::size_t s = 0; s < pass.segments.size(); ++s) {
      const Segments<Real>& segments = pass.segments[s][population];
      pass.start(timeline, population, s);
      for (std::size_t k = 0; k < plan.incoming.size(); ++k) {
        if (partial.errors[k].empty()) continue;
        reader.targets[plan.incoming[k]].errors = partial.errors[k].data() + sources[k].offsets[s];
      }
      if (in_vectors) {
        LambdaKernels<Real>::best().read_arrivals(
            plan.neuron(0).tc, pass.entries[s][population].of(tile), timeline.of(0), begin,
            end - begin, reader.targets);
        // What is left moves with arrivals.
        if (!reader.times_wanted() || (!pass.ghosts && errors.maxima.empty())) continue;
      }
      if (plan.is_linear()) {
        const LinearSegments& all = pass.linear[s][population];
        for (std::size_t j = all.next(begin); j < end; j = all.next(j + 1)) {
          reader.read(plan.linear_neuron(j), all.of(j), timeline.of(j), j);
        }
        continue;
      }
      for (std::size_t j = begin; j < end; ++j) {
        const auto own = segments.of(j);
        const auto& n = plan.neuron(j);
        if (!in_vectors && !own.empty()) reader.read(n, own, timeline.of(j), j);
        if (pass.ghosts && (*pass.ghosts)[s][population].any(j)) {
          const SampleGhosts<Real>& ghosts = (*pass.ghosts)[s][population];
          if (!in_vectors && terms::ghost_free_synapses) {  // in vectors: part of the entries
            for (const FreePiece<Real>& piece : ghosts.free_of(j)) {
              reader.read(n, piece.segments(), timeline.of(j), j);
            }
          }
          read_ghosts(ghosts, n, timeline.of(j), j, reader);
        }
        const std::size_t at = s * size + j;
        if (terms::kink_time && !errors.maxima.empty() && errors.maxima[at] != 0 &&
            maxima.places[at] == Place::arrival) {
          reader.read_kink(timeline.of(j), j, maxima.times[at],
                           static_cast<double>(errors.maxima[at]) * slope_before(n, maxima, at));
        }
      }
    }
    for (const std::size_t k : plan.incoming) {
      const Real* from = reader.targets[k].weights;
      auto& all = pass.gradients.weights[k];
      for (std::size_t row = begin; row < all.size(); row += size, from += reader.layout.count()) {
        reader.layout.unpack(from, all.data() + row);
      }
    }
  });

  for (const Partial& partial : partials) {  // in the order of the tiles
    for (std::size_t k = 0; k < plan.incoming.size(); ++k) {
      auto& delays = pass.gradients.delays[plan.incoming[k]];
      for (std::size_t i = 0; i < partial.delays[k].size(); ++i) delays[i] += partial.delays[k][i];
      auto& source = pass.spike_errors[projections[plan.incoming[k]].source];
      for (std::size_t i = 0; i < partial.errors[k].size(); ++i) source[i] += partial.errors[k][i];
    }
  }
}

template void prepare_tiles(Pass<float>&, std::size_t, std::size_t);
template void prepare_tiles(Pass<double>&, std::size_t, std::size_t);
template void accumulate_synapses(Pass<float>&, std::size_t);
template void accumulate_synapses(Pass<double>&, std::size_t);

}  // namespace saltus
