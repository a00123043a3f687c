// SPDX-License-Identifier: Apache-2.0
// The loop of an epoch. One minibatch: simulate -> loss -> errors -> adjoint -> gradients -> a step
// of the optimiser.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "adjoint/backward.hpp"
#include "plan/plan.hpp"
#include "saltus/error.hpp"
#include "saltus/train.hpp"
#include "simulate/forward.hpp"
#include "train/activity.hpp"
#include "train/checks.hpp"
#include "train/look_ahead.hpp"
#include "train/minibatch.hpp"
#include "train/penalties.hpp"
#include "train/revive.hpp"
#include "train/smoothing.hpp"
#include "train/step.hpp"
#include "train/trainable.hpp"

namespace saltus {
namespace {

// What belongs to one epoch: what is trained in it, and what its minibatches add up to.
template <class Real>
struct Epoch {
  std::vector<Trained> trained;
  std::vector<double> rates;        // of each, in units of lr
  std::uint32_t number;             // from 0
  std::size_t samples;              // in all
  std::vector<std::size_t> inputs;  // their sizes
  double lr;
  Smoother<Real> smoother;
  Activity<Real> activity;
  EpochReport sums;
  std::size_t correct = 0, batches = 0;
  bool predicts = true;

  // Means of what users watch while it goes on.
  EpochReport so_far() const {
    EpochReport report = sums;
    const double count = std::max<double>(1, static_cast<double>(sums.samples));
    report.loss /= count;
    if (predicts) report.accuracy = static_cast<double>(correct) / count;
    return report;
  }
  EpochReport report() const {
    EpochReport r = so_far();
    const double count = std::max<double>(1, static_cast<double>(sums.samples));
    r.silent_neurons = activity.neurons_of(0);
    r.silent_populations = activity.silent_populations();
    r.saturated_neurons = sums.samples > 0 ? activity.neurons_of(sums.samples) : 0;
    r.hidden_spikes_per_sample = static_cast<double>(activity.hidden_spikes) / count;
    r.grazing_spikes_per_sample = static_cast<double>(activity.grazing_spikes) / count;
    r.smoothing_sigma = smoother.sigma();
    r.ghosts_per_sample = static_cast<double>(smoother.count()) / count;
    r.gradient_norm /= std::max<double>(1, static_cast<double>(batches));
    return r;
  }
};

// What one thing after the other takes.
class Laps {
 public:
  void end(double& seconds) {
    const auto now = std::chrono::steady_clock::now();
    seconds += std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// @param what  "the loss is {}", "the gradient is {} long"
void check_finite(double value, const char* what, const EpochReport& sums) {
  if (std::isfinite(value)) return;
  throw InvalidInput(fmt::format("epoch {}, sample {}: {}; try a smaller lr, or a clip_norm",
                                 sums.epoch, sums.samples, fmt::format(fmt::runtime(what), value)));
}

}  // namespace

template <class Real>
struct Trainer<Real>::Impl {
  TrainState<Real> state;
  std::unique_ptr<Loss<Real>> loss;
  double t_end;
  TrainSettings settings;
  TrainHooks<Real> hooks;

  // Memory that is kept from minibatch to minibatch.
  struct Scratch {
    Minibatch minibatch;
    ForwardMemory<Real> forward;
    Record<Real> record;
    BackwardMemory<Real> backward;
    Gradients<Real> gradients;
  } scratch = {};

  double rate_of(int epoch) const {
    if (!hooks.learning_rate) return learning_rate(settings, epoch);
    const double lr = hooks.learning_rate(epoch);
    if (std::isfinite(lr) && lr >= 0) return lr;
    throw InvalidInput(
        fmt::format("the learning rate of epoch {} is {}; expected a finite number of at least 0",
                    epoch + 1, lr));
  }

  Epoch<Real> begin(const data::LabelledSpikes& data) {
    Network<Real>& network = state.network;
    check_data(data, network);
    loss->check(network, data.labels);
    network.check();  // an epoch that threw may have left it out of range
    const std::vector<Trained> trained = trained_of(network, settings.trainable);
    Epoch<Real> e{trained,
                  rates_of(network, trained, settings),
                  static_cast<std::uint32_t>(state.epochs),
                  data.size(),
                  input_sizes(network),
                  rate_of(state.epochs),
                  Smoother<Real>(settings, state.epochs),
                  Activity<Real>(network, *loss),
                  {}};
    e.sums.epoch = state.epochs + 1;
    e.sums.lr = e.lr;
    return e;
  }

  void train(const data::LabelledSpikes& data, std::span<const std::uint32_t> samples,
             Epoch<Real>& e) {
    const bool first = e.batches == 0;
    const double ends[] = {t_end};
    Laps laps;
    double diagnostics = 0;  // what is left of the whole
    scratch.minibatch.gather(data, samples, settings.input_dropout, settings.seed, e.number);
    laps.end(e.sums.gather_seconds);
    const Inputs inputs = scratch.minibatch.inputs(e.inputs, ends);
    const Plan<Real> plan(state.network, {}, settings.kernel == Kernel::scalar);
    if (first || !data.t_end.empty()) check(plan, inputs);  // ends may differ
    e.smoother.simulate(plan, inputs, settings.threads, scratch.forward, scratch.record);
    laps.end(e.sums.forward_seconds);
    const Batch<Real> batch{
        state.network,          inputs,           scratch.record, scratch.minibatch.labels,
        e.smoother.smoothing(), settings.threads, plan,           &scratch.forward.timelines};
    const LossResult<Real> result = loss->evaluate(batch);
    check_finite(result.value, "the loss is {}", e.sums);
    check_errors(state.network, inputs, scratch.record, result.errors);
    laps.end(e.sums.loss_seconds);
    Gradients<Real>& gradients = scratch.gradients;
    e.smoother.backward(batch, *loss, result.errors, wanted_for(state.network, e.trained),
                        scratch.backward, gradients);
    add_penalties(settings, e.trained, state.network, gradients);
    laps.end(e.sums.backward_seconds);
    if (first && e.smoother.on()) {
      e.sums.ghost_share =
          ghost_share(batch, result.errors, e.trained, gradients, scratch.backward);
    }
    if (first) look_ahead(settings, state.network, inputs, gradients, e.samples, e.sums);
    laps.end(diagnostics);
    const double norm = norm_of(e.trained, state.network, gradients, settings.threads);
    check_finite(norm, "the gradient is {} long", e.sums);
    const auto taken =
        Step<Real>{settings, hooks, e.trained, e.rates}.take(state, gradients, norm, e.lr, inputs);
    e.sums.limited_steps += taken.limited;
    e.sums.clamped += taken.clamped;
    laps.end(e.sums.step_seconds);
    add(result, norm, samples.size(), e);
  }

  void add(const LossResult<Real>& result, double norm, std::size_t samples, Epoch<Real>& e) {
    e.sums.loss += result.value * static_cast<double>(samples);
    e.sums.gradient_norm += norm;
    e.sums.silent_labels += result.silent;
    e.sums.silent_samples += silent_samples(result);
    e.correct += result.correct;
    e.predicts = e.predicts && !result.predictions.empty();
    e.activity.add(state.network, scratch.record);
    e.sums.samples += samples;
    ++e.batches;
  }
};

template <class Real>
Trainer<Real>::Trainer(Network<Real> network, std::unique_ptr<Loss<Real>> loss, double t_end,
                       const TrainSettings& settings, TrainHooks<Real> hooks) {
  check(settings);
  network.check();
  input_sizes(network);
  rates_of(network, trained_of(network, settings.trainable), settings);
  TrainState<Real> state;
  state.network = std::move(network);
  impl_ = std::make_unique<Impl>(
      Impl{std::move(state), std::move(loss), t_end, settings, std::move(hooks)});
}

template <class Real>
Trainer<Real>::Trainer(Network<Real> network, std::size_t readout, const LossSettings& loss,
                       double t_end, const TrainSettings& settings)
    : Trainer(std::move(network), built_in_loss<Real>(loss, readout), t_end, settings) {}

template <class Real>
Trainer<Real>::~Trainer() = default;
template <class Real>
Trainer<Real>::Trainer(Trainer&&) noexcept = default;

template <class Real>
EpochReport Trainer<Real>::train_epoch(const data::LabelledSpikes& data,
                                       const std::function<void(const EpochReport&)>& progress,
                                       const std::atomic<bool>* stop) {
  Impl& m = *impl_;
  const auto start = std::chrono::steady_clock::now();
  Epoch<Real> epoch = m.begin(data);
  const auto order = shuffled(data.size(), m.settings.seed, epoch.number);
  for (std::size_t first = 0; first < order.size(); first += m.settings.batch) {
    if (stop && *stop) {
      epoch.sums.complete = false;
      break;
    }
    const std::size_t size = std::min(m.settings.batch, order.size() - first);
    m.train(data, std::span(order).subspan(first, size), epoch);
    if (progress) progress(epoch.so_far());
  }
  m.state.network.check();
  EpochReport report = epoch.report();
  if (m.settings.revive > 0 && report.complete) {
    report.revived = revive(m.settings, epoch.activity, report.lr, m.state.network);
  }
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  report.us_per_sample =
      1e6 * report.seconds / std::max<double>(1, static_cast<double>(report.samples));
  m.state.epochs += report.complete;
  return report;
}

template <class Real>
Evaluation Trainer<Real>::evaluate(const data::LabelledSpikes& data) {
  return saltus::evaluate(impl_->state.network, *impl_->loss, impl_->t_end, data,
                          impl_->settings.threads);
}

template <class Real>
const TrainState<Real>& Trainer<Real>::state() const {
  return impl_->state;
}

template <class Real>
TrainState<Real>& Trainer<Real>::state() {
  return impl_->state;
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace saltus
