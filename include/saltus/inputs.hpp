// SPDX-License-Identifier: Apache-2.0
/// @file
/// What goes into a run besides the network: spikes, ends of samples, and how to run.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "saltus/limits.hpp"
#include "saltus/spikes.hpp"

namespace saltus {

struct State;

/// What goes into a network: the spikes of each input population, in the order of
/// Network::inputs(), when each sample ends, and where it starts.
struct Inputs {
  std::vector<SpikeView> spikes;  ///< one per input population, all with the same number of samples
  std::span<const double> t_end;  ///< [1] or [samples], seconds; may be infinite
  /// saltus/state.hpp, of an earlier run with as many samples, whose end is the time 0 of this one. None:
  /// v_initial, i_initial and so on, and nothing on its way.
  std::shared_ptr<const State> state{};

  /// Samples of the batch.
  std::size_t samples() const { return spikes.empty() ? t_end.size() : spikes[0].samples(); }
  /// When a sample ends, s.
  double end(std::size_t sample) const { return t_end[t_end.size() == 1 ? 0 : sample]; }
};

/// How to run a component of the graph (docs/architecture.md).
enum class Way {
  sweep,       ///< no cycle: one neuron after the other, each through the whole sample
  windows,     ///< a cycle whose every delay is positive: a sweep per shortest delay
  event_loop,  ///< any graph: all neurons from one event to the next
};

/// How the loops over neurons are run. Both give the same bits.
enum class Kernel {
  scalar,  ///< one neuron after the other: the readable version
  vector,  ///< side by side, with the best instructions that the machine has
};

/// How to run. Nothing here changes a result, but a forced way, by rounding.
struct Options {
  int threads = 1;                 ///< 0: all cores. The result has the same bits for any number
  Kernel kernel = Kernel::vector;  ///< how the loops over neurons are run
  std::optional<Way> way;  ///< force a way on every component that can be run so (for tests)
  SampleLimits limits{};   ///< what a sample may take; beyond: LimitExceeded
};

}  // namespace saltus
