// SPDX-License-Identifier: Apache-2.0
#include "simulate/limits.hpp"

#include <fmt/format.h>

#include <ctime>

namespace saltus {
namespace {

// A sample is run by one thread.
double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace

LimitExceeded::LimitExceeded(std::size_t number, std::string_view what)
    : InvalidInput(fmt::format("sample {}: {}", number, what)), sample(number), what_(what) {}

SampleWatch::SampleWatch(const SampleLimits& limits, std::size_t spike_bytes)
    : most_seconds_(limits.max_seconds_per_sample),
      begun_(most_seconds_ > 0 ? processor_seconds() : 0) {
  if (limits.max_spikes_per_sample > 0) {
    most_spikes_ = limits.max_spikes_per_sample;
    most_spikes_of_ = "max_spikes_per_sample";
  }
  const double fit = limits.max_memory_per_sample / static_cast<double>(spike_bytes);
  if (fit > 0 && fit < static_cast<double>(most_spikes_)) {
    most_spikes_ = static_cast<std::size_t>(fit);
    most_spikes_of_ = "max_memory_per_sample";
  }
}

void SampleWatch::look(double time, std::size_t found) const {
  count(found);
  if (most_seconds_ > 0 && processor_seconds() - begun_ > most_seconds_) {
    throw TooMuch{seconds, population_, time};
  }
}

LimitExceeded limit_exceeded(const TooMuch& what, const SampleLimits& limits, std::size_t sample,
                             std::string_view population) {
  const auto raise = [&](std::string_view cause) {
    return fmt::format("{}, or a higher {}, which 0 takes away", cause, what.of);
  };
  if (what.of == SampleWatch::seconds) {
    return {sample,
            fmt::format("population '{}' had come to {:.3g} s when {} s of processor time were "
                        "over; expected {}",
                        population, what.time, limits.max_seconds_per_sample,
                        raise("fewer spikes, an earlier t_end"))};
  }
  const std::string took = what.of == "max_memory_per_sample"
                               ? fmt::format("{} bytes of spikes", limits.max_memory_per_sample)
                               : fmt::format("{} spikes", limits.max_spikes_per_sample);
  return {sample,
          fmt::format("population '{}' takes it over {} by {:.3g} s; does it spike without "
                      "end? expected {}",
                      population, took, what.time, raise("smaller weights, a refractory time"))};
}

}  // namespace saltus
