// SPDX-License-Identifier: Apache-2.0
// Trains Yin-Yang (5-200-3): the output that spikes first is the class.
#include <cstdio>
#include <random>
#include <vector>

#include "saltus/data.hpp"
#include "saltus/store.hpp"
#include "saltus/train.hpp"

namespace {

std::vector<float> normal(std::size_t count, float mean, float deviation, std::mt19937& random) {
  std::normal_distribution<float> draw(mean, deviation);
  std::vector<float> weights(count);
  for (float& w : weights) w = draw(random);
  return weights;
}

}  // namespace

int main() {
  std::mt19937 random(1);
  saltus::Network<float> net;
  net.add_input("in", 5);
  saltus::Population neurons;  // LIF unless said otherwise
  neurons.name = "hidden";
  neurons.size = 200;
  net.add_population(neurons);
  neurons.name = "out";
  neurons.size = 3;
  const std::size_t out = net.add_population(neurons);
  net.connect("in", "hidden", normal(5 * 200, 1.5F, 0.78F, random));  // [pre, post], row by row
  net.connect("hidden", "out", normal(200 * 3, 0.93F, 0.1F, random));

  using namespace saltus::data;
  const LabelledSpikes train = encode(yin_yang(yin_yang_train.size, yin_yang_train.seed));
  const LabelledSpikes test = encode(yin_yang(yin_yang_test.size, yin_yang_test.seed));

  saltus::LossSettings loss;
  loss.kind = "first_spike";
  saltus::TrainSettings settings;
  settings.threads = 0;  // all cores; the bits are the same for any number
  saltus::Trainer<float> trainer(net, out, loss, saltus::infinity, settings);
  for (int epoch = 0; epoch < 5; ++epoch) {
    const saltus::EpochReport report = trainer.train_epoch(train);
    std::printf("epoch %d  loss %.4f  accuracy %.2f %%  %zu silent neurons\n", report.epoch,
                report.loss, 100 * report.accuracy, report.silent_neurons);
  }
  const saltus::Evaluation result = trainer.evaluate(test);
  std::printf("test accuracy %.2f %%\n", 100 * result.accuracy);
  saltus::store::save_network(trainer.network(),
                              "yin_yang.safetensors");  // saltus.load() in Python
  return result.accuracy > 0.9 ? 0 : 1;
}
