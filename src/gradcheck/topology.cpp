// SPDX-License-Identifier: Apache-2.0
#include "gradcheck/topology.hpp"

#include <algorithm>
#include <tuple>

#include "network/graph.hpp"
#include "plan/arrivals.hpp"

namespace saltus::gradcheck {
namespace {

// Events of one neuron by time; at one time by kind, then by what sent them.
struct Event {
  double time;
  int kind;  // 0 release, 1 sample, 2 spike, 3 arrival, 4 maximum
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

}  // namespace

void Census::add(const Census& other) {
  spikes += other.spikes;
  multi_spike_neurons += other.multi_spike_neurons;
  kink_maxima += other.kink_maxima;
  interior_maxima += other.interior_maxima;
  end_maxima += other.end_maxima;
  silent_maxima += other.silent_maxima;
  refractory_arrivals += other.refractory_arrivals;
  negative_weights += other.negative_weights;
  zero_delay_cycles += other.zero_delay_cycles;
  flattest_spike = std::min(flattest_spike, other.flattest_spike);
}

std::uint64_t topology(const Case& c, const Network<double>& network,
                       const std::vector<Spikes>& inputs, const Evaluation& e, Census* census) {
  Hash hash;
  Census seen;
  for (std::size_t p = 0; p < network.populations().size(); ++p) {
    const Population& population = network.populations()[p];
    if (population.model == Model::input) continue;
    const auto& maxima = e.errors.maxima[p];
    for (std::size_t s = 0; s < c.t_end.size(); ++s) {
      const auto spikes_of = [&](std::size_t source) {
        return sample_of(network.populations()[source].model == Model::input
                             ? inputs[0].view()
                             : e.record.populations[source].spikes.view(),
                         s);
      };
      const SampleSpikes own = spikes_of(p);
      const auto first = static_cast<std::size_t>(
          population.model == Model::lif ? e.record.populations[p].spikes.offsets[s] : 0);
      for (std::size_t j = 0; j < population.size; ++j) {
        std::vector<Event> events;
        std::size_t count = 0;
        double held_until = -1;
        std::vector<std::pair<double, double>> clamps;
        for (std::size_t k = 0; k < own.times.size(); ++k) {
          if (static_cast<std::size_t>(own.neurons[k]) != j) continue;
          events.push_back({own.times[k], 2, 0, 0, count});
          seen.flattest_spike = std::min(seen.flattest_spike,
                                         e.record.populations[p].currents[first + k] +
                                             population["bias"][j] - population["v_threshold"][j]);
          held_until = own.times[k] + population["tau_ref"][j];
          clamps.emplace_back(own.times[k], held_until);
          if (population["tau_ref"][j] > 0) events.push_back({held_until, 0, 0, 0, count});
          ++count;
        }
        seen.spikes += count;
        seen.multi_spike_neurons += count > 1;
        for (std::size_t m = 0; c.objective.samples && m < c.objective.sample_times.size(); ++m) {
          events.push_back({c.objective.sample_times[m], 1, 0, 0, m});
        }
        for (std::size_t k = 0; k < network.projections().size(); ++k) {
          const auto& projection = network.projections()[k];
          if (projection.target != p) continue;
          const SampleSpikes sent = spikes_of(projection.source);
          std::vector<std::size_t> number(network.populations()[projection.source].size, 0);
          for (std::size_t i = 0; i < sent.times.size(); ++i) {
            const auto n = static_cast<std::size_t>(sent.neurons[i]);
            const double at =
                arrival_time(projection, sent.times[i], sent.neurons[i], j, population.size);
            const std::size_t occurrence = number[n]++;
            if (at >= c.t_end[s]) continue;
            events.push_back({at, 3, k, n, occurrence});
            seen.refractory_arrivals += std::any_of(
                clamps.begin(), clamps.end(),
                [&](const auto& clamp) { return at > clamp.first && at < clamp.second; });
          }
        }
        events.push_back({c.t_end[s], 5, 0, 0, 0});
        if (!maxima.times.empty()) {
          const std::size_t at = s * population.size + j;
          events.push_back(
              {maxima.times[at], 4, static_cast<std::size_t>(maxima.places[at]), 0, 0});
          seen.kink_maxima += maxima.places[at] == Place::arrival;
          seen.interior_maxima += maxima.places[at] == Place::interior;
          seen.end_maxima += maxima.places[at] == Place::end;
          seen.silent_maxima +=
              population.model == Model::lif && e.errors.populations[p].maxima[at] != 0;
        }
        std::sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
          return a.time != b.time ? a.time < b.time : a.key() < b.key();
        });
        for (std::size_t k = 0; k < events.size(); ++k) {
          const Event& event = events[k];
          hash.mix(static_cast<std::uint64_t>(event.kind));
          hash.mix(event.projection * 64 + event.source);
          hash.mix(event.number * 2 + (k > 0 && events[k - 1].time == event.time));
        }
        hash.mix(~std::uint64_t{0});
      }
    }
  }
  if (census) {
    for (const auto& projection : network.projections()) {
      seen.negative_weights += static_cast<std::size_t>(std::count_if(
          projection.weight.begin(), projection.weight.end(), [](double w) { return w < 0; }));
    }
    for (const auto& component : components(network)) {
      seen.zero_delay_cycles += component.cyclic && component.shortest_delay == 0;
    }
    *census = seen;
  }
  return hash.value();
}

}  // namespace saltus::gradcheck
