// SPDX-License-Identifier: Apache-2.0
// The loop of an epoch. One minibatch: simulate -> loss -> errors -> adjoint -> gradients -> a step
// of the optimiser.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string_view>

#include "adjoint/backward.hpp"
#include "machine/stoppable.hpp"
#include "machine/team.hpp"
#include "machine/uninterrupted.hpp"
#include "plan/plan.hpp"
#include "saltus/error.hpp"
#include "saltus/train.hpp"
#include "simulate/forward.hpp"
#include "train/activity.hpp"
#include "train/checks.hpp"
#include "train/look_ahead.hpp"
#include "train/minibatch.hpp"
#include "train/penalties.hpp"
#include "train/resumable.hpp"
#include "train/revive.hpp"
#include "train/smoothing.hpp"
#include "train/step.hpp"
#include "train/together.hpp"
#include "train/trainable.hpp"

namespace saltus {
namespace {

// What belongs to one epoch: what is trained in it, and with it what its minibatches add up to.
template <class Real>
struct Epoch {
  std::vector<Trained> trained;
  std::vector<double> rates;        // of each, in units of lr
  std::uint32_t number;             // from 0
  std::vector<std::size_t> inputs;  // their sizes
  double lr;
  Smoother<Real> smoother;
  Activity<Real> activity;
  EpochState& state;
  bool stopped = false;  // did any process of a team want to?

  // Means of what users watch while it goes on.
  EpochReport so_far() const {
    EpochReport report = state.sums;
    const double count = std::max<double>(1, static_cast<double>(report.samples));
    report.loss /= count;
    if (state.predicts) report.accuracy = static_cast<double>(state.correct) / count;
    return report;
  }
  EpochReport report() const {
    EpochReport r = so_far();
    const double count = std::max<double>(1, static_cast<double>(r.samples));
    r.silent_neurons = activity.neurons_of(0);
    r.silent_populations = activity.silent_populations();
    r.saturated_neurons = r.samples > 0 ? activity.neurons_of(r.samples) : 0;
    r.hidden_spikes_per_sample = static_cast<double>(state.hidden_spikes) / count;
    r.grazing_spikes_per_sample = static_cast<double>(state.grazing_spikes) / count;
    r.smoothing_sigma = smoother.sigma();
    r.ghosts_per_sample = static_cast<double>(state.ghosts) / count;
    r.gradient_norm /= std::max<double>(1, static_cast<double>(state.minibatches));
    r.us_per_sample = 1e6 * r.seconds / count;
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

constexpr std::string_view of_optimizer = "optimizer.";  // its part of TrainState::memory

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
    TrainSettings now = settings;
    if (!std::isnan(state.lr)) now.lr = state.lr;
    const double lr = hooks.schedule ? hooks.schedule->learning_rate(now.lr, epoch, state.history)
                                     : learning_rate(now, epoch, state.history);
    if (std::isfinite(lr) && lr >= 0) return lr;
    throw InvalidInput(
        fmt::format("the learning rate of epoch {} is {}; expected a finite number of at least 0",
                    epoch + 1, lr));
  }

  // An epoch, or the rest of one that was stopped.
  Epoch<Real> begin(const data::LabelledSpikes& data) {
    Network<Real>& network = state.network;
    check_data(data, network);
    loss->check(network, data.labels);
    network.check();  // an epoch that threw may have left it out of range
    if (hooks.team) check_same(*hooks.team, digest_of(state), "network");
    if (state.epoch.minibatches == 0) {
      state.epoch = {};
      state.epoch.data_samples = data.size();
    } else if (state.epoch.data_samples != data.size()) {
      throw InvalidInput(fmt::format(
          "the data hold {} samples, and the epoch under way was begun with {}; expected the same",
          data.size(), state.epoch.data_samples));
    }
    const std::vector<Trained> trained = trained_of(network, settings.trainable);
    Epoch<Real> e{trained,
                  rates_of(network, trained, settings),
                  static_cast<std::uint32_t>(state.epochs),
                  input_sizes(network),
                  rate_of(state.epochs),
                  Smoother<Real>(settings, state.epochs, state.epoch.minibatches),
                  Activity<Real>(network, *loss, state.epoch),
                  state.epoch};
    EpochReport& sums = state.epoch.sums;
    sums.epoch = state.epochs + 1;
    sums.lr = e.lr;
    sums.complete = true;
    return e;
  }

  // @param stop  does this process want to stop after it? Of a team alone.
  void train(const data::LabelledSpikes& data, std::span<const std::uint32_t> samples,
             Epoch<Real>& e, const std::atomic<bool>* stop) {
    const bool first = e.state.minibatches == 0;
    EpochReport& sums = e.state.sums;
    const double ends[] = {t_end};
    Laps laps;
    double diagnostics = 0;  // what is left of the whole
    const Part own(hooks.team, samples.size());
    gather(data, samples.subspan(own.begin, own.size()), e, scratch.minibatch);
    laps.end(sums.gather_seconds);
    const Inputs inputs = scratch.minibatch.inputs(e.inputs, ends);
    Plan<Real> plan(state.network, {}, settings.kernel == Kernel::scalar);
    plan.limits = limits_of(settings);
    if (first || !data.t_end.empty()) check(plan, inputs);  // ends may differ
    e.smoother.simulate(plan, inputs, settings.threads, scratch.forward, scratch.record, own.begin);
    laps.end(sums.forward_seconds);
    const Batch<Real> batch{state.network,
                            inputs,
                            scratch.record,
                            scratch.minibatch.labels,
                            e.smoother.smoothing(),
                            settings.threads,
                            plan,
                            &scratch.forward.timelines,
                            hooks.team,
                            samples.size()};
    const LossResult<Real> result = loss->evaluate(batch);
    check_finite(result.value, "the loss is {}", sums);
    check_errors(state.network, inputs, scratch.record, result.errors);
    laps.end(sums.loss_seconds);
    Gradients<Real>& gradients = scratch.gradients;
    e.smoother.backward(batch, *loss, result.errors, wanted_for(state.network, e.trained),
                        scratch.backward, gradients);
    add_penalties(settings, e.trained, state.network, gradients);
    laps.end(sums.backward_seconds);
    if (first && e.smoother.on()) {
      sums.ghost_share =
          ghost_share(settings, batch, result.errors, e.trained, gradients, scratch.backward);
    }
    if (first && !hooks.team) {
      look_ahead(settings, state.network, inputs, gradients, e.state.data_samples, sums);
    } else if (first) {  // at the same samples
      Minibatch leading;
      gather(data, samples.first(std::min(samples.size(), most_looked_at)), e, leading);
      look_ahead(settings, state.network, leading.inputs(e.inputs, ends), gradients,
                 e.state.data_samples, sums);
    }
    laps.end(diagnostics);
    const double norm = norm_of(e.trained, state.network, gradients, settings.threads);
    check_finite(norm, "the gradient is {} long", sums);
    const Uninterrupted whole;  // or half of the parameters would have moved
    const auto taken =
        Step<Real>{settings, hooks, e.trained, e.rates}.take(state, gradients, norm, e.lr, inputs);
    sums.limited_steps += taken.limited;
    sums.clamped += taken.clamped;
    laps.end(sums.step_seconds);
    EpochState& s = e.state;
    s.sums.loss += result.value * static_cast<double>(samples.size());
    s.sums.gradient_norm += norm;
    s.predicts = s.predicts && (!result.predictions.empty() || own.size() == 0);
    s.sums.samples += samples.size();
    ++s.minibatches;
    if (!hooks.team) {
      count(result, e, s);
      return;
    }
    EpochState here = no_counts(s);
    count(result, e, here);
    e.stopped = add_up(*hooks.team, here, stop && *stop, s);
  }

  void gather(const data::LabelledSpikes& data, std::span<const std::uint32_t> samples,
              const Epoch<Real>& e, Minibatch& to) const {
    to.gather(data, samples, settings.input_dropout, settings.seed, e.number);
  }

  // Of the samples that are here.
  void count(const LossResult<Real>& result, Epoch<Real>& e, EpochState& counts) {
    counts.sums.silent_labels += result.silent;
    counts.sums.silent_samples += silent_samples(result);
    counts.correct += result.correct;
    counts.ghosts += e.smoother.count();
    e.activity.add(state.network, scratch.record, counts);
  }

  // What the report of a whole epoch says, and the state after it.
  EpochReport end(const Epoch<Real>& epoch) {
    EpochReport report = epoch.report();
    if (!report.complete) {
      if (state.epoch.minibatches == 0) state.epoch = {};  // it has not begun
      return report;
    }
    if (settings.revive > 0) {
      report.revived = revive(settings, epoch.trained, state.epoch, report.lr, state.network);
    }
    ++state.epochs;
    state.history.push_back(report);
    state.epoch = {};
    return report;
  }

  // An optimiser of one's own is asked only when someone wants to know.
  void remember() {
    if (!hooks.optimizer) return;
    std::erase_if(state.memory, [](const auto& e) { return e.first.starts_with(of_optimizer); });
    for (const auto& [name, array] : hooks.optimizer->memory()) {
      state.memory[std::string(of_optimizer) + name] = array;
    }
  }
  void recall() {
    if (!hooks.optimizer) return;
    Memory own;
    for (const auto& [name, array] : state.memory) {
      if (name.starts_with(of_optimizer)) own[name.substr(of_optimizer.size())] = array;
    }
    hooks.optimizer->recall(own);
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
  EpochReport& sums = epoch.state.sums;
  const double before = sums.seconds;
  const auto took = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  const auto order = shuffled(data.size(), m.settings.seed, epoch.number);
  // A team stops together, between minibatches.
  Team* const team = m.hooks.team;
  const Stoppable stoppable(team ? nullptr : stop);
  const auto stopped = [&] { return team ? epoch.stopped : stop && *stop; };
  if (team) epoch.stopped = team->any(stop && *stop);
  while (sums.samples < order.size()) {
    const std::size_t size = std::min(m.settings.batch, order.size() - sums.samples);
    const auto samples = std::span(order).subspan(sums.samples, size);
    try {
      if (stopped()) throw Interrupted();
      m.train(data, samples, epoch, stop);
    } catch (const LimitExceeded& e) {
      throw e.of(samples[Part(team, size).begin + e.sample]);  // as the data have it
    } catch (const Interrupted&) {
      if (!stopped()) throw;
      sums.complete = false;  // the state is that of the last step
      break;
    }
    sums.seconds = before + took();
    if (progress) progress(epoch.so_far());
  }
  m.state.network.check();
  sums.seconds = before + took();
  return m.end(epoch);
}

template <class Real>
Evaluation Trainer<Real>::evaluate(const data::LabelledSpikes& data) {
  return saltus::evaluate(impl_->state.network, *impl_->loss, impl_->t_end, data,
                          impl_->settings.threads, limits_of(impl_->settings), impl_->hooks.team);
}

template <class Real>
const Network<Real>& Trainer<Real>::network() const {
  return impl_->state.network;
}

template <class Real>
int Trainer<Real>::epochs_done() const {
  return impl_->state.epochs;
}

template <class Real>
const TrainState<Real>& Trainer<Real>::state() const {
  impl_->remember();
  return impl_->state;
}

template <class Real>
TrainState<Real>& Trainer<Real>::state() {
  impl_->remember();
  return impl_->state;
}

template <class Real>
void Trainer<Real>::resume(TrainState<Real> state) {
  check_resumable(state, impl_->state.network);
  impl_->state = std::move(state);
  impl_->recall();
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace saltus
