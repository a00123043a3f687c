// SPDX-License-Identifier: Apache-2.0
#include "saltus/advice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace saltus {
namespace {

// What input is like in time, in seconds.
struct Extent {
  double first = infinity, last = 0;  // of all spikes
  double longest = 0;                 // from the first spike of a sample to its last
  double mean = 0;                    // of that
  double spikes = 0;                  // a sample

  explicit Extent(const std::vector<SpikeView>& inputs) {
    const std::size_t samples = inputs.empty() ? 0 : inputs[0].samples();
    for (std::size_t s = 0; s < samples; ++s) {
      double begin = infinity, end = 0;
      for (const SpikeView& input : inputs) {
        const auto from = static_cast<std::size_t>(input.offsets[s]);
        const auto to = static_cast<std::size_t>(input.offsets[s + 1]);
        if (from == to) continue;
        begin = std::min(begin, input.times[from]);
        end = std::max(end, input.times[to - 1]);
        spikes += static_cast<double>(to - from) / static_cast<double>(samples);
      }
      if (begin > end) continue;
      first = std::min(first, begin);
      last = std::max(last, end);
      longest = std::max(longest, end - begin);
      mean += (end - begin) / static_cast<double>(samples);
    }
  }
};

// The share of the spikes that do not come before the end.
double late_share(const data::LabelledSpikes& data, double t_end) {
  const Spikes& spikes = data.spikes;
  double late = 0;
  for (std::size_t s = 0; s < spikes.samples(); ++s) {
    const double end = data.t_end.empty() ? t_end : data.t_end[s];
    for (auto k = spikes.offsets[s]; k < spikes.offsets[s + 1]; ++k) {
      late += !(spikes.times[static_cast<std::size_t>(k)] < end);
    }
  }
  return late / static_cast<double>(std::max<std::size_t>(1, spikes.times.size()));
}

std::string end_of(const data::LabelledSpikes& data, double t_end) {
  return data.t_end.empty() ? fmt::format("t_end = {} s", t_end) : "the end of its sample";
}

constexpr auto units = "all times are in seconds: see whether the data have another unit or origin";

// The longest time constant: what has one decays, so IF, whose tau_mem is a scale, has none there.
template <class Real>
double longest_time_constant(const Network<Real>& network) {
  double longest = 0;
  for (const Population& p : network.populations()) {
    for (std::size_t k = 0; k < p.parameters.size(); ++k) {
      const ParameterRow& row = p.model->parameters[k];
      if (row.unit != "s" || row.range != Range::positive) continue;
      for (const double v : p.parameters[k].values()) longest = std::max(longest, v);
    }
  }
  return longest;
}

// Spikes so far apart that each is forgotten long before the next, over a sample that is long
// beside every time constant: milliseconds or microseconds that are read as seconds.
void look_at_times(const Extent& extent, double tau, std::vector<std::string>& says) {
  constexpr double long_sample = 300;
  if (!(extent.longest > long_sample * tau && extent.spikes * tau < extent.mean)) return;
  const bool milli = extent.longest * 1e-3 <= long_sample * tau;
  says.push_back(fmt::format(
      "the input times look like {}: the longest sample lasts {:.3g} s, {:.0f} times the longest "
      "time constant ({:.3g} s), with {:.3g} spikes a sample; {}",
      milli ? "milliseconds" : "microseconds", extent.longest, extent.longest / tau, tau,
      extent.spikes, units));
}

// tau_mem = 20, meant in milliseconds.
template <class Real>
void look_at_time_constants(const Network<Real>& network, double duration,
                            std::vector<std::string>& says) {
  for (const Population& p : network.populations()) {
    if (p.model->name.starts_with("IF")) continue;
    for (std::size_t k = 0; k < p.parameters.size(); ++k) {
      const ParameterRow& row = p.model->parameters[k];
      if (row.unit != "s") continue;
      const auto& values = p.parameters[k].values();
      const double v = *std::max_element(values.begin(), values.end());
      if (!(v >= 1 && v > 20 * duration && duration > 0)) continue;
      says.push_back(fmt::format(
          "{}.{} is {} s, {:.0f} times as long as the longest sample ({:.3g} s); expected seconds: "
          "if milliseconds are meant, {}",
          p.name, row.name, v, v / duration, duration, v * 1e-3));
      return;
    }
  }
}

}  // namespace

std::string no_input(const data::LabelledSpikes& data, double t_end) {
  const Spikes& spikes = data.spikes;
  if (spikes.times.empty()) return "the data hold no input spikes: the network sees nothing";
  if (late_share(data, t_end) < 1) return "";
  const Extent extent({spikes.view()});
  return fmt::format(
      "none of the {} input spikes comes before {} (the first at {:.6g} s, the last at {:.6g} s): "
      "the network sees nothing; {}, or give a later t_end",
      spikes.times.size(), end_of(data, t_end), extent.first, extent.last, units);
}

template <class Real>
std::vector<std::string> advice(const Network<Real>& network, const data::LabelledSpikes& data,
                                double t_end) {
  std::vector<std::string> says;
  if (data.size() == 0) return says;
  if (const std::string nothing = no_input(data, t_end); !nothing.empty()) {
    says.push_back(nothing);
    return says;
  }
  const Extent extent({data.spikes.view()});
  look_at_times(extent, longest_time_constant(network), says);
  if (const double late = late_share(data, t_end); late > 0.5) {
    says.push_back(fmt::format(
        "{:.0f} % of the input spikes do not come before {} (the last at {:.6g} s) and are not "
        "seen; give a later t_end",
        100 * late, end_of(data, t_end), extent.last));
  }
  double end = t_end;
  if (!data.t_end.empty()) end = *std::max_element(data.t_end.begin(), data.t_end.end());
  look_at_time_constants(network, std::isinf(end) ? extent.last : end, says);
  return says;
}

template <class Real>
std::vector<std::string> advice(const Network<Real>& network, const Inputs& inputs) {
  std::vector<std::string> says;
  const Extent extent(inputs.spikes);
  look_at_times(extent, longest_time_constant(network), says);
  double end = 0;
  for (const double t : inputs.t_end) end = std::max(end, t);
  look_at_time_constants(network, std::isinf(end) ? extent.last : end, says);
  return says;
}

std::vector<std::string> advice(const EpochReport& report) {
  // Thresholds with noise see spikes that do not exist yet: silence is no end there.
  if (report.samples == 0 || !report.complete || report.smoothing_sigma > 0) return {};
  if (!report.silent_populations.empty()) {
    return {fmt::format(
        "no neuron of '{}' spiked in a whole epoch, and what is silent has no gradient; scale the "
        "weights into it before training (scale_weights, initial_spikes), or give revive = 0.1 "
        "or, where all that spikes is LIF, smooth_threshold = 0.3",
        report.silent_populations.front())};
  }
  if (report.silent_samples == report.samples) {
    return {
        "no output said anything in any sample of an epoch (the loss is that of chance): nothing "
        "reaches the readout; see whether t_end is later than its arrivals, and whether the "
        "weights into it are 0"};
  }
  return {};
}

template std::vector<std::string> advice(const Network<float>&, const data::LabelledSpikes&,
                                         double);
template std::vector<std::string> advice(const Network<double>&, const data::LabelledSpikes&,
                                         double);
template std::vector<std::string> advice(const Network<float>&, const Inputs&);
template std::vector<std::string> advice(const Network<double>&, const Inputs&);

}  // namespace saltus
