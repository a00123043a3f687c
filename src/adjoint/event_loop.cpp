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
#include "adjoint/lambda.hpp"
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
  Lambda<Real> lambda;         // at the common time; dl_V/dV is 0 while held
  std::vector<char> held;      // in (spike, release]
  std::vector<Real> after;     // lambda_V at the release of the spike to come
  std::vector<double> errors;  // E_k
  bool side_by_side;

  void emit(std::size_t j, double t) { segments.add(j, {t, lambda.get(j), lambda.source(j)}); }
  void hold(std::size_t j) {
    lambda.set(j, {0, lambda.get(j).i}, 0);
    held[j] = true;
  }

  void flow(double dt) {
    if (side_by_side) {
      const auto& tc = p.plan.neuron(0).tc;
      flow_back(lambda, tc, neuron::decay<Real>(tc, dt));
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
    if (side_by_side) return error_of_arrival(lambda, rows[pre]);
    double sum = 0;
    for (std::size_t j = 0; j < p.size; ++j) sum += error(rows[pre][j], lambda.get(j));
    return sum;
  }
  static double error(Real weight, const neuron::Adjoint<Real>& l) {
    const Real v = terms::lambda_v_in_e ? l.v : Real(0), i = terms::lambda_i_in_e ? l.i : Real(0);
    return static_cast<double>(weight * (v - i));
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
    layer.side_by_side = layer.p.plan.in_step() && !sample.plan.scalar;
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
      merge(middle);
    }
    for (std::size_t j = 0; j < p.size; ++j) {
      layer.emit(j, end);
    }
  }
  double t = end;
  for (const Event& event : events) {
    Layer<Real>& layer = layers[event.layer];
    const PopulationAdjoint<Real>& p = layer.p;
    if (event.kind == Kind::arrival && event.column != any_column) {  // one neuron: peek
      const auto lambda = layer.neuron_after(event.column, t - event.time);
      const auto pre = static_cast<std::size_t>(layers[event.source].p.neurons[event.number]);
      if (terms::recurrent_e) {
        layers[event.source].errors[event.number] +=
            layer.error(sample.plan.rows(event.projection)[pre][event.column], lambda);
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
        sender.errors[event.number] += layer.error(sample.plan.rows(event.projection), pre);
        break;
      }
      case Kind::spike: {
        const auto j = static_cast<std::size_t>(p.neurons[event.number]);
        const auto lambda = layer.lambda.get(j);
        const Real before =
            jump_over_spike(p, event.number, layer.held[j] ? layer.after[j] : lambda.v,
                            layer.errors[event.number], layer.segments.jumps[j]);
        layer.lambda.set(j, {before, lambda.i}, p.driving_source(j));
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
          if (terms::sample_jump) {
            auto lambda = layer.lambda.get(j);
            lambda.v -= static_cast<Real>(error / p.plan.neuron(j).tc.tau_mem);
            layer.lambda.set(j, lambda, layer.lambda.source(j));
          }
          layer.emit(j, t);
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
