// SPDX-License-Identifier: Apache-2.0
// `saltus bench`: what a synaptic event costs, beside the floor and our own scalar path, in one
// run.
#pragma once

#include <string>

#include "plan/plan.hpp"
#include "saltus/inputs.hpp"
#include "saltus/task.hpp"

namespace saltus::bench {

/// The data of a run, and settings to build its network from. A synaptic event is one arriving
/// spike times one target neuron, summed over all layers.
struct Task {
  RunSettings settings;
  data::LabelledSpikes train;
  std::size_t measured = 1024;  // samples that forward and backward are measured on, at most
};

/// @param name  yinyang or mnist (as published), recurrent or synthetic (made here)
/// @param given  its data folder, batch, threads, precision, hidden and seed are taken over
/// @param stretch  synthetic: simulated time, as a multiple, with the same spikes at its start
/// @throws InvalidInput  no such task
Task make_task(const std::string& name, const RunSettings& given, double stretch);

struct Report {
  double forward_ns = 0, backward_ns = 0;      ///< per synaptic event
  double floor_ns = 0, scalar_forward_ns = 0;  ///< per synaptic event
  double input_spikes = 0, hidden_spikes = 0;  ///< per sample
  double synaptic_events = 0;                  ///< per sample
  double train_us = 0;                         ///< per sample, over one epoch
  std::size_t samples = 0;                     ///< that the first four were measured on
  std::string kernel;                          ///< scalar, or the instruction set in use
};

/// Forward (with the loss), backward, scalar forward and floor on the first minibatches, with the
/// weights that training starts from: the best of several rounds for each minibatch. Then one epoch
/// of training.
template <class Real>
Report run(const Task& task, Kernel kernel);

/// bench/floor_kernel.cpp (machine/dispatch.hpp).
template <class Real>
struct FloorKernels {
  /// Adds up the weight rows that arrive, and nothing else; returns a number that depends on all.
  Real (*read_rows)(const Rows<Real>& rows, std::size_t width, const std::int32_t* neurons,
                    std::size_t count);

  static const FloorKernels& best();
};

}  // namespace saltus::bench
