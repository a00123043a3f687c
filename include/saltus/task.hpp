// SPDX-License-Identifier: Apache-2.0
/// @file
/// The tasks that Saltus can run by itself: data, network and settings from a name.
#pragma once

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "saltus/data.hpp"
#include "saltus/fields.hpp"
#include "saltus/graph.hpp"
#include "saltus/train.hpp"

namespace saltus {

/// Everything that determines a run. Saved with the model, so that `saltus eval` finds it again.
struct RunSettings {
  std::string task = "yinyang";             ///< yinyang, mnist or spikes
  std::string data;                         ///< folder of the data (yinyang: none, generated)
  std::string train_file;                   ///< task spikes
  std::string test_file;                    ///< the same
  double unit = 1;                          ///< of the times in these files, s
  std::string origin = "0";                 ///< what becomes 0 in them, s; or "first", of a sample
  std::string precision = "float32";        ///< float32 or float64, of weights
  std::vector<std::size_t> hidden = {200};  ///< neurons of each hidden layer
  std::vector<std::string> layers;          ///< in its place: 128, conv:16x5, conv:16x5s2, pool:2
  GraphSettings graph;                      ///< in place of both: any graph
  bool recurrent = false;                   ///< hidden layers project onto themselves
  double recurrent_delay = 1e-3;            ///< s
  std::size_t validation = 0;               ///< training samples held out (mnist: the first)
  std::size_t train_samples = 0;            ///< use only so many; 0: all

  double tau_mem = 20e-3;        ///< s
  double tau_syn = 5e-3;         ///< s
  double v_threshold = 1;        ///< of all layers that spike
  double v_reset = 0;            ///< V after a spike
  double tau_ref = 0;            ///< s
  double conv_threshold = 0.15;  ///< in its place, of convolutions
  double t_max = 30e-3;          ///< s, latest input of a latency code
  double t_end = infinity;       ///< s
  double hidden_mean = 1.5;      ///< of the first layer's first weights
  double hidden_std = 0.78;      ///< their standard deviation
  double deep_mean = 0.2;        ///< of weights between hidden layers
  double deep_std = 0.37;        ///< their standard deviation
  double output_mean = 0.93;     ///< of weights into the output
  double output_std = 0.1;       ///< their standard deviation
  double recurrent_std = 0.1;    ///< of recurrent weights
  /// Scale the first weights until a hidden neuron spikes so often a sample on average; 0: leave.
  double initial_spikes = 0;
  /// So often a checkpoint is written; 0: after each epoch; infinite: at the end alone.
  double checkpoint_minutes = 0;

  LossSettings loss;    ///< which, and its settings
  TrainSettings train;  ///< of the loop

  static constexpr auto fields();  ///< a row for each setting of its own: see below
};

/// Checks of rows: float32 or float64; a time or "first"; no layer without neurons; layers as they
/// are written.
/// @{
void check_origin(std::string_view name, const std::string& origin);
void check_precision(std::string_view name, const std::string& precision);
void check_layers(std::string_view name, const std::vector<std::size_t>& sizes);
void check_layer_list(std::string_view name, const std::vector<std::string>& layers);
/// @}

constexpr auto RunSettings::fields() {
  using S = RunSettings;
  using namespace bounds;
  return std::tuple{
      Field{"task", &S::task, anything},
      Field{"data", &S::data, anything, heading::data,
            "folder with the IDX files of MNIST or Fashion-MNIST"},
      Field{"train_file", &S::train_file, anything, heading::data,
            "training spikes, HDF5 in SHD's layout (task spikes)", "--train"},
      Field{"test_file", &S::test_file, anything, heading::data,
            "test spikes, HDF5 in SHD's layout (task spikes)", "--test"},
      Field{"unit", &S::unit,
            time.says("a finite number above 0: how many seconds a unit of the times lasts"),
            heading::data,
            "how many seconds a unit of the times in these files lasts: 1e-3 for milliseconds "
            "(default 1)"},
      Field{"origin", &S::origin, &check_origin, heading::data,
            "what becomes time 0 in these files, s, or 'first': the first spike of each sample "
            "(default 0)"},
      Field{"validation", &S::validation, anything, heading::data,
            "training samples to hold out (the first ones)"},
      Field{"train_samples", &S::train_samples, anything, heading::data,
            "use only so many training samples (0: all)"},
      Field{"t_max", &S::t_max, time, heading::data, "latest input spike of a latency code, s"},
      Field{"t_end", &S::t_end, anything, heading::data,
            "end of every sample, s; inf allowed without recurrence"},
      Field{"hidden", &S::hidden, &check_layers, heading::network,
            "neurons of each hidden layer, first to last"},
      Field{"layers", &S::layers, &check_layer_list, heading::network,
            "in place of --hidden, first to last: a number of neurons, conv:CHANNELSxKERNEL, the "
            "same "
            "with a stride (conv:16x5s2), pool:SIZE (averages)"},
      Field{"recurrent", &S::recurrent, anything, heading::network,
            "hidden layers (of --layers those of neurons) project onto themselves"},
      Field{"recurrent_delay", &S::recurrent_delay, at_least_0, heading::network,
            "delay of those synapses, s"},
      Field{"tau_mem", &S::tau_mem, time, heading::network, "membrane time constant, s"},
      Field{"tau_syn", &S::tau_syn, time, heading::network, "synaptic time constant, s"},
      Field{"v_threshold", &S::v_threshold, finite, heading::network, "threshold"},
      Field{"conv_threshold", &S::conv_threshold, finite, heading::network,
            "threshold of convolutions: a lower one makes their weights smaller, and steps of Adam "
            "count for more"},
      Field{"v_reset", &S::v_reset, finite, heading::network, "V after a spike"},
      Field{"tau_ref", &S::tau_ref, at_least_0, heading::network, "absolute refractory time, s"},
      Field{"hidden_mean", &S::hidden_mean, finite, heading::network,
            "mean of the first layer's first weights"},
      Field{"hidden_std", &S::hidden_std, at_least_0, heading::network,
            "and their standard deviation"},
      Field{"deep_mean", &S::deep_mean, finite, heading::network,
            "mean of the first weights between hidden layers"},
      Field{"deep_std", &S::deep_std, at_least_0, heading::network, "and their standard deviation"},
      Field{"output_mean", &S::output_mean, finite, heading::network,
            "mean of the output's first weights"},
      Field{"output_std", &S::output_std, at_least_0, heading::network,
            "and their standard deviation"},
      Field{"recurrent_std", &S::recurrent_std, at_least_0, heading::network,
            "standard deviation of the first recurrent weights"},
      Field{"initial_spikes", &S::initial_spikes,
            Bound{[](double v) { return v >= 0 && v <= 1000; },
                  "0 (leave the first weights) to 1000"},
            heading::network,
            "scale the first weights until a hidden neuron spikes so often a sample; 0: leave"},
      Field{"precision", &S::precision, &check_precision, heading::run,
            "float32 (default) or float64"},
      Field{"checkpoint_minutes", &S::checkpoint_minutes,
            Bound{[](double v) { return v >= 0; }, "at least 0 (0: after each epoch)"},
            heading::run,
            "with --out: write checkpoint.safetensors when so many minutes have passed, within an "
            "epoch too; "
            "0 (default): after each epoch"}};
}

/// The settings of a task as published for it (docs/results.md).
/// @param layers  for a network of RunSettings::layers, in place of `hidden`, which is empty then
/// @throws InvalidInput  no such task
RunSettings default_settings(const std::string& task, bool layers = false);

/// Takes the graph's place for layers, which there are by default. @param graph  none: as before
void use_graph(RunSettings& settings, GraphSettings graph);

/// Does a task look at a setting? (`data`, `train_file`, `test_file`, `validation` and `t_max` are of
/// some tasks only.)
bool reads(const std::string& task, std::string_view setting);
/// Those that do, "mnist and spikes".
std::string readers_of(std::string_view setting);

/// What a setting is of, in the words of the command line, where these settings have no such thing:
/// `momentum` beside Adam is of "--optimizer sgd". Empty: it has an effect.
std::string moot(const RunSettings& settings, std::string_view setting);

/// @throws InvalidInput  the first setting without a meaning: name, value and what was expected
void check(const RunSettings& settings);

/// The data of a task. `validation` may be empty.
struct TaskData {
  data::LabelledSpikes train;       ///< to train on
  data::LabelledSpikes validation;  ///< held out; may be empty
  data::LabelledSpikes test;        ///< to look at in the end
};

/// @throws FileError, InvalidInput  as the readers of saltus/data.hpp
TaskData load_data(const RunSettings& settings);

/// When samples of spike files end unless t_end is given: 50 ms after the last spike of all, in s.
double usual_t_end(const TaskData& data);

/// Only what `saltus eval` needs.
data::LabelledSpikes load_test_data(const RunSettings& settings);

/// The network of a task with its first weights: population "in", "hidden" (or "hidden1", ...),
/// "out". Convolutions and pooling are connections, each with a layer of neurons of its own. Or
/// what the graph says.
template <class Real>
Network<Real> build_network(const RunSettings& settings, const data::LabelledSpikes& train);

}  // namespace saltus
