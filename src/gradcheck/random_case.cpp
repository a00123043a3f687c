// SPDX-License-Identifier: Apache-2.0
#include "gradcheck/random_case.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <optional>

#include "gradcheck/synapses.hpp"
#include "loss/evaluate.hpp"
#include "observe/observe.hpp"
#include "plan/arrivals.hpp"
#include "random/random.hpp"
#include "simulate/forward.hpp"

namespace saltus::gradcheck {
namespace {

// One number for all or one per neuron, at random.
Parameter parameter(Random& random, std::size_t size, double low, double high) {
  if (random.chance(0.5)) return random.uniform(low, high);
  std::vector<double> values(size);
  for (double& v : values) v = random.uniform(low, high);
  return Parameter(std::move(values));
}

Parameter sometimes(Random& random, double probability, std::size_t size, double low, double high) {
  return random.chance(probability) ? parameter(random, size, low, high) : Parameter(0.0);
}

// Refractory neurons, and where each has a time of its own, among them some that are not.
Parameter some_without(const Parameter& tau_ref) {
  if (tau_ref.shared()) return tau_ref;
  std::vector<double> values(tau_ref.values().begin(), tau_ref.values().end());
  for (double& x : values) x = x < 1.5e-3 ? 0 : x;
  return Parameter(std::move(values));
}

double logarithmic(Random& random, double low, double high) {
  return std::exp(random.uniform(std::log(low), std::log(high)));
}

// Ratios of time constants to draw from where they may be far apart.
struct Ratios {
  double lowest, highest;
  double often = 1.0 / 6;  // are they?
};

void time_constants(Random& random, Population& p, const Ratios* ratios) {
  switch (ratios && random.chance(ratios->often) ? 5 : random.below(5)) {
    case 0:
      break;  // 20 ms and 5 ms: the paper's
    case 1:   // equal
      p["tau_mem"] = parameter(random, p.size, 5e-3, 20e-3);
      p["tau_syn"] = p["tau_mem"];
      break;
    case 2: {  // nearly equal
      p["tau_mem"] = random.uniform(5e-3, 20e-3);
      p["tau_syn"] =
          p["tau_mem"][0] * (1 + random.uniform(-1, 1) * std::pow(10, random.uniform(-9, -2)));
      break;
    }
    case 3:  // tau_mem = 2 tau_syn
      p["tau_syn"] = random.uniform(5e-3, 10e-3);
      p["tau_mem"] = 2 * p["tau_syn"][0];
      break;
    case 5:  // far apart: NMDA and GABA_B, or a membrane that hardly leaks
      p["tau_mem"] = logarithmic(random, 3e-3, 20e-3);
      p["tau_syn"] = p["tau_mem"][0] / logarithmic(random, ratios->lowest, ratios->highest);
      break;
    default:
      p["tau_mem"] = parameter(random, p.size, 6e-3, 25e-3);
      p["tau_syn"] = parameter(random, p.size, 3e-3, 15e-3);
  }
}

// A value for a parameter of which nothing is known but its row.
Parameter unusual(Random& random, const ParameterRow& row, std::size_t size) {
  if (row.range == Range::positive) {
    return parameter(random, size, 0.3 * row.usual, 1.5 * row.usual);
  }
  const double lowest = row.range == Range::any ? row.usual - 0.5 * row.typical : row.usual;
  return parameter(random, size, lowest, row.usual + row.typical);
}

// Does it come to rest if nothing arrives? If not, there is no endless sample, and what rounds a spike
// moves all later ones: no long trains then.
bool rests(const Population& p) {
  if (!p.model->linear) return true;
  std::vector<double> values;
  for (const ParameterRow& row : p.model->parameters) values.push_back(row.usual);
  const auto n = p.model->linear->neuron(Values<double>(*p.model, values));
  const std::size_t components = p.model->linear->components.size();
  return !std::isinf(linear::Neuron(n, components, p.model->spikes).settling_time());
}

Population neurons(Random& random, std::string name, Model model, std::size_t size,
                   const Ratios* ratios, bool tonic = false) {
  Population p;
  p.name = std::move(name);
  p.model = model;
  p.size = size;
  const auto set = [&p](std::string_view row, Parameter value) {
    if (p.model->has(row)) p[row] = std::move(value);
  };
  if (model->has("tau_mem") && model->has("tau_syn")) {
    time_constants(random, p, rests(p) ? ratios : nullptr);
  } else if (model->has("tau_mem")) {
    p["tau_mem"] = parameter(random, size, 8e-3, 25e-3);
  }
  set("bias", sometimes(random, 0.4, size, -0.2, 0.3));
  set("v_initial", sometimes(random, 0.3, size, -0.5, 0.5));
  set("i_initial", sometimes(random, 0.3, size, -0.5, 1.0));
  if (model->spikes) {
    if (random.chance(0.5)) set("v_threshold", parameter(random, size, 0.7, 1.3));
    if (tonic) set("bias", parameter(random, size, 1.35, 2.2));  // spikes by itself
    set("v_reset", sometimes(random, 0.5, size, -0.6, 0.4));
    set("tau_ref", some_without(sometimes(random, 0.35, size, 0.5e-3, 4e-3)));
  }
  for (const ParameterRow& row : model->parameters) {  // of its own
    if (!Model::lif->has(row.name)) set(row.name, unusual(random, row, size));
  }
  return p;
}

// Another model than `usual` in one layer of five, so that each meets the others; or one of a neuron.
Model model_of_layer(Random& random, Model usual, std::string_view neuron = {}) {
  std::vector<Model> others;
  for (const Model model : Model::all()) {
    const bool fits = neuron.empty() || model->name.substr(0, model->name.find(':')) == neuron;
    if (fits && model->linear && model->spikes == usual->spikes) others.push_back(model);
  }
  if (others.empty() || (neuron.empty() && !random.chance(0.2))) return usual;
  return others[random.below(static_cast<std::uint32_t>(others.size()))];
}

// A weight that is added at once does as much as a current of four times its size.
constexpr double jumps_are_stronger = 0.25;
bool jumps(const Population& p) { return p.model->name.ends_with(":delta"); }

// Through one of the receptors of the target.
void connect(Random& random, Network<double>& network, std::string_view source,
             const std::string& target, std::vector<double> weight, Delay delay) {
  const ModelInfo& model = *network.populations()[network.index(target)].model;
  const auto receptors = model.receptors();
  const std::size_t receptor =
      receptors.empty() ? 0 : random.below(static_cast<std::uint32_t>(receptors.size()));
  network.connect(source, target, std::move(weight), std::move(delay), "", {},
                  model.receptor_name(receptor));
}

// @param some  more than none
Delay delay(Random& random, std::size_t pre, std::size_t post, bool some = false) {
  const auto draw = [&](std::size_t count) {
    std::vector<double> values(count);
    for (double& v : values) v = random.uniform(0.3e-3, 6e-3);
    return values;
  };
  switch (random.below(5)) {
    case 0:
      return Delay::common(random.uniform(0.3e-3, 6e-3));
    case 1:
      return Delay::per_source(draw(pre));
    case 2:
      return Delay::per_synapse(draw(pre * post));
    default:
      return some ? Delay::common(random.uniform(0.3e-3, 6e-3)) : Delay::none();
  }
}

std::vector<double> weights(Random& random, std::size_t pre, std::size_t post, double mean,
                            double spread) {
  std::vector<double> w(pre * post);
  for (double& v : w) v = mean + spread * random.normal();
  return w;
}

// Weights inside a cycle: excitation is bounded, or a network may run away (its rate then grows
// exponentially, and nothing caps the number of spikes).
std::vector<double> cycle_weights(Random& random, std::size_t pre, std::size_t post, double most) {
  std::vector<double> w = weights(random, pre, post, -0.1, 0.5);
  for (double& v : w) v = std::min(v, most / static_cast<double>(pre));
  return w;
}

// @param silence  no arrival for so long, once in each sample, s; 0: none
Spikes input_spikes(Random& random, std::size_t samples, std::size_t channels, double silence) {
  Spikes spikes;
  for (std::size_t s = 0; s < samples; ++s) {
    std::vector<std::pair<double, std::int32_t>> sample;
    const std::size_t count = 3 + random.below(8);
    for (std::size_t k = 0; k < count; ++k) {
      sample.emplace_back(
          random.uniform(0.5e-3, 25e-3),
          static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(channels))));
      if (sample.back().first > 15e-3) sample.back().first += silence;
    }
    std::sort(sample.begin(), sample.end());
    for (const auto& [time, channel] : sample) {
      spikes.times.push_back(time);
      spikes.neurons.push_back(channel);
    }
    spikes.offsets.push_back(static_cast<std::int64_t>(spikes.times.size()));
  }
  return spikes;
}

// A coefficient that belongs to one observable, whatever the order in which they come.
double coefficient(const Objective& o, std::uint32_t kind, std::uint64_t at) {
  Random random(o.seed ^ (at * 0x9E3779B97F4A7C15u), Purpose::gradcheck, kind + 1);
  return random.uniform(-1, 1);
}

void linear(const Case& c, const Network<double>& network, const Inputs& inputs, Evaluation& e) {
  const Objective& o = c.objective;
  const auto term = [&](double coefficient_value, double observable) {
    e.value += coefficient_value * observable;
    e.magnitude += std::fabs(coefficient_value * observable);
  };
  for (std::size_t p = 0; p < network.populations().size(); ++p) {
    const Population& population = network.populations()[p];
    auto& errors = e.errors.populations[p];
    const std::uint64_t base = (p + 1) * 1000003;
    if (o.spikes && population.fires()) {
      // Times count in units of 10 ms, so that all kinds of terms weigh alike.
      constexpr double per_second = 100;
      const Spikes& spikes = e.record.populations[p].spikes;
      errors.spikes.resize(spikes.times.size());
      for (std::size_t s = 0; s < e.record.samples; ++s) {
        std::vector<std::uint64_t> number(population.size, 0);
        for (auto k = static_cast<std::size_t>(spikes.offsets[s]);
             k < static_cast<std::size_t>(spikes.offsets[s + 1]); ++k) {
          const auto n = static_cast<std::size_t>(spikes.neurons[k]);
          const double a =
              per_second * coefficient(o, 0, base + (s * population.size + n) * 4096 + number[n]++);
          errors.spikes[k] = a;
          term(a, spikes.times[k]);
        }
      }
    }
    if (o.maxima && population.model != Model::input && !population.model->linear) {
      e.errors.maxima[p] = maxima(o, network, inputs, e.record, p);
      errors.maxima.assign(e.errors.maxima[p].values.size(), 0);
      for (const auto& [s, j] : silent_neurons(e.record, p, population.size)) {
        const std::size_t k = s * population.size + j;
        errors.maxima[k] = coefficient(o, 1, base + k);
        term(errors.maxima[k], e.errors.maxima[p].values[k]);
      }
    }
    if (o.integrals && population.model != Model::input) {
      const auto values = integrals(network, inputs, e.record, p);
      for (std::size_t k = 0; k < values.size(); ++k) {
        errors.integrals.push_back(100 * coefficient(o, 2, base + k));
        term(errors.integrals[k], values[k]);
      }
    }
    if (o.samples && population.model != Model::input) {
      const auto values = voltages(network, inputs, e.record, p, o.sample_times);
      errors.sample_times = o.sample_times;
      for (std::size_t k = 0; k < values.size(); ++k) {
        errors.samples.push_back(coefficient(o, 3, base + k));
        term(errors.samples[k], values[k]);
      }
    }
  }
}

// A loss of the library whose outputs are of a model, each with the same chance; empty if none is.
std::string random_loss(Random& random, Model outputs) {
  std::vector<std::string_view> fitting;
  for (const NamedLoss& loss : losses()) {
    if (loss.takes(outputs)) fitting.push_back(loss.name);
  }
  if (fitting.empty()) return {};
  std::size_t k = 0;
  while (k + 1 < fitting.size() && !random.chance(1.0 / static_cast<double>(fitting.size() - k)))
    ++k;
  return std::string(fitting[k]);
}

constexpr std::size_t most_spikes = 2000;  // a case of more takes minutes and shows nothing more

// What a case is to be like.
struct Outline {
  std::size_t samples, layers, channels;
  bool wide, recurrent, readout;
  bool long_gaps;     // a silence of many time constants
  bool may_be_tonic;  // neurons that spike by themselves
};

Outline outline(Random& random, bool wide) {
  Outline o;
  o.wide = wide;
  o.samples = 1 + random.below(2);
  o.layers = 1 + random.below(3);
  o.channels = 2 + random.below(4);
  o.recurrent = random.chance(0.5);
  o.readout = random.chance(0.75);
  o.long_gaps = wide && random.chance(0.5);
  o.may_be_tonic = wide && !o.recurrent && !o.long_gaps && random.chance(0.5);
  return o;
}

// A slow synapse makes long trains of spikes: only once; in a cycle they would have no end. Through
// long silences times know fewer digits of a fast one. What else outlives a silence?
Ratios ratios_of_layer(const Outline& o, std::size_t layer) {
  if (o.long_gaps && layer == 0 && !o.recurrent) return {0.003, 0.03, 0.9};
  if (o.long_gaps || o.recurrent) return {0.4, 10};
  return {layer == 0 ? 0.02 : 0.4, 300};
}

// A layer upon the population before. Returns whether it spikes by itself.
bool add_layer(Random& random, Model model, const Outline& o, std::size_t layer,
               Network<double>& network) {
  const std::string name = fmt::format("layer{}", layer + 1);
  const std::string below = network.populations().back().name;
  const std::size_t below_size = network.populations().back().size;
  const std::size_t size = 1 + random.below(5);
  const bool tonic = o.may_be_tonic && random.chance(0.6);
  const Ratios ratios = ratios_of_layer(o, layer);
  Population p = neurons(random, name, model, size, o.wide ? &ratios : nullptr, tonic);
  // Currents that stay add up.
  const bool made_by_arrivals = jumps(p);
  const double ratio = p.model->has("tau_syn") ? p["tau_mem"][0] / p["tau_syn"][0] : 1;
  const bool oscillates = p.model->has("frequency");  // and so comes less high
  const double strength = (oscillates ? 2 : 1) * (made_by_arrivals         ? jumps_are_stronger
                                                  : o.wide && ratio < 0.05 ? 0.2
                                                  : o.wide && ratio < 0.3  ? 0.3
                                                                           : 1);
  // Of its spikes, and those of the layer below, within a cycle.
  const bool needs_delay = o.recurrent && made_by_arrivals;
  const bool below_needs_delay = o.recurrent && jumps(network.populations().back());
  network.add_population(std::move(p));
  connect(random, network, below, name,
          weights(random, below_size, size,
                  strength * 3 / std::sqrt(static_cast<double>(below_size)), strength * 1.8),
          delay(random, below_size, size, below_needs_delay));
  const double excitation =  // in a cycle
      o.long_gaps        ? 0
      : made_by_arrivals ? 0.4 * jumps_are_stronger
                         : 0.4;
  if (o.recurrent && random.chance(0.7)) {  // to itself, diagonal included
    connect(random, network, name, name, cycle_weights(random, size, size, excitation),
            delay(random, size, size, needs_delay));
  }
  if (o.recurrent && layer > 0 && random.chance(0.5)) {  // back to the layer below
    connect(random, network, name, below, cycle_weights(random, size, below_size, excitation),
            delay(random, size, below_size, needs_delay));
  }
  if (layer > 0 && random.chance(0.25)) {  // past a layer
    connect(random, network, "in", name, weights(random, o.channels, size, 0.3, 0.8),
            delay(random, o.channels, size));
  }
  return tonic;
}

// Lists some of the synapses of a projection, in any order; two sources often share weights. (Two
// targets that did, or that nothing reached, would spike together, in no order.)
Projection<double> thinned(Random& random, const Network<double>& network,
                           const Projection<double>& p) {
  const std::vector<Synapse> all = synapses_of(network, p);
  const auto post = static_cast<std::int32_t>(network.populations()[p.target].size);
  const bool shared = random.chance(0.4);
  std::vector<std::size_t> kept;  // numbers
  for (std::size_t k = 0; k < all.size(); ++k) {
    if (k == 0 || random.chance(0.6)) kept.push_back(k);
  }
  for (std::size_t k = kept.size(); k > 1; --k) {
    std::swap(kept[k - 1], kept[random.below(static_cast<std::uint32_t>(k))]);
  }
  Projection<double> result = p;
  result.weight.clear();
  if (p.delay.kind == Delay::Kind::per_synapse) result.delay.values.clear();
  std::map<std::int32_t, std::int32_t> places;  // of the weights that are left
  std::vector<Synapse> synapses;
  for (const std::size_t k : kept) {
    const Synapse& s = all[k];
    const std::int32_t of = shared ? s.pre / 2 * post + s.post : s.weight;
    const auto [place, first] = places.emplace(of, result.weight.size());
    if (first) result.weight.push_back(p.weight[k]);
    if (p.delay.kind == Delay::Kind::per_synapse) result.delay.values.push_back(p.delay.values[k]);
    synapses.push_back({s.pre, s.post, place->second});
  }
  result.connection = listed(synapses);
  return result;
}

// In three networks of ten some projections do not connect all to all.
Network<double> thinned(Random random, const Network<double>& network) {
  if (!random.chance(0.3)) return network;
  Network<double> result;
  for (const Population& p : network.populations()) result.add_population(p);
  for (const Projection<double>& p : network.projections()) {
    const Projection<double> q = random.chance(0.6) ? thinned(random, network, p) : p;
    result.connect(network.populations()[p.source].name, network.populations()[p.target].name,
                   q.weight, q.delay, p.name, q.connection,
                   network.populations()[p.target].model->receptor_name(p.receptor));
  }
  return result;
}

void add_readout(Random& random, Model model, const Outline& o, Network<double>& network) {
  const std::string below = network.populations().back().name;
  const std::size_t below_size = network.populations().back().size;
  const std::size_t size = 1 + random.below(3);
  const Ratios ratios{0.003, o.long_gaps ? 1.0 : 300.0};
  network.add_population(neurons(random, "out", model, size, o.wide ? &ratios : nullptr));
  connect(random, network, below, "out", weights(random, below_size, size, 0.1, 0.9),
          delay(random, below_size, size));
  if (random.chance(0.5)) {
    connect(random, network, "in", "out", weights(random, o.channels, size, 0.0, 0.7),
            delay(random, o.channels, size));
  }
}

// Times are float64: a thousand time constants later they know 13 digits of one. A cycle runs in
// windows of its shortest delay, silent or not.
double silence(Random& random, const Outline& o, const Network<double>& network) {
  if (!o.long_gaps) return 0;
  return network.populations()[1]["tau_mem"][0] *
         (o.recurrent ? logarithmic(random, 10, 60) : logarithmic(random, 200, 2000));
}

double last_input(const Case& c) {
  double last = 0;
  for (const double t : c.inputs[0].times) last = std::max(last, t);
  return last;
}

bool cyclic(const Network<double>& network) {
  return std::ranges::any_of(network.projections(),
                             [](const auto& p) { return p.source >= p.target; });
}

// What is asked of a case whose network and inputs are drawn.
void draw_objective(Random& random, const Outline& outline, Case& c) {
  Objective& o = c.objective;
  o.readout = c.network.populations().size() - 1;
  o.linear = random.chance(0.7);
  o.spikes = random.chance(0.6);
  o.maxima = random.chance(0.6);
  o.integrals = random.chance(0.4);
  o.samples = random.chance(0.4);
  if (!(o.spikes || o.maxima || o.integrals || o.samples)) o.spikes = o.maxima = true;
  const double last = last_input(c);
  const double sampled = outline.long_gaps ? last : 20e-3;
  for (int k = 0; k < 3; ++k) o.sample_times.push_back(random.uniform(0, sampled));
  std::sort(o.sample_times.begin(), o.sample_times.end());
  if (o.linear) return;
  const std::string kind = random_loss(random, c.network.populations()[o.readout].model);
  o.linear = kind.empty();
  if (o.linear) return;
  o.loss.kind = kind;
  o.loss["tau_0"] = outline.long_gaps ? last / 5 : 5e-3;
  if (outline.long_gaps) o.loss["tau_1"] = last;
  o.loss["t_missing"] = outline.long_gaps ? 1.2 * last : 0.05;
  o.loss["silent_pull"] = 3;
  // A sample without an end counts its spikes alike: a value that no parameter moves.
  const bool endless = std::isinf(*std::ranges::max_element(c.t_end));
  o.loss["tau_count"] = endless ? infinity : outline.long_gaps ? last / 2 : 15e-3;
  const auto outputs = static_cast<std::uint32_t>(c.network.populations()[o.readout].size);
  for (std::size_t s = 0; s < outline.samples; ++s) {
    o.labels.push_back(static_cast<std::int32_t>(random.below(outputs)));
  }
}

Case draw(Random random, std::optional<Random> models, std::uint64_t seed, bool wide,
          std::string_view neuron) {
  const Outline o = outline(random, wide);
  Case c;
  c.network.add_input("in", o.channels);
  bool tonic = false;
  for (std::size_t l = 0; l < o.layers; ++l) {
    tonic |= add_layer(random, models ? model_of_layer(*models, Model::lif, neuron) : Model::lif, o,
                       l, c.network);
  }
  if (o.readout) {
    add_readout(random, models ? model_of_layer(*models, Model::li) : Model::li, o, c.network);
  }
  c.inputs.push_back(input_spikes(random, o.samples, o.channels, silence(random, o, c.network)));
  const bool may_rest = !cyclic(c.network) && !tonic;
  const bool endless =
      may_rest && random.chance(0.4) && std::ranges::all_of(c.network.populations(), rests);
  for (std::size_t s = 0; s < o.samples; ++s) {
    const double end = random.uniform(20e-3, 45e-3);
    c.t_end.push_back(endless ? infinity : o.long_gaps ? last_input(c) + end : end);
  }
  c.objective.seed = seed + 1;
  draw_objective(random, o, c);
  const bool integrals =
      c.objective.linear ? c.objective.integrals : find_loss(c.objective.loss.kind).of_integrals;
  if (endless && integrals) {  // with a bias the integral has no limit
    for (auto& p : c.network.populations()) {
      if (p.model->has("bias")) p["bias"] = 0.0;
    }
  }
  return c;
}

}  // namespace

template <class Real>
Maxima<Real> maxima(const Objective& objective, const Network<Real>& network, const Inputs& inputs,
                    const Record<Real>& record, std::size_t population) {
  const Population& p = network.populations()[population];
  if (p.model == Model::li) return saltus::maxima(network, inputs, record, population);
  std::vector<SilentNeuron> silent = silent_neurons(record, population, p.size);
  if (!objective.linear) {  // the labels alone
    std::erase_if(silent, [&](const SilentNeuron& n) {
      return objective.labels[n.sample] != static_cast<std::int32_t>(n.neuron);
    });
  }
  return maxima_of(Plan<Real>(network), inputs, record, population, silent);
}
template Maxima<float> maxima(const Objective&, const Network<float>&, const Inputs&,
                              const Record<float>&, std::size_t);
template Maxima<double> maxima(const Objective&, const Network<double>&, const Inputs&,
                               const Record<double>&, std::size_t);

double fastest(const Network<double>& network) {
  double result = infinity;
  for (const Population& p : network.populations()) {
    for (std::size_t k = 0; k < p.parameters.size(); ++k) {
      const ParameterRow& row = p.model->parameters[k];
      if (row.unit.empty() || row.range != Range::positive) continue;
      for (const double x : p.parameters[k].values()) {
        result = std::min(result, row.unit == "Hz" ? 1 / (2 * std::numbers::pi * x) : x);
      }
    }
  }
  return result;
}

double rounding(const Case& c) {
  return std::numeric_limits<double>::epsilon() * (16 + last_input(c) / fastest(c.network));
}

Case random_case(std::uint64_t seed, bool wide, bool any_kind, std::string_view neuron) {
  for (std::uint32_t attempt = 0;; ++attempt) {
    const auto stream = [&](std::uint32_t number) {
      return Random(seed, Purpose::gradcheck, (attempt << 16) + number);
    };
    Case c =
        draw(stream(0), any_kind ? std::optional(stream(2)) : std::nullopt, seed, wide, neuron);
    if (any_kind) c.network = thinned(stream(3), c.network);
    std::size_t spikes = 0;
    for (const auto& p : simulate(c.network, c.view()).populations) spikes += p.spikes.times.size();
    if (!wide || spikes <= most_spikes) return c;
  }
}

Evaluation evaluate(const Case& c, const Network<double>& network,
                    const std::vector<Spikes>& spikes) {
  Inputs inputs{{}, c.t_end};
  for (const Spikes& s : spikes) inputs.spikes.push_back(s.view());
  Evaluation e;
  e.record = simulate(network, inputs);
  e.errors = Errors<double>(network.populations().size());
  if (c.objective.linear) {
    linear(c, network, inputs, e);
    return e;
  }
  const Plan<double> plan(network);
  const auto batch = batch_of(plan, inputs, e.record, c.objective.labels);
  const auto loss = built_in_loss<double>(c.objective.loss, c.objective.readout);
  auto result = loss->evaluate(batch);
  e.value = result.value;
  e.magnitude = std::fabs(e.value) + loss->largest_term(batch);
  e.errors = std::move(result.errors);
  return e;
}

}  // namespace saltus::gradcheck
