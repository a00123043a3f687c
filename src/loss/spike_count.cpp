// SPDX-License-Identifier: Apache-2.0
// The cross-entropy of the softmax over how often each output spikes, where a spike at t counts for
//
//     r(t) = exp(-(t_end - t) / tau_count)         1 if tau_count is infinite
//
// by the end of the sample: a firing rate that forgets. The gradient of it by spike times is exact,
// and 0 of plain counts: those train by spikes that nearly exist alone (docs/ghosts.md).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "loss/cross_entropy.hpp"
#include "saltus/error.hpp"
#include "saltus/ghosts.hpp"
#include "saltus/losses.hpp"

namespace saltus {
namespace {

template <class Real>
class SpikeCount final : public ReadoutLoss<Real> {
 public:
  static constexpr std::string_view name = "spike_count";
  static constexpr const Model& readout_model = Model::lif;
  static constexpr LossSetting settings[] = {
      {"tau_count",
       infinity,
       {[](double v) { return v > 0; }, "a time above 0, or inf"},
       "after this a spike counts for 1/e, s; inf: all count the same"},
      {"count_gain", 1, bounds::finite, "what one spike adds to the score of its output"}};

  SpikeCount(const LossSettings& given, std::size_t readout)
      : ReadoutLoss<Real>(given, readout), tau_(given["tau_count"]), gain_(given["count_gain"]) {}

  LossResult<Real> evaluate(const Batch<Real>& b) override {
    LossResult<Real> result = this->empty_result(b);
    const SpikeView spikes = b.record.populations[this->readout()].spikes.view();
    auto& spike_errors = result.errors.populations[this->readout()].spikes;
    spike_errors.assign(spikes.times.size(), 0);
    const double share = share_of(b);
    std::vector<double> terms;
    for (std::size_t s = 0; s < b.labels.size(); ++s) {
      const double end = end_of(b, s);
      std::vector<double> scores(this->outputs(b), 0), errors(scores.size());
      std::vector<bool> spiked(scores.size(), false);
      for_each_spike(spikes, s, [&](std::size_t, std::size_t n, double time) {
        scores[n] += counts(end - time);
        spiked[n] = true;
      });
      const auto label = static_cast<std::size_t>(b.labels[s]);
      terms.push_back(share * cross_entropy(scores, label, errors));
      if (std::isfinite(tau_)) {
        for_each_spike(spikes, s, [&](std::size_t k, std::size_t n, double time) {
          spike_errors[k] = static_cast<Real>(share * errors[n] * counts(end - time) / tau_);
        });
      }
      const bool all_silent = spikes.offsets[s] == spikes.offsets[s + 1];
      count(result, s, label, !spiked[label], all_silent, scores);
    }
    add_in_order<Real>(b, terms, result.value);
    return result;
  }

  // The value with a spike at the peak, minus that with it where V would be as high again, or
  // missing; the spike that ends the segment takes part in neither.
  void add_direct_differences(const Batch<Real>& b, Ghosts<Real>& ghosts) const override {
    const SpikeView spikes = b.record.populations[this->readout()].spikes.view();
    const double share = share_of(b);
    for (std::size_t s = 0; s < b.labels.size(); ++s) {
      const double end = end_of(b, s);
      std::vector<std::vector<double>> each(this->outputs(b));  // what each spike counts for
      for_each_spike(spikes, s, [&](std::size_t, std::size_t n, double time) {
        each[n].push_back(counts(end - time));
      });
      std::vector<double> scores(each.size()), errors(each.size());
      for (std::size_t n = 0; n < each.size(); ++n) {
        for (const double c : each[n]) scores[n] += c;
      }
      const auto label = static_cast<std::size_t>(b.labels[s]);
      for (Ghost<Real>& g : ghosts.populations[this->readout()][s]) {
        const auto n = static_cast<std::size_t>(g.neuron);
        const auto segment = static_cast<std::size_t>(g.segment);
        const double own = segment < each[n].size() ? each[n][segment] : 0;
        std::vector<double> with = scores, without = scores;
        with[n] += counts(end - g.time) - own;
        without[n] += (g.later < end ? counts(end - g.later) : 0) - own;
        g.direct +=
            share * (cross_entropy(with, label, errors) - cross_entropy(without, label, errors));
      }
    }
  }

  // Of a sample's scores: no spike counts for more than the gain.
  double largest_term(const Batch<Real>& b) const override {
    const std::vector<std::int64_t>& offsets = b.record.populations[this->readout()].spikes.offsets;
    std::int64_t most = 0;
    for (std::size_t s = 0; s + 1 < offsets.size(); ++s) {
      most = std::max(most, offsets[s + 1] - offsets[s]);
    }
    return 1 + std::fabs(gain_) * static_cast<double>(most);
  }

 private:
  double end_of(const Batch<Real>& b, std::size_t sample) const {
    const double end = b.inputs.end(sample);
    if (std::isinf(tau_) || std::isfinite(end)) return end;
    throw InvalidInput(fmt::format(
        "spike_count: tau_count is {}, but sample {} has no end; expected a finite t_end, or "
        "tau_count = inf",
        tau_, sample));
  }
  double counts(double left) const {
    return std::isinf(tau_) ? gain_ : gain_ * std::exp(-left / tau_);
  }
  // visit(number, neuron, time)
  template <class Visit>
  static void for_each_spike(const SpikeView& spikes, std::size_t sample, Visit visit) {
    for (auto k = spikes.offsets[sample]; k < spikes.offsets[sample + 1]; ++k) {
      const auto at = static_cast<std::size_t>(k);
      visit(at, static_cast<std::size_t>(spikes.neurons[at]), spikes.times[at]);
    }
  }

  double tau_, gain_;
};

}  // namespace

NamedLoss spike_count();
NamedLoss spike_count() { return named_loss<SpikeCount>(); }

}  // namespace saltus
