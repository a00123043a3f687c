// SPDX-License-Identifier: Apache-2.0
// A network made ready to run: its components in order, each with its way of running, and the
// parameters of its neurons in the form that the loops use.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "machine/lanes.hpp"
#include "network/graph.hpp"
#include "neuron/lif.hpp"
#include "neuron/linear.hpp"
#include "neuron/linear_alike.hpp"
#include "neuron/linear_steps.hpp"
#include "saltus/inputs.hpp"
#include "saltus/network.hpp"

namespace saltus {

/// The weights of a projection as the loops read them: one row per source neuron.
template <class Real>
struct Rows {
  const Real* data;
  std::size_t stride;

  const Real* operator[](std::size_t pre) const { return data + pre * stride; }
};

template <class Real>
struct PopulationPlan {
  // One for all, or one per neuron; the one kind or the other.
  std::vector<neuron::Lif<Real>> neurons;        // LIF, LI
  std::vector<linear::Neuron> linear_neurons;    // all other models
  std::optional<linear::System<double>> motion;  // of those, driven by ones, if they move alike
  std::optional<linear::Alike> alike_linear;     // and if they can go side by side
  std::vector<std::size_t> incoming;             // projections
  bool same_time_constants = true;  // decays of an interval are the same for all neurons
  bool per_column = false;  // each neuron has arrivals of its own: Plan::has_lists(projection)
  bool refractory = false;  // of LIF: the record keeps I at the releases
  bool in_time = false;     // of LIF: Lif::in_time() of any

  /// All neurons see the same arrivals: they can go through a sample side by side.
  bool in_step() const { return sees_the_same() && !is_linear(); }
  /// And decay alike.
  bool alike() const { return in_step() && same_time_constants; }

  /// One list of arrivals holds for every neuron.
  bool sees_the_same() const { return !per_column; }

  bool is_linear() const { return !linear_neurons.empty(); }
  /// They go side by side, and what moves one moves all.
  bool linear_alike() const { return alike_linear && !alike_linear->own(); }
  const neuron::Lif<Real>& neuron(std::size_t j) const {
    return neurons[neurons.size() == 1 ? 0 : j];
  }
  const linear::Neuron& linear_neuron(std::size_t j) const {
    return linear_neurons[linear_neurons.size() == 1 ? 0 : j];
  }
};

/// Of all synapses of a projection.
struct DelayRange {
  double shortest = 0, longest = 0;
};

struct ComponentPlan {
  Component component;
  Way way = Way::sweep;
};

template <class Real>
struct Plan {
  const Network<Real>* network = nullptr;
  std::vector<PopulationPlan<Real>> populations;
  std::vector<ComponentPlan> components;
  std::vector<int> component_of;  // per population; -1: input
  std::vector<int> input_number;  // per population, its place in Inputs; -1: not an input
  // Per projection: its rows, where they are filled up to a vector, or where not all connect to all, with
  // zeros. Copies of a plan share them.
  std::shared_ptr<const std::vector<std::vector<Real>>> padded;
  std::vector<DelayRange> delays;  // per projection into a component that runs in windows
  bool cyclic = false;
  bool scalar = false;  // no vectors
  SampleLimits limits;  // none unless they are set

  /// @param force   a way for every component that can be run so
  /// @param scalar  one neuron after the other, without vectors
  explicit Plan(const Network<Real>& network, std::optional<Way> force = {}, bool scalar = false);

  std::size_t size(std::size_t population) const { return network->populations()[population].size; }
  /// Are its neurons taken together, in vectors?
  bool in_vectors(std::size_t population) const {
    return !scalar && populations[population].in_step();
  }
  bool linear_in_vectors(std::size_t population) const {
    return !scalar && populations[population].alike_linear.has_value();
  }
  /// Of one that is in rows; else none.
  Rows<Real> rows(std::size_t projection) const {
    const Projection<Real>& p = network->projections()[projection];
    const std::size_t post = size(p.target);
    if (const std::vector<Real>& filled = (*padded)[projection]; !filled.empty()) {
      return {filled.data(), std::max(post, widest_vector)};
    }
    return {p.connection.all_to_all() ? p.weight.data() : nullptr, post};
  }
  /// Does it bring a row of weights per source? Else it brings synapses one by one.
  bool in_rows(std::size_t projection) const {
    return network->projections()[projection].connection.all_to_all() ||
           !(*padded)[projection].empty();
  }
  /// Has each target neuron a list of arrivals of its own?
  bool has_lists(std::size_t projection) const {
    return network->projections()[projection].delay.kind == Delay::Kind::per_synapse ||
           !in_rows(projection);
  }

 private:
  void fill_rows();
};

/// Checks what goes in against the network, which has been checked before it was planned.
/// @throws InvalidInput
template <class Real>
void check(const Plan<Real>& plan, const Inputs& inputs);

}  // namespace saltus
