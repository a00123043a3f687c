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
#include "gradcheck/tensors.hpp"
#include "plan/arrivals.hpp"

namespace saltus::gradcheck {
namespace {

// Where the populations and projections of the network start among the oracle's.
struct Layout {
  std::vector<std::size_t> neuron, synapse;
};

saltus_oracle::Network translate(const Network<double>& network, Layout& layout) {
  saltus_oracle::Network result;
  for (const Population& p : network.populations()) {
    layout.neuron.push_back(result.neurons.size());
    if (p.model == Model::input) {
      result.inputs = static_cast<int>(p.size);
      continue;
    }
    for (std::size_t j = 0; j < p.size; ++j) {
      const auto of = [&](std::string_view parameter) { return p[parameter][j]; };
      saltus_oracle::Neuron n;
      n.spikes = p.model->spikes;
      n.tau_mem = of("tau_mem");
      n.tau_syn = of("tau_syn");
      n.bias = of("bias");
      n.v_initial = of("v_initial");
      n.i_initial = of("i_initial");
      if (n.spikes) {
        n.v_threshold = of("v_threshold");
        n.v_reset = of("v_reset");
        n.tau_ref = of("tau_ref");
      }
      result.neurons.push_back(n);
    }
  }
  for (const auto& p : network.projections()) {
    layout.synapse.push_back(result.synapses.size());
    const Population& from = network.populations()[p.source];
    const std::size_t post = network.populations()[p.target].size;
    for (std::size_t n = 0; n < from.size; ++n) {
      for (std::size_t j = 0; j < post; ++j) {
        const bool input = from.model == Model::input;
        result.synapses.push_back({input, static_cast<int>(input ? n : layout.neuron[p.source] + n),
                                   static_cast<int>(layout.neuron[p.target] + j),
                                   p.weight[n * post + j], p.delay(n, j, post)});
      }
    }
  }
  return result;
}

// The oracle has its own list of parameters, on purpose.
const std::vector<saltus_oracle::Scalar>& named(const saltus_oracle::Gradient& g,
                                                std::string_view parameter) {
  using G = saltus_oracle::Gradient;
  static constexpr std::pair<std::string_view, std::vector<saltus_oracle::Scalar> G::*> all[] = {
      {"tau_mem", &G::tau_mem},     {"tau_syn", &G::tau_syn},    {"v_threshold", &G::v_threshold},
      {"v_reset", &G::v_reset},     {"bias", &G::bias},          {"tau_ref", &G::tau_ref},
      {"v_initial", &G::v_initial}, {"i_initial", &G::i_initial}};
  for (const auto& [name, member] : all) {
    if (name == parameter) return g.*member;
  }
  throw std::logic_error("the oracle has no parameter " + std::string(parameter));
}

// The oracle's gradient of the whole batch, in the shape of the network's parameters.
struct Sum {
  std::vector<saltus_oracle::Scalar> values;
  void add(std::size_t at, saltus_oracle::Scalar value, std::size_t size) {
    values.resize(size, 0);
    values[size == 1 ? 0 : at] += value;
  }
};

}  // namespace

void compare_with_oracle(const Case& c, const Evaluation& base, const Gradients<double>& gradients,
                         const std::string& label, Report& report) {
  const auto& populations = c.network.populations();
  Layout layout;
  const saltus_oracle::Network network = translate(c.network, layout);
  const std::size_t samples = c.t_end.size();
  std::vector<std::vector<saltus_oracle::Scalar>> weights, delays;
  std::vector<std::vector<Sum>> neurons;  // [population][parameter]
  for (const Population& p : populations) neurons.emplace_back(p.parameters.size());
  std::vector<saltus_oracle::Scalar> times;
  bool elsewhere = false;  // a maximum
  for (const auto& g : gradients.weights) weights.emplace_back(g.size(), 0);
  for (const auto& g : gradients.delays) delays.emplace_back(g.size(), 0);

  for (std::size_t s = 0; s < samples; ++s) {
    std::vector<saltus_oracle::InputSpike> inputs;
    const SampleSpikes sent = sample_of(c.inputs[0].view(), s);
    for (std::size_t k = 0; k < sent.times.size(); ++k) {
      inputs.push_back({sent.times[k], sent.neurons[k]});
    }
    saltus_oracle::Errors errors;
    errors.spike.resize(network.neurons.size());
    errors.maximum.assign(network.neurons.size(), 0);
    errors.integral.assign(network.neurons.size(), 0);
    errors.sample.resize(network.neurons.size());
    if (c.objective.linear && c.objective.samples) errors.sample_times = c.objective.sample_times;
    for (std::size_t p = 0; p < populations.size(); ++p) {
      if (populations[p].model == Model::input) continue;
      const auto& e = base.errors.populations[p];
      const SpikeView own = base.record.populations[p].spikes.view();
      for (auto k = static_cast<std::size_t>(own.offsets[s]);
           k < static_cast<std::size_t>(own.offsets[s + 1]); ++k) {
        errors.spike[layout.neuron[p] + static_cast<std::size_t>(own.neurons[k])].push_back(
            e.spikes.empty() ? 0 : e.spikes[k]);
      }
      for (std::size_t j = 0; j < populations[p].size; ++j) {
        const std::size_t at = s * populations[p].size + j, n = layout.neuron[p] + j;
        if (!e.maxima.empty()) errors.maximum[n] = e.maxima[at];
        if (!e.integrals.empty()) errors.integral[n] = e.integrals[at];
        for (std::size_t k = 0; !e.samples.empty() && k < e.sample_times.size(); ++k) {
          errors.sample[n].push_back(
              e.samples[(s * e.sample_times.size() + k) * populations[p].size + j]);
        }
      }
    }
    saltus_oracle::Outcome outcome;
    const auto g = saltus_oracle::gradient(network, inputs, c.t_end[s], errors, &outcome);

    for (std::size_t p = 0; p < populations.size(); ++p) {  // the spikes themselves
      if (populations[p].model != Model::lif) continue;
      std::vector<std::size_t> count(populations[p].size, 0);
      const SampleSpikes own = sample_of(base.record.populations[p].spikes.view(), s);
      for (std::size_t k = 0; k < own.times.size(); ++k) {
        const auto j = static_cast<std::size_t>(own.neurons[k]);
        const auto& spikes = outcome.spikes[layout.neuron[p] + j];
        const double error =
            count[j] < spikes.size()
                ? std::fabs(static_cast<double>(spikes[count[j]].time - own.times[k])) /
                      populations[p]["tau_mem"][j]
                : infinity;
        ++count[j];
        report.spike_times.meet(error, label + " " + populations[p].name);
      }
      for (std::size_t j = 0; j < count.size(); ++j) {
        if (outcome.spikes[layout.neuron[p] + j].size() != count[j]) {
          report.spike_times.meet(infinity, label + " count of " + populations[p].name);
        }
      }
    }

    // Where V has settled, or returned to where it started, long double and double may see the
    // maximum at different arrivals.
    for (std::size_t p = 0; p < populations.size(); ++p) {
      const auto& e = base.errors.populations[p];
      for (std::size_t j = 0; !e.maxima.empty() && j < populations[p].size; ++j) {
        const std::size_t at = s * populations[p].size + j;
        const double ours = base.errors.maxima[p].times[at];
        const auto theirs = static_cast<double>(outcome.maxima[layout.neuron[p] + j].time);
        if (e.maxima[at] == 0 || ours == theirs) continue;
        elsewhere |= !(std::fabs(ours - theirs) < 1e-5 * populations[p]["tau_mem"][j]);
      }
    }
    times.insert(times.end(), g.input_time.begin(), g.input_time.end());
    for (std::size_t k = 0; k < weights.size(); ++k) {
      const auto& projection = c.network.projections()[k];
      const std::size_t post = populations[projection.target].size;
      for (std::size_t i = 0; i < weights[k].size(); ++i) {
        weights[k][i] += g.weight[layout.synapse[k] + i];
        if (delays[k].empty()) continue;
        delays[k][projection.delay.index(i / post, i % post, post)] +=
            g.delay[layout.synapse[k] + i];
      }
    }
    for (std::size_t p = 0; p < populations.size(); ++p) {
      const Population& population = populations[p];
      if (population.model == Model::input) continue;
      for (std::size_t k = 0; k < population.parameters.size(); ++k) {
        const auto& part = named(g, population.model->parameters[k].name);
        for (std::size_t j = 0; j < population.size; ++j) {
          neurons[p][k].add(j, part[layout.neuron[p] + j],
                            population.parameters[k].values().size());
        }
      }
    }
  }

  if (elsewhere) {
    ++report.oracle_void;
    return;
  }
  // Rounding of the largest terms anywhere, the loss's own included, for a unit change.
  double terms = base.magnitude;
  const auto weigh = [&](const std::vector<double>& gradient, double typical) {
    for (const double v : gradient) {
      if (std::isfinite(v)) terms = std::max(terms, std::fabs(v) * typical);
    }
  };
  Network<double> copy = c.network;
  for (const Tensor& t : tensors(copy, gradients)) weigh(*t.gradient, t.typical);
  const double absolute = rounding(c) * terms;
  const auto compare = [&](const std::string& name, const std::vector<double>& ours,
                           const std::vector<saltus_oracle::Scalar>& theirs, double typical) {
    double largest = 0;
    for (const auto t : theirs) {
      if (std::isfinite(t)) largest = std::max(largest, std::fabs(static_cast<double>(t)));
    }
    // Where a whole tensor cancels (the softmax of a shared bias, say), what is left is the
    // rounding of the terms: compared with that.
    const double scale = std::max(largest, absolute / typical / oracle_bar);
    for (std::size_t k = 0; k < ours.size(); ++k) {
      ++report.oracle_parameters;
      const double error = std::fabs(static_cast<double>(ours[k] - theirs[k]));
      // The bias of an integral without end: infinite for both.
      const bool both_infinite = !std::isfinite(ours[k]) && !std::isfinite(theirs[k]);
      report.oracle.meet(error == 0 || both_infinite ? 0 : error / scale, label + " " + name);
    }
  };
  const auto& g = gradients;
  for (std::size_t k = 0; k < weights.size(); ++k) {
    const auto& name = c.network.projections()[k].name;
    compare(name + ".weight", g.weights[k], weights[k], 1);
    if (!g.delays[k].empty()) compare(name + ".delay", g.delays[k], delays[k], 5e-3);
  }
  for (std::size_t p = 0; p < populations.size(); ++p) {
    for (std::size_t k = 0; k < populations[p].parameters.size(); ++k) {
      const ParameterRow& row = populations[p].model->parameters[k];
      compare(fmt::format("{}.{}", populations[p].name, row.name), g.neurons[p].parameters[k],
              neurons[p][k].values, row.typical);
    }
  }
  compare("in.times", g.times[0], times, 1e-3);
}

}  // namespace saltus::gradcheck
