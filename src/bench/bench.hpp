// SPDX-License-Identifier: Apache-2.0
// `saltus bench`: what a synaptic event costs, beside the floor and our own scalar path, in one
// run.
#pragma once

#include <chrono>
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

/// The settings of a task as published, with what was given for a benchmark.
/// @param given  its data folder, batch, threads, kernel, precision, hidden (if any) and seed are
///               taken over
RunSettings published(const std::string& task, const RunSettings& given);

/// @param name  yinyang or mnist (as published), spikes (settings as published, spikes from a
///              file), recurrent or synthetic (made here)
/// @param given  as of published(); spikes: also train_file, t_end (0: from the file), recurrent and
///               recurrent_delay; recurrent: recurrent_delay
/// @param stretch  synthetic: simulated time, as a multiple, with the same spikes at its start
/// @throws InvalidInput  no such task
Task make_task(const std::string& name, const RunSettings& given, double stretch);

struct Report {
  double forward_ns = 0, backward_ns = 0;      ///< per synaptic event
  double floor_ns = 0, scalar_forward_ns = 0;  ///< per synaptic event
  double input_spikes = 0, hidden_spikes = 0;  ///< per sample
  double synaptic_events = 0;                  ///< per sample
  EpochReport training;                        ///< one epoch
  std::size_t samples = 0;                     ///< that the first four were measured on
  std::string kernel;                          ///< scalar, or the instruction set in use
};

/// Forward (with the loss), backward, scalar forward and floor on the first minibatches, with the
/// weights that training starts from: the best of several rounds for each minibatch. Then one epoch
/// of training.
template <class Real>
Report run(const Task& task);

/// Samples of `count` spikes at random over [0, duration] (s), on random channels.
data::LabelledSpikes noise(std::size_t samples, std::int32_t channels, std::int32_t classes,
                           std::size_t count, double duration);

/// How long it takes, s.
template <class Body>
double seconds_of(Body&& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// "scalar", or the instruction set in use.
std::string kernel_in_use(Kernel kernel);

/// bench/floor_kernel.cpp (machine/dispatch.hpp).
template <class Real>
struct FloorKernels {
  /// Adds up the weight rows that arrive, and nothing else; returns a number that depends on all.
  Real (*read_rows)(const Rows<Real>& rows, std::size_t width, const std::int32_t* neurons,
                    std::size_t count);

  static const FloorKernels& best();
};

}  // namespace saltus::bench
