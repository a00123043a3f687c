// SPDX-License-Identifier: Apache-2.0
#include "saltus/task.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "random/random.hpp"
#include "saltus/error.hpp"
#include "simulate/run.hpp"
#include "train/minibatch.hpp"

namespace saltus {
namespace {

data::LabelledSpikes yin_yang(const data::YinYangSplit& split, const RunSettings& s) {
  return data::encode(data::yin_yang(split.size, split.seed), s.t_max);
}

data::LabelledSpikes images(const RunSettings& s, const std::string& prefix) {
  if (s.data.empty()) {
    throw InvalidInput("task mnist needs a folder with the IDX files of MNIST or Fashion-MNIST "
                       "(--data DIR)");
  }
  return data::encode(data::read_idx(s.data, prefix), s.t_max);
}

// Both files must speak of the same units and classes.
void match(data::LabelledSpikes& a, data::LabelledSpikes& b) {
  a.channels = b.channels = std::max(a.channels, b.channels);
  a.classes = b.classes = std::max(a.classes, b.classes);
}

template <class Real>
std::vector<Real> normal_weights(const RunSettings& s, std::uint32_t stream, std::size_t count,
                                 double mean, double std) {
  Random random(s.train.seed, Purpose::weights, stream);
  std::vector<Real> weights(count);
  for (Real& w : weights) w = static_cast<Real>(mean + std * random.normal());
  return weights;
}

// Scales the weights into the hidden layers, first layer first, until each neuron spikes
// s.initial_spikes times a sample on average over the first samples: bisection in the logarithm.
template <class Real>
void calibrate(const RunSettings& s, const data::LabelledSpikes& train, Network<Real>& network) {
  Minibatch batch;
  std::vector<std::uint32_t> samples(std::min<std::size_t>(64, train.size()));
  for (std::size_t k = 0; k < samples.size(); ++k) samples[k] = static_cast<std::uint32_t>(k);
  batch.gather(train, samples);
  const double ends[] = {s.t_end};
  const Inputs inputs{{batch.spikes.view()}, ends};
  for (auto& projection : network.projections()) {
    const Population& target = network.populations()[projection.target];
    if (target.name == "out" || projection.source == projection.target) continue;
    const std::vector<Real> drawn = projection.weight;
    const double wanted =
        s.initial_spikes * static_cast<double>(target.size) * static_cast<double>(samples.size());
    double low = std::log(1e-3), high = std::log(1e3);
    for (int k = 0; k < 20; ++k) {
      const double middle = (low + high) / 2;
      const Real factor = static_cast<Real>(std::exp(middle));
      for (std::size_t i = 0; i < drawn.size(); ++i) projection.weight[i] = factor * drawn[i];
      const Plan<Real> plan(network);
      const auto record = simulate(plan, inputs, s.train.threads);
      const auto spikes = record.populations[projection.target].spikes.times.size();
      (static_cast<double>(spikes) < wanted ? low : high) = middle;
    }
  }
}

}  // namespace

RunSettings default_settings(const std::string& task) {
  RunSettings s;
  s.task = task;
  if (task == "yinyang") return s;
  s.loss.kind = LossKind::maximum_voltage;
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
    s.hidden = {128};
    s.t_end = 0;  // from the data: the last spike and 50 ms
    s.hidden_mean = 0.1;
    s.hidden_std = 0.5;
    s.output_mean = 0;
    s.output_std = 0.1;
    s.initial_spikes = 3;
    s.train.epochs = 50;
    s.train.lr = 2e-3;
    s.train.schedule = ScheduleKind::cosine;
    return s;
  }
  throw InvalidInput(
      fmt::format("no task is called '{}'; there are: yinyang, mnist, spikes", task));
}

data::LabelledSpikes load_test_data(const RunSettings& s) {
  if (s.task == "yinyang") return yin_yang(data::yin_yang_test, s);
  if (s.task == "mnist") return images(s, "t10k");
  return data::read_spike_file(s.test_file);
}

TaskData load_data(const RunSettings& s) {
  TaskData d;
  d.test = load_test_data(s);
  if (s.task == "yinyang") {
    d.train = yin_yang(data::yin_yang_train, s);
    d.validation = yin_yang(data::yin_yang_validation, s);
  } else {
    d.train = s.task == "mnist" ? images(s, "train") : data::read_spike_file(s.train_file);
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

template <class Real>
Network<Real> build_network(const RunSettings& s, const data::LabelledSpikes& train) {
  if (s.hidden.empty()) throw InvalidInput("hidden lists no layer; expected at least one size");
  Network<Real> network;
  const auto channels = static_cast<std::size_t>(train.channels);
  const auto classes = static_cast<std::size_t>(train.classes);
  network.add_input("in", channels);
  Population p;
  p.tau_mem = s.tau_mem;
  p.tau_syn = s.tau_syn;
  p.v_threshold = s.v_threshold;
  p.v_reset = s.v_reset;
  p.tau_ref = s.tau_ref;
  std::string below = "in";
  std::size_t below_size = channels;
  std::uint32_t stream = 0;
  for (std::size_t l = 0; l < s.hidden.size(); ++l) {
    p.name = s.hidden.size() == 1 ? "hidden" : fmt::format("hidden{}", l + 1);
    p.size = s.hidden[l];
    p.model = Model::lif;
    network.add_population(p);
    network.connect(below, p.name,
                    normal_weights<Real>(s, stream++, below_size * p.size,
                                         l == 0 ? s.hidden_mean : s.deep_mean,
                                         l == 0 ? s.hidden_std : s.deep_std));
    if (s.recurrent) {
      network.connect(p.name, p.name,
                      normal_weights<Real>(s, 1000 + stream++, p.size * p.size, 0, s.recurrent_std),
                      Delay::common(s.recurrent_delay));
    }
    below = p.name;
    below_size = p.size;
  }
  p.name = "out";
  p.size = classes;
  p.model = s.loss.kind == LossKind::first_spike ? Model::lif : Model::li;
  network.add_population(p);
  network.connect(below, "out",
                  normal_weights<Real>(s, stream++, below_size * classes, s.output_mean,
                                       s.output_std));
  if (s.initial_spikes > 0) calibrate(s, train, network);
  return network;
}

template Network<float> build_network(const RunSettings&, const data::LabelledSpikes&);
template Network<double> build_network(const RunSettings&, const data::LabelledSpikes&);

}  // namespace saltus
