// SPDX-License-Identifier: Apache-2.0
#include "saltus/task.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <optional>
#include <utility>

#include "random/random.hpp"
#include "saltus/error.hpp"
#include "train/calibrate.hpp"
#include "train/layers.hpp"

namespace saltus {
namespace {

data::LabelledSpikes yin_yang(const data::YinYangSplit& split, const RunSettings& s) {
  return data::encode(data::yin_yang(split.size, split.seed), s.t_max);
}

data::LabelledSpikes images(const RunSettings& s, const std::string& prefix) {
  if (s.data.empty()) {
    throw InvalidInput(
        "task mnist needs --data DIR, a folder with the IDX files of MNIST or "
        "Fashion-MNIST");
  }
  return data::encode(data::read_idx(s.data, prefix), s.t_max);
}

// Both files must speak of the same units and classes.
void match(data::LabelledSpikes& a, data::LabelledSpikes& b) {
  a.channels = b.channels = std::max(a.channels, b.channels);
  a.classes = b.classes = std::max(a.classes, b.classes);
  if (a.grid != b.grid) {
    throw FileError(
        fmt::format("training spikes lie on a grid of {} and test spikes on {}; expected the same "
                    "attribute grid in both files",
                    fmt::join(a.grid, " x "), fmt::join(b.grid, " x ")));
  }
}

template <class Real>
std::vector<Real> normal_weights(const RunSettings& s, std::uint32_t stream, std::size_t count,
                                 double mean, double std) {
  Random random(s.train.seed, Purpose::weights, stream);
  std::vector<Real> weights(count);
  for (Real& w : weights) w = static_cast<Real>(mean + std * random.normal());
  return weights;
}

void require(bool good, std::string_view field, double value, std::string_view expected) {
  if (!good) throw InvalidInput(fmt::format("{} is {}; expected {}", field, value, expected));
}

bool is_recurrent(const RunSettings& s, const HiddenLayer& layer) {
  return s.recurrent && layer.kind == HiddenLayer::Kind::dense;
}

// Before the memory is asked for: weights, their gradients and Adam's two moments.
void check_size(const RunSettings& s, const std::vector<HiddenLayer>& layers, std::size_t classes) {
  double weights = static_cast<double>(layers.back().size) * static_cast<double>(classes);
  double listed = 0;  // synapses, each with its entries of a list
  for (const HiddenLayer& layer : layers) {
    const auto size = static_cast<double>(layer.size);
    weights += static_cast<double>(layer.weights);
    if (is_recurrent(s, layer)) weights += size * size;
    if (layer.kind != HiddenLayer::Kind::dense) listed += layer.synapses;
  }
  const double bytes =
      4 * weights * (s.precision == "float64" ? 8 : 4) +
      listed * static_cast<double>(sizeof(SynapseList::Entry) + sizeof(SynapseList::Reached));
  const double memory =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  if (bytes > memory) {
    throw InvalidInput(
        fmt::format("{}: {:.0f} weights need {:.0f} GB, and this machine has {:.0f}; expected "
                    "smaller layers",
                    s.layers.empty() ? fmt::format("hidden is {}", fmt::join(s.hidden, ","))
                                     : fmt::format("layers is {}", fmt::join(s.layers, ",")),
                    weights, bytes / 1e9, memory / 1e9));
  }
}

}  // namespace

RunSettings default_settings(const std::string& task, bool layers) {
  if (layers) {
    RunSettings s = default_settings(task);
    s.hidden.clear();
    if (task != "mnist") return s;
    // Every layer starts with spikes, whatever its weights would do (docs/results.md).
    s.initial_spikes = 0.5;
    s.hidden_mean = s.deep_mean = s.output_mean = 0;
    s.hidden_std = s.deep_std = 0.1;
    s.output_std = 0.3;
    s.train.epochs = 12;
    s.train.batch = 16;
    s.train.input_dropout = 0;
    s.train.lr = 1.5e-3;
    s.train.lr_final = 2e-5;
    s.train.schedule = ScheduleKind::cosine;
    return s;
  }
  RunSettings s;
  s.task = task;
  if (task == "yinyang") return s;
  s.loss.kind = "maximum_voltage";
  if (task == "mnist") {
    s.hidden = {350};
    s.validation = 5000;
    s.t_max = 20e-3;
    s.hidden_mean = 0.078;
    s.hidden_std = 0.045;
    s.output_mean = 0.2;
    s.output_std = 0.37;
    s.train.batch = 5;
    s.train.input_dropout = 0.2;
    return s;
  }
  if (task == "spikes") {
    // Found on held-out training samples of Braille letters and spoken digits (docs/results.md).
    s.loss.kind = "integrated_voltage";
    s.loss["tau_integral"] = 50e-3;
    s.hidden = {128};
    s.tau_mem = 200e-3;
    s.tau_syn = 30e-3;
    s.t_end = 0;  // from the data: the last spike and 50 ms
    s.hidden_mean = 0;
    s.hidden_std = 0.5;
    s.output_mean = 0;
    s.output_std = 0.1;
    s.initial_spikes = 2;
    s.train.epochs = 30;
    s.train.lr = 5e-3;
    s.train.schedule = ScheduleKind::cosine;
    return s;
  }
  throw InvalidInput(
      fmt::format("no task is called '{}'; there are: yinyang, mnist, spikes", task));
}

void use_graph(RunSettings& settings, GraphSettings graph) {
  if (graph.empty()) return;
  settings.graph = std::move(graph);
  settings.hidden.clear();
  settings.initial_spikes = 0;
}

namespace {

// What is no matter of every task: the setting and those whose it is.
const std::pair<std::string_view, std::vector<std::string>> settings_of_tasks[] = {
    {"data", {"mnist"}},
    {"train_file", {"spikes"}},
    {"test_file", {"spikes"}},
    {"unit", {"spikes"}},
    {"origin", {"spikes"}},
    {"validation", {"mnist", "spikes"}},
    {"t_max", {"yinyang", "mnist"}}};

const std::vector<std::string>* some_tasks(std::string_view setting) {
  for (const auto& [name, tasks] : settings_of_tasks) {
    if (name == setting) return &tasks;
  }
  return nullptr;
}

}  // namespace

bool reads(const std::string& task, std::string_view setting) {
  const auto* const tasks = some_tasks(setting);
  return tasks == nullptr || std::find(tasks->begin(), tasks->end(), task) != tasks->end();
}

std::string readers_of(std::string_view setting) {
  const auto* const tasks = some_tasks(setting);
  return tasks == nullptr ? "every task" : fmt::format("{}", fmt::join(*tasks, " and "));
}

void check_precision(std::string_view name, const std::string& precision) {
  if (precision != "float32" && precision != "float64") {
    throw InvalidInput(fmt::format("{} is '{}'; expected float32 or float64", name, precision));
  }
}

void check_layers(std::string_view name, const std::vector<std::size_t>& sizes) {
  for (const std::size_t size : sizes) {
    require(size > 0 && size <= INT32_MAX, name, static_cast<double>(size),
            fmt::format("1 to {} neurons", INT32_MAX));
  }
}

namespace {

// In seconds; none: the first spike of each sample. NaN: neither.
std::optional<double> read_origin(const std::string& text) {
  if (text == "first") return {};
  char* end = nullptr;
  const double time = std::strtod(text.c_str(), &end);
  const bool all = end != text.c_str() && *end == '\0';
  return all ? time : std::numeric_limits<double>::quiet_NaN();
}

data::LabelledSpikes spikes_of(const std::string& file, const RunSettings& s) {
  data::LabelledSpikes spikes = data::read_spike_file(file);
  try {
    data::in_seconds(spikes, s.unit, read_origin(s.origin));
  } catch (const InvalidInput& e) {
    throw InvalidInput(fmt::format("{}: {}", file, e.what()));
  }
  return spikes;
}

}  // namespace

void check_origin(std::string_view name, const std::string& origin) {
  if (const auto time = read_origin(origin); time && !std::isfinite(*time)) {
    throw InvalidInput(
        fmt::format("{} is '{}'; expected a finite time in seconds, or first", name, origin));
  }
}

// The rows say what each setting must be; the rest is what two of them must be to each other.
void check(const RunSettings& s) {
  check_fields(s);
  check_fields(s.loss);
  check(s.train);
  if (!s.graph.empty()) {
    check_graph(s);
  } else if (s.hidden.empty() && s.layers.empty()) {
    throw InvalidInput("hidden lists no layer; expected at least one size, or layers");
  }
  if (!s.hidden.empty() && !s.layers.empty()) {
    throw InvalidInput(fmt::format("hidden is {} and layers is {}; expected one of them",
                                   fmt::join(s.hidden, ","), fmt::join(s.layers, ",")));
  }
  require(0 < s.v_threshold, "v_threshold", s.v_threshold, "more than 0, where V starts");
  require(s.v_reset < s.v_threshold, "v_reset", s.v_reset,
          fmt::format("less than v_threshold = {}", s.v_threshold));
  if (!s.layers.empty()) {
    require(0 < s.conv_threshold && s.v_reset < s.conv_threshold, "conv_threshold",
            s.conv_threshold, fmt::format("more than 0 and v_reset = {}", s.v_reset));
  }
  const bool from_data = s.task == "spikes" && s.t_end == 0;
  require(s.t_end > 0 || from_data, "t_end", s.t_end, "a time above 0, in seconds");
  if (s.recurrent) {
    require(std::isfinite(s.t_end), "t_end", s.t_end,
            "a finite time, such as 0.05: with recurrent synapses neurons may spike for ever");
  }
  const auto& trained = s.train.trainable;
  if (trained.empty()) {
    throw InvalidInput("trainable is empty; expected weights, or whatever else is to be trained");
  }
  const bool delays =
      s.recurrent || std::ranges::any_of(s.graph.projections, [](const ProjectionSettings& p) {
        return p.numbers.contains("delay") || p.numbers.contains("delay_spread");
      });
  if (!delays && std::find(trained.begin(), trained.end(), "delays") != trained.end()) {
    throw InvalidInput(fmt::format("trainable names 'delays', but {}",
                                   s.graph.empty()
                                       ? "only recurrent synapses have any; expected recurrent too"
                                       : "no projection has any; expected one with delay"));
  }
}

data::LabelledSpikes load_test_data(const RunSettings& s) {
  if (s.task == "spikes" && s.test_file.empty()) {
    throw InvalidInput("task spikes needs --train FILE.h5 and --test FILE.h5");
  }
  if (s.task == "yinyang") return yin_yang(data::yin_yang_test, s);
  if (s.task == "mnist") return images(s, "t10k");
  return spikes_of(s.test_file, s);
}

TaskData load_data(const RunSettings& s) {
  TaskData d;
  d.test = load_test_data(s);
  if (s.task == "yinyang") {
    d.train = yin_yang(data::yin_yang_train, s);
    d.validation = yin_yang(data::yin_yang_validation, s);
  } else {
    d.train = s.task == "mnist" ? images(s, "train") : spikes_of(s.train_file, s);
    if (s.task == "mnist" && d.train.channels != d.test.channels) {
      throw FileError(
          fmt::format("{}: training images have {} pixels and test images {}; expected "
                      "as many",
                      s.data, d.train.channels, d.test.channels));
    }
    match(d.train, d.test);
    if (s.validation >= d.train.size()) {
      throw InvalidInput(fmt::format("validation is {}; expected less than the {} training samples",
                                     s.validation, d.train.size()));
    }
    if (s.validation > 0) {
      d.validation = data::slice(d.train, 0, s.validation);
      d.train = data::slice(d.train, s.validation, d.train.size() - s.validation);
    }
  }
  if (s.train_samples > 0 && s.train_samples < d.train.size()) {
    d.train = data::slice(d.train, 0, s.train_samples);
  }
  return d;
}

double usual_t_end(const TaskData& data) {
  double last = 0;
  for (const auto* part : {&data.train, &data.validation, &data.test}) {
    for (const double t : part->spikes.times) last = std::max(last, t);
  }
  return last + 50e-3;
}

template <class Real>
Network<Real> build_network(const RunSettings& s, const data::LabelledSpikes& train) {
  check(s);
  if (!s.graph.empty()) return build_graph<Real>(s, train);
  const auto channels = static_cast<std::size_t>(train.channels);
  const auto classes = static_cast<std::size_t>(train.classes);
  const std::vector<HiddenLayer> layers = hidden_layers(s, train);
  check_size(s, layers, classes);
  const auto recurrent = [&s](const HiddenLayer& layer) { return is_recurrent(s, layer); };
  if (s.recurrent && std::ranges::none_of(layers, recurrent)) {
    throw InvalidInput(fmt::format(
        "recurrent: only dense layers project onto themselves, and layers is {}; expected one",
        fmt::join(s.layers, ",")));
  }
  Network<Real> network;
  network.add_input("in", channels);
  const auto population = [&s](std::string name, Model model, std::size_t size) {
    Population p{std::move(name), model, size, {}};
    p["tau_mem"] = s.tau_mem;
    p["tau_syn"] = s.tau_syn;
    if (!model->spikes) return p;
    p["v_threshold"] = s.v_threshold;
    p["v_reset"] = s.v_reset;
    p["tau_ref"] = s.tau_ref;
    return p;
  };
  std::string below = "in";
  std::size_t below_size = channels;
  std::uint32_t stream = 0;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const HiddenLayer& layer = layers[l];
    const std::string name = layers.size() == 1 ? "hidden" : fmt::format("hidden{}", l + 1);
    const std::size_t size = layer.size;
    Population p = population(name, Model::lif, size);
    if (layer.kind == HiddenLayer::Kind::convolution) p["v_threshold"] = s.conv_threshold;
    network.add_population(std::move(p));
    std::vector<Real> weights{1};  // of pooling: one for all, found by calibrate()
    if (layer.kind != HiddenLayer::Kind::pooling) {
      weights =
          normal_weights<Real>(s, stream++, layer.weights, l == 0 ? s.hidden_mean : s.deep_mean,
                               l == 0 ? s.hidden_std : s.deep_std);
    } else if (s.initial_spikes == 0) {
      throw InvalidInput(fmt::format(
          "{}: the weight of its averages is found by initial_spikes, which is 0; expected more",
          layer.called));
    }
    network.connect(below, name, std::move(weights), Delay::none(), "", layer.connection);
    if (recurrent(layer)) {
      network.connect(name, name,
                      normal_weights<Real>(s, 1000 + stream++, size * size, 0, s.recurrent_std),
                      Delay::common(s.recurrent_delay));
    }
    below = name;
    below_size = size;
  }
  network.add_population(population("out", find_loss(s.loss.kind).readout_model, classes));
  network.connect(
      below, "out",
      normal_weights<Real>(s, stream++, below_size * classes, s.output_mean, s.output_std));
  if (s.initial_spikes > 0) calibrate(s, train, network);
  return network;
}

template Network<float> build_network(const RunSettings&, const data::LabelledSpikes&);
template Network<double> build_network(const RunSettings&, const data::LabelledSpikes&);

}  // namespace saltus
