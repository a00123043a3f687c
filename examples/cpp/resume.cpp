// SPDX-License-Identifier: Apache-2.0
// A training with a schedule of its own that is stopped, saved, loaded and goes on: to the bit what
// it would have been without the stop.
#include <cmath>
#include <cstdio>
#include <memory>
#include <utility>

#include "saltus/store.hpp"
#include "saltus/task.hpp"

namespace {

/// Falls with the root of the epoch, by half more after an epoch of a higher loss.
class RootWithCaution : public saltus::Schedule {
 public:
  double learning_rate(double first, int epoch,
                       std::span<const saltus::EpochReport> history) const override {
    const double root = first / std::sqrt(epoch + 1.0);
    const std::size_t n = history.size();
    return n >= 2 && history[n - 1].loss > history[n - 2].loss ? root / 2 : root;
  }
};

/// A trainer in its first state. A checkpoint keeps what a training has come to, not how it is made.
saltus::Trainer<float> begin(const saltus::RunSettings& run, const saltus::Network<float>& net) {
  auto loss = saltus::built_in_loss<float>(run.loss, net.index("out"));
  saltus::TrainHooks<float> hooks;
  hooks.schedule = std::make_shared<RootWithCaution>();
  return {net, std::move(loss), run.t_end, run.train, std::move(hooks)};
}

}  // namespace

int main() {
  saltus::RunSettings run = saltus::default_settings("yinyang");  // what `saltus train` begins with
  run.hidden = {50};
  run.train_samples = 1000;
  const saltus::data::LabelledSpikes train = saltus::load_data(run).train;
  const auto net = saltus::build_network<float>(run, train);

  auto whole = begin(run, net);
  for (int epoch = 0; epoch < 4; ++epoch) whole.train_epoch(train);

  const char* file = "half.safetensors";
  {
    auto half = begin(run, net);
    for (int epoch = 0; epoch < 2; ++epoch) half.train_epoch(train);
    saltus::store::save_checkpoint(half.state(), saltus::store::to_json(run), file);
  }
  auto rest = begin(run, net);
  rest.resume(saltus::store::load_checkpoint<float>(file).state);
  while (rest.epochs_done() < 4) {
    const saltus::EpochReport report = rest.train_epoch(train);
    std::printf("epoch %d  lr %.5f  loss %.4f\n", report.epoch, report.lr, report.loss);
  }
  const bool same = rest.network() == whole.network();
  std::printf("%s\n", same ? "the same bits" : "not the same bits");
  return same ? 0 : 1;
}
