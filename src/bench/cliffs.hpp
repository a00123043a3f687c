// SPDX-License-Identifier: Apache-2.0
// `saltus bench cliffs`: what the neighbours of the fast path cost. A cliff is a small change of a
// network, or of what is trained, that makes everything many times slower.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "saltus/task.hpp"

namespace saltus::bench {

/// A neighbour of the fast path, and how to get there.
struct CliffRow {
  std::string_view name, says;
  void (*settings)(RunSettings&) = [](RunSettings&) {};
  void (*network)(Network<double>&) = [](Network<double>&) {};  ///< what no setting can say
  bool everything = false;  ///< backward computes all gradients that there are
  int cores = 1;            ///< that it needs
};

/// All rows, the fast path first (bench/cliff_rows.cpp).
std::span<const CliffRow> cliff_rows();

/// Of a sample, in microseconds.
struct CliffTimes {
  double forward = infinity;   ///< with the loss
  double backward = infinity;  ///< the gradients of what is trained
  double train = infinity;     ///< a step, all in all
};

struct Cliff {
  const CliffRow* row = nullptr;
  double spikes = 0;  ///< hidden, a sample
  CliffTimes us;
  CliffTimes ratio;  ///< to the fast path, in this run
};

/// The settings of the fast path: those published for MNIST, without what makes steps differ.
/// @param given  its data (a folder of IDX files; empty: spikes at random), hidden, batch, threads,
///               kernel, precision and seed are taken over
/// @throws InvalidInput  more than one hidden layer, or a setting without a meaning
RunSettings fast_path(const RunSettings& given);

/// Measures rows in turns, so that what else the machine does meets all of them; the best of all
/// turns counts. The fast path, which all are compared with, has more turns. First weights are
/// scaled to the same number of hidden spikes in every row. Rows that need more cores than there
/// are are left out.
/// @param settings  fast_path()
/// @param only  names of rows; empty: all. The fast path is always one of them.
/// @param rounds  turns of each row
/// @param progress  told before each turn of a row: how many are done, how many there are, its name
/// @throws InvalidInput  a name of no row: lists those that there are; no rounds; data of fewer
///                       samples than two minibatches
std::vector<Cliff> cliffs(
    const RunSettings& settings, const std::vector<std::string>& only, std::size_t rounds,
    const std::function<void(std::size_t, std::size_t, std::string_view)>& progress);

}  // namespace saltus::bench
