// SPDX-License-Identifier: Apache-2.0
// Loss and accuracy on data, without training.
#include <algorithm>
#include <numeric>

#include "plan/plan.hpp"
#include "saltus/train.hpp"
#include "simulate/forward.hpp"
#include "train/activity.hpp"
#include "train/checks.hpp"
#include "train/minibatch.hpp"

namespace saltus {
namespace {

constexpr std::size_t samples_at_once = 256;

}  // namespace

template <class Real>
Evaluation evaluate(const Network<Real>& network, Loss<Real>& loss, double t_end,
                    const data::LabelledSpikes& data, int threads, const SampleLimits& limits) {
  check_data(data, network);
  loss.check(network, data.labels);
  network.check();
  Plan<Real> plan(network);
  plan.limits = limits;
  const double ends[] = {t_end};
  const std::vector<std::size_t> sizes = input_sizes(network);
  const Smoothing exact;
  EpochState counts;
  Activity<Real> activity(network, loss, counts);
  Minibatch minibatch;
  ForwardMemory<Real> memory;
  Record<Real> record;
  std::vector<std::uint32_t> samples;
  Evaluation result;
  std::size_t correct = 0;
  bool predicts = true;
  for (std::size_t first = 0; first < data.size(); first += samples_at_once) {
    samples.resize(std::min(samples_at_once, data.size() - first));
    std::iota(samples.begin(), samples.end(), static_cast<std::uint32_t>(first));
    minibatch.gather(data, samples);
    const Inputs inputs = minibatch.inputs(sizes, ends);
    if (first == 0 || !data.t_end.empty()) check(plan, inputs);  // ends may differ
    try {
      simulate(plan, inputs, threads, memory, record);
    } catch (const LimitExceeded& e) {
      throw e.of(first + e.sample);
    }
    const auto part = loss.evaluate(
        {network, inputs, record, minibatch.labels, exact, threads, plan, &memory.timelines});
    result.loss += part.value * static_cast<double>(samples.size());
    correct += part.correct;
    predicts = predicts && !part.predictions.empty();
    result.silent_labels += part.silent;
    result.predictions.insert(result.predictions.end(), part.predictions.begin(),
                              part.predictions.end());
    result.silent_samples += silent_samples(part);
    activity.add(network, record);
  }
  const double count = static_cast<double>(data.size());
  result.samples = data.size();
  result.loss /= count;
  if (predicts) {
    result.accuracy = static_cast<double>(correct) / count;
  } else {
    result.predictions.clear();
  }
  result.hidden_spikes_per_sample = static_cast<double>(counts.hidden_spikes) / count;
  return result;
}

template <class Real>
Evaluation evaluate(const Network<Real>& network, std::size_t readout, const LossSettings& loss,
                    double t_end, const data::LabelledSpikes& data, int threads,
                    const SampleLimits& limits) {
  return evaluate(network, *built_in_loss<Real>(loss, readout), t_end, data, threads, limits);
}

template Evaluation evaluate(const Network<float>&, Loss<float>&, double,
                             const data::LabelledSpikes&, int, const SampleLimits&);
template Evaluation evaluate(const Network<double>&, Loss<double>&, double,
                             const data::LabelledSpikes&, int, const SampleLimits&);
template Evaluation evaluate(const Network<float>&, std::size_t, const LossSettings&, double,
                             const data::LabelledSpikes&, int, const SampleLimits&);
template Evaluation evaluate(const Network<double>&, std::size_t, const LossSettings&, double,
                             const data::LabelledSpikes&, int, const SampleLimits&);

}  // namespace saltus
