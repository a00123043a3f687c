// SPDX-License-Identifier: Apache-2.0
#include "bench/bench.hpp"

#include <fmt/format.h>
#include <hwy/targets.h>

#include <algorithm>
#include <numeric>

#include "adjoint/backward.hpp"
#include "loss/evaluate.hpp"
#include "random/random.hpp"
#include "saltus/error.hpp"
#include "simulate/forward.hpp"
#include "train/minibatch.hpp"

namespace saltus::bench {
namespace {

constexpr int rounds = 5;

// Spikes on their way into each projection, times its target neurons.
template <class Real>
double synaptic_events(const Network<Real>& network, const Spikes& in, const Record<Real>& record) {
  double sum = 0;
  for (const auto& projection : network.projections()) {
    const auto& source = network.populations()[projection.source];
    const Spikes& spikes =
        source.model == Model::input ? in : record.populations[projection.source].spikes;
    sum += static_cast<double>(spikes.times.size()) *
           static_cast<double>(network.populations()[projection.target].size);
  }
  return sum;
}

}  // namespace

data::LabelledSpikes noise(std::size_t samples, std::int32_t channels, std::int32_t classes,
                           std::size_t count, double duration) {
  data::LabelledSpikes d;
  d.channels = channels;
  d.classes = classes;
  d.spikes.offsets = {0};
  Random random(1, Purpose::synthetic, 0);
  std::vector<double> times(count);
  for (std::size_t s = 0; s < samples; ++s) {
    for (double& t : times) t = random.uniform(0, duration);
    std::sort(times.begin(), times.end());
    for (const double t : times) {
      d.spikes.times.push_back(t);
      d.spikes.neurons.push_back(
          static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(channels))));
    }
    d.spikes.offsets.push_back(static_cast<std::int64_t>(d.spikes.times.size()));
    d.labels.push_back(static_cast<std::int32_t>(s) % classes);
  }
  return d;
}

std::string kernel_in_use(Kernel kernel) {
  const std::int64_t targets = hwy::SupportedTargets();
  return kernel == Kernel::scalar ? "scalar" : hwy::TargetName(targets & -targets);
}

RunSettings published(const std::string& task, const RunSettings& given) {
  RunSettings s = default_settings(task);
  s.data = given.data;
  s.precision = given.precision;
  s.train.batch = given.train.batch;
  s.train.threads = given.train.threads;
  s.train.kernel = given.train.kernel;
  s.train.seed = given.train.seed;
  if (!given.hidden.empty()) s.hidden = given.hidden;
  return s;
}

Task make_task(const std::string& name, const RunSettings& given, double stretch) {
  Task task;
  RunSettings& s = task.settings;
  if (name == "yinyang" || name == "mnist") {
    s = published(name, given);
    check(s);
    task.train = load_data(s).train;
    return task;
  }
  if (name == "spikes") {
    s = published(name, given);
    s.train_file = given.train_file;
    s.t_end = given.t_end;
    s.recurrent = given.recurrent;
    s.recurrent_delay = given.recurrent_delay;
    check(s);
    task.train = data::read_spike_file(s.train_file);
    if (s.t_end == 0) s.t_end = usual_t_end({task.train, {}, {}});
    return task;
  }
  if (name != "recurrent" && name != "synthetic") {
    throw InvalidInput(fmt::format(
        "no benchmark is called '{}'; there are: yinyang, mnist, spikes, recurrent, synthetic",
        name));
  }
  s = published("spikes", given);
  s.loss = LossSettings{};
  s.loss.kind = "maximum_voltage";
  s.tau_mem = 20e-3;
  s.tau_syn = 5e-3;
  s.output_std = 0.3;
  if (name == "recurrent") {  // 8,000 input and about 4,000 hidden spikes a sample in 1 s
    if (given.hidden.empty()) s.hidden = {256};
    s.t_end = 1;
    s.recurrent = true;
    s.recurrent_delay = given.recurrent_delay;
    s.recurrent_std = 0.02;
    s.hidden_mean = 0.02;
    s.hidden_std = 0.05;
    s.initial_spikes = 4000.0 / 256;
    // Four minibatches to train on, so that the first touch of all memory is not most of it.
    task.train = noise(4 * s.train.batch, 700, 20, 8000, s.t_end);
    task.measured = s.train.batch;
  } else {
    if (given.hidden.empty()) s.hidden = {512};
    s.t_end = 0.1 * stretch;
    s.hidden_mean = 0.05;
    s.hidden_std = 0.05;
    s.initial_spikes = 2;
    task.train = noise(4 * s.train.batch, 500, 10, 200, 50e-3);
  }
  check(s);
  return task;
}

template <class Real>
Report run(const Task& task) {
  const RunSettings& s = task.settings;
  const Network<Real> network = build_network<Real>(s, task.train);
  const std::size_t readout = network.index("out");
  const double ends[] = {s.t_end};
  const int threads = s.train.threads;
  const bool scalar = s.train.kernel == Kernel::scalar;

  double forward = 0, backward_pass = 0, floor = 0, scalar_forward = 0, events = 0;
  Report report;
  report.samples = std::min({task.train.size(), task.measured, 32 * s.train.batch});
  Gradients<Real> gradients;
  ForwardMemory<Real> memory;
  BackwardMemory<Real> backward_memory;
  volatile Real sink = 0;
  for (std::size_t first = 0; first < report.samples; first += s.train.batch) {
    std::vector<std::uint32_t> samples(std::min(s.train.batch, report.samples - first));
    std::iota(samples.begin(), samples.end(), static_cast<std::uint32_t>(first));
    Minibatch batch;
    batch.gather(task.train, samples);
    const Inputs inputs{{batch.spikes.view()}, ends};
    double best[4] = {infinity, infinity, infinity, infinity};
    Record<Real> record;
    for (int round = 0; round < rounds; ++round) {
      LossResult<Real> loss{0, 0, 0, {}, Errors<Real>(0)};
      const auto pass = [&](bool one_by_one) {
        const Plan<Real> plan(network, {}, one_by_one);
        simulate(plan, inputs, threads, memory, record);
        loss = evaluate(s.loss, plan, inputs, record, readout, batch.labels, threads,
                        &memory.timelines);
      };
      if (round == 0 || first == 0) best[3] = std::min(best[3], seconds_of([&] { pass(true); }));
      best[0] = std::min(best[0], seconds_of([&] { pass(scalar); }));
      const Plan<Real> plan(network, {}, scalar);
      best[1] = std::min(best[1], seconds_of([&] {
                           backward(plan, inputs, record, loss.errors, Wanted::weights_only(),
                                    threads, &memory.timelines, backward_memory, gradients);
                         }));
      best[2] = std::min(best[2], seconds_of([&] {
                           for (std::size_t k = 0; k < network.projections().size(); ++k) {
                             const auto& p = network.projections()[k];
                             const auto& from =
                                 network.populations()[p.source].model == Model::input
                                     ? batch.spikes
                                     : record.populations[p.source].spikes;
                             sink = sink + FloorKernels<Real>::best().read_rows(
                                               plan.rows(k), plan.size(p.target),
                                               from.neurons.data(), from.neurons.size());
                           }
                         }));
    }
    forward += best[0];
    backward_pass += best[1];
    floor += best[2];
    scalar_forward += best[3];
    events += synaptic_events(network, batch.spikes, record);
    report.input_spikes += static_cast<double>(batch.spikes.times.size());
    for (std::size_t p = 0; p < record.populations.size(); ++p) {
      if (p == readout) continue;
      report.hidden_spikes += static_cast<double>(record.populations[p].spikes.times.size());
    }
  }
  const double count = static_cast<double>(report.samples);
  report.input_spikes /= count;
  report.hidden_spikes /= count;
  report.synaptic_events = events / count;
  report.forward_ns = 1e9 * forward / events;
  report.backward_ns = 1e9 * backward_pass / events;
  report.floor_ns = 1e9 * floor / events;
  report.scalar_forward_ns = 1e9 * scalar_forward / events;
  report.kernel = kernel_in_use(s.train.kernel);

  Trainer<Real> trainer(network, readout, s.loss, s.t_end, s.train);
  report.training = trainer.train_epoch(task.train);
  return report;
}

template Report run<float>(const Task&);
template Report run<double>(const Task&);

}  // namespace saltus::bench
