// SPDX-License-Identifier: Apache-2.0
// The neurons of one population on their way through one sample: what the ways of running a
// component know of a neuron model. Its mirror: adjoint/group_back.hpp.
#pragma once

#include <memory>
#include <vector>

#include "plan/timeline.hpp"
#include "simulate/sample.hpp"
#include "simulate/ways.hpp"

namespace saltus {

template <class Real>
class Group {
 public:
  virtual ~Group() = default;

  /// Takes all neurons from `from` through what arrives to `to`.
  /// @param timeline  of the population, from `from` to `to`
  /// @param spikes  appended to
  /// @param record  of the sample so far: for what is told of a spike later
  virtual void pass(Timeline<Real>& timeline, double from, double to,
                    std::vector<RecordedSpike<Real>>& spikes, SampleRecord<Real>& record) = 0;

  /// Can what follows be used between passes?
  virtual bool steps_between_passes() const { return false; }
  /// A time until which nobody spikes, in (t, t_end].
  /// @param scratch  overwritten
  virtual double quiet_until(double t, double t_end, std::vector<RecordedSpike<Real>>& scratch) {
    earliest(t, t_end, scratch);
    return scratch.empty() ? t_end : scratch[0].time;
  }
  /// The spikes of the earliest time in (t, t_end]. @param spikes  overwritten
  virtual void earliest(double t, double t_end, std::vector<RecordedSpike<Real>>& spikes) = 0;
  /// Takes all neurons to `t_end`, before which none spikes.
  virtual void move_to(double t, double t_end, SampleRecord<Real>& record) = 0;
  /// A neuron spikes at the present time.
  virtual void reset(const RecordedSpike<Real>& spike) = 0;
  /// @param neuron  any_column: all
  /// @param projection  that it comes through
  /// @param weight  of that neuron; of all, one after the other
  /// @param t  the present time
  virtual void arrive(std::size_t neuron, std::int32_t projection, const Real* weight,
                      double t) = 0;
  /// All has arrived: the spikes that this made at the present time, resets done. @param spikes  overwritten
  virtual void arrived(double t, std::vector<RecordedSpike<Real>>& spikes) {
    static_cast<void>(t);
    spikes.clear();
  }

  /// A spike has got its number in the sample's record.
  virtual void recorded(std::int32_t neuron, std::int32_t number) {
    static_cast<void>(neuron), static_cast<void>(number);
  }
};

/// How a group will be used: in passes alone, or event by event.
enum class Steps { passes, events };

template <class Real>
std::unique_ptr<Group<Real>> make_group(SampleRun<Real>& run, std::size_t population, Steps steps);

}  // namespace saltus
