// SPDX-License-Identifier: Apache-2.0
// A run that goes on from a state (saltus/state.hpp), sample by sample: each is a run of its own, of a network
// whose neurons start where the state left them, with the spikes of before in front of all others
// (spikes/sample_spikes.hpp). Nothing else has to know that there was a before (docs/theory.md, section 15).
#pragma once

#include <span>
#include <vector>

#include "machine/parallel.hpp"
#include "plan/plan.hpp"
#include "saltus/simulate.hpp"
#include "saltus/state.hpp"

namespace saltus {

/// One sample. It cannot be moved: `inputs` looks at what lies beside it.
template <class Real>
class Continued {
 public:
  Plan<Real> plan;
  Inputs inputs;                  // one sample, without a state
  Record<Real> record;            // the same: of the spikes of before, and of the record that is given
  std::vector<std::size_t> past;  // per population: so many spikes of before

  /// @param given  with a state  @param of  null: none yet
  Continued(const Plan<Real>& all, const Inputs& given, const Record<Real>* of, std::size_t sample);
  Continued(const Continued&) = delete;
  Continued& operator=(const Continued&) = delete;

 private:
  double end_;
  std::vector<Spikes> spikes_;  // per input

  void start_at(const State& state, std::size_t population, std::size_t sample);
};

/// Calls visit(a Continued, number of the sample) for all of them.
template <class Real, class Visit>
void for_each_continued(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record,
                        int threads, Visit&& visit) {
  parallel_for(threads, inputs.samples(), [&](std::size_t s) {
    const Continued<Real> sample(plan, inputs, &record, s);
    visit(sample, s);
  });
}

/// Joins what is found of each sample, [sample, ...]. @param find  (a Continued) -> that of the one
template <class Real, class Find>
auto joined(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record, int threads,
            Find&& find) {
  std::vector<decltype(find(std::declval<const Continued<Real>&>()))> parts(inputs.samples());
  for_each_continued(plan, inputs, record, threads,
                     [&](const auto& sample, std::size_t s) { parts[s] = find(sample); });
  auto all = std::move(parts.at(0));
  for (std::size_t s = 1; s < parts.size(); ++s) {
    all.insert(all.end(), parts[s].begin(), parts[s].end());
  }
  return all;
}

/// Adds one sample to a record, without the spikes of before.
template <class Real>
void append(Record<Real>& all, const Record<Real>& sample, std::span<const std::size_t> past);

/// @throws InvalidInput  a state of another network or batch; V that is not below the threshold
template <class Real>
void check_state(const Plan<Real>& plan, const Inputs& inputs);

/// What knows no state. @throws InvalidInput  there is one
void refuse_state(const Inputs& inputs, std::string_view what);

}  // namespace saltus
