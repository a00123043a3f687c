// SPDX-License-Identifier: Apache-2.0
// The tasks that Saltus can run by itself: data, network and settings from a name.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "saltus/data.hpp"
#include "saltus/train.hpp"

namespace saltus {

/// Everything that determines a run. Saved with the model, so that `saltus eval` finds it again.
struct RunSettings {
  std::string task = "yinyang";       ///< yinyang, mnist or spikes
  std::string data;                   ///< folder of the data (yinyang: none, generated)
  std::string train_file, test_file;  ///< task spikes
  std::string precision = "float32";
  std::vector<std::size_t> hidden = {200};  ///< neurons of each hidden layer
  bool recurrent = false;                   ///< hidden layers project onto themselves
  double recurrent_delay = 1e-3;            ///< s
  std::size_t validation = 0;               ///< training samples held out (mnist: the first)
  std::size_t train_samples = 0;            ///< use only so many; 0: all

  double tau_mem = 20e-3, tau_syn = 5e-3;  ///< s
  double v_threshold = 1, v_reset = 0, tau_ref = 0;
  double t_max = 30e-3;                         ///< s, latest input of a latency code
  double t_end = infinity;                      ///< s
  double hidden_mean = 1.5, hidden_std = 0.78;  ///< first layer's weights
  double deep_mean = 0.2, deep_std = 0.37;      ///< weights between hidden layers
  double output_mean = 0.93, output_std = 0.1;
  double recurrent_std = 0.1;
  /// Scale the first weights until a hidden neuron spikes so often a sample on average; 0: leave.
  double initial_spikes = 0;

  LossSettings loss;
  TrainSettings train;
};

/// The settings of a task as published for it (docs/results.md).
/// @throws InvalidInput  no such task
RunSettings default_settings(const std::string& task);

/// @throws InvalidInput  the first setting without a meaning: name, value and what was expected
void check(const RunSettings& settings);

struct TaskData {
  data::LabelledSpikes train, validation, test;  ///< validation may be empty
};

/// @throws FileError, InvalidInput  as the readers of saltus/data.hpp
TaskData load_data(const RunSettings& settings);

/// Only what `saltus eval` needs.
data::LabelledSpikes load_test_data(const RunSettings& settings);

/// The network of a task with its first weights: population "in", "hidden" (or "hidden1", ...),
/// "out".
template <class Real>
Network<Real> build_network(const RunSettings& settings, const data::LabelledSpikes& train);

}  // namespace saltus
