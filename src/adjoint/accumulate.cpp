// SPDX-License-Identifier: Apache-2.0
// At every arrival of spike k of neuron n at neuron j, with lambda on its right:
//
//     dL/dw_nj -= tau_syn lambda_I
//     dL/dd_nj += w_nj (lambda_V - lambda_I)       E_k += the same
//
// and where that arrival is a maximum of V_j:  dL/dd_nj += g dV/dt^-,  E_k += the same  (section
// 7).
#include <algorithm>

#include "adjoint/accumulate.hpp"
#include "simulate/parallel.hpp"
#include "simulate/timeline.hpp"

namespace saltus {
namespace {

constexpr std::size_t tile_size = 64;  // fixed: partial sums depend on it

// What one tile adds to arrays that it shares with other tiles.
struct Partial {
  std::vector<std::vector<double>> delays;  // per incoming projection; empty if not shared
  std::vector<std::vector<double>> errors;  // per incoming projection: of the source's spikes
};

template <class Real>
struct Target {
  const Projection<Real>* projection;
  Real* weight_gradient;
  double* delay_gradient;  // null if not wanted
  double* errors;          // of the source's spikes in this sample; null if not wanted
};

// Reads lambda of neuron j at every arrival.
template <class Real>
class Reader {
 public:
  std::vector<Target<Real>> targets;  // by number of the projection in the network
  bool times_wanted = false;          // delays or errors of any target
  std::size_t post = 0;

  void read(const neuron::Lif<Real>& n, std::span<const Segment<Real>> segments,
            const Arrivals<Real>& arrivals, std::size_t j) {
    std::size_t g = static_cast<std::size_t>(
        std::lower_bound(arrivals.times.begin(), arrivals.times.end(), segments[0].from) -
        arrivals.times.begin());
    const Real minus_tau_syn = static_cast<Real>(-n.tc.tau_syn);
    std::size_t segment = 0;
    bool known = false;  // lambda at group g + 1, in the same segment
    neuron::Adjoint<Real> lambda;
    while (g-- > 0) {
      const double t = arrivals.times[g];
      for (; segment + 1 < segments.size() && t < segments[segment + 1].from; ++segment) {
        known = false;
      }
      lambda =
          known ? neuron::flow_back(n.tc, lambda, segments[segment].source, arrivals.decays[g + 1])
                : segments[segment].read(n.tc, t);
      known = true;
      for (const auto& arrival : arrivals.group(g)) {
        const Target<Real>& target = targets[static_cast<std::size_t>(arrival.projection)];
        const auto at =
            static_cast<std::size_t>(arrival.row - target.projection->weight.data()) + j;
        target.weight_gradient[at] += minus_tau_syn * lambda.i;
        if (!times_wanted) continue;
        const Real v = terms::lambda_v_in_e ? lambda.v : Real(0);
        const Real i = terms::lambda_i_in_e ? lambda.i : Real(0);
        move(target, arrival, j, at, static_cast<double>(arrival.row[j] * (v - i)));
      }
    }
  }

  // The same for all neurons of a tile, which see the same arrivals and decay alike: lambda of each
  // is 0 until its first segment, and is read anew where it enters the next.
  void read_tile(const PopulationPlan<Real>& plan, const Segments<Real>& segments,
                 const Arrivals<Real>& arrivals, std::size_t first, std::size_t width) {
    enter_.clear();
    for (std::size_t l = 0; l < width; ++l) {
      const auto own = segments.of(first + l);
      for (std::size_t k = 0; k < own.size(); ++k) {
        const auto below =
            std::lower_bound(arrivals.times.begin(), arrivals.times.end(), own[k].from) -
            arrivals.times.begin();
        // A segment without an arrival in it is never read.
        if (below == 0 || (k + 1 < own.size() &&
                           own[k + 1].from > arrivals.times[static_cast<std::size_t>(below) - 1])) {
          continue;
        }
        enter_.push_back({static_cast<std::size_t>(below) - 1, l, &own[k]});
      }
    }
    if (enter_.empty()) return;
    std::sort(enter_.begin(), enter_.end(), [](const Entry& a, const Entry& b) {
      return a.group != b.group ? a.group > b.group : a.lane < b.lane;
    });

    const neuron::TimeConstants& tc = plan.neuron(first).tc;
    const Real minus_tau_syn = static_cast<Real>(-tc.tau_syn);
    Real v[tile_size] = {}, i[tile_size] = {}, source[tile_size] = {}, change[tile_size];
    auto next = enter_.begin();
    for (std::size_t g = next->group + 1; g-- > 0;) {
      const neuron::Decay<Real>& d = arrivals.decays[g + 1];
      for (std::size_t l = 0; l < width; ++l) {
        const auto earlier = neuron::flow_back<Real>(tc, {v[l], i[l]}, source[l], d);
        v[l] = earlier.v;
        i[l] = earlier.i;
      }
      for (; next != enter_.end() && next->group == g; ++next) {
        const auto lambda = next->segment->read(tc, arrivals.times[g]);
        v[next->lane] = lambda.v;
        i[next->lane] = lambda.i;
        source[next->lane] = next->segment->source;
      }
      for (std::size_t l = 0; l < width; ++l) change[l] = minus_tau_syn * i[l];
      for (const auto& arrival : arrivals.group(g)) {
        const Target<Real>& target = targets[static_cast<std::size_t>(arrival.projection)];
        const auto at =
            static_cast<std::size_t>(arrival.row - target.projection->weight.data()) + first;
        Real* const gradient = target.weight_gradient + at;
        for (std::size_t l = 0; l < width; ++l) gradient[l] += change[l];
        if (!times_wanted || !(target.errors || target.delay_gradient)) continue;
        for (std::size_t l = 0; l < width; ++l) {
          const Real lv = terms::lambda_v_in_e ? v[l] : Real(0);
          const Real li = terms::lambda_i_in_e ? i[l] : Real(0);
          move(target, arrival, first + l, at + l,
               static_cast<double>(arrival.row[first + l] * (lv - li)));
        }
      }
    }
  }

  // The maximum of V_j at an arrival moves with it. Several arrivals at one instant share it
  // equally: only one-sided derivatives exist there.
  void read_kink(const Arrivals<Real>& arrivals, std::size_t j, double time, double slope_error) {
    const auto found = std::lower_bound(arrivals.times.begin(), arrivals.times.end(), time);
    if (!times_wanted || found == arrivals.times.end() || *found != time) return;
    const auto group = arrivals.group(static_cast<std::size_t>(found - arrivals.times.begin()));
    for (const auto& arrival : group) {
      const Target<Real>& target = targets[static_cast<std::size_t>(arrival.projection)];
      const auto at = static_cast<std::size_t>(arrival.row - target.projection->weight.data()) + j;
      move(target, arrival, j, at, slope_error / static_cast<double>(group.size()));
    }
  }

 private:
  struct Entry {
    std::size_t group, lane;
    const Segment<Real>* segment;
  };
  std::vector<Entry> enter_;

  // dL/d(time of this arrival)
  void move(const Target<Real>& target, const Arrival<Real>& arrival, std::size_t j, std::size_t at,
            double error) {
    if (target.errors) target.errors[arrival.spike] += error;
    if (target.delay_gradient) {
      target.delay_gradient[target.projection->delay.index((at - j) / post, j, post)] += error;
    }
  }
};

template <class Real>
bool errors_wanted(const Pass<Real>& pass, std::size_t source, std::size_t target) {
  const auto& populations = pass.plan.network->populations();
  if (populations[source].model == Model::input) return pass.wanted.input_times;
  // Inside a cycle the dynamics have used them already.
  return pass.plan.component_of[source] != pass.plan.component_of[target];
}

}  // namespace

template <class Real>
void accumulate_synapses(Pass<Real>& pass, std::size_t population) {
  const PopulationPlan<Real>& plan = pass.plan.populations[population];
  const auto& projections = pass.plan.network->projections();
  const PopulationErrors<Real>& errors = pass.errors.populations[population];
  const Maxima<Real>& maxima = pass.errors.maxima[population];
  const std::size_t size = pass.plan.size(population);
  const std::size_t tiles = (size + tile_size - 1) / tile_size;
  std::vector<Partial> partials(tiles);
  std::vector<SpikeView> sources;
  for (const std::size_t k : plan.incoming) {
    sources.push_back(pass.spikes_of(projections[k].source));
  }

  parallel_for(pass.threads, tiles, [&](std::size_t tile) {
    Partial& partial = partials[tile];
    partial.delays.resize(plan.incoming.size());
    partial.errors.resize(plan.incoming.size());
    Reader<Real> reader;
    reader.post = size;
    reader.targets.resize(projections.size());
    for (std::size_t k = 0; k < plan.incoming.size(); ++k) {
      const Projection<Real>& p = projections[plan.incoming[k]];
      Target<Real>& target = reader.targets[plan.incoming[k]];
      target = {&p, pass.gradients.weights[plan.incoming[k]].data(), nullptr, nullptr};
      if (pass.wanted.delays && p.delay.kind != Delay::Kind::none) {
        reader.times_wanted = true;
        if (p.delay.kind == Delay::Kind::per_synapse) {
          target.delay_gradient = pass.gradients.delays[plan.incoming[k]].data();
        } else {
          partial.delays[k].assign(p.delay.values.size(), 0);
          target.delay_gradient = partial.delays[k].data();
        }
      }
      if (errors_wanted(pass, p.source, population)) {
        reader.times_wanted = true;
        partial.errors[k].assign(sources[k].times.size(), 0);
      }
    }

    thread_local Timeline<Real> timeline;
    const std::size_t begin = tile * tile_size, end = std::min(size, begin + tile_size);
    for (std::size_t s = 0; s < pass.segments.size(); ++s) {
      const Segments<Real>& segments = pass.segments[s][population];
      timeline.start(pass.plan, population, pass.inputs.end(s),
                     [&](std::size_t p) { return sample_of(pass.spikes_of(p), s); });
      for (std::size_t k = 0; k < plan.incoming.size(); ++k) {
        if (partial.errors[k].empty()) continue;
        reader.targets[plan.incoming[k]].errors = partial.errors[k].data() + sources[k].offsets[s];
      }
      if (plan.in_step()) {
        reader.read_tile(plan, segments, timeline.of(begin), begin, end - begin);
      }
      for (std::size_t j = begin; j < end; ++j) {
        const auto own = segments.of(j);
        const auto& n = plan.neuron(j);
        if (!plan.in_step() && !own.empty()) reader.read(n, own, timeline.of(j), j);
        const std::size_t at = s * size + j;
        if (terms::kink_time && !errors.maxima.empty() && errors.maxima[at] != 0 &&
            maxima.places[at] == Place::arrival) {
          const double slope =
              static_cast<double>(maxima.currents[at] + n.bias - maxima.values[at]) / n.tc.tau_mem;
          reader.read_kink(timeline.of(j), j, maxima.times[at],
                           static_cast<double>(errors.maxima[at]) * slope);
        }
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

template void accumulate_synapses(Pass<float>&, std::size_t);
template void accumulate_synapses(Pass<double>&, std::size_t);

}  // namespace saltus
