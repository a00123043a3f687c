// SPDX-License-Identifier: Apache-2.0
// The neighbours of the fast path.
#include <stdexcept>
#include <utility>

#include "bench/cliffs.hpp"
#include "random/random.hpp"

namespace saltus::bench {
namespace {

std::vector<double> uniform(std::size_t count, double low, double high, std::uint32_t stream = 1) {
  Random random(1, Purpose::synthetic, stream);
  std::vector<double> values(count);
  for (double& value : values) value = random.uniform(low, high);
  return values;
}

Population& hidden(Network<double>& network) {
  return network.populations()[network.index("hidden")];
}

// One value for each hidden neuron, up to `spread` (a share) from the one that all had.
void per_neuron(Network<double>& network, std::string_view parameter, double spread) {
  Population& neurons = hidden(network);
  Parameter& p = neurons[parameter];
  const auto stream = 10 + static_cast<std::uint32_t>(neurons.model->index(parameter));
  p = Parameter(uniform(neurons.size, (1 - spread) * p[0], (1 + spread) * p[0], stream));
}

Projection<double>& projection(Network<double>& network, std::string_view name) {
  for (auto& p : network.projections()) {
    if (p.name == name) return p;
  }
  throw std::logic_error("no such projection");
}

void delay_per_synapse(Network<double>& network, std::string_view name, double low, double high) {
  auto& p = projection(network, name);
  p.delay = Delay::per_synapse(uniform(p.weight.size(), low, high));
}

void delay_per_source(Network<double>& network) {
  for (auto& p : network.projections()) {
    p.delay = Delay::per_source(uniform(network.populations()[p.source].size, 0, 2e-3));
  }
}

// Keeps each synapse with the probability `density`.
void thin_out(Network<double>& network, std::string_view name, double density) {
  auto& p = projection(network, name);
  const std::size_t post = network.populations()[p.target].size;
  Random random(1, Purpose::synthetic, 2);
  std::vector<std::int64_t> from, to;
  std::vector<double> weight;
  for (std::size_t k = 0; k < p.weight.size(); ++k) {
    if (!random.chance(density)) continue;
    from.push_back(static_cast<std::int64_t>(k / post));
    to.push_back(static_cast<std::int64_t>(k % post));
    weight.push_back(p.weight[k] / density);  // about the same current
  }
  p.weight = std::move(weight);
  p.connection =
      Connection("sparse", {{"pre", std::move(from)}, {"post", std::move(to)}, {"place", {}}});
  p.connection.list(network.populations()[p.source].size, post);
}

void recurrent(RunSettings& s) {
  s.recurrent = true;
  s.recurrent_std = 0.02;
  s.t_end = 0.1;
}

void delays_out(Network<double>& n) { delay_per_synapse(n, "hidden->out", 0, 2e-3); }

using S = RunSettings;
using N = Network<double>;

const CliffRow all_rows[] = {
    {.name = "fast-path", .says = "LIF, tau_mem 20 ms, tau_syn 5 ms, one of each for all neurons"},
    {.name = "ratio-not-whole",
     .says = "tau_mem 17.3 ms",
     .settings = [](S& s) { s.tau_mem = 17.3e-3; }},
    {.name = "equal-time-constants",
     .says = "tau_syn 20 ms, as tau_mem",
     .settings = [](S& s) { s.tau_syn = s.tau_mem; }},
    {.name = "slow-synapse",
     .says = "tau_syn 40 ms, longer than tau_mem",
     .settings = [](S& s) { s.tau_syn = 2 * s.tau_mem; }},
    {.name = "threshold-per-neuron",
     .says = "v_threshold of each hidden neuron, within 20 %",
     .network = [](N& n) { per_neuron(n, "v_threshold", 0.2); }},
    {.name = "bias-per-neuron",
     .says = "bias of each hidden neuron, -0.05 to 0.05",
     .network = [](N& n) { hidden(n)["bias"] = Parameter(uniform(hidden(n).size, -0.05, 0.05)); }},
    {.name = "tau-mem-listed",
     .says = "tau_mem of each hidden neuron, all the same",
     .network = [](N& n) { per_neuron(n, "tau_mem", 0); }},
    {.name = "tau-mem-per-neuron",
     .says = "tau_mem of each hidden neuron, within 20 %",
     .network = [](N& n) { per_neuron(n, "tau_mem", 0.2); }},
    {.name = "taus-per-neuron",
     .says = "tau_mem and tau_syn of each hidden neuron, within 20 %",
     .network =
         [](N& n) {
           per_neuron(n, "tau_mem", 0.2);
           per_neuron(n, "tau_syn", 0.2);
         }},
    {.name = "taus-around-equal",
     .says = "taus-per-neuron, where tau_syn is 20 ms too: half of the synapses are slower",
     .settings = [](S& s) { s.tau_syn = s.tau_mem; },
     .network =
         [](N& n) {
           per_neuron(n, "tau_mem", 0.2);
           per_neuron(n, "tau_syn", 0.2);
         }},
    {.name = "refractory", .says = "tau_ref 2 ms", .settings = [](S& s) { s.tau_ref = 2e-3; }},
    {.name = "refractory-per-neuron",
     .says = "tau_ref of each hidden neuron, 1.6 to 2.4 ms",
     .settings = [](S& s) { s.tau_ref = 2e-3; },
     .network = [](N& n) { per_neuron(n, "tau_ref", 0.2); }},
    {.name = "delay-per-source",
     .says = "a delay of each input and hidden neuron, 0 to 2 ms",
     .network = delay_per_source},
    {.name = "delay-per-synapse-out",
     .says = "a delay of each synapse hidden->out, 0 to 2 ms",
     .network = delays_out},
    {.name = "delay-per-synapse-in",
     .says = "a delay of each synapse in->hidden, 0 to 2 ms",
     .network = [](N& n) { delay_per_synapse(n, "in->hidden", 0, 2e-3); }},
    {.name = "alif",
     .says = "hidden neurons are ALIF",
     .network = [](N& n) { hidden(n).become(Model::alif); }},
    {.name = "alif-beta-per-neuron",
     .says = "beta of each ALIF neuron, within 20 %",
     .network =
         [](N& n) {
           hidden(n).become(Model::alif);
           per_neuron(n, "beta", 0.2);
         }},
    {.name = "alif-tau-adapt-per-neuron",
     .says = "tau_adapt of each ALIF neuron, within 20 %",
     .network =
         [](N& n) {
           hidden(n).become(Model::alif);
           per_neuron(n, "tau_adapt", 0.2);
         }},
    {.name = "alif-recurrent",
     .says = "recurrent, hidden neurons are ALIF",
     .settings = recurrent,
     .network = [](N& n) { hidden(n).become(Model::alif); }},
    {.name = "alif-recurrent-tau-adapt-per-neuron",
     .says = "alif-recurrent, tau_adapt of each within 20 %",
     .settings = recurrent,
     .network =
         [](N& n) {
           hidden(n).become(Model::alif);
           per_neuron(n, "tau_adapt", 0.2);
         }},
    {.name = "alif-train-adaptation",
     .says = "weights, beta and tau_adapt of ALIF neurons trained",
     .settings =
         [](S& s) {
           s.train.trainable = {"weights", "beta", "tau_adapt"};
         },
     .network = [](N& n) { hidden(n).become(Model::alif); }},
    {.name = "alif-train-adaptation-per-neuron",
     .says = "alif-tau-adapt-per-neuron, weights, beta and tau_adapt trained",
     .settings =
         [](S& s) {
           s.train.trainable = {"weights", "beta", "tau_adapt"};
         },
     .network =
         [](N& n) {
           hidden(n).become(Model::alif);
           per_neuron(n, "tau_adapt", 0.2);
         }},
    {.name = "alif-train-taus",
     .says = "weights, tau_mem, tau_syn, tau_adapt and bias of ALIF neurons trained",
     .settings =
         [](S& s) {
           s.train.trainable = {"weights", "tau_mem", "tau_syn", "tau_adapt", "bias"};
         },
     .network = [](N& n) { hidden(n).become(Model::alif); }},
    {.name = "alpha",
     .says = "hidden neurons have alpha synapses",
     .network = [](N& n) { hidden(n).become(Model::named("LIF:alpha")); }},
    {.name = "alpha-taus-per-neuron",
     .says = "alpha synapses, tau_mem and tau_syn of each hidden neuron within 20 %",
     .network =
         [](N& n) {
           hidden(n).become(Model::named("LIF:alpha"));
           per_neuron(n, "tau_mem", 0.2);
           per_neuron(n, "tau_syn", 0.2);
         }},
    {.name = "alpha-train-taus",
     .says = "alpha synapses, weights and both time constants trained",
     .settings =
         [](S& s) {
           s.train.trainable = {"weights", "tau_mem", "tau_syn"};
         },
     .network = [](N& n) { hidden(n).become(Model::named("LIF:alpha")); }},
    {.name = "sparse",
     .says = "1 in 10 of the synapses in->hidden",
     .network = [](N& n) { thin_out(n, "in->hidden", 0.1); }},
    {.name = "recurrent",
     .says = "hidden->hidden all to all, delay 1 ms, 0.1 s",
     .settings = recurrent},
    {.name = "recurrent-long",
     .says = "recurrent, the same spikes in 1 s",
     .settings =
         [](S& s) {
           recurrent(s);
           s.t_end *= 10;
         }},
    {.name = "recurrent-delay-per-synapse",
     .says = "recurrent, a delay of each synapse, 1 to 2 ms",
     .settings = recurrent,
     .network = [](N& n) { delay_per_synapse(n, "hidden->hidden", 1e-3, 2e-3); }},
    {.name = "recurrent-tau-mem-per-neuron",
     .says = "recurrent, tau_mem of each hidden neuron, within 20 %",
     .settings = recurrent,
     .network = [](N& n) { per_neuron(n, "tau_mem", 0.2); }},
    {.name = "train-threshold",
     .says = "weights and v_threshold trained",
     .settings =
         [](S& s) {
           s.train.trainable = {"weights", "v_threshold"};
         }},
    {.name = "train-bias",
     .says = "weights and bias trained",
     .settings =
         [](S& s) {
           s.train.trainable = {"weights", "bias"};
         }},
    {.name = "train-tau-mem",
     .says = "weights and tau_mem trained",
     .settings =
         [](S& s) {
           s.train.trainable = {"weights", "tau_mem"};
         }},
    {.name = "train-taus",
     .says = "weights, tau_mem and tau_syn trained",
     .settings =
         [](S& s) {
           s.train.trainable = {"weights", "tau_mem", "tau_syn"};
         }},
    {.name = "train-taus-per-neuron",
     .says = "taus-per-neuron, weights, tau_mem and tau_syn trained",
     .settings =
         [](S& s) {
           s.train.trainable = {"weights", "tau_mem", "tau_syn"};
         },
     .network =
         [](N& n) {
           per_neuron(n, "tau_mem", 0.2);
           per_neuron(n, "tau_syn", 0.2);
         }},
    {.name = "train-all",
     .says = "weights and every neuron parameter trained; backward: input times too",
     .settings =
         [](S& s) {
           s.train.trainable = {"weights"};
           for (const ParameterRow& p : Model::lif->parameters) {
             s.train.trainable.emplace_back(p.name);
           }
         },
     .everything = true},
    {.name = "ghosts",
     .says = "--smooth-threshold 0.1",
     .settings = [](S& s) { s.train.smooth_threshold = 0.1; }},
    {.name = "train-delay",
     .says = "as delay-per-synapse-out, weights and delays trained",
     .settings =
         [](S& s) {
           s.train.trainable = {"weights", "delays"};
         },
     .network = delays_out},
    {.name = "minibatch-5", .says = "minibatch 5", .settings = [](S& s) { s.train.batch = 5; }},
    {.name = "two-threads",
     .says = "--threads 2",
     .settings = [](S& s) { s.train.threads = 2; },
     .cores = 2},
    {.name = "two-threads-minibatch-5",
     .says = "--threads 2, minibatch 5",
     .settings =
         [](S& s) {
           s.train.threads = 2;
           s.train.batch = 5;
         },
     .cores = 2},
    {.name = "float64",
     .says = "--precision float64",
     .settings = [](S& s) { s.precision = "float64"; }},
};

}  // namespace

std::span<const CliffRow> cliff_rows() { return all_rows; }

}  // namespace saltus::bench
