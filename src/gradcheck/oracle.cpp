// SPDX-License-Identifier: Apache-2.0
// Hands a case to the independent oracle, neuron by neuron and synapse by synapse, and compares.
#include "../../tests/oracle/oracle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "gradcheck/gradcheck.hpp"
#include "gradcheck/synapses.hpp"
#include "gradcheck/tensors.hpp"
#include "plan/arrivals.hpp"

namespace saltus::gradcheck {
namespace {

using Scalars = std::vector<saltus_oracle::Scalar>;

// The network as the oracle sees it, and where each population and projection starts there.
struct Translation {
  saltus_oracle::Network network;
  std::vector<std::size_t> neuron, synapse;
};

// Does the oracle know the model, and its synapse? (Others may be somebody else's.)
bool translate(std::string_view model, saltus_oracle::Neuron& n) {
  using Current = saltus_oracle::Neuron::Current;
  static constexpr std::pair<std::string_view, Current> currents[] = {
      {"", Current::exponential},
      {":alpha", Current::alpha},
      {":double_exponential", Current::double_exponential},
      {":delta", Current::delta},
      {":ex_in", Current::two}};
  const std::size_t end = std::min(model.find(':'), model.size());
  const std::string_view neuron = model.substr(0, end);
  n.leaks = neuron != "IF";
  n.resonates = neuron == "RF";
  const bool known =
      neuron == "LIF" || neuron == "LI" || neuron == "ALIF" || neuron == "IF" || n.resonates;
  for (const auto& [name, current] : currents) {
    if (name != model.substr(end)) continue;
    n.current = current;
    return known;
  }
  return false;
}

saltus_oracle::Neuron translate(const Population& p, std::size_t j) {
  saltus_oracle::Neuron n;
  translate(p.model->name, n);
  const auto set = [&](std::string_view parameter, double& value) {
    if (p.model->has(parameter)) value = p[parameter][j];
  };
  n.spikes = p.model->spikes;
  set("tau_mem", n.tau_mem);
  set("tau_syn", n.tau_syn);
  set("bias", n.bias);
  set("v_initial", n.v_initial);
  set("i_initial", n.i_initial);
  set("v_threshold", n.v_threshold);
  set("v_reset", n.v_reset);
  set("tau_ref", n.tau_ref);
  set("beta", n.beta);
  set("tau_adapt", n.tau_adapt);
  set("a_initial", n.a_initial);
  set("tau_rise", n.tau_rise);
  set("tau_syn_ex", n.tau_syn);
  set("tau_syn_in", n.tau_syn_in);
  set("frequency", n.frequency);
  set("u_reset", n.u_reset);
  set("u_initial", n.u_initial);
  return n;
}

Translation translate(const Network<double>& network) {
  Translation result;
  for (const Population& p : network.populations()) {
    result.neuron.push_back(result.network.neurons.size());
    if (p.model == Model::input) {
      result.network.inputs = static_cast<int>(p.size);
      continue;
    }
    for (std::size_t j = 0; j < p.size; ++j) result.network.neurons.push_back(translate(p, j));
  }
  for (const auto& p : network.projections()) {
    result.synapse.push_back(result.network.synapses.size());
    const Population& from = network.populations()[p.source];
    const bool input = from.model == Model::input;
    std::size_t number = 0;
    for (const Synapse& s : synapses_of(network, p)) {
      const auto pre = static_cast<std::size_t>(s.pre), post = static_cast<std::size_t>(s.post);
      result.network.synapses.push_back(
          {input, static_cast<int>(input ? pre : result.neuron[p.source] + pre),
           static_cast<int>(result.neuron[p.target] + post),
           p.weight[static_cast<std::size_t>(s.weight)], p.delay(pre, number++),
           static_cast<int>(p.receptor)});
    }
  }
  return result;
}

std::vector<saltus_oracle::InputSpike> translate(const SampleSpikes& sent) {
  std::vector<saltus_oracle::InputSpike> result;
  for (std::size_t k = 0; k < sent.times.size(); ++k) {
    result.push_back({sent.times[k], sent.neurons[k]});
  }
  return result;
}

// The errors of one sample, neuron by neuron.
saltus_oracle::Errors errors_of(const Case& c, const Evaluation& base, const Translation& there,
                                std::size_t sample) {
  const std::size_t count = there.network.neurons.size();
  saltus_oracle::Errors errors;
  errors.spike.resize(count);
  errors.maximum.assign(count, 0);
  errors.integral.assign(count, 0);
  errors.sample.resize(count);
  if (c.objective.linear && c.objective.samples) errors.sample_times = c.objective.sample_times;
  for (std::size_t p = 0; p < c.network.populations().size(); ++p) {
    const Population& population = c.network.populations()[p];
    if (population.model == Model::input) continue;
    const auto& e = base.errors.populations[p];
    const SpikeView own = base.record.populations[p].spikes.view();
    for (auto k = static_cast<std::size_t>(own.offsets[sample]);
         k < static_cast<std::size_t>(own.offsets[sample + 1]); ++k) {
      errors.spike[there.neuron[p] + static_cast<std::size_t>(own.neurons[k])].push_back(
          e.spikes.empty() ? 0 : e.spikes[k]);
    }
    for (std::size_t j = 0; j < population.size; ++j) {
      const std::size_t at = sample * population.size + j, n = there.neuron[p] + j;
      if (!e.maxima.empty()) errors.maximum[n] = e.maxima[at];
      if (!e.integrals.empty()) errors.integral[n] = e.integrals[at];
      for (std::size_t k = 0; !e.samples.empty() && k < e.sample_times.size(); ++k) {
        errors.sample[n].push_back(
            e.samples[(sample * e.sample_times.size() + k) * population.size + j]);
      }
    }
  }
  return errors;
}

void compare_spikes(const Case& c, const Evaluation& base, const Translation& there,
                    const saltus_oracle::Outcome& outcome, std::size_t sample,
                    const std::string& label, Report& report) {
  for (std::size_t p = 0; p < c.network.populations().size(); ++p) {
    const Population& population = c.network.populations()[p];
    if (!population.fires()) continue;
    std::vector<std::size_t> count(population.size, 0);
    const SampleSpikes own = sample_of(base.record.populations[p].spikes.view(), sample);
    for (std::size_t k = 0; k < own.times.size(); ++k) {
      const auto j = static_cast<std::size_t>(own.neurons[k]);
      const auto& spikes = outcome.spikes[there.neuron[p] + j];
      const double error =
          count[j] < spikes.size()
              ? std::fabs(static_cast<double>(spikes[count[j]].time - own.times[k])) /
                    population["tau_mem"][j]
              : infinity;
      ++count[j];
      report.spike_times.meet(error, label + " " + population.name);
    }
    for (std::size_t j = 0; j < count.size(); ++j) {
      if (outcome.spikes[there.neuron[p] + j].size() != count[j]) {
        report.spike_times.meet(infinity, label + " count of " + population.name);
      }
    }
  }
}

// Where V has settled, or returned to where it started, long double and double may see the maximum
// at different arrivals.
bool maximum_elsewhere(const Case& c, const Evaluation& base, const Translation& there,
                       const saltus_oracle::Outcome& outcome, std::size_t sample) {
  for (std::size_t p = 0; p < c.network.populations().size(); ++p) {
    const Population& population = c.network.populations()[p];
    const auto& e = base.errors.populations[p];
    for (std::size_t j = 0; !e.maxima.empty() && j < population.size; ++j) {
      const std::size_t at = sample * population.size + j;
      const double ours = base.errors.maxima[p].times[at];
      const auto theirs = static_cast<double>(outcome.maxima[there.neuron[p] + j].time);
      if (e.maxima[at] == 0 || ours == theirs) continue;
      if (!(std::fabs(ours - theirs) < 1e-5 * population["tau_mem"][j])) return true;
    }
  }
  return false;
}

// The oracle has its own list of parameters, on purpose.
const std::vector<saltus_oracle::Scalar>& named(const saltus_oracle::Gradient& g,
                                                std::string_view parameter) {
  using G = saltus_oracle::Gradient;
  static constexpr std::pair<std::string_view, std::vector<saltus_oracle::Scalar> G::*> all[] = {
      {"tau_mem", &G::tau_mem},
      {"tau_syn", &G::tau_syn},
      {"v_threshold", &G::v_threshold},
      {"v_reset", &G::v_reset},
      {"bias", &G::bias},
      {"tau_ref", &G::tau_ref},
      {"v_initial", &G::v_initial},
      {"i_initial", &G::i_initial},
      {"beta", &G::beta},
      {"tau_adapt", &G::tau_adapt},
      {"a_initial", &G::a_initial},
      {"tau_rise", &G::tau_rise},
      {"tau_syn_ex", &G::tau_syn},
      {"tau_syn_in", &G::tau_syn_in},
      {"frequency", &G::frequency},
      {"u_reset", &G::u_reset},
      {"u_initial", &G::u_initial}};
  for (const auto& [name, member] : all) {
    if (name == parameter) return g.*member;
  }
  throw std::logic_error("the oracle has no parameter " + std::string(parameter));
}

// The oracle's gradient of the whole batch, in the shape of the network's parameters.
struct Sums {
  std::vector<Scalars> weights, delays;
  std::vector<std::vector<Scalars>> neurons;  // [population][parameter]
  Scalars times;

  explicit Sums(const Network<double>& network) {
    for (const auto& p : network.projections()) {
      weights.emplace_back(p.weight.size(), 0);
      delays.emplace_back(p.delay.values.size(), 0);
    }
    for (const Population& p : network.populations()) {
      neurons.emplace_back();
      for (const Parameter& parameter : p.parameters) {
        neurons.back().emplace_back(parameter.values().size(), 0);
      }
    }
  }

  // The gradient of one more sample.
  void add(const Network<double>& network, const Translation& there,
           const saltus_oracle::Gradient& g) {
    times.insert(times.end(), g.input_time.begin(), g.input_time.end());
    for (std::size_t k = 0; k < weights.size(); ++k) {
      const auto& projection = network.projections()[k];
      std::size_t number = 0;
      for (const Synapse& s : synapses_of(network, projection)) {
        weights[k][static_cast<std::size_t>(s.weight)] += g.weight[there.synapse[k] + number];
        if (!delays[k].empty()) {
          delays[k][projection.delay.index(static_cast<std::size_t>(s.pre), number)] +=
              g.delay[there.synapse[k] + number];
        }
        ++number;
      }
    }
    for (std::size_t p = 0; p < neurons.size(); ++p) {
      const Population& population = network.populations()[p];
      for (std::size_t k = 0; k < neurons[p].size(); ++k) {
        const Scalars& part = named(g, population.model->parameters[k].name);
        Scalars& sum = neurons[p][k];
        for (std::size_t j = 0; j < population.size; ++j) {
          sum[sum.size() == 1 ? 0 : j] += part[there.neuron[p] + j];
        }
      }
    }
  }
};

void compare_gradients(const Case& c, const Evaluation& base, const Gradients<double>& ours,
                       const Sums& theirs, const std::string& label, Report& report) {
  // Rounding of the largest terms anywhere, the loss's own included, for a unit change.
  Network<double> copy = c.network;
  const double absolute = rounding(c) * largest_term(tensors(copy, ours), base.magnitude);
  const auto compare = [&](const std::string& name, const std::vector<double>& here,
                           const Scalars& there, double typical) {
    double largest = 0;
    for (const auto t : there) {
      if (std::isfinite(t)) largest = std::max(largest, std::fabs(static_cast<double>(t)));
    }
    // Where a whole tensor cancels (the softmax of a shared bias, say), what is left is the
    // rounding of the terms: compared with that.
    const double scale = std::max(largest, absolute / typical / oracle_bar);
    for (std::size_t k = 0; k < here.size(); ++k) {
      ++report.oracle_parameters;
      const double error = std::fabs(static_cast<double>(here[k] - there[k]));
      // The bias of an integral without end: infinite for both.
      const bool both_infinite = !std::isfinite(here[k]) && !std::isfinite(there[k]);
      report.oracle.meet(error == 0 || both_infinite ? 0 : error / scale, label + " " + name);
    }
  };
  for (std::size_t k = 0; k < theirs.weights.size(); ++k) {
    const auto& name = c.network.projections()[k].name;
    compare(name + ".weight", ours.weights[k], theirs.weights[k], 1);
    if (!ours.delays[k].empty()) compare(name + ".delay", ours.delays[k], theirs.delays[k], 5e-3);
  }
  for (std::size_t p = 0; p < theirs.neurons.size(); ++p) {
    const Population& population = c.network.populations()[p];
    for (std::size_t k = 0; k < theirs.neurons[p].size(); ++k) {
      const ParameterRow& row = population.model->parameters[k];
      compare(fmt::format("{}.{}", population.name, row.name), ours.neurons[p].parameters[k],
              theirs.neurons[p][k], row.typical);
    }
  }
  compare("in.times", ours.times[0], theirs.times, 1e-3);
}

}  // namespace

void compare_with_oracle(const Case& c, const Evaluation& base, const Gradients<double>& gradients,
                         const std::string& label, Report& report) {
  saltus_oracle::Neuron neuron;
  for (const Population& p : c.network.populations()) {
    if (p.model != Model::input && !translate(p.model->name, neuron)) return;
  }
  const Translation there = translate(c.network);
  Sums sums(c.network);
  bool elsewhere = false;
  for (std::size_t s = 0; s < c.t_end.size(); ++s) {
    saltus_oracle::Outcome outcome;
    sums.add(c.network, there,
             saltus_oracle::gradient(there.network, translate(sample_of(c.inputs[0].view(), s)),
                                     c.t_end[s], errors_of(c, base, there, s), &outcome));
    compare_spikes(c, base, there, outcome, s, label, report);
    elsewhere = elsewhere || maximum_elsewhere(c, base, there, outcome, s);
  }
  if (elsewhere) {
    ++report.oracle_void;
    return;
  }
  compare_gradients(c, base, gradients, sums, label, report);
}

}  // namespace saltus::gradcheck
