// SPDX-License-Identifier: Apache-2.0
#include "bench/cliffs.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <thread>
#include <utility>

#include "bench/bench.hpp"
#include "saltus/error.hpp"
#include "train/calibrate.hpp"
#include "train/minibatch.hpp"
#include "train/smoothing.hpp"
#include "train/trainable.hpp"

namespace saltus::bench {
namespace {

constexpr double budget = 0.1;              // s, of a turn
constexpr double longest = 0.5;             // s, of what is done at least once in a turn
constexpr std::size_t few = 8;              // samples of a row that takes longer
constexpr std::size_t hidden = 1, out = 2;  // populations of each network
constexpr double spikes_of_neuron = 1.6;    // a sample: about what the published weights give

// A row, made ready to run.
class Measured {
 public:
  virtual ~Measured() = default;
  // At least one pass forwards and backwards, and some steps of training.
  virtual void take_turn() = 0;

  CliffTimes us;
  double spikes = 0;  // hidden, a sample
};

template <class Real>
Network<Real> network_of(const CliffRow& row, RunSettings s, const data::LabelledSpikes& data) {
  s.initial_spikes = 0;
  s.train.trainable = {"weights"};  // check(s) knows no delays but recurrent ones
  Network<double> network = build_network<double>(s, data);
  row.network(network);
  // Of a few samples, for neurons that go one by one.
  s.initial_spikes = spikes_of_neuron;
  calibrate(s, data::slice(data, 0, std::min<std::size_t>(16, data.size())), network);
  network.check();
  return convert<Real>(network);
}

// Passes and steps as Trainer takes them, on the same samples in every turn. The learning rate is 0:
// the optimiser does all its work, and the weights stay.
template <class Real>
class MeasuredRow final : public Measured {
 public:
  // @param data  two minibatches of the fast path
  MeasuredRow(const CliffRow& row, const RunSettings& s, const data::LabelledSpikes& data)
      : settings_(s),
        all_(data),
        network_(network_of<Real>(row, s, data)),
        loss_(built_in_loss<Real>(s.loss, out)),
        wanted_(row.everything ? Wanted()
                               : wanted_for(network_, trained_of(network_, s.train.trainable))),
        smoother_(s.train, 0) {
    const std::size_t samples = data.size() / 2;
    use(std::min(few, samples));
    double seconds = infinity;  // of two, as something else may get in between
    for (int k = 0; k < 2; ++k) {
      seconds = std::min(seconds, seconds_of([&] { pass(), train(); }));
    }
    if (seconds / few * static_cast<double>(samples) < longest) use(samples);
  }

  void take_turn() override {
    double spent = 0;
    while (spent < budget) spent += seconds_of([&] { pass(), train(); });
  }

 private:
  // From now on an epoch of training takes twice so many samples, and passes its second half.
  void use(std::size_t samples) {
    data_ = data::slice(all_, 0, 2 * samples);
    order_ = shuffled(data_.size(), settings_.train.seed, 0);
    TrainSettings t = settings_.train;
    t.batch = std::min(t.batch, samples);
    trainer_ = std::make_unique<Trainer<Real>>(network_, out, settings_.loss, settings_.t_end, t);
    us = {};
  }

  // Forwards and backwards, minibatch by minibatch.
  void pass() {
    const auto samples = std::span(order_).subspan(order_.size() / 2);
    Sums sums;
    for (std::size_t first = 0; first < samples.size(); first += settings_.train.batch) {
      minibatch_.gather(
          data_, samples.subspan(first, std::min(settings_.train.batch, samples.size() - first)));
      pass_minibatch(sums);
    }
    const double n = static_cast<double>(samples.size());
    us.forward = std::min(us.forward, 1e6 * sums.forward / n);
    us.backward = std::min(us.backward, 1e6 * sums.backward / n);
    spikes = static_cast<double>(sums.spikes) / n;
  }

  struct Sums {
    double forward = 0, backward = 0;  // s
    std::size_t spikes = 0;
  };

  void pass_minibatch(Sums& sums) {
    const TrainSettings& t = settings_.train;
    const double ends[] = {settings_.t_end};
    const Inputs inputs{{minibatch_.spikes.view()}, ends};
    std::optional<Plan<Real>> plan;
    LossResult<Real> result{0, 0, 0, {}, Errors<Real>(0)};
    const auto batch = [&] {
      return Batch<Real>{network_,
                         inputs,
                         record_,
                         minibatch_.labels,
                         smoother_.smoothing(),
                         t.threads,
                         *plan,
                         &forward_.timelines};
    };
    sums.forward += seconds_of([&] {
      plan.emplace(network_, std::nullopt, t.kernel == Kernel::scalar);
      smoother_.simulate(*plan, inputs, t.threads, forward_, record_);
      result = loss_->evaluate(batch());
    });
    sums.backward += seconds_of([&] {
      smoother_.backward(batch(), *loss_, result.errors, wanted_, backward_, gradients_);
    });
    sums.spikes += record_.populations[hidden].spikes.times.size();
  }

  // The steps of an epoch but the first, which computes diagnostics as well.
  void train() {
    trainer_->state().epochs = 0;  // the same minibatches in every turn
    std::size_t done = 0;
    std::chrono::steady_clock::time_point start, last;
    trainer_->train_epoch(data_, [&](const EpochReport& r) {
      last = std::chrono::steady_clock::now();
      if (done > 0) return;
      start = last;
      done = r.samples;
    });
    const double seconds = std::chrono::duration<double>(last - start).count();
    us.train = std::min(us.train, 1e6 * seconds / static_cast<double>(data_.size() - done));
  }

  RunSettings settings_;
  const data::LabelledSpikes& all_;
  data::LabelledSpikes data_ = {};
  std::vector<std::uint32_t> order_ = {};  // in which Trainer takes them in its first epoch
  Network<Real> network_;
  std::unique_ptr<Trainer<Real>> trainer_;
  std::unique_ptr<Loss<Real>> loss_;
  Wanted wanted_;
  Smoother<Real> smoother_;
  // Memory that is kept from minibatch to minibatch.
  Minibatch minibatch_;
  ForwardMemory<Real> forward_;
  Record<Real> record_;
  BackwardMemory<Real> backward_;
  Gradients<Real> gradients_;
};

// Those with the most usual number of spikes first: slow rows see only these.
data::LabelledSpikes typical_first(const data::LabelledSpikes& data) {
  const auto& offsets = data.spikes.offsets;
  const double mean =
      static_cast<double>(data.spikes.times.size()) / static_cast<double>(data.size());
  std::vector<std::uint32_t> order(data.size());
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::stable_sort(order, {}, [&](std::uint32_t s) {
    return std::abs(static_cast<double>(offsets[s + 1] - offsets[s]) - mean);
  });
  Minibatch sorted;
  sorted.gather(data, order);
  return {std::move(sorted.spikes), std::move(sorted.labels), data.channels, data.classes};
}

data::LabelledSpikes two_minibatches(const RunSettings& s) {
  const std::size_t samples = 2 * s.train.batch;
  if (s.data.empty()) return noise(samples, 784, 10, 100, s.t_max);
  const data::LabelledSpikes all = load_data(s).train;
  if (all.size() < samples) {
    throw InvalidInput(
        fmt::format("{} has {} training samples; expected at least {}, two "
                    "minibatches: give a smaller batch",
                    s.data, all.size(), samples));
  }
  return typical_first(data::slice(all, 0, samples));
}

std::vector<const CliffRow*> chosen(const std::vector<std::string>& only) {
  std::vector<std::string_view> names;
  for (const CliffRow& row : cliff_rows()) names.push_back(row.name);
  for (const std::string& name : only) {
    if (std::ranges::find(names, name) == names.end()) {
      throw InvalidInput(fmt::format("only names '{}', but no row is called so; there are: {}",
                                     name, fmt::join(names, ", ")));
    }
  }
  std::vector<const CliffRow*> rows;
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  for (const CliffRow& row : cliff_rows()) {
    const bool named =
        rows.empty() || only.empty() || std::ranges::find(only, row.name) != only.end();
    if (named && row.cores <= std::max(cores, 1)) rows.push_back(&row);
  }
  return rows;
}

std::unique_ptr<Measured> make_ready(const CliffRow& row, RunSettings s,
                                     const data::LabelledSpikes& data) {
  row.settings(s);
  if (s.precision == "float64") return std::make_unique<MeasuredRow<double>>(row, s, data);
  return std::make_unique<MeasuredRow<float>>(row, s, data);
}

}  // namespace

RunSettings fast_path(const RunSettings& given) {
  RunSettings s = published("mnist", given);
  if (s.hidden.size() > 1) {
    throw InvalidInput(fmt::format("hidden lists {} layers; expected one", s.hidden.size()));
  }
  s.validation = 0;
  s.train.input_dropout = 0;
  s.train.lr = 0;
  check(s);
  return s;
}

std::vector<Cliff> cliffs(
    const RunSettings& settings, const std::vector<std::string>& only, std::size_t rounds,
    const std::function<void(std::size_t, std::size_t, std::string_view)>& progress) {
  if (rounds == 0) throw InvalidInput("rounds is 0; expected 1 or more");
  const std::vector<const CliffRow*> rows = chosen(only);
  const data::LabelledSpikes data = two_minibatches(settings);
  std::vector<std::unique_ptr<Measured>> measured(rows.size());
  for (std::size_t round = 0, done = 0; round < rounds; ++round) {
    for (std::size_t k = 0; k < rows.size(); ++k, ++done) {
      progress(done, rounds * rows.size(), rows[k]->name);
      if (!measured[k]) measured[k] = make_ready(*rows[k], settings, data);
      measured[k]->take_turn();
      if (k % 4 == 3) measured[0]->take_turn();  // all ratios hang on it
    }
  }
  std::vector<Cliff> result;
  const CliffTimes& base = measured[0]->us;
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const CliffTimes& us = measured[k]->us;
    result.push_back(
        {rows[k],
         measured[k]->spikes,
         us,
         {us.forward / base.forward, us.backward / base.backward, us.train / base.train}});
  }
  return result;
}

}  // namespace saltus::bench
