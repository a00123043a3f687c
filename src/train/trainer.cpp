// SPDX-License-Identifier: Apache-2.0
// One minibatch: simulate -> loss -> errors -> adjoint -> gradients -> a step of the optimiser.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <optional>
#include <tuple>

#include "adjoint/backward.hpp"
#include "loss/evaluate.hpp"
#include "observe/observe.hpp"
#include "saltus/error.hpp"
#include "saltus/margin.hpp"
#include "saltus/train.hpp"
#include "simulate/forward.hpp"
#include "train/minibatch.hpp"
#include "train/optimizer.hpp"
#include "train/smoothing.hpp"
#include "train/trainable.hpp"

namespace saltus {
namespace {

constexpr std::size_t evaluation_batch = 256;

// Counts spikes of the LIF populations other than the readout, spikes that graze the threshold, and
// in how many samples each neuron spiked.
template <class Real>
class Activity {
 public:
  static constexpr double grazing = 0.1;  // tau_mem dV/dt at a spike
  std::size_t hidden_spikes = 0, grazing_spikes = 0;
  std::vector<std::vector<std::size_t>> spiked;  // [population][neuron] in so many samples

  explicit Activity(const Network<Real>& network) {
    for (const auto& p : network.populations()) {
      spiked.emplace_back(p.model == Model::lif ? p.size : 0, 0);
    }
  }
  void add(const Network<Real>& network, const Record<Real>& record, std::size_t readout) {
    for (std::size_t p = 0; p < spiked.size(); ++p) {
      const Population& population = network.populations()[p];
      const SpikeRecord<Real>& r = record.populations[p];
      const SpikeView spikes = r.spikes.view();
      if (p != readout) hidden_spikes += spikes.neurons.size();
      last_.assign(spiked[p].size(), -1);
      for (std::size_t s = 0; s < record.samples; ++s) {
        const auto sample = static_cast<std::ptrdiff_t>(s);
        for (auto k = spikes.offsets[s]; k < spikes.offsets[s + 1]; ++k) {
          const auto at = static_cast<std::size_t>(k);
          const auto n = static_cast<std::size_t>(spikes.neurons[at]);
          spiked[p][n] += last_[n] != sample;
          last_[n] = sample;
          const double threshold = r.thresholds.empty() ? population.v_threshold[n]
                                                        : static_cast<double>(r.thresholds[at]);
          grazing_spikes +=
              static_cast<double>(r.currents[at]) + population.bias[n] - threshold < grazing;
        }
      }
    }
  }

 private:
  std::vector<std::ptrdiff_t> last_;  // [neuron] the last sample in which it spiked
};

void check_data(const data::LabelledSpikes& data, std::size_t channels, std::string_view input) {
  if (data.channels != static_cast<std::int32_t>(channels)) {
    throw InvalidInput(fmt::format("the data have {} channels; input '{}' has {}", data.channels,
                                   input, channels));
  }
  if (data.spikes.samples() != data.size()) {
    throw InvalidInput(fmt::format("the data hold {} samples and {} labels; expected as many",
                                   data.spikes.samples(), data.size()));
  }
  if (data.size() == 0) throw InvalidInput("the data hold no samples");
  validate(data.spikes.view(), channels, input);
}

template <class Real>
std::string_view only_input(const Network<Real>& network, std::size_t& size) {
  const auto inputs = network.inputs();
  if (inputs.size() != 1) {
    throw InvalidInput(
        fmt::format("training needs a network with one input; this has {}", inputs.size()));
  }
  size = network.populations()[inputs[0]].size;
  return network.populations()[inputs[0]].name;
}

}  // namespace

template <class Real>
Evaluation evaluate(const Network<Real>& network, std::size_t readout, const LossSettings& loss,
                    double t_end, const data::LabelledSpikes& data, int threads) {
  std::size_t channels = 0;
  const auto name = only_input(network, channels);
  check_data(data, channels, name);
  built_in_loss<Real>(loss, readout)->check(network, data.labels);
  network.check();
  const Plan<Real> plan(network);
  const double ends[] = {t_end};
  Activity<Real> activity(network);
  Minibatch batch;
  ForwardMemory<Real> memory;
  Record<Real> record;
  std::vector<std::uint32_t> samples;
  Evaluation result;
  std::size_t correct = 0;
  for (std::size_t first = 0; first < data.size(); first += evaluation_batch) {
    samples.resize(std::min(evaluation_batch, data.size() - first));
    std::iota(samples.begin(), samples.end(), static_cast<std::uint32_t>(first));
    batch.gather(data, samples);
    const Inputs inputs{{batch.spikes.view()}, ends};
    if (first == 0) check(plan, inputs);
    simulate(plan, inputs, threads, memory, record);
    const auto part =
        evaluate(loss, plan, inputs, record, readout, batch.labels, threads, &memory.timelines);
    result.loss += part.value * static_cast<double>(samples.size());
    correct += part.correct;
    result.silent_labels += part.silent;
    activity.add(network, record, readout);
  }
  const double count = static_cast<double>(data.size());
  result.samples = data.size();
  result.loss /= count;
  result.accuracy = static_cast<double>(correct) / count;
  result.hidden_spikes_per_sample = static_cast<double>(activity.hidden_spikes) / count;
  return result;
}

template <class Real>
struct Trainer<Real>::Impl {
  Network<Real> network;
  std::size_t readout;
  LossSettings loss;
  double t_end;
  TrainSettings settings;
  Wanted wanted;
  Gradients<Real> gradients;
  // One optimiser per trained tensor, in the order of for_each_trainable.
  std::vector<std::tuple<Optimizer<float>, Optimizer<double>>> optimizers;
  std::int64_t steps = 0;
  int epochs = 0;
  Minibatch batch;
  ForwardMemory<Real> forward_memory;
  Record<Real> record;
  BackwardMemory<Real> backward_memory;

  double gradient_norm() {
    double sum = 0;
    for_each_trainable(network, gradients, settings.trainable, [&](auto, auto gradient) {
      sum += sum_of_squares(gradient, settings.threads);
    });
    return std::sqrt(sum);
  }

  // What ghosts have added to `gradients`, by a backward pass without them.
  double ghost_share(const Plan<Real>& plan, const Inputs& inputs, const Errors<Real>& errors) {
    const double whole = gradient_norm();
    Gradients<Real> exact;
    backward(plan, inputs, record, errors, wanted, settings.threads, &forward_memory.timelines,
             backward_memory, exact);
    std::vector<std::vector<double>> parts;
    for_each_trainable(network, exact, settings.trainable, [&](auto, auto gradient) {
      parts.emplace_back(gradient.begin(), gradient.end());
    });
    double sum = 0;
    std::size_t tensor = 0;
    for_each_trainable(network, gradients, settings.trainable, [&](auto, auto gradient) {
      for (std::size_t k = 0; k < gradient.size(); ++k) {
        sum += std::pow(static_cast<double>(gradient[k]) - parts[tensor][k], 2);
      }
      ++tensor;
    });
    return whole > 0 ? std::sqrt(sum) / whole : 0;
  }

  // How far the gradient of this minibatch can be believed, on its first samples: one in a thousand
  // of the epoch, so that it costs a hundredth of it.
  void look_ahead(const Inputs& inputs, std::size_t epoch_samples, EpochReport& report) const {
    const std::size_t samples = std::min<std::size_t>({inputs.samples(), 8, epoch_samples / 1000});
    if (samples == 0) return;
    Inputs some = inputs;
    for (SpikeView& spikes : some.spikes) {
      spikes.offsets = spikes.offsets.first(samples + 1);
      const auto count = static_cast<std::size_t>(spikes.offsets.back());
      spikes.times = spikes.times.first(count);
      spikes.neurons = spikes.neurons.first(count);
    }
    Options options;
    options.threads = settings.threads;
    const Margin m = margin(network, some, gradients, settings.trainable, 0.1, options);
    report.near_peaks_per_sample = static_cast<double>(m.near_peaks) / static_cast<double>(samples);
    report.believable_step = m.step;
  }

  // @return was it cut short?
  bool step(double lr, double norm, const Inputs& inputs) {
    std::optional<Network<Real>> before;
    if (settings.step_limit > 0) before = network;
    const double scale =
        settings.clip_norm > 0 && norm > settings.clip_norm ? settings.clip_norm / norm : 1.0;
    ++steps;
    std::size_t tensor = 0;
    for_each_trainable(network, gradients, settings.trainable, [&](auto values, auto gradient) {
      using T = typename decltype(values)::value_type;
      if (tensor == optimizers.size()) optimizers.emplace_back();
      std::get<Optimizer<T>>(optimizers[tensor++])
          .step(settings, lr, steps, scale, values, gradient);
    });
    for (auto& projection : network.projections()) {
      for (double& d : projection.delay.values) d = std::max(d, 0.0);
    }
    const bool limited = before && hold_back(*before, inputs);
    if (!wanted.neurons) return limited;
    try {
      network.check();
    } catch (const InvalidInput& e) {
      throw InvalidInput(
          fmt::format("{}, but a step of training led there; try a smaller lr", e.what()));
    }
    return limited;
  }

  // Back towards `before`, if the step went further than the limit allows.
  bool hold_back(Network<Real>& before, const Inputs& inputs) {
    std::vector<std::vector<double>> old;
    for_each_trainable(before, gradients, settings.trainable,
                       [&](auto values, auto) { old.emplace_back(values.begin(), values.end()); });
    const auto visit = [&](auto&& change) {
      std::size_t tensor = 0;
      for_each_trainable(network, gradients, settings.trainable, [&](auto values, auto gradient) {
        const auto& from = old[tensor++];
        for (std::size_t k = 0; k < from.size(); ++k) change(values[k], gradient[k], from[k]);
      });
    };
    visit([](auto& value, auto& gradient, double from) {
      gradient = static_cast<std::remove_reference_t<decltype(gradient)>>(from - value);
    });
    Options options;
    options.threads = settings.threads;
    constexpr double everywhere = 1e6;  // the range of V in which peaks are looked at
    const Margin m = margin(before, inputs, gradients, settings.trainable, everywhere, options);
    const double share = settings.step_limit * m.step;
    if (!(share < 1)) return false;
    visit([share](auto& value, auto&, double from) {
      value = static_cast<std::remove_reference_t<decltype(value)>>(from + share * (value - from));
    });
    return true;
  }

  // As small as the steps have become: a neuron that wakes late must not shake what has settled.
  std::size_t revive(const Activity<Real>& activity, double lr) {
    const double share = settings.revive * (settings.lr > 0 ? lr / settings.lr : 1);
    std::size_t revived = 0;
    for (std::size_t p = 0; p < activity.spiked.size(); ++p) {
      for (std::size_t j = 0; j < activity.spiked[p].size(); ++j) {
        if (activity.spiked[p][j]) continue;
        ++revived;
        for (auto& projection : network.projections()) {
          if (projection.target != p) continue;
          double sum = 0;
          for (const Real w : projection.weight) sum += static_cast<double>(w) * w;
          const Real raise = static_cast<Real>(
              share * std::sqrt(sum / static_cast<double>(projection.weight.size())));
          const std::size_t post = activity.spiked[p].size();
          for (std::size_t k = j; k < projection.weight.size(); k += post) {
            projection.weight[k] += raise;
          }
        }
      }
    }
    return revived;
  }
};

template <class Real>
Trainer<Real>::Trainer(Network<Real> network, std::size_t readout, const LossSettings& loss,
                       double t_end, const TrainSettings& settings)
    : impl_(std::make_unique<Impl>(Impl{std::move(network),
                                        readout,
                                        loss,
                                        t_end,
                                        settings,
                                        wanted_for(settings.trainable),
                                        {},
                                        {},
                                        0,
                                        0,
                                        {},
                                        {},
                                        {},
                                        {}})) {
  check(settings);
  impl_->network.check();
  std::size_t channels = 0;
  only_input(impl_->network, channels);
}

template <class Real>
Trainer<Real>::~Trainer() = default;
template <class Real>
Trainer<Real>::Trainer(Trainer&&) noexcept = default;

template <class Real>
EpochReport Trainer<Real>::train_epoch(const data::LabelledSpikes& data,
                                       const std::function<void(const EpochReport&)>& progress,
                                       const std::atomic<bool>* stop) {
  Impl& m = *impl_;
  const TrainSettings& s = m.settings;
  std::size_t channels = 0;
  const auto name = only_input(m.network, channels);
  check_data(data, channels, name);
  built_in_loss<Real>(m.loss, m.readout)->check(m.network, data.labels);
  m.network.check();  // an epoch that threw may have left it out of range
  const auto epoch = static_cast<std::uint32_t>(m.epochs);
  const auto start = std::chrono::steady_clock::now();
  EpochReport report;
  report.epoch = m.epochs + 1;
  report.lr = learning_rate(s, m.epochs);

  std::vector<std::uint32_t> order(data.size());
  std::iota(order.begin(), order.end(), 0u);
  Random random(s.seed, Purpose::shuffle, epoch);
  random.shuffle(std::span(order));

  Activity<Real> activity(m.network);
  Smoother<Real> smoother(s, m.epochs);
  const double ends[] = {m.t_end};
  std::size_t correct = 0, batches = 0;
  for (std::size_t first = 0; first < order.size(); first += s.batch) {
    if (stop && *stop) {
      report.complete = false;
      break;
    }
    const auto samples = std::span<const std::uint32_t>(order).subspan(
        first, std::min(s.batch, order.size() - first));
    m.batch.gather(data, samples, s.input_dropout, s.seed, epoch);
    const Inputs inputs{{m.batch.spikes.view()}, ends};
    const Plan<Real> plan(m.network, {}, s.kernel == Kernel::scalar);
    if (first == 0) check(plan, inputs);
    smoother.simulate(plan, inputs, s.threads, m.forward_memory, m.record);
    const Record<Real>& record = m.record;
    const auto result = saltus::evaluate(m.loss, plan, inputs, record, m.readout, m.batch.labels,
                                         s.threads, &m.forward_memory.timelines);
    smoother.backward(plan, inputs, record, m.loss, m.readout, m.batch.labels, result.errors,
                      m.wanted, s.threads, m.forward_memory.timelines, m.backward_memory,
                      m.gradients);
    if (first == 0 && smoother.on()) {
      report.ghost_share = m.ghost_share(plan, inputs, result.errors);
    }
    if (first == 0) m.look_ahead(inputs, order.size(), report);
    const double norm = m.gradient_norm();
    if (!std::isfinite(result.value) || !std::isfinite(norm)) {
      throw InvalidInput(fmt::format(
          "epoch {}, sample {}: the loss is {} and its gradient {} long; try a smaller lr, or a "
          "clip_norm",
          report.epoch, first, result.value, norm));
    }
    report.limited_steps += m.step(report.lr, norm, inputs);

    report.loss += result.value * static_cast<double>(samples.size());
    report.gradient_norm += norm;
    report.silent_labels += result.silent;
    correct += result.correct;
    activity.add(m.network, record, m.readout);
    report.samples += samples.size();
    ++batches;
    if (progress) {
      EpochReport so_far = report;
      so_far.loss /= static_cast<double>(report.samples);
      so_far.accuracy = static_cast<double>(correct) / static_cast<double>(report.samples);
      progress(so_far);
    }
  }
  m.network.check();

  for (const auto& population : activity.spiked) {
    for (const std::size_t samples : population) {
      report.silent_neurons += samples == 0;
      report.saturated_neurons += report.samples > 0 && samples == report.samples;
    }
  }
  if (s.revive > 0 && report.complete) report.revived = m.revive(activity, report.lr);
  const double count = std::max<double>(1, static_cast<double>(report.samples));
  report.loss /= count;
  report.accuracy = static_cast<double>(correct) / count;
  report.hidden_spikes_per_sample = static_cast<double>(activity.hidden_spikes) / count;
  report.grazing_spikes_per_sample = static_cast<double>(activity.grazing_spikes) / count;
  report.smoothing_sigma = smoother.sigma();
  report.ghosts_per_sample = static_cast<double>(smoother.count()) / count;
  report.gradient_norm /= std::max<double>(1, static_cast<double>(batches));
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  report.us_per_sample = 1e6 * report.seconds / count;
  m.epochs += report.complete;
  return report;
}

template <class Real>
Evaluation Trainer<Real>::evaluate(const data::LabelledSpikes& data) {
  return saltus::evaluate(impl_->network, impl_->readout, impl_->loss, impl_->t_end, data,
                          impl_->settings.threads);
}

template <class Real>
const Network<Real>& Trainer<Real>::network() const {
  return impl_->network;
}

template <class Real>
int Trainer<Real>::epochs_done() const {
  return impl_->epochs;
}

template class Trainer<float>;
template class Trainer<double>;
template Evaluation evaluate(const Network<float>&, std::size_t, const LossSettings&, double,
                             const data::LabelledSpikes&, int);
template Evaluation evaluate(const Network<double>&, std::size_t, const LossSettings&, double,
                             const data::LabelledSpikes&, int);

}  // namespace saltus
