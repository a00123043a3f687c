// SPDX-License-Identifier: Apache-2.0
/// @file
/// Training: optimisers, schedules, the loop over minibatches.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "saltus/adjoint.hpp"
#include "saltus/data.hpp"
#include "saltus/fields.hpp"
#include "saltus/ghosts.hpp"
#include "saltus/losses.hpp"
#include "saltus/network.hpp"
#include "saltus/simulate.hpp"

namespace saltus {

/// How weights step.
enum class OptimizerKind { sgd, adam, adamw };
/// How the learning rate changes with the epochs.
enum class ScheduleKind { constant, exponential, cosine, step, plateau };

template <>
struct Names<OptimizerKind> {
  static constexpr std::string_view what = "optimizer";
  static constexpr std::pair<OptimizerKind, std::string_view> all[] = {
      {OptimizerKind::sgd, "sgd"}, {OptimizerKind::adam, "adam"}, {OptimizerKind::adamw, "adamw"}};
};
template <>
struct Names<ScheduleKind> {
  static constexpr std::string_view what = "schedule";
  static constexpr std::pair<ScheduleKind, std::string_view> all[] = {
      {ScheduleKind::constant, "constant"},
      {ScheduleKind::exponential, "exponential"},
      {ScheduleKind::cosine, "cosine"},
      {ScheduleKind::step, "step"},
      {ScheduleKind::plateau, "plateau"}};
};

/// What a training is made of, besides network, loss and data.
struct TrainSettings {
  int epochs = 100;                       ///< passes over the data
  std::size_t batch = 32;                 ///< samples of a minibatch
  std::uint64_t seed = 0;                 ///< of order, dropout and sampled thresholds
  int threads = 1;                        ///< 0: all cores; never changes a result
  Kernel kernel = Kernel::vector;         ///< how the loops over neurons are run
  std::size_t max_spikes_per_sample = 0;  ///< as SampleLimits
  double max_memory_per_sample = 0;       ///< the same
  double max_seconds_per_sample = 0;      ///< the same

  OptimizerKind optimizer = OptimizerKind::adam;  ///< which
  double lr = 5e-3;                               ///< learning rate
  double momentum = 0.9;                          ///< of SGD
  double beta_1 = 0.9;                            ///< of Adam (Kingma & Ba 2015)
  double beta_2 = 0.999;                          ///< the same
  double epsilon = 1e-8;                          ///< the same
  double weight_decay = 0;                        ///< of AdamW (Loshchilov & Hutter 2019); SGD: L2

  ScheduleKind schedule = ScheduleKind::exponential;  ///< of the learning rate
  double decay = 0.95;   ///< exponential: factor an epoch; step and plateau: factor each time
  double lr_final = 0;   ///< cosine: where it ends
  int decay_every = 10;  ///< step: epochs from one time to the next
  int patience = 5;  ///< plateau: epochs without a lower validation loss (without validation: loss)
  int warmup = 0;    ///< epochs in which the rate rises, linearly, before the schedule begins

  double l1 = 0;  ///< penalty l1 sum |w| of weights that are trained: in the gradient, before
                  ///< clipping and the optimiser; not in the loss that is reported
  double l2 = 0;  ///< the same, l2 / 2 sum w^2

  double clip_norm = 0;      ///< longest gradient, over all that is trained; 0: no limit
  double input_dropout = 0;  ///< probability that an input spike is left out

  /// A neuron that never spikes has no gradient, and stays silent (docs/theory.md, section 10). The
  /// remedy: after an epoch in which a LIF neuron never spiked, each trained weight into it is
  /// raised by this share of the root mean square of its projection, times lr / (first lr). 0: off.
  double revive = 0;

  /// Standard deviation of the noise that thresholds are thought to have, in units of V: then the
  /// gradient sees spikes appear and vanish (docs/ghosts.md). It shrinks by a factor an epoch, down
  /// to `smooth_end`, below which it is 0: the exact gradient, to the last bit. 0: off.
  double smooth_threshold = 0;
  double smooth_decay = 0.8;  ///< factor an epoch
  double smooth_end = 0.01;   ///< below this it is 0
  /// Fixed: the gradient thinks of the noise, the forward pass does not. Sampled: every neuron of
  /// every sample draws its threshold, anew after each of its spikes and in each minibatch.
  ThresholdReading smooth_reading = ThresholdReading::fixed;

  /// No step goes further than this many times the distance at which, to first order, the first
  /// spike of its minibatch appears or vanishes (saltus/margin.hpp). Costs two simulations and two
  /// searches for near spikes in float64 for each minibatch. 0: no limit.
  double step_limit = 0;

  /// What the optimiser may change: weights, delays, names of neuron parameters ("tau_mem"), and
  /// names of single parameters ("in->hidden.weight", "in->hidden.delay", "hidden.tau_mem").
  std::vector<std::string> trainable = {"weights"};

  /// Learning rates of their own, "name=rate", names as in `trainable`; that of a single parameter
  /// counts before that of its kind. In the parameter's unit: seconds for delays. They follow the
  /// schedule. What is named nowhere takes `lr`, and where it is in seconds, in a unit of its own (2 ms
  /// for delays and tau_mem, 1 ms for tau_syn and tau_ref, 10 ms for tau_adapt).
  std::vector<std::string> lr_of;

  static constexpr auto fields();  ///< a row for each setting: see below (but the kernel, which is
                                   ///< neither stored nor given by Python)
};

/// A row's check: names of what can be trained, each once.
void check_trainable(std::string_view name, const std::vector<std::string>& trainable);
/// The same of rates.
void check_rates(std::string_view name, const std::vector<std::string>& lr_of);

constexpr auto TrainSettings::fields() {
  using S = TrainSettings;
  using namespace bounds;
  constexpr Bound at_least_1{[](double v) { return v >= 1; }, "1 or more"};
  return std::tuple_cat(
      std::tuple{
          Field{"epochs", &S::epochs, Bound{[](double v) { return v >= 0; }, "0 or more"},
                heading::optimiser, "passes over the training data"},
          Field{"batch", &S::batch, at_least_1, heading::optimiser, "samples of a minibatch"},
          Field{"optimizer", &S::optimizer, anything, heading::optimiser, "sgd, adam or adamw"},
          Field{"lr", &S::lr, at_least_0, heading::optimiser, "learning rate"},
          Field{"schedule", &S::schedule, anything, heading::optimiser,
                "constant, exponential, cosine, step (down every --decay-every epochs) or plateau "
                "(down "
                "after --patience epochs without a lower validation loss)"},
          Field{"decay", &S::decay, factor, heading::optimiser,
                "exponential schedule: factor an epoch; step, plateau: factor each time"},
          Field{"decay_every", &S::decay_every, at_least_1, heading::optimiser,
                "step schedule: epochs from one time to the next (default 10)"},
          Field{"patience", &S::patience, at_least_1, heading::optimiser,
                "plateau schedule: epochs without an improvement (default 5)"},
          Field{"warmup", &S::warmup, Bound{[](double v) { return v >= 0; }, "0 or more"},
                heading::optimiser,
                "epochs in which the learning rate rises, linearly, before the schedule begins"},
          Field{"lr_final", &S::lr_final, at_least_0, heading::optimiser,
                "cosine schedule: where it ends (default 0)"},
          Field{"momentum", &S::momentum, fraction, heading::optimiser, "of SGD"},
          Field{"beta_1", &S::beta_1, fraction, heading::optimiser,
                "of Adam: factor a step of its mean of gradients"},
          Field{"beta_2", &S::beta_2, fraction, heading::optimiser,
                "of Adam: factor a step of its mean of squared gradients"},
          Field{"epsilon", &S::epsilon, Bound{[](double v) { return v > 0; }, "above 0"},
                heading::optimiser, "of Adam: what is added to the root of that mean"},
          Field{"weight_decay", &S::weight_decay, at_least_0, heading::optimiser,
                "of AdamW and SGD"},
          Field{"l1", &S::l1, at_least_0, heading::optimiser,
                "penalty l1 sum |w| of the trained weights, in the gradient"},
          Field{"l2", &S::l2, at_least_0, heading::optimiser,
                "penalty l2 / 2 sum w^2 of the trained weights, in the gradient"},
          Field{"clip_norm", &S::clip_norm,
                Bound{[](double v) { return v >= 0; }, "at least 0 (0: no limit)"},
                heading::optimiser, "longest gradient; 0: no limit"},
          Field{"input_dropout", &S::input_dropout, fraction.says("a probability in [0, 1)"),
                heading::optimiser, "probability that an input spike is left out"},
          Field{
              "revive", &S::revive, at_least_0.says("at least 0"), heading::optimiser,
              "raise the trained weights of neurons that were silent for an epoch by this share of "
              "their rms, less as lr falls; 0: off"},
          Field{
              "smooth_threshold", &S::smooth_threshold,
              at_least_0.says("a finite number of at least 0 (0: off)"), heading::optimiser,
              "standard deviation of noise that thresholds are thought to have: the gradient then "
              "sees spikes appear and vanish; 0: off"},
          Field{"smooth_decay", &S::smooth_decay, factor, heading::optimiser,
                "factor an epoch of that (default 0.8)"},
          Field{"smooth_end", &S::smooth_end, at_least_0, heading::optimiser,
                "below this it is 0 (default 0.01)"},
          Field{"smooth_reading", &S::smooth_reading, anything, heading::optimiser,
                "fixed (default): neurons spike at their mean thresholds; sampled: at thresholds "
                "drawn "
                "from the noise"},
          Field{"step_limit", &S::step_limit,
                at_least_0.says("a finite number of at least 0 (0: no limit)"), heading::optimiser,
                "longest step, in units of the distance at which the first spike of the minibatch "
                "appears or vanishes; 0: no limit"},
          Field{"trainable", &S::trainable, &check_trainable, heading::optimiser,
                "what to train: weights, delays, tau_mem, ..., or single parameters "
                "(hidden.tau_mem)"},
          Field{"lr_of", &S::lr_of, &check_rates, heading::optimiser,
                "learning rates of their own, in the parameter's unit: delays=1e-4 "
                "hidden.tau_mem=2e-5; the others take steps of lr, in units of 2 ms for delays and "
                "tau_mem, of 1 ms for tau_syn and tau_ref"},
          Field{"seed", &S::seed, anything, heading::run,
                "of weights, shuffling and dropout (default 0)"},
          Field{"threads", &S::threads,
                Bound{[](double v) { return v >= 0; }, "1 or more, or 0 for all cores"},
                heading::run, "0: all cores; never changes a result (default 1)"}},
      limit_fields<S>());
}

/// What a sample may take.
inline SampleLimits limits_of(const TrainSettings& s) {
  return {s.max_spikes_per_sample, s.max_memory_per_sample, s.max_seconds_per_sample};
}

/// @throws InvalidInput  the first setting without a meaning: name, value and what was expected
void check(const TrainSettings& settings);

/// The standard deviation of the thresholds of an epoch, counted from 0.
double smoothing_sigma(const TrainSettings& settings, int epoch);

/// What happened in one pass over the training data.
struct EpochReport {
  int epoch = 0;                                ///< counted from 1
  double loss = 0;                              ///< mean over the samples as they were met
  double accuracy = nan;                        ///< likewise; NaN: the loss makes no predictions
  double lr = 0;                                ///< learning rate of the epoch
  double seconds = 0;                           ///< of training
  double us_per_sample = 0;                     ///< of training
  double gather_seconds = 0;                    ///< of these seconds, while spikes were gathered
  double forward_seconds = 0;                   ///< while the network was run
  double loss_seconds = 0;                      ///< the loss
  double backward_seconds = 0;                  ///< the gradients
  double step_seconds = 0;                      ///< the optimiser
  double hidden_spikes_per_sample = 0;          ///< of all LIF populations that are no outputs
  double gradient_norm = 0;                     ///< mean over the minibatches, before clipping
  std::size_t samples = 0;                      ///< that were trained on
  std::size_t silent_neurons = 0;               ///< neurons that never spiked
  std::size_t silent_labels = 0;                ///< samples whose label's output was silent
  std::size_t silent_samples = 0;               ///< samples in which no output said anything
  std::vector<std::string> silent_populations;  ///< of which no neuron ever spiked
  std::size_t revived = 0;                      ///< neurons that TrainSettings::revive raised
  double smoothing_sigma = 0;                   ///< of the thresholds; 0: exact gradients alone
  double ghosts_per_sample =
      0;                   ///< spikes that nearly exist or nearly do not, that were counted in
  double ghost_share = 0;  ///< norm of what they add to the gradient, relative to the whole; of the
                           ///< first minibatch
  // How far the network is from a change of which spikes there are (saltus/margin.hpp).
  double grazing_spikes_per_sample = 0;  ///< that start flatter than tau_mem dV/dt = 0.1
  std::size_t saturated_neurons = 0;     ///< neurons that spiked in every sample
  // Of the first gradient, on 1 in 1000 of the samples and at most 8; NaN if that is none:
  double near_peaks_per_sample = nan;  ///< within 0.1 of the threshold
  double believable_step = nan;        ///< Margin::step
  std::size_t limited_steps = 0;     ///< minibatches whose step TrainSettings::step_limit cut short
  std::size_t clamped = 0;           ///< values that a step would have taken out of their range
  double validation_loss = nan;      ///< after it; NaN: not evaluated
  double validation_accuracy = nan;  ///< the same
  bool complete = true;              ///< false: stopped in between

  static constexpr double nan = std::numeric_limits<double>::quiet_NaN();  ///< not known

  static constexpr auto fields();  ///< a row for each: see below
};

/// metrics.jsonl and Python read the rows.
constexpr auto EpochReport::fields() {
  using R = EpochReport;
  return std::tuple{Figure{"epoch", &R::epoch},
                    Figure{"loss", &R::loss},
                    Figure{"accuracy", &R::accuracy},
                    Figure{"lr", &R::lr},
                    Figure{"seconds", &R::seconds},
                    Figure{"us_per_sample", &R::us_per_sample},
                    Figure{"gather_seconds", &R::gather_seconds},
                    Figure{"forward_seconds", &R::forward_seconds},
                    Figure{"loss_seconds", &R::loss_seconds},
                    Figure{"backward_seconds", &R::backward_seconds},
                    Figure{"step_seconds", &R::step_seconds},
                    Figure{"samples", &R::samples},
                    Figure{"hidden_spikes_per_sample", &R::hidden_spikes_per_sample},
                    Figure{"gradient_norm", &R::gradient_norm},
                    Figure{"silent_neurons", &R::silent_neurons},
                    Figure{"silent_labels", &R::silent_labels},
                    Figure{"silent_samples", &R::silent_samples},
                    Figure{"silent_populations", &R::silent_populations},
                    Figure{"revived", &R::revived},
                    Figure{"smoothing_sigma", &R::smoothing_sigma},
                    Figure{"ghosts_per_sample", &R::ghosts_per_sample},
                    Figure{"ghost_share", &R::ghost_share},
                    Figure{"grazing_spikes_per_sample", &R::grazing_spikes_per_sample},
                    Figure{"near_peaks_per_sample", &R::near_peaks_per_sample},
                    Figure{"saturated_neurons", &R::saturated_neurons},
                    Figure{"limited_steps", &R::limited_steps},
                    Figure{"clamped", &R::clamped},
                    Figure{"believable_step", &R::believable_step},
                    Figure{"validation_loss", &R::validation_loss},
                    Figure{"validation_accuracy", &R::validation_accuracy},
                    Figure{"complete", &R::complete}};
}

/// What a network does on data.
struct Evaluation {
  double loss = 0;                        ///< mean over the samples
  double accuracy = EpochReport::nan;     ///< NaN: the loss makes no predictions
  double hidden_spikes_per_sample = 0;    ///< of all LIF populations that are no outputs
  std::size_t samples = 0;                ///< of the data
  std::size_t silent_labels = 0;          ///< samples whose label's output was silent
  std::size_t silent_samples = 0;         ///< samples in which no output said anything
  std::vector<std::int32_t> predictions;  ///< [samples]; as of LossResult

  static constexpr auto fields();
};

/// `saltus train --json` and `saltus eval --json` put "test_" before the names.
constexpr auto Evaluation::fields() {
  using E = Evaluation;
  return std::tuple{Figure{"loss", &E::loss},
                    Figure{"accuracy", &E::accuracy},
                    Figure{"hidden_spikes_per_sample", &E::hidden_spikes_per_sample},
                    Figure{"samples", &E::samples},
                    Figure{"silent_labels", &E::silent_labels},
                    Figure{"silent_samples", &E::silent_samples}};
}

/// What the epoch under way has come to. Its random numbers are streams of the seed, the epoch and
/// the sample or minibatch: these say where they stand.
struct EpochState {
  std::size_t minibatches = 0;                   ///< that are done; 0: none is under way
  std::size_t data_samples = 0;                  ///< of the data that it goes through
  EpochReport sums;                              ///< of what its report gives the means of
  std::size_t correct = 0;                       ///< samples whose label won
  std::size_t ghosts = 0;                        ///< that were counted in
  bool predicts = true;                          ///< does the loss?
  std::size_t hidden_spikes = 0;                 ///< of populations that are no outputs
  std::size_t grazing_spikes = 0;                ///< that start flat
  std::vector<std::vector<std::size_t>> spiked;  ///< [population][neuron] in so many samples
};

/// Arrays by name, to be kept with a training: what an optimiser of one's own remembers, say.
struct Array {
  std::vector<std::size_t> shape;  ///< of the array
  std::vector<double> values;      ///< row by row

  bool operator==(const Array&) const = default;  ///< by value
};
/// By their names.
using Memory = std::map<std::string, Array>;

/// All that a training has come to. From it and the settings a training goes on as if it had never
/// stopped, to the bit: store::save_checkpoint() keeps it.
template <class Real>
struct TrainState {
  Network<Real> network;  ///< as the last step made it
  /// What the optimiser remembers of each parameter, in its shape: SGD its velocity and nothing,
  /// Adam two moments. Empty where it never took a step.
  Gradients<Real> first;
  Gradients<Real> second;            ///< the other half of it
  std::int64_t steps = 0;            ///< of the optimiser
  int epochs = 0;                    ///< that are done
  EpochState epoch;                  ///< the one under way
  std::vector<EpochReport> history;  ///< of those that are done
  /// The learning rate that the schedule starts from, once it was changed between epochs; NaN: that
  /// of the settings.
  double lr = EpochReport::nan;
  Memory memory;  ///< of an optimiser of one's own, and of whoever else wants to be resumed
};

/// The learning rate of an epoch, counted from 0. @param history  of the epochs before
double learning_rate(const TrainSettings& settings, int epoch,
                     std::span<const EpochReport> history = {});

/// Which epoch was the best, counted from 1: of the highest validation accuracy, or, where that is
/// the same or there is none, of the lowest validation loss. 0: none was evaluated.
int best_epoch(std::span<const EpochReport> history);

/// How the learning rate changes with the epochs. Derive for one of your own.
class Schedule {
 public:
  virtual ~Schedule() = default;
  /// @param first    that it starts from
  /// @param epoch    counted from 0
  /// @param history  of the epochs before
  virtual double learning_rate(double first, int epoch,
                               std::span<const EpochReport> history) const = 0;
};

/// Changes a network by its gradients. Derive for one of your own.
template <class Real>
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  /// One step. @param scale  of the gradients
  virtual void step(Network<Real>& network, const Gradients<Real>& gradients, double lr,
                    double scale) = 0;
  /// What it remembers of earlier steps, for a checkpoint; and back.
  virtual Memory memory() const { return {}; }
  /// The other way: takes what memory() said.
  virtual void recall(const Memory& /*memory*/) {}
};

class Team;

/// What takes the place of what the settings name, unless null.
template <class Real>
struct TrainHooks {
  std::shared_ptr<Schedule> schedule;          ///< of the learning rate
  std::shared_ptr<Optimizer<Real>> optimizer;  ///< of weights and what else is trained
  Team* team = nullptr;  ///< processes that train together (`mpirun saltus train`)
};

/// The loop over minibatches. Same seed, same bits, for any number of threads.
template <class Real>
class Trainer {
 public:
  /// @param loss   see built_in_loss() for those of the library
  /// @param t_end  seconds; when a sample ends, unless the data say so
  /// @throws InvalidInput  settings without a meaning, names the field and the value
  Trainer(Network<Real> network, std::unique_ptr<Loss<Real>> loss, double t_end,
          const TrainSettings& settings, TrainHooks<Real> hooks = {});
  /// @param readout  the population that the loss looks at
  Trainer(Network<Real> network, std::size_t readout, const LossSettings& loss, double t_end,
          const TrainSettings& settings);
  ~Trainer();
  Trainer(Trainer&&) noexcept;  ///< what moved away is empty

  /// One pass over the data, shuffled; or the rest of one that was stopped. Told after each minibatch
  /// how many samples are done; `stop` is heard within samples too. After it, and after an exception, the
  /// state is that of the last minibatch that was done, and the epoch can go on.
  /// @throws InvalidInput  a loss or weight that is not finite, errors that do not fit the record, a
  ///         step of an optimiser of one's own that takes a parameter out of its range
  EpochReport train_epoch(const data::LabelledSpikes& data,
                          const std::function<void(const EpochReport&)>& progress = {},
                          const std::atomic<bool>* stop = nullptr);

  /// Loss and accuracy, without training.
  Evaluation evaluate(const data::LabelledSpikes& data);

  const Network<Real>& network() const;  ///< as the last step made it
  int epochs_done() const;               ///< whole ones

  /// To be saved (also while an epoch tells of its progress), or changed between epochs: put back,
  /// its network's values or its learning rate set. `validation_loss` and `validation_accuracy` of
  /// its last epoch are set by whoever evaluates.
  const TrainState<Real>& state() const;
  TrainState<Real>& state();  ///< the same
  /// Goes on from a state that was saved.
  /// @throws InvalidInput  a state of another network: says what differs
  void resume(TrainState<Real> state);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

extern template class Trainer<float>;
extern template class Trainer<double>;

/// Loss and accuracy of a network on data, without training.
/// @param t_end  seconds; when a sample ends, unless the data say so
/// @throws InvalidInput  data that do not fit the network, or what the loss refuses
/// @param team   processes that each evaluate a part of it, and all get the whole
/// @throws LimitExceeded  a sample that takes more than it may
template <class Real>
Evaluation evaluate(const Network<Real>& network, Loss<Real>& loss, double t_end,
                    const data::LabelledSpikes& data, int threads = 1,
                    const SampleLimits& limits = {}, Team* team = nullptr);
/// The same of a loss of the library. @param readout  the population that it looks at
template <class Real>
Evaluation evaluate(const Network<Real>& network, std::size_t readout, const LossSettings& loss,
                    double t_end, const data::LabelledSpikes& data, int threads = 1,
                    const SampleLimits& limits = {}, Team* team = nullptr);

}  // namespace saltus
