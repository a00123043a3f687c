// SPDX-License-Identifier: Apache-2.0
#include "gradcheck/topology.hpp"

#include <algorithm>
#include <tuple>

#include "gradcheck/synapses.hpp"
#include "network/graph.hpp"
#include "observe/linear_replay.hpp"
#include "observe/replay.hpp"

namespace saltus::gradcheck {
namespace {

// Events of one neuron by time; at one time by kind, then by what sent them.
struct Event {
  enum Kind { release, sample, spike, arrival, maximum, end };  // in the order of a tie
  double time;
  Kind kind;
  std::size_t projection, source, number;

  auto key() const { return std::tie(kind, projection, source, number); }
};

class Hash {
 public:
  void mix(std::uint64_t value) {
    state_ = (state_ ^ value) * 0x100000001B3u;
    state_ ^= state_ >> 29;
  }
  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0xCBF29CE484222325u;
};

// A simulation whose branch is asked for.
struct Simulation {
  const Case& c;
  const Network<double>& network;
  const std::vector<Spikes>& inputs;
  const Evaluation& result;
  // [population][spike] tau_mem dV/dt above the threshold; empty unless wanted
  std::vector<std::vector<double>> slopes;

  SampleSpikes spikes_of(std::size_t population, std::size_t sample) const {
    return sample_of(network.populations()[population].model == Model::input
                         ? inputs[0].view()
                         : result.record.populations[population].spikes.view(),
                     sample);
  }
};

// The events of one neuron in one sample. What is met on the way is counted.
class Events {
 public:
  Events(const Simulation& simulation, std::size_t population, std::size_t sample,
         std::size_t neuron, Census& seen)
      : simulation_(simulation),
        number_(population),
        sample_(sample),
        j_(neuron),
        end_(simulation.c.t_end[sample]),
        population_(simulation.network.populations()[population]),
        seen_(seen) {
    add_spikes();
    const Objective& objective = simulation_.c.objective;
    for (std::size_t m = 0; objective.samples && m < objective.sample_times.size(); ++m) {
      events_.push_back({objective.sample_times[m], Event::sample, 0, 0, m});
    }
    for (std::size_t k = 0; k < simulation_.network.projections().size(); ++k) {
      if (simulation_.network.projections()[k].target == number_) add_arrivals(k);
    }
    events_.push_back({end_, Event::end, 0, 0, 0});
    add_maximum();
    std::sort(events_.begin(), events_.end(), [](const Event& a, const Event& b) {
      return a.time != b.time ? a.time < b.time : a.key() < b.key();
    });
  }

  void mix_into(Hash& hash) const {
    for (std::size_t k = 0; k < events_.size(); ++k) {
      const Event& event = events_[k];
      hash.mix(static_cast<std::uint64_t>(event.kind));
      hash.mix(event.projection * 64 + event.source);
      hash.mix(event.number * 2 + (k > 0 && events_[k - 1].time == event.time));
    }
    hash.mix(~std::uint64_t{0});
  }

 private:
  const Simulation& simulation_;
  std::size_t number_, sample_, j_;
  double end_;
  const Population& population_;
  Census& seen_;
  std::vector<Event> events_;
  std::vector<std::pair<double, double>> clamps_;  // from spike to release

  void add_spikes() {
    if (!population_.fires()) return;
    const SampleSpikes own = simulation_.spikes_of(number_, sample_);
    const auto first = static_cast<std::size_t>(
        simulation_.result.record.populations[number_].spikes.offsets[sample_]);
    const double tau_ref = population_.model->has("tau_ref") ? population_["tau_ref"][j_] : 0;
    for (std::size_t k = 0; k < own.times.size(); ++k) {
      if (static_cast<std::size_t>(own.neurons[k]) != j_) continue;
      const std::size_t count = clamps_.size();
      const double time = own.times[k], held_until = time + tau_ref;
      events_.push_back({time, Event::spike, 0, 0, count});
      if (!simulation_.slopes.empty()) {
        seen_.flattest_spike =
            std::min(seen_.flattest_spike, simulation_.slopes[number_][first + k]);
      }
      clamps_.emplace_back(time, held_until);
      if (tau_ref > 0) events_.push_back({held_until, Event::release, 0, 0, count});
    }
    seen_.spikes += clamps_.size();
    if (population_.model->linear) seen_.linear_spikes += clamps_.size();
    seen_.multi_spike_neurons += clamps_.size() > 1;
  }

  void add_arrivals(std::size_t k) {
    const auto& projection = simulation_.network.projections()[k];
    const SampleSpikes sent = simulation_.spikes_of(projection.source, sample_);
    std::vector<std::size_t> number(simulation_.network.populations()[projection.source].size, 0);
    std::vector<std::vector<double>> delays(number.size());  // of the synapses of each source to j
    std::size_t synapse = 0;
    for (const Synapse& s : synapses_of(simulation_.network, projection)) {
      const auto pre = static_cast<std::size_t>(s.pre);
      if (static_cast<std::size_t>(s.post) == j_) {
        delays[pre].push_back(projection.delay(pre, synapse));
      }
      ++synapse;
    }
    for (std::size_t i = 0; i < sent.times.size(); ++i) {
      const auto n = static_cast<std::size_t>(sent.neurons[i]);
      const std::size_t occurrence = number[n]++;
      for (const double delay : delays[n]) {
        const double time = sent.times[i] + delay;
        if (time >= end_) continue;
        events_.push_back({time, Event::arrival, k, n, occurrence});
        seen_.refractory_arrivals += std::any_of(
            clamps_.begin(), clamps_.end(),
            [&](const auto& clamp) { return time > clamp.first && time < clamp.second; });
      }
    }
  }

  void add_maximum() {
    const auto& maxima = simulation_.result.errors.maxima[number_];
    if (maxima.times.empty()) return;
    const std::size_t at = sample_ * population_.size + j_;
    const Place place = maxima.places[at];
    events_.push_back({maxima.times[at], Event::maximum, static_cast<std::size_t>(place), 0, 0});
    seen_.kink_maxima += place == Place::arrival;
    seen_.interior_maxima += place == Place::interior;
    seen_.end_maxima += place == Place::end;
    seen_.silent_maxima += population_.model == Model::lif &&
                           simulation_.result.errors.populations[number_].maxima[at] != 0;
  }
};

struct Slopes : LinearVisitor<double> {
  const linear::Neuron& n;
  double* slopes;  // of the sample's spikes

  Slopes(const linear::Neuron& neuron, double* s) : n(neuron), slopes(s) {}
  void spike(std::size_t k, const linear::Vector<double>& x) {
    slopes[k] = n.slope_above(x) / n.free.fastest();  // in units of the fastest
  }
  void jump(std::size_t k, const linear::Vector<double>&, std::size_t) { slopes[k] = infinity; }
};

std::vector<std::vector<double>> slopes_at_spikes(const Simulation& s) {
  std::vector<std::vector<double>> result;
  const Plan<double> plan(s.network);
  Inputs inputs{{}, s.c.t_end};
  for (const Spikes& spikes : s.inputs) inputs.spikes.push_back(spikes.view());
  Timeline<double> timeline;
  OwnSpikes own_spikes;
  for (std::size_t p = 0; p < s.network.populations().size(); ++p) {
    const Population& population = s.network.populations()[p];
    const SpikeRecord<double>& record = s.result.record.populations[p];
    result.emplace_back(record.spikes.times.size());
    for (std::size_t k = 0; k < record.currents.size(); ++k) {
      const auto j = static_cast<std::size_t>(record.spikes.neurons[k]);
      result[p][k] = record.currents[k] + population["bias"][j] - population["v_threshold"][j];
    }
    if (!plan.populations[p].is_linear()) continue;
    for (std::size_t sample = 0; sample < s.c.t_end.size(); ++sample) {
      double* first = result[p].data() + record.spikes.offsets[sample];
      for_each_neuron(plan, inputs, s.result.record, p, sample, timeline, own_spikes,
                      [&](std::size_t j, const auto& arrivals, auto own, auto times) {
                        const linear::Neuron& n = plan.populations[p].linear_neuron(j);
                        replay<double>(n, arrivals, j, own, times,
                                       rest_of(n, arrivals, own, times, {}, s.c.t_end[sample]),
                                       Slopes(n, first));
                      });
    }
  }
  return result;
}

void count_connections(const Network<double>& network, Census& seen) {
  for (const auto& projection : network.projections()) {
    seen.negative_weights += static_cast<std::size_t>(std::count_if(
        projection.weight.begin(), projection.weight.end(), [](double w) { return w < 0; }));
    if (projection.connection.all_to_all()) continue;
    const SynapseList& synapses = projection.connection.synapses();
    seen.listed_synapses += synapses.size();
    if (synapses.weights() < synapses.size()) seen.shared_weights += synapses.weights();
  }
  for (const auto& component : components(network)) {
    seen.zero_delay_cycles += component.cyclic && component.shortest_delay == 0;
  }
}

}  // namespace

void Census::add(const Census& other) {
  spikes += other.spikes;
  multi_spike_neurons += other.multi_spike_neurons;
  kink_maxima += other.kink_maxima;
  interior_maxima += other.interior_maxima;
  end_maxima += other.end_maxima;
  silent_maxima += other.silent_maxima;
  linear_spikes += other.linear_spikes;
  refractory_arrivals += other.refractory_arrivals;
  negative_weights += other.negative_weights;
  zero_delay_cycles += other.zero_delay_cycles;
  listed_synapses += other.listed_synapses;
  shared_weights += other.shared_weights;
  for (const auto& [name, networks] : other.losses) losses[name] += networks;
  flattest_spike = std::min(flattest_spike, other.flattest_spike);
}

std::uint64_t topology(const Case& c, const Network<double>& network,
                       const std::vector<Spikes>& inputs, const Evaluation& e, Census* census) {
  Simulation simulation{c, network, inputs, e, {}};
  if (census) simulation.slopes = slopes_at_spikes(simulation);
  Hash hash;
  Census seen;
  for (std::size_t p = 0; p < network.populations().size(); ++p) {
    const Population& population = network.populations()[p];
    if (population.model == Model::input) continue;
    for (std::size_t s = 0; s < c.t_end.size(); ++s) {
      for (std::size_t j = 0; j < population.size; ++j) {
        Events(simulation, p, s, j, seen).mix_into(hash);
      }
    }
  }
  if (census) {
    count_connections(network, seen);
    if (!c.objective.linear) ++seen.losses[c.objective.loss.kind];
    *census = seen;
  }
  return hash.value();
}

}  // namespace saltus::gradcheck
