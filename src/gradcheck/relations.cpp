// SPDX-License-Identifier: Apache-2.0
// What must change nothing, whatever the code does inside: arrivals of weight 0, another origin of
// time, other numbers for the neurons, a population in two parts, a projection in two halves. Each
// relation makes another network of the case, runs both and carries the gradients back. And a training,
// whose backward pass goes on from what its forward pass left, gets the same.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "adjoint/backward.hpp"
#include "gradcheck/gradcheck.hpp"
#include "gradcheck/synapses.hpp"
#include "gradcheck/tensors.hpp"
#include "observe/observe.hpp"
#include "random/random.hpp"
#include "simulate/forward.hpp"

namespace saltus::gradcheck {
namespace {

// A population of the other network: some neurons of one of the case, in some order.
struct Part {
  std::size_t population;
  std::vector<std::size_t> neurons;
};

struct Other {
  Network<double> network;
  std::vector<Part> parts;          // per population of `network`
  std::vector<std::size_t> origin;  // per projection of `network`; `added` if there is none
  std::vector<Spikes> inputs;
  std::vector<double> t_end;
  double shift = 0;
};
constexpr std::size_t added = static_cast<std::size_t>(-1);

std::vector<Part> all_of(const Network<double>& network) {
  std::vector<Part> parts;
  for (std::size_t p = 0; p < network.populations().size(); ++p) {
    parts.push_back({p, std::vector<std::size_t>(network.populations()[p].size)});
    std::iota(parts.back().neurons.begin(), parts.back().neurons.end(), 0);
  }
  return parts;
}

template <class T>
std::vector<T> take(const std::vector<T>& values, const std::vector<std::size_t>& at) {
  std::vector<T> result;
  for (const std::size_t k : at) result.push_back(values[k]);
  return result;
}

Parameter take(const Parameter& p, const std::vector<std::size_t>& at) {
  return p.shared() ? p : Parameter(take(p.values(), at));
}

// The synapses of a projection between a part of each of its populations.
struct Cut {
  std::vector<std::size_t> numbers, weights;  // as the case counts them
  std::vector<Synapse> synapses;              // as the parts do: each has a weight of its own
};

Cut cut(const Case& c, const Projection<double>& p, const Part& source, const Part& target) {
  // What a neuron is called in its part.
  const auto places = [](const Part& part, std::size_t size) {
    std::vector<std::int32_t> result(size, -1);
    for (std::size_t k = 0; k < part.neurons.size(); ++k) {
      result[part.neurons[k]] = static_cast<std::int32_t>(k);
    }
    return result;
  };
  const auto& populations = c.network.populations();
  const auto pre = places(source, populations[p.source].size);
  const auto post = places(target, populations[p.target].size);
  struct One {
    Synapse synapse;
    std::size_t number, weight;
  };
  std::vector<One> found;
  std::size_t number = 0;
  for (const Synapse& s : synapses_of(c.network, p)) {
    const Synapse there{pre[static_cast<std::size_t>(s.pre)],
                        post[static_cast<std::size_t>(s.post)], 0};
    if (there.pre >= 0 && there.post >= 0) {
      found.push_back({there, number, static_cast<std::size_t>(s.weight)});
    }
    ++number;
  }
  std::stable_sort(found.begin(), found.end(), [](const One& a, const One& b) {
    return std::pair(a.synapse.pre, a.synapse.post) < std::pair(b.synapse.pre, b.synapse.post);
  });
  Cut result;
  for (One& one : found) {
    one.synapse.weight = static_cast<std::int32_t>(result.numbers.size());
    result.synapses.push_back(one.synapse);
    result.numbers.push_back(one.number);
    result.weights.push_back(one.weight);
  }
  return result;
}

Delay take(const Delay& delay, const Part& source, const Cut& cut) {
  switch (delay.kind) {
    case Delay::Kind::per_source:
      return Delay::per_source(take(delay.values, source.neurons));
    case Delay::Kind::per_synapse:
      return Delay::per_synapse(take(delay.values, cut.numbers));
    default:
      return delay;
  }
}

/// @param copies  of each projection, among which its weights are divided
/// @param list    also what is all to all is listed synapse by synapse
Other rebuild(const Case& c, std::vector<Part> parts, std::size_t copies = 1, bool list = false) {
  Other other{{}, std::move(parts), {}, c.inputs, c.t_end};
  const auto& populations = c.network.populations();
  for (std::size_t p = 0; p < other.parts.size(); ++p) {
    const Part& part = other.parts[p];
    Population population = populations[part.population];
    population.name = std::to_string(p);
    population.size = part.neurons.size();
    for (Parameter& q : population.parameters) q = take(q, part.neurons);
    if (population.model == Model::input) {
      other.network.add_input(population.name, population.size);
      std::vector<std::int32_t> channel(population.size);
      for (std::size_t k = 0; k < channel.size(); ++k) {
        channel[part.neurons[k]] = static_cast<std::int32_t>(k);
      }
      for (auto& n : other.inputs[0].neurons) n = channel[static_cast<std::size_t>(n)];
    } else {
      other.network.add_population(std::move(population));
    }
  }
  for (std::size_t k = 0; k < c.network.projections().size(); ++k) {
    const auto& projection = c.network.projections()[k];
    for (std::size_t a = 0; a < other.parts.size(); ++a) {
      for (std::size_t b = 0; b < other.parts.size(); ++b) {
        const Part &source = other.parts[a], &target = other.parts[b];
        if (source.population != projection.source || target.population != projection.target) {
          continue;
        }
        const Cut there = cut(c, projection, source, target);
        if (there.synapses.empty()) continue;
        auto weight = take(projection.weight, there.weights);
        for (double& w : weight) w /= static_cast<double>(copies);
        const bool dense = projection.connection.all_to_all() && !list;
        for (std::size_t copy = 0; copy < copies; ++copy) {
          other.network.connect(
              std::to_string(a), std::to_string(b), weight, take(projection.delay, source, there),
              std::to_string(other.origin.size()), dense ? Connection() : listed(there.synapses),
              populations[projection.target].model->receptor_name(projection.receptor));
          other.origin.push_back(k);
        }
      }
    }
  }
  return other;
}

// ---- the relations ------------------------------------------------------------------------------

// Arrivals of weight 0, at random times also where nothing else happens.
Other silent_arrivals(const Case& c, Random& random) {
  Other other = rebuild(c, all_of(c.network));
  const std::size_t channels = 3;
  other.network.add_input("silent", channels);
  other.parts.push_back({added, {}});
  for (std::size_t p = 0; p < c.network.populations().size(); ++p) {
    const Population& population = c.network.populations()[p];
    if (population.model == Model::input) continue;
    other.network.connect(
        "silent", std::to_string(p), std::vector<double>(channels * population.size, 0.0), {},
        std::to_string(other.origin.size()), {}, population.model->receptor_name(0));
    other.origin.push_back(added);
  }
  Spikes spikes;
  for (std::size_t s = 0; s < c.t_end.size(); ++s) {
    const SampleSpikes sent = sample_of(c.inputs[0].view(), s);
    const double last = sent.times.empty() ? 0 : sent.times.back();
    std::vector<double> times(1 + random.below(60));
    for (double& t : times) t = random.uniform(0, std::min(c.t_end[s], 1.5 * last + 0.1));
    std::sort(times.begin(), times.end());
    for (const double t : times) {
      spikes.times.push_back(t);
      spikes.neurons.push_back(static_cast<std::int32_t>(random.below(channels)));
    }
    spikes.offsets.push_back(static_cast<std::int64_t>(spikes.times.size()));
  }
  other.inputs.push_back(std::move(spikes));
  return other;
}

Other relabelled(const Case& c, Random& random) {
  std::vector<Part> parts = all_of(c.network);
  for (Part& part : parts) {
    for (std::size_t k = part.neurons.size(); k > 1; --k) {
      std::swap(part.neurons[k - 1], part.neurons[random.below(static_cast<std::uint32_t>(k))]);
    }
  }
  return rebuild(c, std::move(parts));
}

// Every population of two neurons and more.
Other split_populations(const Case& c, Random& random) {
  std::vector<Part> parts;
  for (Part& part : all_of(c.network)) {
    const std::size_t size = part.neurons.size();
    if (c.network.populations()[part.population].model != Model::input && size > 1) {
      const auto first = part.neurons.begin();
      const auto cut = first + 1 + random.below(static_cast<std::uint32_t>(size - 1));
      parts.push_back({part.population, {first, cut}});
      part.neurons.erase(first, cut);
    }
    parts.push_back(std::move(part));
  }
  return rebuild(c, std::move(parts));
}

Other halved_projections(const Case& c, Random&) { return rebuild(c, all_of(c.network), 2); }

Other listed_synapses(const Case& c, Random&) { return rebuild(c, all_of(c.network), 1, true); }

// Everything happens later. So nothing moves before the first arrival: see at_rest().
Other later(const Case& c, Random& random) {
  Other other = rebuild(c, all_of(c.network));
  other.shift = std::exp(random.uniform(std::log(1e-3), std::log(0.1)));
  for (double& t : other.inputs[0].times) t += other.shift;
  for (double& t : other.t_end) t += other.shift;
  return other;
}

// The case with all neurons at rest at 0; none if there is no rest.
std::optional<Case> at_rest(const Case& c) {
  Case result = c;
  for (Population& p : result.network.populations()) {
    if (p.model == Model::input) continue;
    if (p.model->linear && p.model != Model::alif) return std::nullopt;  // who knows its rest?
    for (std::size_t j = 0; p.fires() && j < p.size; ++j) {
      if (p["bias"][j] >= p["v_threshold"][j]) return std::nullopt;
    }
    p["v_initial"] = p["bias"];
    p["i_initial"] = 0.0;
    if (p.model == Model::alif) p["a_initial"] = 0.0;
  }
  return result;
}

// ---- errors there, gradients back ---------------------------------------------------------------

struct Run {
  Record<double> record;
  Errors<double> errors{0};
  Gradients<double> gradients;
};

// Errors of maxima need to know where they sit.
void find_maxima(const Network<double>& network, const Inputs& inputs, Run& run) {
  const Plan<double> plan(network);
  for (std::size_t p = 0; p < network.populations().size(); ++p) {
    if (run.errors.populations[p].maxima.empty()) continue;
    const Population& population = network.populations()[p];
    run.errors.maxima[p] = population.model == Model::li
                               ? maxima(network, inputs, run.record, p)
                               : maxima_of(plan, inputs, run.record, p,
                                           silent_neurons(run.record, p, population.size));
  }
}

// Numbers of the spikes of each neuron in a sample.
std::vector<std::vector<std::size_t>> by_neuron(const Spikes& spikes, std::size_t sample,
                                                std::size_t size) {
  std::vector<std::vector<std::size_t>> result(size);
  for (auto k = static_cast<std::size_t>(spikes.offsets[sample]);
       k < static_cast<std::size_t>(spikes.offsets[sample + 1]); ++k) {
    result[static_cast<std::size_t>(spikes.neurons[k])].push_back(k);
  }
  return result;
}

/// The same errors for the other network. @returns false if its spikes are not the same in number
bool carry_over(const Case& c, const Run& base, const Other& other, Run& run,
                const std::string& label, Report& report) {
  const std::size_t samples = c.t_end.size();
  run.errors = Errors<double>(other.parts.size());
  for (std::size_t p = 0; p < other.parts.size(); ++p) {
    const Part& part = other.parts[p];
    if (part.population == added) continue;
    const Population& population = c.network.populations()[part.population];
    const auto& from = base.errors.populations[part.population];
    auto& to = run.errors.populations[p];
    const std::size_t size = part.neurons.size();
    const SpikeRecord<double>&theirs = run.record.populations[p],
          &ours = base.record.populations[part.population];
    to.spikes.resize(from.spikes.empty() ? 0 : theirs.spikes.times.size());
    for (std::size_t s = 0; population.fires() && s < samples; ++s) {
      const auto here = by_neuron(ours.spikes, s, population.size);
      const auto there = by_neuron(theirs.spikes, s, size);
      for (std::size_t j = 0; j < size; ++j) {
        const auto& own = here[part.neurons[j]];
        if (own.size() != there[j].size()) {
          report.relation_times.meet(infinity, label + " count of " + population.name);
          return false;
        }
        for (std::size_t k = 0; k < own.size(); ++k) {
          const double moved =
              theirs.spikes.times[there[j][k]] - other.shift - ours.spikes.times[own[k]];
          report.relation_times.meet(std::fabs(moved) / population["tau_mem"][part.neurons[j]],
                                     label + " " + population.name);
          if (!from.spikes.empty()) to.spikes[there[j][k]] = from.spikes[own[k]];
        }
      }
    }
    const auto rows = [&](const std::vector<double>& values, std::size_t count) {
      std::vector<double> result;
      for (std::size_t row = 0; !values.empty() && row < count; ++row) {
        for (const std::size_t j : part.neurons) {
          result.push_back(values[row * population.size + j]);
        }
      }
      return result;
    };
    to.maxima = rows(from.maxima, samples);
    // The integral of what is there before all else begins is no part of the relation.
    if (other.shift == 0) to.integrals = rows(from.integrals, samples);
    to.sample_times = from.sample_times;
    for (double& t : to.sample_times) t += other.shift;
    to.samples = rows(from.samples, samples * from.sample_times.size());
  }
  return true;
}

// Where V has settled, the maximum is as good at one arrival as at the next: is it the same one?
bool same_maxima(const Case& c, const Run& base, const Other& other, const Run& run) {
  for (std::size_t p = 0; p < other.parts.size(); ++p) {
    const Part& part = other.parts[p];
    if (part.population == added || base.errors.maxima[part.population].times.empty()) continue;
    const auto& ours = base.errors.maxima[part.population];
    const auto& theirs = run.errors.maxima[p];
    const Population& population = c.network.populations()[part.population];
    for (std::size_t k = 0; k < theirs.times.size(); ++k) {
      const std::size_t size = part.neurons.size(), j = part.neurons[k % size];
      const double here = ours.times[k / size * population.size + j];
      const double there = theirs.times[k] - (theirs.times[k] > 0 ? other.shift : 0);
      if (here != there && !(std::fabs(here - there) < 1e-6 * population["tau_mem"][j]))
        return false;
    }
  }
  return true;
}

// Gradients of the other network in the shape of the case's. Of a weight in several copies the
// first is taken, and the others told to `unequal`.
Gradients<double> carry_back(const Case& c, const Other& other, const Gradients<double>& g,
                             const Gradients<double>& shape, double& unequal) {
  Gradients<double> result = shape;
  const auto clear = [](std::vector<double>& values) {
    std::fill(values.begin(), values.end(), 0.0);
  };
  for (auto& d : result.delays) clear(d);
  for (auto& w : result.weights) clear(w);
  std::vector<std::vector<double>> first;  // per projection, by number of the synapse
  for (const auto& p : c.network.projections()) {
    const auto& populations = c.network.populations();
    first.emplace_back(p.connection.count(populations[p.source].size, populations[p.target].size),
                       infinity);
  }
  for (std::size_t q = 0; q < other.origin.size(); ++q) {
    const std::size_t k = other.origin[q];
    if (k == added) continue;
    const auto& projection = other.network.projections()[q];
    const auto& original = c.network.projections()[k];
    const Part &source = other.parts[projection.source], &target = other.parts[projection.target];
    const Cut there = cut(c, original, source, target);
    for (std::size_t s = 0; s < there.numbers.size(); ++s) {
      double& seen = first[k][there.numbers[s]];
      if (seen < infinity) {
        unequal = std::max(unequal, std::fabs(seen - g.weights[q][s]));
      } else {
        result.weights[k][there.weights[s]] += seen = g.weights[q][s];
      }
    }
    const auto& delays = g.delays[q];
    for (std::size_t d = 0; d < delays.size(); ++d) {
      const std::size_t to = original.delay.kind == Delay::Kind::per_source    ? source.neurons[d]
                             : original.delay.kind == Delay::Kind::per_synapse ? there.numbers[d]
                                                                               : 0;
      result.delays[k][to] += delays[d];
    }
  }
  for (auto& n : result.neurons) {
    for (auto& values : n.parameters) clear(values);
  }
  for (std::size_t p = 0; p < other.parts.size(); ++p) {
    const Part& part = other.parts[p];
    if (part.population == added) continue;
    const auto add = [&](std::vector<double>& to, const std::vector<double>& from) {
      for (std::size_t j = 0; j < from.size(); ++j) {
        to[to.size() == 1 ? 0 : part.neurons[j]] += from[j];
      }
    };
    auto& to = result.neurons[part.population];
    const auto& from = g.neurons[p];
    for (std::size_t q = 0; q < from.parameters.size(); ++q) {
      add(to.parameters[q], from.parameters[q]);
    }
    if (c.network.populations()[part.population].model == Model::input) {
      result.times[part.population] = g.times[p];
    }
  }
  return result;
}

// At rest V(0) = b: what one of them gains from a later start the other loses, and I(0) decays.
void forget_the_start(Gradients<double>& g) {
  for (auto& n : g.neurons) {
    if (n.model == Model::input) continue;
    auto &bias = n["bias"], &v_initial = n["v_initial"], &i_initial = n["i_initial"];
    for (std::size_t j = 0; j < bias.size(); ++j) bias[j] += v_initial[j];
    std::fill(v_initial.begin(), v_initial.end(), 0.0);
    std::fill(i_initial.begin(), i_initial.end(), 0.0);
    if (n.model == Model::alif) std::fill(n["a_initial"].begin(), n["a_initial"].end(), 0.0);
  }
}

constexpr struct {
  const char* name;
  Other (*make)(const Case&, Random&);
} relations[] = {
    {"arrivals of weight 0", silent_arrivals}, {"neurons relabelled", relabelled},
    {"populations split", split_populations},  {"projections halved", halved_projections},
    {"synapses listed", listed_synapses},      {"time shifted", later},
};

void check_training(const Case& c, const Evaluation& base, const std::string& label,
                    Report& report) {
  const Plan<double> plan(c.network);
  ForwardMemory<double> forward;
  BackwardMemory<double> memory;
  Record<double> record;
  Gradients<double> gradients;
  simulate<double>(plan, c.view(), 1, forward, record);
  ++report.relations;
  for (std::size_t p = 0; p < record.populations.size(); ++p) {
    const auto &ours = record.populations[p].spikes, &theirs = base.record.populations[p].spikes;
    if (ours.times == theirs.times && ours.neurons == theirs.neurons) continue;
    report.relation_times.meet(infinity,
                               label + ", in a training " + c.network.populations()[p].name);
    return;
  }
  backward<double>(plan, c.view(), record, base.errors, {}, 1, &forward.timelines, memory,
                   gradients);
  const auto expected = backward(c.network, c.view(), base.record, base.errors);
  std::string where;
  const double error = largest_difference(c.network, gradients, expected, relation_bar,
                                          base.magnitude, &where, rounding(c));
  report.relation_gradients.meet(error, label + ", in a training " + where);
}

}  // namespace

void check_relations(const Case& given, const Evaluation& base_evaluation, std::uint64_t seed,
                     const std::string& label, Report& report) {
  check_training(given, base_evaluation, label, report);
  Random random(seed, Purpose::gradcheck, 1);
  for (const auto& relation : relations) {
    const bool shifted = relation.make == later;
    const std::optional<Case> c = shifted ? at_rest(given) : given;
    if (!c) continue;
    const std::string name = label + ", " + relation.name;
    Run base{base_evaluation.record, base_evaluation.errors, {}};
    if (shifted) {
      Evaluation e = evaluate(*c, c->network, c->inputs);
      Census census;
      topology(*c, c->network, c->inputs, e, &census);
      if (census.flattest_spike < grazing_slope) continue;
      base = {std::move(e.record), std::move(e.errors), {}};
      for (auto& p : base.errors.populations) p.integrals.clear();
    }
    find_maxima(c->network, c->view(), base);
    base.gradients = backward(c->network, c->view(), base.record, base.errors);

    const Other other = relation.make(*c, random);
    Inputs inputs{{}, other.t_end};
    for (const Spikes& s : other.inputs) inputs.spikes.push_back(s.view());
    // Arrivals of weight 0 cut the intervals elsewhere: in every way of running.
    std::vector<Options> ways{Options{}};
    if (relation.make == silent_arrivals) {
      ways.push_back({1, Kernel::scalar, {}});
      ways.push_back({1, Kernel::vector, Way::windows});
      ways.push_back({1, Kernel::vector, Way::event_loop});
    }
    for (const Options& way : ways) {
      Run run;
      run.record = simulate(other.network, inputs, way);
      ++report.relations;
      if (!carry_over(*c, base, other, run, name, report)) break;
      find_maxima(other.network, inputs, run);
      if (!same_maxima(*c, base, other, run)) {
        ++report.relations_void;
        continue;
      }
      run.gradients = backward(other.network, inputs, run.record, run.errors, {}, way);
      double unequal = 0;
      auto back = carry_back(*c, other, run.gradients, base.gradients, unequal);
      auto expected = base.gradients;
      if (shifted) {
        forget_the_start(back);
        forget_the_start(expected);
      }
      std::string where;
      const double error = largest_difference(c->network, back, expected, relation_bar,
                                              base_evaluation.magnitude, &where, rounding(*c));
      report.relation_gradients.meet(error, name + " " + where);
      if (unequal > 0) report.relation_gradients.meet(unequal, name + " copies");
    }
  }
}

}  // namespace saltus::gradcheck
