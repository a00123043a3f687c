// SPDX-License-Identifier: Apache-2.0
// Loss and accuracy on data, without training.
#include <algorithm>
#include <numeric>

#include "machine/team.hpp"
#include "plan/plan.hpp"
#include "saltus/train.hpp"
#include "simulate/forward.hpp"
#include "train/activity.hpp"
#include "train/checks.hpp"
#include "train/minibatch.hpp"

namespace saltus {
namespace {

constexpr std::size_t samples_at_once = 256;

// What was found of some of the data.
struct Parts {
  std::vector<double> losses;  // of so many samples at once, summed
  std::uint64_t correct = 0, silent_labels = 0, silent_samples = 0, hidden_spikes = 0;
  std::uint64_t silence = 0;        // times that the loss made no predictions
  std::vector<double> predictions;  // [sample]

  void put_together(Team& team) {
    losses = team.gather(losses);
    predictions = team.gather(predictions);
    std::uint64_t counts[] = {correct, silent_labels, silent_samples, hidden_spikes, silence};
    team.sum(counts);
    correct = counts[0];
    silent_labels = counts[1];
    silent_samples = counts[2];
    hidden_spikes = counts[3];
    silence = counts[4];
  }
};

}  // namespace

template <class Real>
Evaluation evaluate(const Network<Real>& network, Loss<Real>& loss, double t_end,
                    const data::LabelledSpikes& data, int threads, const SampleLimits& limits,
                    Team* team) {
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
  Parts parts;
  const Part own(team, (data.size() + samples_at_once - 1) / samples_at_once);
  for (std::size_t k = own.begin; k < own.end; ++k) {
    const std::size_t first = k * samples_at_once;
    samples.resize(std::min(samples_at_once, data.size() - first));
    std::iota(samples.begin(), samples.end(), static_cast<std::uint32_t>(first));
    minibatch.gather(data, samples);
    const Inputs inputs = minibatch.inputs(sizes, ends);
    if (k == own.begin || !data.t_end.empty()) check(plan, inputs);  // ends may differ
    try {
      simulate(plan, inputs, threads, memory, record);
    } catch (const LimitExceeded& e) {
      throw e.of(first + e.sample);
    }
    const auto part = loss.evaluate(
        {network, inputs, record, minibatch.labels, exact, threads, plan, &memory.timelines});
    parts.losses.push_back(part.value * static_cast<double>(samples.size()));
    parts.correct += part.correct;
    parts.silent_labels += part.silent;
    parts.silent_samples += silent_samples(part);
    parts.silence += part.predictions.empty();
    parts.predictions.insert(parts.predictions.end(), part.predictions.begin(),
                             part.predictions.end());
    activity.add(network, record, counts);
  }
  parts.hidden_spikes = counts.hidden_spikes;
  if (team) parts.put_together(*team);
  Evaluation result;
  const double count = static_cast<double>(data.size());
  result.samples = data.size();
  for (const double loss_of_part : parts.losses) result.loss += loss_of_part;
  result.loss /= count;
  if (parts.silence == 0) {
    result.accuracy = static_cast<double>(parts.correct) / count;
    result.predictions.assign(parts.predictions.begin(), parts.predictions.end());
  }
  result.silent_labels = parts.silent_labels;
  result.silent_samples = parts.silent_samples;
  result.hidden_spikes_per_sample = static_cast<double>(parts.hidden_spikes) / count;
  return result;
}

template <class Real>
Evaluation evaluate(const Network<Real>& network, std::size_t readout, const LossSettings& loss,
                    double t_end, const data::LabelledSpikes& data, int threads,
                    const SampleLimits& limits, Team* team) {
  return evaluate(network, *built_in_loss<Real>(loss, readout), t_end, data, threads, limits, team);
}

template Evaluation evaluate(const Network<float>&, Loss<float>&, double,
                             const data::LabelledSpikes&, int, const SampleLimits&, Team*);
template Evaluation evaluate(const Network<double>&, Loss<double>&, double,
                             const data::LabelledSpikes&, int, const SampleLimits&, Team*);
template Evaluation evaluate(const Network<float>&, std::size_t, const LossSettings&, double,
                             const data::LabelledSpikes&, int, const SampleLimits&, Team*);
template Evaluation evaluate(const Network<double>&, std::size_t, const LossSettings&, double,
                             const data::LabelledSpikes&, int, const SampleLimits&, Team*);

}  // namespace saltus
