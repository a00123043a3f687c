// SPDX-License-Identifier: Apache-2.0
// Checks the adjoint against two witnesses, in float64, over random networks (docs/theory.md,
// section 12): Richardson central differences of the library's own forward pass, and an independent
// oracle (tests/oracle) that differentiates forward in time and shares no code with the library.
// And against itself: relations that hold whatever the code does inside (relations.cpp).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "gradcheck/topology.hpp"

namespace saltus::gradcheck {

inline constexpr double difference_bar = 1e-6;
inline constexpr double oracle_bar = 1e-9;
inline constexpr double relation_bar = 1e-9;        // of gradients
inline constexpr double relation_time_bar = 1e-10;  // of spikes, in units of tau_mem
inline constexpr double void_bar = 0.1;             // share of the differences that may be void
inline constexpr std::size_t void_networks = 100;   // from so many on: few may well be void

/// A spike that starts flatter than this (tau_mem dV/dt) or a loss this steep in it amplifies
/// rounding beyond the oracle's bar: the network is void for both comparisons, and counted.
inline constexpr double grazing_slope = 1e-2;

struct Worst {
  double error = 0;   // relative to the largest entry of the tensor
  std::string where;  // seed and tensor
  void meet(double value, const std::string& name);
};

struct Report {
  std::size_t networks = 0;
  std::size_t parameters = 0;           // differences taken
  std::size_t void_order = 0;           // the order of events differs between the points
  std::size_t void_unresolved = 0;      // the step could not be made small enough
  std::size_t compared_absolutely = 0;  // the tensor is below what rounding can tell
  std::size_t oracle_parameters = 0;    // derivatives compared with the oracle
  std::size_t oracle_void = 0;          // networks left out: a maximum elsewhere on a flat V
  std::size_t grazing_networks = 0;     // left out, see grazing_slope
  std::size_t relations = 0;            // networks that must say the same, tried
  std::size_t relations_void = 0;       // gradients not compared: a maximum moved along a flat V
  std::size_t on_their_way = 0;         // spikes that chunks of a run handed on
  std::size_t cuts_at_events = 0;       // chunks that end at a spike or a release
  Worst differences, oracle, spike_times, relation_gradients, relation_times;
  Census census;

  std::size_t voided() const { return void_order + void_unresolved; }
  bool too_many_void() const;
  bool passed() const;
};

struct Settings {
  std::size_t networks = 200;
  std::uint64_t seed = 1;
  int threads = 1;
  bool with_differences = true;
  bool with_oracle = true;
  bool with_relations = true;
  std::string neuron;  // of every layer, as "RF", with any synapse; empty: drawn
  std::function<void(std::size_t)> progress;  // called with the number of networks done
  const std::atomic<bool>* stop = nullptr;
};

Report run(const Settings& settings);

/// The parts, for one network.
void compare_with_differences(const Case& c, const Evaluation& base, std::uint64_t branch,
                              const Gradients<double>& gradients, const std::string& label,
                              Report& report);
void compare_with_oracle(const Case& c, const Evaluation& base, const Gradients<double>& gradients,
                         const std::string& label, Report& report);
/// What must change neither spikes nor gradients. @param seed  of what is drawn
void check_relations(const Case& c, const Evaluation& base, std::uint64_t seed,
                     const std::string& label, Report& report);

/// One of them: a run in chunks.
void check_chunks(const Case& c, const Evaluation& base, std::uint64_t seed,
                  const std::string& label, Report& report);

}  // namespace saltus::gradcheck
