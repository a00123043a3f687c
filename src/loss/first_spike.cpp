// SPDX-License-Identifier: Apache-2.0
// The cross-entropy of the times of first spikes (Wunderlich & Pehle 2021, eq. 11; Yin-Yang). With
// t_n the first spike of output n and l the label:
//
//     L = -log( exp(-t_l/tau_0) / sum_n exp(-t_n/tau_0) ) + alpha (exp(t_l/tau_1) - 1)
//
// An output without a spike enters as a constant t_missing and gets no error. A sample in which the
// label's own output is silent is counted in `silent`; its loss is
//
//     L = t_missing / tau_0 - silent_pull max_t V_l(t)
//
// which pulls the output up to its threshold. The other outputs get no errors: pushing them later
// would only silence them too.
#include <cmath>
#include <vector>

#include "loss/cross_entropy.hpp"
#include "observe/observe.hpp"
#include "saltus/ghosts.hpp"
#include "saltus/losses.hpp"

namespace saltus {
namespace {

template <class Real>
class FirstSpike final : public ReadoutLoss<Real> {
 public:
  static constexpr std::string_view name = "first_spike";
  static constexpr const Model& readout_model = Model::lif;
  static constexpr LossSetting settings[] = {
      {"tau_0", 0.5e-3, bounds::time, "sharpness of the softmax over first spikes, s"},
      {"tau_1", 6.4e-3, bounds::time, "time scale of the pull on the label's spike, s"},
      {"alpha", 0.003, bounds::at_least_0, "weight of that pull"},
      {"t_missing", 40e-3, bounds::time, "when an output without a spike counts as spiking, s"},
      {"silent_pull", 10, bounds::at_least_0, "pull on V of a label's output without a spike"}};

  FirstSpike(const LossSettings& given, std::size_t readout)
      : ReadoutLoss<Real>(given, readout),
        tau_0_(given["tau_0"]),
        tau_1_(given["tau_1"]),
        alpha_(given["alpha"]),
        t_missing_(given["t_missing"]),
        silent_pull_(given["silent_pull"]) {}

  LossResult<Real> evaluate(const Batch<Real>& b) override {
    LossResult<Real> result = this->empty_result(b);
    const std::size_t size = this->outputs(b);
    const SpikeView spikes = b.record.populations[this->readout()].spikes.view();
    auto& spike_errors = result.errors.populations[this->readout()].spikes;
    spike_errors.assign(spikes.times.size(), 0);
    std::vector<double> scores(size), errors(size);
    std::vector<std::ptrdiff_t> first(size);
    std::vector<SilentNeuron> silent;
    std::vector<double> terms;
    const double share = share_of(b);
    for (std::size_t s = 0; s < b.labels.size(); ++s) {
      std::fill(first.begin(), first.end(), -1);
      std::fill(scores.begin(), scores.end(), -t_missing_ / tau_0_);
      for (auto k = spikes.offsets[s]; k < spikes.offsets[s + 1]; ++k) {
        const auto n = static_cast<std::size_t>(spikes.neurons[static_cast<std::size_t>(k)]);
        if (first[n] >= 0) continue;
        first[n] = k;
        scores[n] = -spikes.times[static_cast<std::size_t>(k)] / tau_0_;
      }
      const auto label = static_cast<std::size_t>(b.labels[s]);
      const double t_label = -scores[label] * tau_0_;
      if (first[label] < 0) {
        silent.push_back({s, label});
        terms.push_back(share * t_missing_ / tau_0_);
      } else {
        terms.push_back(
            share * (cross_entropy(scores, label, errors) + alpha_ * std::expm1(t_label / tau_1_)));
        for (std::size_t n = 0; n < size; ++n) {
          if (first[n] < 0) continue;
          double error = -errors[n] / tau_0_;
          if (n == label) error += alpha_ / tau_1_ * std::exp(t_label / tau_1_);
          spike_errors[static_cast<std::size_t>(first[n])] = static_cast<Real>(share * error);
        }
      }
      for (std::size_t n = 0; n < size; ++n) {
        if (first[n] < 0) scores[n] = -infinity;  // who spikes wins, however late
      }
      const bool all_silent = spikes.offsets[s] == spikes.offsets[s + 1];
      count(result, s, label, first[label] < 0, all_silent, scores);
    }
    add_in_order<Real>(b, terms, result.value);
    pull(b, silent, result);
    return result;
  }

  // The value with the output's first spike at the peak, minus its value with that spike where V
  // would be as high again, or missing (docs/ghosts.md).
  void add_direct_differences(const Batch<Real>& b, Ghosts<Real>& ghosts) const override {
    const double share = share_of(b);
    for (std::size_t s = 0; s < b.labels.size(); ++s) {
      std::vector<double> first(this->outputs(b), infinity);
      const SpikeView spikes = b.record.populations[this->readout()].spikes.view();
      for (auto k = spikes.offsets[s + 1]; k-- > spikes.offsets[s];) {
        const auto at = static_cast<std::size_t>(k);
        first[static_cast<std::size_t>(spikes.neurons[at])] = spikes.times[at];
      }
      const auto label = static_cast<std::size_t>(b.labels[s]);
      for (Ghost<Real>& g : ghosts.populations[this->readout()][s]) {
        if (g.segment > 0) continue;  // not the first
        std::vector<double> with = first, without = first;
        with[static_cast<std::size_t>(g.neuron)] = g.time;
        without[static_cast<std::size_t>(g.neuron)] = g.later;
        const auto highest = static_cast<double>(g.height);  // the same in both if not theirs
        g.direct += share * (of_times(with, label, highest) - of_times(without, label, highest));
      }
    }
  }

  double largest_term(const Batch<Real>&) const override { return 1 + t_missing_ / tau_0_; }

 private:
  // Pulls up the largest V of labels that are silent (their spike does not exist; their V does).
  void pull(const Batch<Real>& b, const std::vector<SilentNeuron>& silent,
            LossResult<Real>& result) const {
    if (silent_pull_ == 0 || !anywhere(b, !silent.empty())) return;
    const std::size_t readout = this->readout();
    std::vector<double> terms;
    Maxima<Real>& maxima = result.errors.maxima[readout];
    auto& errors = result.errors.populations[readout].maxima;
    maxima = maxima_of(b.plan, b.inputs, b.record, readout, silent);
    errors.assign(maxima.values.size(), 0);
    const double error = -silent_pull_ / samples_of(b);
    for (const auto& [sample, neuron] : silent) {
      const std::size_t at = sample * this->outputs(b) + neuron;
      errors[at] = static_cast<Real>(error);
      terms.push_back(error * static_cast<double>(maxima.values[at]));
    }
    add_in_order<Real>(b, terms, result.value);
  }

  // The loss of one sample from the times of first spikes; infinite: missing. `highest` is the
  // largest V of the label's output if that is missing.
  double of_times(std::span<const double> first, std::size_t label, double highest) const {
    if (std::isinf(first[label])) return t_missing_ / tau_0_ - silent_pull_ * highest;
    std::vector<double> scores, errors(first.size());
    for (const double t : first) scores.push_back(-(std::isinf(t) ? t_missing_ : t) / tau_0_);
    return cross_entropy(scores, label, errors) + alpha_ * std::expm1(first[label] / tau_1_);
  }

  double tau_0_, tau_1_, alpha_, t_missing_, silent_pull_;
};

}  // namespace

NamedLoss first_spike();
NamedLoss first_spike() { return named_loss<FirstSpike>(); }

}  // namespace saltus
