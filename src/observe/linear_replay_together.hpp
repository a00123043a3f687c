// SPDX-License-Identifier: Apache-2.0
// The course of all neurons of a linear population whose spikes are known, side by side: replay() of
// observe/linear_replay.hpp for neurons that move in the same way. Those that spike or are released in an
// interval go through it by themselves.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "observe/linear_replay.hpp"
#include "simulate/linear_layer.hpp"
#include "spikes/sample_spikes.hpp"

namespace saltus {

template <class Real>
class ReplayTogether {
 public:
  /// @param visit  spike(number, x before), jump(the same, group), release(number of the spike, x)
  template <class Visitor>
  void go(const PopulationPlan<Real>& plan, std::size_t size, const Arrivals<Real>& arrivals,
          SampleSpikes spikes, double end, Visitor&& visit) {
    layer_.begin(plan, size);
    neurons_.assign(size, {});
    const std::size_t groups = arrivals.group_count();
    const bool jumps = plan.linear_neuron(0).jumps;
    find_steps(plan, size, arrivals, spikes, jumps);
    double t = 0;
    std::size_t k = 0;
    for (; k < spikes.times.size() && is_past(spikes.times[k]); ++k) {
      const auto j = static_cast<std::size_t>(spikes.neurons[k]);
      Alone& a = neurons_[j];
      a.last = k;
      a.release = plan.linear_neuron(j).release_after(spikes.times[k]);
      a.x[0] = plan.linear_neuron(j).initial[0];
      if (a.release > 0) layer_.hold(j, a.release);
    }
    for (std::size_t g = 0; g <= groups && (k < spikes.times.size() || !layer_.held.empty()); ++g) {
      const double next = g < groups ? arrivals.times[g] : end;
      const auto arrived = g > 0 ? arrivals.group(g - 1) : std::span<const Arrival<Real>>();
      alone_.clear();
      layer_.release_until(next,
                           [&](std::size_t j) { take(plan.linear_neuron(j), j, t, arrived); });
      // Spikes at the arrivals of t come first, and those at the arrivals of `next` in the next interval.
      const auto lies_here = [&](std::size_t spike) {
        return g == groups || lies_before(spikes.times[spike], next, jumps);
      };
      std::size_t last = k;
      for (; last < spikes.times.size() && lies_here(last); ++last) {
        const auto j = static_cast<std::size_t>(spikes.neurons[last]);
        take(plan.linear_neuron(j), j, t, arrived);
      }
      const bool own = plan.alike_linear->own();
      if (own) layer_.find_own(arrivals, g, t, arrivals.times.empty() ? 0 : arrivals.times.back());
      if (g < groups) {
        const linear::Step none, &step = own ? none : arrivals.steps[g];
        LinearKernels<Real>::best().flow(layer_, step, arrived);
      }
      for (; k < last; ++k) {
        const auto j = static_cast<std::size_t>(spikes.neurons[k]);
        const linear::Neuron& n = plan.linear_neuron(j);
        Alone& a = neurons_[j];
        const bool made = g > 0 && (a.made || (jumps && spikes.times[k] == t));
        walk(n, a, spikes.times[k], to_spike_[k], visit);
        made ? visit.jump(k, a.x, g - 1) : visit.spike(k, a.x);
        a.made = false;
        a.x = n.after_spike(a.x);
        a.last = k;
        a.release = n.release_after(spikes.times[k]);
      }
      for (const std::size_t j : alone_) {
        Alone& a = neurons_[j];
        a.taken = false;
        if (g == groups) {
          if (a.release <= next) walk_held(plan.linear_neuron(j), a, next, visit);
          continue;
        }
        walk(plan.linear_neuron(j), a, next, from_release_[a.last], visit);
        layer_.set(j, a.x);
        if (a.release > next) layer_.hold(j, a.release);
      }
      t = next;
    }
  }

 private:
  // A neuron that goes by itself through an interval.
  struct Alone {
    linear::Vector<double> x{};  // of one that is held: V
    double t = 0, release = 0;
    std::size_t last = 0;  // its last spike
    bool taken = false;
    bool made = false;  // what has arrived makes its next spike, as in replay()
  };
  LinearLayer<Real> layer_;
  std::vector<Alone> neurons_;
  std::vector<std::size_t> alone_;
  // With its state at the start of the interval.
  void take(const linear::Neuron& n, std::size_t j, double t,
            std::span<const Arrival<Real>> arrived) {
    Alone& a = neurons_[j];
    if (a.taken) return;
    const double v = a.x[0];
    a.x = layer_.get(j, arrived);
    if (a.release > t) a.x[0] = v;
    a.made = n.jumps && a.release <= t && n.is_below(layer_.get(j)) && !n.is_below(a.x);
    a.t = t;
    a.taken = true;
    alone_.push_back(j);
  }
  // @returns  does it move now, at a.t?
  template <class Visitor>
  bool walk_held(const linear::Neuron& n, Alone& a, double to, Visitor&& visit) {
    if (a.release <= a.t) return true;
    const double until = std::min(a.release, to);
    a.x = n.held.flow(a.x, until - a.t, most_components);
    a.t = until;
    if (until < a.release) return false;
    visit.release(a.last, a.x);
    return true;
  }
  // @param step  what takes it there once it moves
  template <class Visitor>
  void walk(const linear::Neuron& n, Alone& a, double to, const linear::Step& step,
            Visitor&& visit) {
    if (!walk_held(n, a, to, visit)) return;
    if (to > a.t) a.x = step.flow(a.x, n.free.constant()[0], layer_.alike->components);
    a.t = to;
  }

  // What takes neurons that go by themselves through the parts of their intervals: all of a sample at
  // once, as their lengths follow from the spikes alone.
  std::vector<linear::Step> to_spike_;      // [spike] from the release or arrival before it
  std::vector<linear::Step> from_release_;  // [spike] from its release to the next arrival
  std::vector<double> gaps_, released_;

  static bool lies_before(double spike, double arrival, bool jumps) {
    return spike < arrival || (spike == arrival && !jumps);
  }
  void find_steps(const PopulationPlan<Real>& plan, std::size_t size,
                  const Arrivals<Real>& arrivals, SampleSpikes spikes, bool jumps) {
    const std::size_t count = spikes.times.size(), groups = arrivals.group_count();
    gaps_.resize(2 * count);
    released_.assign(size, 0);
    std::size_t g = 0;
    for (std::size_t k = 0; k < count; ++k) {
      const double time = spikes.times[k];
      while (g < groups && !lies_before(time, arrivals.times[g], jumps)) ++g;
      const auto j = static_cast<std::size_t>(spikes.neurons[k]);
      gaps_[k] = time - std::max(g > 0 ? arrivals.times[g - 1] : 0, released_[j]);
      const double release = plan.linear_neuron(j).release_after(time);
      std::size_t next = g;
      while (next < groups && arrivals.times[next] < release) ++next;
      gaps_[count + k] = next < groups ? arrivals.times[next] - release : 0;
      released_[j] = release;
    }
    to_spike_.resize(count);
    from_release_.resize(count);
    const linear::Alike& all = *plan.alike_linear;
    const std::span gaps(gaps_);
    if (!all.own()) {
      all.steps(gaps.first(count), to_spike_.data());
      all.steps(gaps.subspan(count), from_release_.data());
      return;
    }
    for (std::size_t k = 0; k < count; ++k) {
      const auto& free = plan.linear_neuron(static_cast<std::size_t>(spikes.neurons[k])).free;
      to_spike_[k] = all.step(free, gaps[k]);
      from_release_[k] = all.step(free, gaps[count + k]);
    }
  }
};

}  // namespace saltus
