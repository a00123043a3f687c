// SPDX-License-Identifier: Apache-2.0
#include "toy_optimizer.hpp"

#include <cmath>
#include <string>

namespace saltus::toy {

void SignOfMean::step(Network<float>& network, const Gradients<float>& gradients, double lr,
                      double scale) {
  constexpr double beta = 0.9;
  auto& projections = network.projections();
  means_.resize(projections.size());
  for (std::size_t p = 0; p < projections.size(); ++p) {
    std::vector<float>& w = projections[p].weight;
    means_[p].resize(w.size());
    for (std::size_t k = 0; k < w.size(); ++k) {
      double& mean = means_[p][k];
      mean = beta * mean + (1 - beta) * scale * static_cast<double>(gradients.weights[p][k]);
      if (mean != 0) w[k] -= static_cast<float>(std::copysign(lr, mean));
    }
  }
}

Memory SignOfMean::memory() const {
  Memory memory;
  for (std::size_t p = 0; p < means_.size(); ++p) {
    memory["mean " + std::to_string(p)] = {{means_[p].size()}, means_[p]};
  }
  return memory;
}

void SignOfMean::recall(const Memory& memory) {
  means_.clear();
  for (std::size_t p = 0; p < memory.size(); ++p) {
    means_.push_back(memory.at("mean " + std::to_string(p)).values);
  }
}

double RootWithCaution::learning_rate(double first, int epoch,
                                      std::span<const EpochReport> history) const {
  const double root = first / std::sqrt(epoch + 1.0);
  const std::size_t n = history.size();
  return n >= 2 && history[n - 1].loss > history[n - 2].loss ? root / 2 : root;
}

}  // namespace saltus::toy
