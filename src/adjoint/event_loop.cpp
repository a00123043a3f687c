// SPDX-License-Identifier: Apache-2.0
// The mirror of simulate/event_loop.cpp (and of simulate/windows.cpp: back in time a cycle with
// delays needs no other order). Walks the events of one sample backwards:
//
//     an arrival inside the component:  E_k += sum_j w_jn (lambda_V,j - lambda_I,j), on its right
//     a spike:                          the jump, with the E_k gathered so far
//
// A probe, the would-be spike of a ghost (docs/ghosts.md), arrives like a spike, and hands what it
// finds to its ghost. At one instant arrivals come first, then ghosts and maxima, which may move
// with them, then spikes, releases, samples. (A sample at the very time of a release sees V still
// held.)
#include <algorithm>

#include "adjoint/dynamics.hpp"
#include "adjoint/lambda.hpp"
#include "plan/arrivals.hpp"

namespace saltus {
namespace {

enum class Kind : std::uint8_t { arrival, probe, ghost, maximum, spike, release, sample };

struct Event {
  double time;
  Kind kind;
  std::uint32_t layer;  // arrival: of the target
  std::size_t number;   // spike: within the sample; sample: of the time; arrival: of the spike;
                        // maximum: of the neuron
  std::size_t column = any_column;
  std::uint32_t projection = 0, source = 0;  // arrival: source layer
};

bool later(const Event& a, const Event& b) {
  if (a.time != b.time) return a.time > b.time;
  if (a.kind != b.kind) return a.kind < b.kind;
  if (a.projection != b.projection) return a.projection < b.projection;
  if (a.layer != b.layer) return a.layer < b.layer;
  if (a.number != b.number) return a.number > b.number;
  return a.column < b.column;
}

template <class Real>
struct Layer {
  PopulationAdjoint<Real> p;
  Segments<Real>& segments;
  Lambda<Real> lambda;         // at the common time; dl_V/dV is 0 while held
  std::vector<char> held;      // in (spike, release]
  std::vector<Real> after;     // lambda_V at the release of the spike to come
  std::vector<double> errors;  // E_k
  bool side_by_side;
  std::vector<FreePiece<Real>> free = {};               // that hold the present time
  std::vector<std::vector<Segment<Real>>> behind = {};  // per neuron, latest first; if ghosts

  void emit(std::size_t j, double t) {
    segments.add(j, {t, lambda.get(j), lambda.source(j)});
    if (p.ghosts) behind[j].push_back({t, lambda.get(j), lambda.source(j)});
  }
  // The loss looks at V of neuron j, which is free to move, with this error.
  void look(std::size_t j, double error, double t) {
    auto l = lambda.get(j);
    l.v -= static_cast<Real>(error / p.plan.neuron(j).tc.tau_mem);
    lambda.set(j, l, lambda.source(j));
    emit(j, t);
  }
  void hold(std::size_t j) {
    lambda.set(j, {0, lambda.get(j).i}, 0);
    held[j] = true;
  }

  void flow(double dt) {
    if (side_by_side) {
      const auto& tc = p.plan.neuron(0).tc;
      LambdaKernels<Real>::best().flow_back(lambda, tc, neuron::decay<Real>(tc, dt));
      return;
    }
    for (std::size_t j = 0; j < p.size; ++j) {
      lambda.set(j, neuron_after(j, dt), lambda.source(j));
    }
  }
  neuron::Adjoint<Real> neuron_after(std::size_t j, double dt) const {
    const auto& tc = p.plan.neuron(j).tc;
    return neuron::flow_back(tc, lambda.get(j), lambda.source(j), neuron::decay<Real>(tc, dt));
  }

  // What an arrival at all neurons adds to E_k.
  double error(Rows<Real> rows, std::size_t pre) const {
    if (side_by_side) return LambdaKernels<Real>::best().error_of_arrival(lambda, rows[pre]);
    double sum = 0;
    for (std::size_t j = 0; j < p.size; ++j) sum += error(rows[pre][j], lambda.get(j));
    return sum;
  }
  static double error(Real weight, const neuron::Adjoint<Real>& l) {
    const Real v = terms::lambda_v_in_e ? l.v : Real(0), i = terms::lambda_i_in_e ? l.i : Real(0);
    return static_cast<double>(weight * (v - i));
  }

  // The sum of found(neuron, lambda) over the free pieces that an event reaches.
  template <class Found>
  double on_free_pieces(const Event& event, Found&& found) const {
    double sum = 0;
    for (const FreePiece<Real>& piece : free) {
      if (event.column != any_column && event.column != piece.neuron) continue;
      sum += found(piece.neuron, piece.read(p.plan.neuron(piece.neuron).tc, event.time));
    }
    return sum;
  }
  double error_on_free_pieces(const Event& event, const Real* row) const {
    return on_free_pieces(
        event, [&](std::size_t j, const neuron::Adjoint<Real>& l) { return error(row[j], l); });
  }
};

}  // namespace

template <class Real>
void event_loop_back(const SampleAdjoint<Real>& sample, const Component& component,
                     const std::vector<std::vector<double>>& spike_errors,
                     std::vector<Segments<Real>>& segments) {
  const double end = sample.end();
  const auto& projections = sample.plan.network->projections();
  std::vector<Layer<Real>> layers;
  for (const std::size_t population : component.populations) {
    Layer<Real> layer{PopulationAdjoint<Real>(sample, population, spike_errors[population]),
                      segments[population],
                      {},
                      {},
                      {},
                      {},
                      false};
    if (layer.p.ghosts) layer.behind.resize(layer.p.size);
    layer.side_by_side = sample.plan.in_vectors(population);
    layer.lambda.start(layer.p.size);
    layer.segments.start(layer.p.size);
    layer.held.assign(layer.p.size, false);
    layer.after.assign(layer.p.size, 0);
    layer.errors.assign(layer.p.times.size(), 0);
    for (std::size_t k = 0; k < layer.p.spike_errors.size(); ++k) {
      layer.errors[k] = layer.p.spike_errors[k];
    }
    for (std::size_t j = 0; j < layer.p.size; ++j) {
      layer.lambda.set(j, layer.p.last(j), layer.p.driving_source(j));
    }
    layers.push_back(std::move(layer));
  }

  std::vector<Event> events;  // latest first
  // What was added since `middle` is nearly always a run in order.
  const auto merge = [&](std::size_t middle) {
    const auto begin = events.begin(), from = begin + static_cast<std::ptrdiff_t>(middle);
    if (!std::is_sorted(from, events.end(), later)) std::sort(from, events.end(), later);
    std::inplace_merge(begin, from, events.end(), later);
  };
  for (std::uint32_t l = 0; l < layers.size(); ++l) {
    Layer<Real>& layer = layers[l];
    const PopulationAdjoint<Real>& p = layer.p;
    std::size_t middle = events.size();
    for (std::size_t k = p.times.size(); k-- > 0;) {
      const auto j = static_cast<std::size_t>(p.neurons[k]);
      events.push_back({p.times[k], Kind::spike, l, k});
      const double tau_ref = p.plan.neuron(j).tau_ref;
      if (tau_ref == 0) continue;
      if (p.times[k] + tau_ref < end) {
        events.push_back({p.times[k] + tau_ref, Kind::release, l, k});
      } else {
        layer.hold(j);  // still at the end
      }
    }
    for (std::size_t k = 0; k < p.errors.sample_times.size(); ++k) {
      events.push_back({p.errors.sample_times[k], Kind::sample, l, k});
    }
    merge(middle);
    for (const std::size_t number : p.plan.incoming) {
      const auto from = std::find(component.populations.begin(), component.populations.end(),
                                  projections[number].source);
      if (from == component.populations.end()) continue;
      const auto source = static_cast<std::uint32_t>(from - component.populations.begin());
      const auto& sender = layers[source].p;
      const bool per_synapse = projections[number].delay.kind == Delay::Kind::per_synapse;
      middle = events.size();
      for (std::size_t k = sender.times.size(); k-- > 0;) {
        for (std::size_t j = 0; j < (per_synapse ? p.size : 1); ++j) {
          const std::size_t column = per_synapse ? j : any_column;
          const double at =
              arrival_time(projections[number], sender.times[k], sender.neurons[k], column, p.size);
          if (at >= end) continue;
          events.push_back(
              {at, Kind::arrival, l, k, column, static_cast<std::uint32_t>(number), source});
        }
      }
      const SampleSpikes probes = sender.ghosts ? sender.ghosts->probes() : SampleSpikes{};
      for (std::size_t k = 0; k < probes.times.size(); ++k) {
        for (std::size_t j = 0; j < (per_synapse ? p.size : 1); ++j) {
          const std::size_t column = per_synapse ? j : any_column;
          const double at =
              arrival_time(projections[number], probes.times[k], probes.neurons[k], column, p.size);
          if (at >= end) continue;
          events.push_back(
              {at, Kind::probe, l, k, column, static_cast<std::uint32_t>(number), source});
        }
      }
      merge(middle);
    }
    middle = events.size();
    for (std::size_t j = 0; !p.errors.maxima.empty() && j < p.size; ++j) {
      const std::size_t at = p.sample * p.size + j;
      if (p.errors.maxima[at] == 0 || std::isinf(p.maxima.times[at])) continue;
      events.push_back({p.maxima.times[at], Kind::maximum, l, j});
    }
    merge(middle);
    middle = events.size();
    for (std::size_t k = 0; p.ghosts && k < p.ghosts->sums.size(); ++k) {
      events.push_back({(*p.ghosts->list)[k].time, Kind::ghost, l, k});
    }
    merge(middle);
    for (std::size_t j = 0; j < p.size; ++j) {
      layer.emit(j, end);
    }
  }
  // What happens at `event` to neuron j moves with the arrivals inside the component that sit
  // there: just gone through.
  const auto move_with_arrivals = [&](const Event& event, std::size_t j, double error) {
    std::vector<const Event*> here;
    for (const Event* e = &event; e-- > events.data() && e->time == event.time;) {
      const bool sees = e->column == any_column || e->column == j;
      if (e->kind == Kind::arrival && e->layer == event.layer && sees) here.push_back(e);
    }
    for (const Event* e : here) {
      layers[e->source].errors[e->number] += error / static_cast<double>(here.size());
    }
  };

  double t = end;
  for (const Event& event : events) {
    Layer<Real>& layer = layers[event.layer];
    const PopulationAdjoint<Real>& p = layer.p;
    if (event.kind == Kind::probe) {  // peek
      SampleGhosts<Real>& ghosts = *layers[event.source].p.ghosts;
      const auto pre = static_cast<std::size_t>(ghosts.neurons[event.number]);
      const Real* row = sample.plan.rows(event.projection)[pre];
      const auto found = [&](std::size_t j, const neuron::Adjoint<Real>& lambda) {
        return -p.plan.neuron(j).tc.tau_syn * static_cast<double>(row[j] * lambda.i);
      };
      double sum = layer.on_free_pieces(event, found);
      const bool one = event.column != any_column;
      for (std::size_t j = one ? event.column : 0; j < (one ? event.column + 1 : p.size); ++j) {
        sum += found(j, layer.neuron_after(j, t - event.time));
      }
      if (terms::ghost_recurrent_probe) ghosts.book(ghosts.owners[event.number], sum);
      continue;
    }
    if (event.kind == Kind::arrival && event.column != any_column) {  // one neuron: peek
      const auto lambda = layer.neuron_after(event.column, t - event.time);
      const auto pre = static_cast<std::size_t>(layers[event.source].p.neurons[event.number]);
      if (terms::recurrent_e) {
        layers[event.source].errors[event.number] +=
            layer.error(sample.plan.rows(event.projection)[pre][event.column], lambda) +
            layer.error_on_free_pieces(event, sample.plan.rows(event.projection)[pre]);
      }
      continue;
    }

    if (event.time < t) {
      for (auto& other : layers) other.flow(t - event.time);
      t = event.time;
    }
    switch (event.kind) {
      case Kind::arrival: {
        if (!terms::recurrent_e) break;
        Layer<Real>& sender = layers[event.source];
        const auto pre = static_cast<std::size_t>(sender.p.neurons[event.number]);
        sender.errors[event.number] +=
            layer.error(sample.plan.rows(event.projection), pre) +
            layer.error_on_free_pieces(event, sample.plan.rows(event.projection)[pre]);
        break;
      }
      case Kind::spike: {
        const auto j = static_cast<std::size_t>(p.neurons[event.number]);
        auto lambda = layer.lambda.get(j);
        lambda.v = jump_over_spike(p, event.number, layer.held[j] ? layer.after[j] : lambda.v,
                                   layer.errors[event.number], layer.segments.jumps[j]);
        std::erase_if(layer.free, [&](const FreePiece<Real>& piece) {
          if (piece.spike != event.number) return false;
          const auto handed = piece.read(p.plan.neuron(j).tc, event.time);
          lambda.v += handed.v;
          lambda.i += handed.i;
          return true;
        });
        layer.lambda.set(j, lambda, p.driving_source(j));
        layer.after[j] = 0;
        layer.held[j] = false;
        layer.emit(j, t);
        break;
      }
      case Kind::release: {
        const auto j = static_cast<std::size_t>(p.neurons[event.number]);
        layer.after[j] = layer.lambda.get(j).v;
        layer.hold(j);
        layer.emit(j, t);
        break;
      }
      case Kind::sample: {
        for (std::size_t j = 0; j < p.size; ++j) {
          const Real error = p.at_sample(event.number, j);
          if (error == 0) continue;
          if (layer.held[j]) {
            if (terms::clamp_sample) layer.segments.jumps[j].v_reset += error;
            continue;
          }
          layer.look(j, terms::sample_jump ? error : 0, t);
        }
        break;
      }
      case Kind::ghost: {
        const Ghost<Real>& g = (*p.ghosts->list)[event.number];
        const auto j = static_cast<std::size_t>(g.neuron);
        const auto& n = p.plan.neuron(j);
        JumpSums& jumps = layer.segments.jumps[j];
        if (g.behind >= 0) {
          const double spike = p.times[static_cast<std::size_t>(g.behind)];
          layer.free.push_back(
              p.ghosts->settle_free(n, event.number, spike, layer.behind[j], jumps));
          p.ghosts->free.push_back(layer.free.back());
        } else {
          const double error = p.ghosts->settle(n, event.number, layer.behind[j], jumps);
          layer.look(j, terms::ghost_jump ? error : 0, t);
        }
        if (g.place == Place::arrival && terms::ghost_recurrent_kink) {
          move_with_arrivals(event, j, p.ghosts->errors[event.number] * slope_before(n, g));
        }
        break;
      }
      case Kind::maximum: {
        const std::size_t j = event.number, at = p.sample * p.size + j;
        const double error = p.errors.maxima[at];
        layer.look(j, terms::maximum_jump ? error : 0, t);
        if (p.maxima.places[at] == Place::arrival && terms::kink_time) {
          move_with_arrivals(event, j, error * slope_before(p.plan.neuron(j), p.maxima, at));
        }
        break;
      }
      case Kind::probe:
        break;
    }
  }
  for (auto& layer : layers) {
    layer.segments.finish();
    if (layer.p.ghosts) layer.p.ghosts->finish();
  }
}

template void event_loop_back(const SampleAdjoint<float>&, const Component&,
                              const std::vector<std::vector<double>>&,
                              std::vector<Segments<float>>&);
template void event_loop_back(const SampleAdjoint<double>&, const Component&,
                              const std::vector<std::vector<double>>&,
                              std::vector<Segments<double>>&);

}  // namespace saltus
