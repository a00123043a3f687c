// SPDX-License-Identifier: Apache-2.0
// Ghosts in the backward pass (docs/ghosts.md; docs/theory.md, section 10). To its neuron a ghost
// is a maximum of V whose error is
//
//     g = density * (L(with the spike) - L(without)),
//
// and of the mean threshold it takes g away. To first order the difference is read off the same
// backward pass: a would-be spike at t* (a probe) and, where V would be as high again later, one
// that it replaces there:
//
//     L(with) - L(without)  ~  out(t*) - out(later)  -  tau_mem lambda_V,n(r) (change of V_n at r)
//     out(t) = -tau_syn sum_j w_nj lambda_I,j(t + d_nj)
//
// The free peak behind a spike is one of a trajectory of its own between the two, a free piece: its
// lambda passes the spike without a jump.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "adjoint/segments.hpp"
#include "plan/arrivals.hpp"
#include "plan/plan.hpp"
#include "saltus/ghosts.hpp"

namespace saltus {

/// lambda of the peak behind a spike, from the peak back to the spike.
template <class Real>
struct FreePiece {
  std::size_t neuron, spike;  // number of the spike within the sample
  double from, to;            // the spike, the peak
  neuron::Adjoint<Real> at;   // just before the peak

  /// As segments, for those who read lambda at arrivals.
  std::array<Segment<Real>, 2> segments() const { return {{{to, at, 0}, {from, {}, 0}}}; }
  neuron::Adjoint<Real> read(const neuron::TimeConstants& tc, double t) const {
    return neuron::flow_back<Real>(tc, at, 0, neuron::decay<Real>(tc, to - t));
  }
};

/// The ghosts of one population in one sample, on the way back.
template <class Real>
struct SampleGhosts {
  std::vector<Ghost<Real>>* list = nullptr;
  bool differences_known = false;
  std::vector<std::size_t> first;  // [neuron + 1]
  // Would-be spikes, in order of time.
  std::vector<double> times;
  std::vector<std::int32_t> neurons;
  std::vector<std::int32_t> owners;  // which ghost's; negative, ~ghost: it is taken away there
  std::vector<double> sums;          // [ghost] what its would-be spikes cause elsewhere
  std::vector<double> errors;        // [ghost] g
  std::vector<FreePiece<Real>> free;

  bool any(std::size_t j) const { return !first.empty() && first[j] < first[j + 1]; }
  std::span<const FreePiece<Real>> free_of(std::size_t j) const {
    const auto [begin, end] =
        std::equal_range(free.begin(), free.end(), FreePiece<Real>{j, 0, 0, 0, {}},
                         [](const auto& a, const auto& b) { return a.neuron < b.neuron; });
    return {begin, end};
  }
  SampleSpikes probes() const { return {times, neurons}; }
  void book(std::int32_t owner, double value) {
    if (owner >= 0) {
      sums[static_cast<std::size_t>(owner)] += value;
    } else {
      sums[static_cast<std::size_t>(~owner)] -= value;
    }
  }
  void start(std::vector<Ghost<Real>>& ghosts, std::size_t size, bool known);

  /// g of a ghost, once all that happens later is known.
  /// @param segments  of its neuron, latest first, down to the present
  double settle(const neuron::Lif<Real>& n, std::size_t ghost,
                std::span<const Segment<Real>> segments, JumpSums& jumps);
  /// The same of the ghost behind a spike; it begins a free piece.
  FreePiece<Real> settle_free(const neuron::Lif<Real>& n, std::size_t ghost, double spike_time,
                              std::span<const Segment<Real>> segments, JumpSums& jumps);
  /// All ghosts of a neuron that lie behind its spike `spike`: lambda that they hand to the spike.
  neuron::Adjoint<Real> settle_behind(const neuron::Lif<Real>& n, std::size_t j, std::size_t spike,
                                      double spike_time, std::span<const Segment<Real>> segments,
                                      JumpSums& jumps);
  /// Once all are settled.
  void finish() {
    std::stable_sort(free.begin(), free.end(),
                     [](const auto& a, const auto& b) { return a.neuron < b.neuron; });
  }
};

/// dV/dt on the left of the peak.
template <class Real>
double slope_before(const neuron::Lif<Real>& n, const Ghost<Real>& g) {
  return static_cast<double>(g.current + n.bias - g.height) / n.tc.tau_mem;
}

template <class Real>
struct Pass;

/// All ghosts of a batch: [sample][population].
template <class Real>
using GhostAdjoint = std::vector<std::vector<SampleGhosts<Real>>>;

/// @param out  its memory is kept
template <class Real>
void start_ghosts(const Plan<Real>& plan, std::size_t samples, int threads, Ghosts<Real>& ghosts,
                  GhostAdjoint<Real>& out);

/// Reads the probes of `population` off the segments of its targets outside of its component.
template <class Real>
void read_probes(Pass<Real>& pass, std::size_t population);

}  // namespace saltus
