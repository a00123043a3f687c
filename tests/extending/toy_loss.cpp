// SPDX-License-Identifier: Apache-2.0
// Half the squared distance of each output's first spike from a target: early for the label, late
// for the others. Outputs without a spike say nothing.
#include "toy_loss.hpp"

#include <vector>

#include "saltus/losses.hpp"

namespace saltus::toy {
namespace {

template <class Real>
class TargetTimes final : public ReadoutLoss<Real> {
 public:
  static constexpr std::string_view name = "target_times";
  static constexpr const Model& readout_model = Model::lif;
  static constexpr LossSetting settings[] = {
      {"early", 10e-3, bounds::time, "target of the label's spike, s"},
      {"late", 30e-3, bounds::time, "target of the other spikes, s"},
      {"width", 10e-3, bounds::time, "unit of the distance, s"}};
  using ReadoutLoss<Real>::ReadoutLoss;

  LossResult<Real> evaluate(const Batch<Real>& b) override {
    LossResult<Real> result = this->empty_result(b);
    const Spikes& spikes = b.record.populations[this->readout()].spikes;
    auto& errors = result.errors.populations[this->readout()].spikes;
    errors.assign(spikes.times.size(), 0);
    const double early = this->setting("early"), late = this->setting("late");
    const double width = this->setting("width");
    const double share = 1.0 / static_cast<double>(b.labels.size());
    for (std::size_t s = 0; s < b.labels.size(); ++s) {
      std::vector<bool> seen(this->outputs(b), false);
      const auto begin = static_cast<std::size_t>(spikes.offsets[s]);
      const auto end = static_cast<std::size_t>(spikes.offsets[s + 1]);
      for (std::size_t k = begin; k < end; ++k) {  // in time: the first of all wins
        const std::int32_t n = spikes.neurons[k];
        if (seen[static_cast<std::size_t>(n)]) continue;
        seen[static_cast<std::size_t>(n)] = true;
        const double off = (spikes.times[k] - (n == b.labels[s] ? early : late)) / width;
        result.value += share * off * off / 2;
        errors[k] = static_cast<Real>(share * off / width);
      }
      if (begin < end) result.predictions[s] = spikes.neurons[begin];
      result.correct += result.predictions[s] == b.labels[s];
      result.silent += !seen[static_cast<std::size_t>(b.labels[s])];
    }
    return result;
  }
};

}  // namespace

void add_target_times() { add_loss(named_loss<TargetTimes>()); }

}  // namespace saltus::toy
