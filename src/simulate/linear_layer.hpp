// SPDX-License-Identifier: Apache-2.0
// Neurons that are linear between events and move alike, or in the same way (neuron/linear_alike.hpp),
// side by side, in vectors: all of them from one arrival to the next. Those that may spike are gathered,
// and searched side by side too. All in double.
#pragma once

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <vector>

#include "machine/slots.hpp"
#include "neuron/linear_alike.hpp"
#include "plan/arrivals.hpp"
#include "plan/plan.hpp"

namespace saltus {

/// Neurons that may spike in an interval, each with its own beginning and length.
struct LinearCandidates {
  std::size_t count = 0;
  std::vector<std::size_t> neuron;
  std::vector<double> length;
  double *x[most_components],
      *end[most_components];  // at the beginning; at the end without a spike
  // What the search finds: the time of the first spike after the beginning, infinity if there is none, below 0
  // if the neuron has to be searched alone; and the state there.
  std::vector<double> after;
  double* at[most_components];

  void resize(std::size_t neurons) {
    count = 0;
    const std::size_t room = neurons + widest_vector;  // a vector may run over the end
    if (room <= neuron.size()) return;
    neuron.resize(room);
    length.resize(room);
    after.resize(room);
    states_.resize(3 * most_components * room);
    for (std::size_t k = 0; k < most_components; ++k) {
      x[k] = states_.data() + k * room;
      end[k] = states_.data() + (most_components + k) * room;
      at[k] = states_.data() + (2 * most_components + k) * room;
    }
  }
  linear::Vector<double> state(double* const* of, std::size_t candidate,
                               std::size_t components) const {
    linear::Vector<double> now{};
    for (std::size_t k = 0; k < components; ++k) now[k] = of[k][candidate];
    return now;
  }

 private:
  std::vector<double> states_;
};

/// The state of all neurons at one time. Memory is kept from run to run.
template <class Real>
class LinearLayer {
 public:
  static constexpr std::size_t most = most_components;
  Slots<double, 2 * most + 2 + most_receptors> slots;
  const linear::Alike* alike = nullptr;
  double *x[most], *bias, *theta, *c[most];  // bias: of dV/dt
  double* factors[most_receptors];           // of Receptor, of neurons with a motion of their own
  linear::OwnSteps own;                      // theirs, of the intervals of find_own()
  std::size_t interval = 0;                  // the present one among them
  LinearCandidates may_spike;  // told by the last pass; their lengths are the caller's
  bool biased = false;         // is any?
  bool last_alone = false;     // the last component drives no other
  // What a weight is added to: one component, at a factor; else, -1, what the model says.
  struct Receptor {
    int only;
    double factor;
  };
  std::array<Receptor, most_receptors> receptors;

  void begin(const PopulationPlan<Real>& plan, std::size_t size) {
    plan_ = &plan;
    found_ = nowhere;
    alike = &*plan.alike_linear;
    slots.resize(size);
    may_spike.resize(size);
    held.clear();
    for (std::size_t k = 0; k < most; ++k) {
      x[k] = slots[k];
      c[k] = slots[most + k];
    }
    bias = slots[2 * most];
    theta = slots[2 * most + 1];
    for (std::size_t r = 0; r < most_receptors; ++r) factors[r] = slots[2 * most + 2 + r];
    biased = false;
    last_alone = true;
    const std::size_t last = alike->components - 1;
    for (std::size_t k = 0; k < last; ++k) {
      last_alone = last_alone && alike->motion().matrix()[k][last] == 0;
    }
    for (std::size_t r = 0; r < most_receptors; ++r) {
      const auto& e = alike->receptors[r];
      const auto used = std::find_if(e.begin(), e.end(), [](double v) { return v != 0; });
      const bool one = std::count(e.begin(), e.end(), 0.0) == linear::dimension - 1;
      receptors[r] = {one ? static_cast<int>(used - e.begin()) : -1, one ? *used : 0};
    }
    const SlotLayout& layout = slots.layout();
    for (std::size_t s = 0; s < layout.count(); ++s) {
      const bool used = layout.used(s);
      const linear::Neuron& n = plan.linear_neuron(used ? layout.neuron(s) : 0);
      for (std::size_t k = 0; k < alike->components; ++k) {
        x[k][s] = used ? n.initial[k] : 0;
        c[k][s] = n.c[k];
      }
      bias[s] = n.free.constant()[0];
      biased = biased || bias[s] != 0;
      theta[s] = used ? n.theta : std::numeric_limits<double>::infinity();
      for (std::size_t r = 0; r < most_receptors; ++r) {
        const int only = receptors[r].only;
        factors[r][s] = only < 0 ? 0 : n.receptors[r][static_cast<std::size_t>(only)];
      }
    }
  }
  /// What takes neurons with a motion of their own over one interval.
  void find_own(double length) {
    interval = 0;
    if (length == found_) return;
    alike->own_steps(plan_->linear_neurons, 0, slots.layout(), {&length, 1}, own);
    found_ = length;
  }
  /// The same from arrival to arrival, in order of the groups. @param t  before group g @param end  the last
  void find_own(const Arrivals<Real>& arrivals, std::size_t g, double t, double end) {
    interval = g % linear::OwnSteps::intervals;
    if (interval > 0) return;
    double lengths[linear::OwnSteps::intervals];
    std::size_t count = 0;
    for (; count < linear::OwnSteps::intervals && g <= arrivals.group_count(); ++g) {
      const double next = g < arrivals.group_count() ? arrivals.times[g] : end;
      lengths[count++] = next - t;
      t = next;
    }
    alike->own_steps(plan_->linear_neurons, 0, slots.layout(), {lengths, count}, own);
    found_ = nowhere;
  }

  /// A neuron whose V is held, and goes its own way in the vectors.
  struct Held {
    double release;
    std::size_t neuron;
    bool operator<(const Held& other) const { return release > other.release; }
  };
  std::vector<Held> held;  // a heap, the earliest release first

  /// It cannot spike until then.
  void hold(std::size_t neuron, double release) {
    set_theta(neuron, std::numeric_limits<double>::infinity());
    held.push_back({release, neuron});
    std::push_heap(held.begin(), held.end());
  }
  /// Calls take(neuron) for those that are released until `next`.
  template <class Take>
  void release_until(double next, Take&& take) {
    while (!held.empty() && held.front().release <= next) {
      std::pop_heap(held.begin(), held.end());
      const std::size_t neuron = held.back().neuron;
      held.pop_back();
      take(neuron);
    }
  }

  linear::Vector<double> get(std::size_t neuron) const {
    const std::size_t s = slots.layout().slot_of(neuron);
    linear::Vector<double> now{};
    for (std::size_t k = 0; k < alike->components; ++k) now[k] = x[k][s];
    return now;
  }
  /// With what has arrived, which the next pass adds.
  linear::Vector<double> get(std::size_t neuron, std::span<const Arrival<Real>> arrived) const {
    linear::Vector<double> now = get(neuron);
    for (const auto& arrival : arrived) {
      plan_->linear_neuron(neuron).receive(now, arrival.projection,
                                           static_cast<double>(arrival.weight(neuron)), false);
    }
    return now;
  }
  void set(std::size_t neuron, const linear::Vector<double>& now) {
    for_slots(neuron, [&](std::size_t s) {
      for (std::size_t k = 0; k < alike->components; ++k) x[k][s] = now[k];
    });
  }
  void set_theta(std::size_t neuron, double value) {
    for_slots(neuron, [&](std::size_t s) { theta[s] = value; });
  }

 private:
  static constexpr double nowhere = -1;
  const PopulationPlan<Real>* plan_ = nullptr;
  double found_ = nowhere;  // of which length `own` holds the one step

  template <class Do>
  void for_slots(std::size_t neuron, Do&& act) {
    act(slots.layout().slot_of(neuron));
    act(slots.layout().second_slot_of(neuron));
  }
};

/// simulate/linear_kernel.cpp (machine/dispatch.hpp). To the last bit what linear::System::flow does
/// with one after the other. Neurons with a motion of their own take layer.own, and no step.
template <class Real>
struct LinearKernels {
  /// Adds what has arrived, then takes all of them over an interval, and tells which may spike in
  /// it.
  void (*pass)(LinearLayer<Real>& layer, const linear::Step& step, const linear::Bend& bend,
               std::span<const Arrival<Real>> arrived);
  /// Tells alone.
  void (*look)(LinearLayer<Real>& layer, const linear::Step& step, const linear::Bend& bend);
  /// Adds and takes them over the interval, without a spike.
  void (*flow)(LinearLayer<Real>& layer, const linear::Step& step,
               std::span<const Arrival<Real>> arrived);
  /// Adds the weights of a source, through a receptor.
  void (*arrive)(LinearLayer<Real>& layer, const Real* row, std::size_t receptor);
  /// linear::Search of the candidates.
  /// @param neurons  one for all, or one per neuron
  /// @param again  the ends of their intervals are not known yet
  void (*search)(const linear::Alike& all, std::span<const linear::Neuron> neurons,
                 LinearCandidates& candidates, bool again);

  static const LinearKernels& best();
};

}  // namespace saltus
