// SPDX-License-Identifier: Apache-2.0
// From segments to gradients (docs/theory.md, section 6): once lambda of every neuron is known,
// each arrival reads it on its right. Independent for every target neuron, so a tile of neurons
// belongs to one task, which goes through the samples in order: the same bits for any number of
// threads.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "adjoint/entries.hpp"
#include "adjoint/ghosts.hpp"
#include "adjoint/linear_lambda.hpp"
#include "machine/team.hpp"
#include "observe/replay.hpp"
#include "plan/plan.hpp"
#include "plan/timeline.hpp"
#include "saltus/adjoint.hpp"

namespace saltus {

/// All of a backward pass that its steps share.
template <class Real>
struct Pass {
  const Plan<Real>& plan;
  const Inputs& inputs;
  const Record<Real>& record;
  const Errors<Real>& errors;
  const Wanted& wanted;
  int threads;
  Timelines<Real>& timelines;  // of all populations whose neurons see the same
  std::vector<std::vector<Segments<Real>>>& segments;  // [sample][population]
  std::vector<std::vector<LinearSegments>>& linear;    // [sample][population]; of linear neurons
  std::vector<std::vector<Entries<Real>>>& entries;    // [sample][population]; if in vectors
  std::vector<std::vector<LinearEntries<Real>>>& linear_entries;  // the same of linear neurons
  std::vector<std::vector<double>>& spike_errors;                 // [population]: E_k of each spike
  Gradients<Real>& gradients;
  GhostAdjoint<Real>* ghosts = nullptr;
  std::span<const Plan<Real>> starts = {};  // of each sample, if they go on from a state
  Team* team = nullptr;  // which holds the other samples of the minibatch; null: all are here
  int messages = 0;      // to the next process so far

  /// The number of the first of so many messages.
  int number(std::size_t count) {
    return std::exchange(messages, messages + static_cast<int>(count));
  }

  const Plan<Real>& plan_of(std::size_t sample) const {
    return starts.empty() ? plan : starts[sample];
  }
  SpikeView spikes_of(std::size_t population) const {
    return saltus::spikes_of(plan, inputs, record, population);
  }
  void start(Timeline<Real>& timeline, std::size_t population, std::size_t sample,
             Neurons targets = {}, std::span<const Reach> reach = {},
             std::span<const SpikesByNeuron> by_neuron = {}) const {
    timeline.start(
        plan, population, inputs.end(sample),
        [&](std::size_t p) { return sample_of(spikes_of(p), sample); },
        &timelines.at(population, sample), targets, reach, by_neuron);
  }
};

/// What the tiles of `population` share of a sample: its arrivals, and where the walk back through
/// them enters segments. adjoint/accumulate.cpp
template <class Real>
void prepare_tiles(Pass<Real>& pass, std::size_t population, std::size_t sample);

/// Weights, delays and the errors of the sources of all projections that lead to `population`.
/// adjoint/accumulate.cpp
template <class Real>
void accumulate_synapses(Pass<Real>& pass, std::size_t population);

/// What the free pieces of ghosts add to the parameters of `population`. adjoint/ghosts.cpp
template <class Real>
void accumulate_free_pieces(Pass<Real>& pass, std::size_t population);

/// The parameters of the neurons of `population`. adjoint/parameters.cpp
template <class Real>
void accumulate_parameters(Pass<Real>& pass, std::size_t population);

/// The same of linear neurons. adjoint/linear_parameters.cpp
template <class Real>
void accumulate_linear_parameters(Pass<Real>& pass, std::size_t population);

}  // namespace saltus
