// SPDX-License-Identifier: Apache-2.0
// The mirror of simulate/event_loop.cpp (and of simulate/windows.cpp: back in time a cycle with
// delays needs no other order). Walks the events of one sample backwards:
//
//     an arrival inside the component:  E_k += sum_j w_jn (lambda_V,j - lambda_I,j), on its right
//     a spike:                          the jump, with the E_k gathered so far
//
// At one instant arrivals come first, then spikes, releases, samples. (A sample at the very time of
// a release sees V still held.)
#include <algorithm>

#include "adjoint/dynamics.hpp"
#include "simulate/arrivals.hpp"

namespace saltus {
namespace {

enum class Kind : std::uint8_t { arrival, spike, release, sample };

struct Event {
  double time;
  Kind kind;
  std::uint32_t layer;  // arrival: of the target
  std::size_t number;   // spike: within the sample; sample: of the time; arrival: of the spike
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
  std::vector<neuron::Adjoint<Real>> lambda;  // at the common time
  std::vector<Real> source;                   // dl_V/dV, 0 while held
  std::vector<char> held;                     // in (spike, release]
  std::vector<Real> after;                    // lambda_V at the release of the spike to come
  std::vector<double> errors;                 // E_k
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
                      {}};
    layer.segments.start(layer.p.size);
    layer.held.assign(layer.p.size, false);
    layer.after.assign(layer.p.size, 0);
    layer.errors.assign(layer.p.times.size(), 0);
    for (std::size_t k = 0; k < layer.p.spike_errors.size(); ++k) {
      layer.errors[k] = layer.p.spike_errors[k];
    }
    for (std::size_t j = 0; j < layer.p.size; ++j) {
      layer.lambda.push_back(layer.p.last(j));
      layer.source.push_back(layer.p.driving_source(j));
    }
    layers.push_back(std::move(layer));
  }

  std::vector<Event> events;
  for (std::uint32_t l = 0; l < layers.size(); ++l) {
    Layer<Real>& layer = layers[l];
    const PopulationAdjoint<Real>& p = layer.p;
    for (std::size_t k = 0; k < p.times.size(); ++k) {
      const auto j = static_cast<std::size_t>(p.neurons[k]);
      events.push_back({p.times[k], Kind::spike, l, k});
      const double tau_ref = p.plan.neuron(j).tau_ref;
      if (tau_ref == 0) continue;
      if (p.times[k] + tau_ref < end) {
        events.push_back({p.times[k] + tau_ref, Kind::release, l, k});
      } else {
        layer.source[j] = layer.lambda[j].v = 0;  // still held at the end
        layer.held[j] = true;
      }
    }
    for (std::size_t k = 0; k < p.errors.sample_times.size(); ++k) {
      events.push_back({p.errors.sample_times[k], Kind::sample, l, k});
    }
    for (const std::size_t number : p.plan.incoming) {
      const auto from = std::find(component.populations.begin(), component.populations.end(),
                                  projections[number].source);
      if (from == component.populations.end()) continue;
      const auto source = static_cast<std::uint32_t>(from - component.populations.begin());
      const auto& sender = layers[source].p;
      const bool per_synapse = projections[number].delay.kind == Delay::Kind::per_synapse;
      for (std::size_t k = 0; k < sender.times.size(); ++k) {
        for (std::size_t j = 0; j < (per_synapse ? p.size : 1); ++j) {
          const std::size_t column = per_synapse ? j : any_column;
          const double at =
              arrival_time(projections[number], sender.times[k], sender.neurons[k], column, p.size);
          if (at >= end) continue;
          events.push_back(
              {at, Kind::arrival, l, k, column, static_cast<std::uint32_t>(number), source});
        }
      }
    }
    for (std::size_t j = 0; j < p.size; ++j) {
      layer.segments.add(j, {end, layer.lambda[j], layer.source[j]});
    }
  }
  std::sort(events.begin(), events.end(), later);

  const auto contribution = [](Real weight, const neuron::Adjoint<Real>& l) {
    const Real v = terms::lambda_v_in_e ? l.v : Real(0), i = terms::lambda_i_in_e ? l.i : Real(0);
    return static_cast<double>(weight * (v - i));
  };
  double t = end;
  for (const Event& event : events) {
    Layer<Real>& layer = layers[event.layer];
    const PopulationAdjoint<Real>& p = layer.p;
    if (event.kind == Kind::arrival && event.column != any_column) {  // one neuron: peek
      const auto& n = p.plan.neuron(event.column);
      const auto lambda =
          neuron::flow_back(n.tc, layer.lambda[event.column], layer.source[event.column],
                            neuron::decay<Real>(n.tc, t - event.time));
      const auto& sender = layers[event.source].p;
      const auto pre = static_cast<std::size_t>(sender.neurons[event.number]);
      const Real weight = projections[event.projection].weight[pre * p.size + event.column];
      if (terms::recurrent_e) {
        layers[event.source].errors[event.number] += contribution(weight, lambda);
      }
      continue;
    }

    if (event.time < t) {
      for (auto& other : layers) {
        auto d = neuron::decay<Real>(other.p.plan.neuron(0).tc, t - event.time);
        for (std::size_t j = 0; j < other.lambda.size(); ++j) {
          const auto& tc = other.p.plan.neuron(j).tc;
          if (!other.p.plan.same_time_constants) d = neuron::decay<Real>(tc, t - event.time);
          other.lambda[j] = neuron::flow_back(tc, other.lambda[j], other.source[j], d);
        }
      }
      t = event.time;
    }
    const auto emit = [&](std::size_t j) {
      layer.segments.add(j, {t, layer.lambda[j], layer.source[j]});
    };

    switch (event.kind) {
      case Kind::arrival: {
        const auto& sender = layers[event.source].p;
        const Real* row = projections[event.projection].weight.data() +
                          static_cast<std::size_t>(sender.neurons[event.number]) * p.size;
        double sum = 0;
        for (std::size_t j = 0; j < p.size; ++j) sum += contribution(row[j], layer.lambda[j]);
        if (terms::recurrent_e) layers[event.source].errors[event.number] += sum;
        break;
      }
      case Kind::spike: {
        const auto j = static_cast<std::size_t>(p.neurons[event.number]);
        const Real after = layer.held[j] ? layer.after[j] : layer.lambda[j].v;
        layer.lambda[j].v = jump_over_spike(p, event.number, after, layer.errors[event.number],
                                            layer.segments.jumps[j]);
        layer.source[j] = p.driving_source(j);
        layer.after[j] = 0;
        layer.held[j] = false;
        emit(j);
        break;
      }
      case Kind::release: {
        const auto j = static_cast<std::size_t>(p.neurons[event.number]);
        layer.after[j] = layer.lambda[j].v;
        layer.lambda[j].v = layer.source[j] = 0;
        layer.held[j] = true;
        emit(j);
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
          if (terms::sample_jump) {
            layer.lambda[j].v -= static_cast<Real>(error / p.plan.neuron(j).tc.tau_mem);
          }
          emit(j);
        }
        break;
      }
    }
  }
  for (auto& layer : layers) layer.segments.finish();
}

template void event_loop_back(const SampleAdjoint<float>&, const Component&,
                              const std::vector<std::vector<double>>&,
                              std::vector<Segments<float>>&);
template void event_loop_back(const SampleAdjoint<double>&, const Component&,
                              const std::vector<std::vector<double>>&,
                              std::vector<Segments<double>>&);

}  // namespace saltus
