// SPDX-License-Identifier: Apache-2.0
// Arrivals of one projection that are on their way, in cells of time: each is put down once and taken
// up once, however many windows its delay is long. For projections that list their synapses.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "saltus/network.hpp"
#include "spikes/sample_spikes.hpp"

namespace saltus {

template <class Real>
struct Delivery {
  double time;           // of its arrival
  std::int32_t spike;    // number within the source's sample
  std::int32_t synapse;  // its place in the list of synapses
  Real weight;
  std::int32_t target;
};

template <class Real>
class Calendar {
 public:
  /// @param window  s: about so much is taken at once
  /// @param longest  of all delays
  Calendar(const Projection<Real>& projection, double window, double longest)
      : projection_(&projection) {
    const double cells = std::min(longest / window + 3, most_cells);
    cells_.resize(std::bit_ceil(static_cast<std::size_t>(cells)));
    per_second_ = std::min(1 / window, most_cells / longest);
  }

  /// The spikes of the source, as far as they are known; those that it has not seen set out.
  /// @param count  of them
  void send(SampleSpikes spikes, std::size_t count) {
    const Projection<Real>& p = *projection_;
    const SynapseList& synapses = p.connection.synapses();
    for (; sent_ < count; ++sent_) {
      const auto pre = static_cast<std::size_t>(spikes.neurons[sent_]);
      for (const auto& s : synapses.from(pre)) {
        const double time = spikes.times[sent_] + p.delay(pre, static_cast<std::size_t>(s.number));
        if (time < 0) continue;  // arrived before the sample
        cells_[place(cell_of(time))].push_back({time, static_cast<std::int32_t>(sent_), s.place,
                                                p.weight[static_cast<std::size_t>(s.weight)],
                                                s.post});
      }
    }
  }

  /// Takes what arrives before `end`; of one target and time, in the order of the spikes. All that arrives
  /// before `from` has been taken, but for what rounding lets come too late.
  /// @param out  appended to
  void take(double from, double end, std::vector<Delivery<Real>>& out) {
    const std::size_t first = std::max<std::size_t>(cell_of(from), 1) - 1;
    const std::size_t last = std::min(cell_of(end), first + cells_.size() - 1);
    for (std::size_t c = first; c <= last; ++c) {
      auto& cell = cells_[place(c)];
      std::size_t kept = 0;
      for (const Delivery<Real>& d : cell) {
        if (d.time < end) {
          out.push_back(d);
        } else {
          cell[kept++] = d;
        }
      }
      cell.resize(kept);
    }
  }

 private:
  static constexpr double most_cells = 4096;
  const Projection<Real>* projection_;
  double per_second_;
  std::size_t sent_ = 0;
  // A ring: a cell may hold what belongs to a later turn of it.
  std::vector<std::vector<Delivery<Real>>> cells_;

  std::size_t cell_of(double time) const { return static_cast<std::size_t>(time * per_second_); }
  std::size_t place(std::size_t cell) const { return cell & (cells_.size() - 1); }
};

}  // namespace saltus
