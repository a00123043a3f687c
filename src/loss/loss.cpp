// SPDX-License-Identifier: Apache-2.0
#include "saltus/loss.hpp"

#include <fmt/format.h>

#include "loss/cross_entropy.hpp"
#include "loss/evaluate.hpp"
#include "observe/observe.hpp"
#include "saltus/error.hpp"
#include "simulate/forward.hpp"

namespace saltus {
namespace {

struct Name {
  LossKind kind;
  std::string_view name;
};
constexpr Name names[] = {{LossKind::first_spike, "first_spike"},
                          {LossKind::maximum_voltage, "maximum_voltage"},
                          {LossKind::integrated_voltage, "integrated_voltage"}};

// The winner, and what became of the label.
template <class Real>
void count(LossResult<Real>& result, std::size_t sample, std::size_t label, bool label_silent,
           bool all_silent, std::span<const double> scores) {
  const auto winner =
      static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  result.predictions[sample] = all_silent ? -1 : static_cast<std::int32_t>(winner);
  result.correct += !all_silent && winner == label;
  result.silent += label_silent;
}

// Pulls up the largest V of labels that are silent (their spike does not exist; their V does).
template <class Real>
void pull(const LossSettings& settings, const Plan<Real>& plan, const Inputs& inputs,
          const Record<Real>& record, std::size_t readout, const std::vector<SilentNeuron>& silent,
          LossResult<Real>& result) {
  if (settings.silent_pull == 0 || silent.empty()) return;
  Maxima<Real>& maxima = result.errors.maxima[readout];
  maxima = maxima_of(plan, inputs, record, readout, silent);
  auto& errors = result.errors.populations[readout].maxima;
  errors.assign(maxima.values.size(), 0);
  const double error = -settings.silent_pull / static_cast<double>(record.samples);
  for (const auto& [sample, neuron] : silent) {
    const std::size_t at = sample * plan.size(readout) + neuron;
    errors[at] = static_cast<Real>(error);
    result.value += error * static_cast<double>(maxima.values[at]);
  }
}

template <class Real>
void first_spike(const LossSettings& settings, const Plan<Real>& plan, const Inputs& inputs,
                 const Record<Real>& record, std::size_t readout,
                 std::span<const std::int32_t> labels, LossResult<Real>& result) {
  const std::size_t size = plan.size(readout);
  const SpikeView spikes = record.populations[readout].spikes.view();
  auto& spike_errors = result.errors.populations[readout].spikes;
  spike_errors.assign(spikes.times.size(), 0);
  std::vector<double> scores(size), errors(size);
  std::vector<std::ptrdiff_t> first(size);
  std::vector<SilentNeuron> silent;
  const double share = 1.0 / static_cast<double>(labels.size());
  for (std::size_t s = 0; s < labels.size(); ++s) {
    std::fill(first.begin(), first.end(), -1);
    std::fill(scores.begin(), scores.end(), -settings.t_missing / settings.tau_0);
    for (auto k = spikes.offsets[s]; k < spikes.offsets[s + 1]; ++k) {
      const auto n = static_cast<std::size_t>(spikes.neurons[static_cast<std::size_t>(k)]);
      if (first[n] >= 0) continue;
      first[n] = k;
      scores[n] = -spikes.times[static_cast<std::size_t>(k)] / settings.tau_0;
    }
    const auto label = static_cast<std::size_t>(labels[s]);
    const double t_label = -scores[label] * settings.tau_0;
    if (first[label] < 0) {
      silent.push_back({s, label});
      result.value += share * settings.t_missing / settings.tau_0;
    } else {
      result.value += share * (cross_entropy(scores, label, errors) +
                               settings.alpha * std::expm1(t_label / settings.tau_1));
      for (std::size_t n = 0; n < size; ++n) {
        if (first[n] < 0) continue;
        double error = -errors[n] / settings.tau_0;
        if (n == label) {
          error += settings.alpha / settings.tau_1 * std::exp(t_label / settings.tau_1);
        }
        spike_errors[static_cast<std::size_t>(first[n])] = static_cast<Real>(share * error);
      }
    }
    const bool all_silent = spikes.offsets[s] == spikes.offsets[s + 1];
    count(result, s, label, first[label] < 0, all_silent, scores);
  }
  pull(settings, plan, inputs, record, readout, silent, result);
}

// Scores that are proportional to what was observed of V; [sample, neuron].
template <class Real>
void voltage(const std::vector<Real>& observed, double scale, std::size_t size,
             std::span<const std::int32_t> labels, std::vector<Real>& observed_errors,
             LossResult<Real>& result) {
  observed_errors.resize(observed.size());
  std::vector<double> scores(size), errors(size);
  const double share = 1.0 / static_cast<double>(labels.size());
  for (std::size_t s = 0; s < labels.size(); ++s) {
    bool all_silent = true;
    for (std::size_t n = 0; n < size; ++n) {
      scores[n] = scale * static_cast<double>(observed[s * size + n]);
      all_silent = all_silent && scores[n] == 0;
    }
    const auto label = static_cast<std::size_t>(labels[s]);
    result.value += share * cross_entropy(scores, label, errors);
    for (std::size_t n = 0; n < size; ++n) {
      observed_errors[s * size + n] = static_cast<Real>(share * scale * errors[n]);
    }
    count(result, s, label, scores[label] <= 0, all_silent, scores);
  }
}

}  // namespace

std::string_view to_string(LossKind kind) {
  for (const auto& [k, name] : names) {
    if (k == kind) return name;
  }
  return "unknown";
}

LossKind loss_kind(std::string_view wanted) {
  std::string known;
  for (const auto& [kind, name] : names) {
    if (name == wanted) return kind;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", name);
  }
  throw InvalidInput(fmt::format("no loss is called '{}'; there are: {}", wanted, known));
}

void check_readout(const Population& readout, LossKind kind, std::span<const std::int32_t> labels) {
  const Model expected = kind == LossKind::first_spike ? Model::lif : Model::li;
  if (readout.model != expected) {
    throw InvalidInput(fmt::format("loss {} needs {} outputs; '{}' is not", to_string(kind),
                                   expected == Model::lif ? "LIF" : "LI", readout.name));
  }
  for (std::size_t s = 0; s < labels.size(); ++s) {
    if (labels[s] < 0 || static_cast<std::size_t>(labels[s]) >= readout.size) {
      throw InvalidInput(fmt::format("label {} is {}; '{}' has outputs 0 to {}", s, labels[s],
                                     readout.name, readout.size - 1));
    }
  }
}

template <class Real>
LossResult<Real> evaluate(const LossSettings& settings, const Network<Real>& network,
                          const Inputs& inputs, const Record<Real>& record, std::size_t readout,
                          std::span<const std::int32_t> labels, const Options& options) {
  network.check();
  check_readout(network.populations().at(readout), settings.kind, labels);
  if (labels.size() != record.samples) {
    throw InvalidInput(fmt::format("{} labels for {} samples", labels.size(), record.samples));
  }
  const Plan<Real> plan(network, {}, options.kernel == Kernel::scalar);
  return evaluate<Real>(settings, plan, inputs, record, readout, labels, options.threads, nullptr);
}

template <class Real>
LossResult<Real> evaluate(const LossSettings& settings, const Plan<Real>& plan,
                          const Inputs& inputs, const Record<Real>& record, std::size_t readout,
                          std::span<const std::int32_t> labels, int threads,
                          Timelines<Real>* timelines) {
  const std::size_t size = plan.size(readout);
  LossResult<Real> result{0, 0, 0, std::vector<std::int32_t>(labels.size(), -1),
                          Errors<Real>(plan.populations.size())};
  auto& errors = result.errors.populations[readout];
  switch (settings.kind) {
    case LossKind::first_spike:
      first_spike(settings, plan, inputs, record, readout, labels, result);
      break;
    case LossKind::maximum_voltage:
      result.errors.maxima[readout] = maxima(plan, inputs, record, readout, threads, timelines);
      voltage(result.errors.maxima[readout].values, 1.0, size, labels, errors.maxima, result);
      break;
    case LossKind::integrated_voltage:
      voltage(integrals(plan, inputs, record, readout, threads), 1 / settings.tau_integral, size,
              labels, errors.integrals, result);
      break;
  }
  return result;
}

template LossResult<float> evaluate(const LossSettings&, const Network<float>&, const Inputs&,
                                    const Record<float>&, std::size_t,
                                    std::span<const std::int32_t>, const Options&);
template LossResult<double> evaluate(const LossSettings&, const Network<double>&, const Inputs&,
                                     const Record<double>&, std::size_t,
                                     std::span<const std::int32_t>, const Options&);
template LossResult<float> evaluate(const LossSettings&, const Plan<float>&, const Inputs&,
                                    const Record<float>&, std::size_t,
                                    std::span<const std::int32_t>, int, Timelines<float>*);
template LossResult<double> evaluate(const LossSettings&, const Plan<double>&, const Inputs&,
                                     const Record<double>&, std::size_t,
                                     std::span<const std::int32_t>, int, Timelines<double>*);

}  // namespace saltus
