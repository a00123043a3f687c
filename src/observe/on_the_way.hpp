// SPDX-License-Identifier: Apache-2.0
// The spikes that a sample leaves to what comes after its end: those that have not arrived everywhere, or behind
// which V is still held.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "plan/arrivals.hpp"
#include "plan/plan.hpp"
#include "simulate/continued.hpp"
#include "spikes/sample_spikes.hpp"

namespace saltus {

struct OnTheWay {
  std::size_t number;  // within the sample
  std::int32_t neuron;
  double time;  // seconds from the end
};

/// The spikes of one population, in order of time.
template <class Real>
class Leaving {
 public:
  Leaving(const Plan<Real>& plan, std::size_t population) : plan_(plan), population_(population) {
    const auto& projections = plan.network->projections();
    for (std::size_t k = 0; k < projections.size(); ++k) {
      if (projections[k].source != population) continue;
      outgoing_.push_back(k);
      const auto& delays = projections[k].delay.values;
      if (!delays.empty()) longest_ = std::max(longest_, *std::ranges::max_element(delays));
    }
    const Population& p = plan.network->populations()[population];
    if (p.model == Model::input || !p.model->has("tau_ref")) return;
    const auto& values = p["tau_ref"].values();
    longest_ = std::max(longest_, *std::ranges::max_element(values));
  }

  /// @param spikes  of the sample, those of before in front
  std::vector<OnTheWay> of(SampleSpikes spikes, double end) const {
    std::vector<OnTheWay> found;
    for (std::size_t k = 0; k < spikes.times.size(); ++k) {
      const double time = spikes.times[k];
      // (Input spikes from the end on belong to what comes after.)
      if (time > end || (time == end && plan_.input_number[population_] >= 0)) break;
      if (time + longest_ < end) continue;
      Reached reached{end};
      look(reached, time, spikes.neurons[k]);
      if (!reached.leaves()) continue;
      found.push_back({k, spikes.neurons[k], reached.from_the_end(time)});
    }
    std::ranges::stable_sort(found, {}, &OnTheWay::time);
    return found;
  }

 private:
  // What has arrived, whether V is held: told by sums of times, rounded. Seen from the end the same sums round
  // otherwise: the time is moved by as little as it takes for them to say the same.
  struct Reached {
    double end;
    double soonest = infinity, latest = -infinity;  // delay of what has not arrived; of what has
    double held = 0, released = 0;                  // the refractory time: not over; over. 0: none
    void add(double time, double delay) {
      if (time + delay >= end) {
        soonest = std::min(soonest, delay);
      } else {
        latest = std::max(latest, delay);
      }
    }
    bool leaves() const { return soonest < infinity || held > 0; }
    double from_the_end(double time) const {
      double t = time - end;
      if (held > 0 && !(t + held > 0)) t = std::nextafter(-held, infinity);
      if (released > 0 && t + released > 0) t = -released;
      t = std::max(t, -soonest);
      if (t >= -latest) t = std::nextafter(-latest, -infinity);
      return std::min(t, 0.0);
    }
  };
  const Plan<Real>& plan_;
  std::size_t population_;
  std::vector<std::size_t> outgoing_;  // projections
  double longest_ = 0;                 // of all delays and refractory times

  void look(Reached& reached, double time, std::int32_t neuron) const {
    const auto pre = static_cast<std::size_t>(neuron);
    for (const std::size_t k : outgoing_) {
      const Projection<Real>& p = plan_.network->projections()[k];
      if (p.delay.kind != Delay::Kind::per_synapse) {
        reached.add(time, p.delay(pre, 0));
      } else if (p.connection.all_to_all()) {
        const std::size_t post = plan_.size(p.target);
        for (std::size_t j = 0; j < post; ++j) reached.add(time, p.delay(pre, pre * post + j));
      } else {
        for (const auto& s : p.connection.synapses().from(pre)) {
          reached.add(time, p.delay(pre, static_cast<std::size_t>(s.number)));
        }
      }
    }
    const Population& p = plan_.network->populations()[population_];
    if (p.model == Model::input || !p.model->has("tau_ref")) return;
    const double tau_ref = p["tau_ref"][pre];
    // (As its neuron counts.)
    const PopulationPlan<Real>& neurons = plan_.populations[population_];
    const double release =
        neurons.is_linear() ? neurons.linear_neuron(pre).release_after(time) : time + tau_ref;
    (release > reached.end ? reached.held : reached.released) = tau_ref;
  }
};

}  // namespace saltus
