// SPDX-License-Identifier: Apache-2.0
#include "simulate/continued.hpp"

#include <fmt/format.h>

#include <cmath>

#include "saltus/error.hpp"
#include "spikes/sample_spikes.hpp"

namespace saltus {

std::span<const std::string_view> components(const Model& model) {
  static constexpr std::string_view of_lif[] = {"V", "I"};
  if (model == Model::input) return {};
  return model->linear ? model->linear->components : of_lif;
}

namespace {

// Those of before, with a sign that tells them from others at time 0, and those of the sample.
void join(SampleSpikes past, SampleSpikes own, Spikes& all) {
  for (const double t : past.times) all.times.push_back(t == 0 ? -0.0 : t);
  all.neurons.insert(all.neurons.end(), past.neurons.begin(), past.neurons.end());
  for (const double t : own.times) all.times.push_back(t + 0.0);
  all.neurons.insert(all.neurons.end(), own.neurons.begin(), own.neurons.end());
  all.offsets.push_back(static_cast<std::int64_t>(all.times.size()));
}

template <class T>
void append(std::vector<T>& all, const std::vector<T>& more, std::size_t from, std::size_t to) {
  if (more.empty()) return;
  const auto at = [&](std::size_t k) { return more.begin() + static_cast<std::ptrdiff_t>(k); };
  all.insert(all.end(), at(from), at(to));
}

}  // namespace

template <class Real>
Continued<Real>::Continued(const Plan<Real>& plan, const Inputs& given, const Record<Real>* of,
                           std::size_t first, std::size_t count)
    : plans(count, plan) {
  const State& state = *given.state;
  const std::size_t populations = plan.populations.size();
  for (std::size_t s = 0; s < count; ++s) end_.push_back(given.end(first + s));
  inputs.t_end = end_;
  record.samples = count;
  record.populations.resize(populations);
  past.resize(populations);
  spikes_.reserve(given.spikes.size());
  for (std::size_t p = 0; p < populations; ++p) {
    const bool input = plan.input_number[p] >= 0;
    SpikeRecord<Real>& r = record.populations[p];
    if (input) spikes_.emplace_back();
    Spikes& all = input ? spikes_.back() : r.spikes;
    for (std::size_t s = 0; s < count; ++s) {
      const std::size_t sample = first + s;
      const SampleSpikes before = sample_of(state.populations[p].past, sample);
      past[p].push_back(before.times.size());
      if (input) {
        const auto number = static_cast<std::size_t>(plan.input_number[p]);
        join(before, sample_of(given.spikes[number], sample), all);
        continue;
      }
      start(plans[s], state, p, sample);
      const SampleSpikes own = of ? sample_of(of->populations[p].spikes, sample) : SampleSpikes{};
      join(before, own, all);
      const PopulationPlan<Real>& neurons = plan.populations[p];
      const auto fill = [&](std::vector<Real> SpikeRecord<Real>::*column) {
        (r.*column).resize(all.times.size() - own.times.size());
        if (!of) return;
        const SpikeRecord<Real>& from = of->populations[p];
        const auto begin = static_cast<std::size_t>(from.spikes.offsets[sample]);
        append(r.*column, from.*column, begin, begin + own.times.size());
      };
      if (neurons.refractory) fill(&SpikeRecord<Real>::release_currents);
      if (!neurons.is_linear()) fill(&SpikeRecord<Real>::currents);  // (none of LI)
    }
    if (input) inputs.spikes.push_back(all);
    if (input) r.spikes.offsets.assign(count + 1, 0);
  }
}

template <class Real>
void Continued<Real>::start(Plan<Real>& plan, const State& state, std::size_t population,
                            std::size_t sample) {
  PopulationPlan<Real>& neurons = plan.populations[population];
  const std::size_t size = plan.size(population);
  const std::vector<double>& x = state.populations[population].x;
  const std::size_t components = x.size() / (state.samples * size);
  const double* at = x.data() + sample * size * components;
  if (neurons.is_linear()) {
    if (neurons.linear_neurons.size() == 1) {
      neurons.linear_neurons.resize(size, neurons.linear_neurons[0]);
    }
    for (linear::Neuron& n : neurons.linear_neurons) {
      std::copy_n(at, components, n.initial.begin());
      at += components;
    }
    return;
  }
  if (neurons.neurons.size() == 1) neurons.neurons.resize(size, neurons.neurons[0]);
  for (neuron::Lif<Real>& n : neurons.neurons) {
    n.v_initial = static_cast<Real>(at[0]);
    n.i_initial = static_cast<Real>(at[1]);
    // In the last digit of another type.
    if (at[0] < static_cast<double>(n.theta)) {
      n.v_initial = std::min(n.v_initial, n.just_below_theta);
    }
    at += components;
  }
}

template <class Real>
void append(Record<Real>& all, const Record<Real>& sample,
            const std::vector<std::vector<std::size_t>>& past) {
  all.populations.resize(sample.populations.size());
  ++all.samples;
  for (std::size_t p = 0; p < past.size(); ++p) {
    SpikeRecord<Real>& to = all.populations[p];
    const SpikeRecord<Real>& from = sample.populations[p];
    const std::size_t last = from.spikes.times.size(), first = std::min(past[p][0], last);
    append(to.spikes.times, from.spikes.times, first, last);
    append(to.spikes.neurons, from.spikes.neurons, first, last);
    append(to.currents, from.currents, first, last);
    append(to.release_currents, from.release_currents, first, last);
    to.spikes.offsets.push_back(static_cast<std::int64_t>(to.spikes.times.size()));
  }
}

namespace {

// Calls meet(j, V, how far that is above the threshold) for the neurons of a sample that wait for a crossing from
// below but are not below. (Some start above after every spike: they wait until they have come down.)
template <class Real, class Meet>
void for_each_above(const Plan<Real>& plan, const State& state, std::size_t p, std::size_t sample,
                    Meet&& meet) {
  const PopulationPlan<Real>& neurons = plan.populations[p];
  const std::size_t size = plan.size(p);
  const std::vector<double>& all = state.populations[p].x;
  const std::size_t components = all.size() / (state.samples * size);
  std::vector<bool> held(size, false);
  const SampleSpikes past = sample_of(state.populations[p].past, sample);
  for (std::size_t k = 0; k < past.times.size(); ++k) {
    const auto j = static_cast<std::size_t>(past.neurons[k]);
    const double time = past.times[k];
    held[j] = (neurons.is_linear() ? neurons.linear_neuron(j).release_after(time)
                                   : time + neurons.neuron(j).tau_ref) > 0;
  }
  // (As it was given: a float of the plan is another number.)
  const Parameter* const v_threshold =
      neurons.is_linear() ? nullptr : &plan.network->populations()[p]["v_threshold"];
  for (std::size_t j = 0; j < size; ++j) {
    const double* const from = all.data() + (sample * size + j) * components;
    if (held[j]) continue;
    if (!neurons.is_linear()) {
      const double above = from[0] - (*v_threshold)[j];
      if (above >= 0) meet(j, from[0], above);
      continue;
    }
    const linear::Neuron& n = neurons.linear_neuron(j);
    linear::Vector<double> x{};
    std::copy_n(from, components, x.begin());
    if (n.starts_above(x) && !n.starts_above(n.after_spike(x))) meet(j, x[0], n.above(x));
  }
}

void check_past(const State& state, std::size_t p, const Population& population) {
  const Spikes& past = state.populations[p].past;
  Spikes from_0 = past;  // what validate() knows
  for (std::size_t s = 0; s + 1 < past.offsets.size(); ++s) {
    for (auto k = static_cast<std::size_t>(past.offsets[s]);
         k < std::min(past.times.size(), static_cast<std::size_t>(past.offsets[s + 1])); ++k) {
      if (past.times[k] > 0 || !std::isfinite(past.times[k])) {
        throw InvalidInput(fmt::format(
            "state: spike {} of '{}' is at {} s; expected a time before the end of the earlier "
            "run, at most 0",
            k, population.name, past.times[k]));
      }
      from_0.times[k] = past.times[k] - past.times[static_cast<std::size_t>(past.offsets[s])];
    }
  }
  validate(from_0, population.size, fmt::format("the state's spikes of '{}'", population.name));
}

}  // namespace

template <class Real>
void check_state(const Plan<Real>& plan, const Inputs& inputs) {
  if (!inputs.state) return;
  const State& state = *inputs.state;
  const auto& populations = plan.network->populations();
  if (state.populations.size() != populations.size() || state.samples != inputs.samples()) {
    throw InvalidInput(
        fmt::format("the state is of {} populations and {} samples; network and inputs have {} and "
                    "{}",
                    state.populations.size(), state.samples, populations.size(), inputs.samples()));
  }
  for (std::size_t p = 0; p < populations.size(); ++p) {
    const Population& population = populations[p];
    const auto names = components(population.model);
    const std::vector<double>& x = state.populations[p].x;
    const std::size_t expected = state.samples * population.size * names.size();
    if (x.size() != expected) {
      throw InvalidInput(fmt::format("the state of '{}' has {} values; expected {}",
                                     population.name, x.size(), expected));
    }
    for (std::size_t k = 0; k < x.size(); ++k) {
      if (std::isfinite(x[k])) continue;
      throw InvalidInput(
          fmt::format("state: {} of neuron {} of '{}' is {} in sample {}; expected a finite number",
                      names[k % names.size()], k / names.size() % population.size, population.name,
                      x[k], k / names.size() / population.size));
    }
    if (state.populations[p].past.samples() != state.samples) {
      throw InvalidInput(fmt::format("the state's spikes of '{}' have {} samples; expected {}",
                                     population.name, state.populations[p].past.samples(),
                                     state.samples));
    }
    check_past(state, p, population);
    if (!population.fires()) continue;
    for (std::size_t s = 0; s < state.samples; ++s) {
      for_each_above(plan, state, p, s, [&](std::size_t j, double v, double above) {
        throw InvalidInput(
            fmt::format("state: V of neuron {} of '{}' is {} in sample {}, not below its "
                        "threshold, {}: there is "
                        "no crossing from below to wait for; lower it (State.below)",
                        j, population.name, v, s, v - above));
      });
    }
  }
}

template <class Real>
State below_thresholds(const Network<Real>& network, State state) {
  const Plan<Real> plan(network);
  for (std::size_t p = 0; p < network.populations().size(); ++p) {
    const Population& population = network.populations()[p];
    if (!population.fires()) continue;
    std::vector<double>& x = state.populations.at(p).x;
    const std::size_t components = saltus::components(population.model).size();
    for (std::size_t s = 0; s < state.samples; ++s) {
      for_each_above(plan, state, p, s, [&](std::size_t j, double v, double above) {
        // So that float32 tells it from the threshold too.
        x[(s * population.size + j) * components] =
            v - above - 1e-6 * std::max(1.0, std::fabs(v - above));
      });
    }
  }
  return state;
}

void refuse_state(const Inputs& inputs, std::string_view what) {
  if (!inputs.state) return;
  throw InvalidInput(fmt::format("{} are not known of a run that goes on from a state", what));
}

template class Continued<float>;
template class Continued<double>;
template void append(Record<float>&, const Record<float>&,
                     const std::vector<std::vector<std::size_t>>&);
template void append(Record<double>&, const Record<double>&,
                     const std::vector<std::vector<std::size_t>>&);
template State below_thresholds(const Network<float>&, State);
template State below_thresholds(const Network<double>&, State);
template void check_state(const Plan<float>&, const Inputs&);
template void check_state(const Plan<double>&, const Inputs&);

}  // namespace saltus
