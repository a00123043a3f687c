// SPDX-License-Identifier: Apache-2.0
// A run that goes on from a state (saltus/state.hpp): each sample is of a network of its own, whose neurons start
// where the state left them, with the spikes of before in front of all others (spikes/sample_spikes.hpp). Nothing
// else has to know that there was a before (docs/theory.md, section 15).
#pragma once

#include <vector>

#include "machine/parallel.hpp"
#include "plan/plan.hpp"
#include "saltus/simulate.hpp"
#include "saltus/state.hpp"

namespace saltus {

/// Some samples of one. It cannot be moved: `inputs` looks at what lies beside it.
template <class Real>
class Continued {
 public:
  std::vector<Plan<Real>> plans;  // [sample]
  Inputs inputs;                  // without a state
  Record<Real> record;            // spikes of before, and those of the record that is given
  std::vector<std::vector<std::size_t>> past;  // [population][sample] so many spikes of before

  /// @param given  with a state  @param of  null: none yet
  Continued(const Plan<Real>& plan, const Inputs& given, const Record<Real>* of, std::size_t first,
            std::size_t count);
  Continued(const Continued&) = delete;
  Continued& operator=(const Continued&) = delete;

 private:
  std::vector<double> end_;
  std::vector<Spikes> spikes_;  // per input

  void start(Plan<Real>& plan, const State& state, std::size_t population, std::size_t sample);
};

/// Joins what is found of each sample, [sample, ...]. @param find  (plan, inputs, record) of the one -> that
template <class Real, class Find>
auto joined(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record, int threads,
            Find&& find) {
  std::vector<decltype(find(plan, inputs, record))> parts(inputs.samples());
  parallel_for(threads, inputs.samples(), [&](std::size_t s) {
    const Continued<Real> one(plan, inputs, &record, s, 1);
    parts[s] = find(one.plans[0], one.inputs, one.record);
  });
  return parts;
}
/// The same of lists.
template <class Real, class Find>
auto joined_lists(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record,
                  int threads, Find&& find) {
  const auto parts = joined(plan, inputs, record, threads, find);
  auto all = parts.empty() ? decltype(find(plan, inputs, record))() : parts[0];
  for (std::size_t s = 1; s < parts.size(); ++s) {
    all.insert(all.end(), parts[s].begin(), parts[s].end());
  }
  return all;
}

/// Adds one sample to a record, without the spikes of before. @param past  as Continued::past
template <class Real>
void append(Record<Real>& all, const Record<Real>& sample,
            const std::vector<std::vector<std::size_t>>& past);

/// @throws InvalidInput  a state of another network or batch; V that is not below the threshold
template <class Real>
void check_state(const Plan<Real>& plan, const Inputs& inputs);

/// What knows no state. @throws InvalidInput  there is one
void refuse_state(const Inputs& inputs, std::string_view what);

}  // namespace saltus
