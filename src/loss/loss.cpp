// SPDX-License-Identifier: Apache-2.0
#include "saltus/loss.hpp"

#include <fmt/format.h>

#include "loss/evaluate.hpp"
#include "saltus/error.hpp"
#include "simulate/prepared.hpp"

namespace saltus {

template <class Real>
void ReadoutLoss<Real>::check(const Network<Real>& network,
                              std::span<const std::int32_t> labels) const {
  const Population& population = network.populations().at(readout_);
  const NamedLoss& loss = find_loss(settings_.kind);
  if (!loss.takes(population.model)) {
    throw InvalidInput(fmt::format("loss {} needs {} outputs; '{}' is {}", settings_.kind,
                                   loss.readout_model->name, population.name,
                                   population.model->name));
  }
  for (std::size_t s = 0; s < labels.size(); ++s) {
    if (labels[s] < 0 || static_cast<std::size_t>(labels[s]) >= population.size) {
      throw InvalidInput(fmt::format("label {} is {}; '{}' has outputs 0 to {}", s, labels[s],
                                     population.name, population.size - 1));
    }
  }
}

template <class Real>
LossResult<Real> evaluate(const LossSettings& settings, const Network<Real>& network,
                          const Inputs& inputs, const Record<Real>& record, std::size_t readout,
                          std::span<const std::int32_t> labels, const Options& options) {
  const Prepared<Real> prepared(network, inputs, record, options);
  const auto loss = built_in_loss<Real>(settings, readout);
  loss->check(network, labels);
  if (labels.size() != record.samples) {
    throw InvalidInput(fmt::format("{} labels for {} samples", labels.size(), record.samples));
  }
  return loss->evaluate(batch_of(prepared.plan, inputs, record, labels, options.threads));
}

template class ReadoutLoss<float>;
template class ReadoutLoss<double>;
template LossResult<float> evaluate(const LossSettings&, const Network<float>&, const Inputs&,
                                    const Record<float>&, std::size_t,
                                    std::span<const std::int32_t>, const Options&);
template LossResult<double> evaluate(const LossSettings&, const Network<double>&, const Inputs&,
                                     const Record<double>&, std::size_t,
                                     std::span<const std::int32_t>, const Options&);

}  // namespace saltus
