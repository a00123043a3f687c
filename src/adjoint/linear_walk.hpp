// SPDX-License-Identifier: Apache-2.0
// Through one sample with x and s of linear neurons side by side (adjoint/linear_tangent.hpp), for the sum of
// p . s at their spikes, of errors of V, and at the end (docs/theory.md, section 14). A neuron that something
// happens to in an interval between arrivals goes through it by itself. All times are known beforehand, so that
// what takes neurons from one to the next is found for all of them at once, in vectors.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <vector>

#include "adjoint/dynamics.hpp"
#include "adjoint/linear_tangent.hpp"
#include "machine/buckets.hpp"
#include "observe/linear_replay.hpp"

namespace saltus {

using Slopes = std::array<double, Dual::width>;  // by as many parameters

/// An integral of V has no limit where a parameter moves what V settles at.
inline void without_end(double error, double slope, double& sum) {
  if (error != 0 && std::fabs(slope) > 1e-9) sum = std::copysign(infinity, error * slope);
}

/// What the walks of all samples share.
struct SlopedNeurons {
  std::span<const linear::Motion<Dual>> motions;  // one for all, or one per neuron
  TangentShape shape;
  std::vector<linear::SlopedFlow> flows;  // one, if all move alike, or one per neuron

  const linear::Motion<Dual>& motion(std::size_t j) const {
    return motions[motions.size() == 1 ? 0 : j];
  }
  const linear::SlopedFlow& flow(std::size_t j) const { return flows[flows.size() == 1 ? 0 : j]; }
  bool alike() const { return flows.size() == 1; }
};

template <class Real>
class LinearWalk {
 public:
  /// What it is told of a population in one sample.
  struct Scene {
    const PopulationPlan<Real>& plan;  // with the state from which the sample starts
    const PopulationErrors<Real>& errors;
    const LinearSegments& segments;
    SampleSpikes spikes;
    const OwnSpikes& own_spikes;
    std::size_t sample, samples, size;
    double end;
    bool goes_on;  // from a state that knows no parameter
  };

  /// @param arrivals  that all of them see
  /// @param sums  [neuron] added to
  void go(const SlopedNeurons& sloped, const Scene& scene, const Arrivals<Real>& arrivals,
          Slopes* sums) {
    sloped_ = &sloped;
    scene_ = &scene;
    arrivals_ = &arrivals;
    sums_ = sums;
    find_events();
    if (events_.empty()) return;
    find_values();
    start();
    walk();
  }

 private:
  // At one time in this order: V at a spike or a release is V just before it.
  enum class Kind : std::uint8_t { look, release, spike, end };
  struct Event {
    double time;
    Kind kind;
    std::uint32_t neuron;
    const linear::Vector<double>* p = nullptr;  // at a spike that an error lies behind
    double error = 0;                           // of V, at a look
    bool last = true;                           // of its neuron in this interval
    bool stays = false;                         // nothing happens to its neuron any more

    bool operator<(const Event& other) const {
      return time != other.time ? time < other.time : kind < other.kind;
    }
  };
  // A neuron whose V does not move: what V and its integral were when that began.
  struct Held {
    double since = 0;
    bool now = false;
    std::array<double, 1 + Dual::width> v{}, integral{};
  };
  using RowsBy = std::array<std::size_t, 1 + Dual::width>;
  static constexpr std::size_t block = linear::OwnSteps::intervals;

  const SlopedNeurons* sloped_ = nullptr;
  const Scene* scene_ = nullptr;
  const Arrivals<Real>* arrivals_ = nullptr;
  Slopes* sums_ = nullptr;
  LinearTangents lanes_;
  std::vector<Event> events_;  // by neuron, then in order of time
  std::vector<std::size_t> intervals_of_events_;
  Buckets by_interval_;         // numbers of events
  std::vector<double> gaps_;    // [event] to it, and from it to the next arrival
  std::vector<double> values_;  // [gap, number]
  std::vector<double> intervals_,
      of_intervals_;               // between arrivals; of a block [interval, number, slot]
  std::vector<double> x_, moved_;  // of one neuron, [row]
  std::vector<double> pending_;    // of those that went by themselves
  std::vector<std::size_t> pending_lanes_;
  std::vector<Held> held_;
  RowsBy v_{}, integral_{};  // where these are, or nobody

  std::size_t numbers() const { return sloped_->shape.numbers(); }
  double begin_of(std::size_t interval) const {
    return interval > 0 ? arrivals_->times[interval - 1] : 0;
  }

  void find_events() {
    events_.clear();
    held_.assign(scene_->size, {});
    for (std::size_t j = scene_->segments.next(0); j < scene_->size;
         j = scene_->segments.next(j + 1)) {
      const std::size_t first = events_.size();
      add_events(j);
      while (events_.size() > first && !books(events_.back())) events_.pop_back();
      if (events_.size() > first) events_.back().stays = true;
    }
    const std::size_t groups = arrivals_->group_count();
    intervals_of_events_.resize(events_.size());
    gaps_.assign(2 * events_.size(), 0);
    for (std::size_t e = 0; e < events_.size(); ++e) {
      const Event& event = events_[e];
      const std::size_t interval = intervals_of_events_[e] = interval_of(event);
      double from = begin_of(interval);
      if (e > 0 && events_[e - 1].neuron == event.neuron) {
        from = std::max(from, events_[e - 1].time);
        events_[e - 1].last = intervals_of_events_[e - 1] != interval;
      }
      gaps_[2 * e] = std::max(0.0, event.time - from);
      if (interval < groups) gaps_[2 * e + 1] = arrivals_->times[interval] - event.time;
    }
    by_interval_.sort(std::span<const std::size_t>(intervals_of_events_), groups + 1);
  }
  // What happens at the time of an arrival comes before it, but for a spike that the arrival itself makes.
  std::size_t interval_of(const Event& e) const {
    const std::size_t g = arrivals_->count_before(e.time);
    const bool behind = e.kind == Kind::spike && scene_->plan.linear_neuron(e.neuron).jumps &&
                        g < arrivals_->group_count() && arrivals_->times[g] == e.time;
    return behind ? g + 1 : g;
  }
  static bool books(const Event& e) {
    return e.kind == Kind::look || e.kind == Kind::end || e.p != nullptr;
  }

  void add_events(std::size_t j) {
    const auto& errors = scene_->errors;
    const auto number = static_cast<std::uint32_t>(j);
    const auto own = scene_->own_spikes.of(j);
    const linear::Neuron& n = scene_->plan.linear_neuron(j);
    const auto first = static_cast<std::ptrdiff_t>(events_.size());
    std::size_t hint = 0;
    for (std::size_t k = own.size(); k-- > 0;) {  // as the segments: latest first
      const double time = scene_->spikes.times[own[k]], release = n.release_after(time);
      const bool past = is_past(time);
      if (release > (past ? 0 : time)) events_.push_back({release, Kind::release, number});
      if (past) {
        held_[j].now = held_[j].now || release > 0;
        continue;
      }
      const LinearSegment* before = scene_->segments.before_spike(j, time, hint);
      events_.push_back({time, Kind::spike, number, before ? &before->p : nullptr});
    }
    std::reverse(events_.begin() + first, events_.end());
    bool sorted = true;
    if (!errors.samples.empty() && terms::linear_at_samples) {
      const std::size_t looks = errors.sample_times.size();
      for (std::size_t k = 0; k < looks; ++k) {
        const auto error =
            static_cast<double>(errors.samples[(scene_->sample * looks + k) * scene_->size + j]);
        if (error == 0) continue;
        events_.push_back({errors.sample_times[k], Kind::look, number, nullptr, error});
        sorted = false;
      }
    }
    if (asks_of_the_end()) {
      const double rest =
          rest_of(n, *arrivals_, own, scene_->spikes.times, errors.sample_times, scene_->end);
      events_.push_back({rest, Kind::end, number});
      sorted = false;
    }
    if (!sorted) std::stable_sort(events_.begin() + first, events_.end());
  }
  bool asks_of_the_end() const {
    const bool integral = !scene_->errors.integrals.empty() && terms::linear_at_the_end;
    return integral || (!scene_->errors.at_end.x.empty() && terms::state_local);
  }

  // Of the numbers, over every gap; and between arrivals, until the last that anything happens behind.
  void find_values() {
    values_.assign(gaps_.size() * numbers(), 0);
    for (std::size_t e = 0; e < events_.size();) {
      std::size_t last = events_.size();
      if (!sloped_->alike()) {
        for (last = e; last < events_.size() && events_[last].neuron == events_[e].neuron;) ++last;
      }
      const auto gaps = std::span(gaps_).subspan(2 * e, 2 * (last - e));
      sloped_->flow(events_[e].neuron)
          .values(gaps, values_.data() + 2 * e * numbers(), numbers(), 1);
      e = last;
    }
    const std::size_t count = *std::ranges::max_element(intervals_of_events_);
    intervals_.resize(count);
    for (std::size_t g = 0; g < count; ++g) intervals_[g] = arrivals_->times[g] - begin_of(g);
    if (sloped_->alike()) {
      of_intervals_.resize(count * numbers());
      sloped_->flows[0].values(intervals_, of_intervals_.data(), numbers(), 1);
    }
  }
  // The same where each moves in its own way: of some intervals at a time.
  void find_own_values(std::size_t interval) {
    const SlotLayout& layout = lanes_.layout();
    if (interval == 0) of_intervals_.assign(block * numbers() * layout.count(), 0);
    const auto dt =
        std::span(intervals_).subspan(interval, std::min(block, intervals_.size() - interval));
    for (std::size_t s = 0; s < layout.count(); ++s) {
      if (!layout.used(s)) continue;
      sloped_->flow(layout.neuron(s))
          .values(dt, of_intervals_.data() + s, numbers() * layout.count(), layout.count());
    }
  }

  void start() {
    const TangentShape& shape = sloped_->shape;
    lanes_.start(shape, scene_->size);
    const std::size_t rows = shape.rows().size();
    x_.resize(rows);
    for (std::size_t by = 0; by < v_.size(); ++by) {
      v_[by] = shape.row({0, by, false});
      integral_[by] = shape.row({linear::integral_of_v, by, false});
    }
    for (std::size_t j = 0; j < scene_->size; ++j) {
      const auto& motion = sloped_->motion(j);
      for (std::size_t r = 0; r < rows; ++r) {
        const auto& row = shape.rows()[r];
        x_[r] = TangentShape::initial(motion, row);
        if (!scene_->goes_on || row.constant) continue;
        x_[r] = row.by == 0 ? scene_->plan.linear_neuron(j).initial[row.component] : 0;
      }
      lanes_.set(j, x_.data());
      for (std::size_t k = 0; k < shape.receivers().size(); ++k) {
        lanes_.set_factor(k, j, shape.factor(motion, shape.receivers()[k]));
      }
      if (held_[j].now) hold(held_[j], 0);
    }
  }

  void walk() {
    const auto& kernels = LinearTangentKernels<Real>::best();
    const std::size_t last = intervals_.size();
    for (std::size_t g = 0; g <= last; ++g) {
      const auto arrived = g > 0 ? arrivals_->group(g - 1) : std::span<const Arrival<Real>>();
      go_alone(g, arrived);
      if (g == last) return;
      for (const auto& arrival : arrived) {
        for_each_receiver(arrival, [&](std::size_t receiver, std::size_t) {
          kernels.add(lanes_, arrival.row, receiver);
        });
      }
      if (sloped_->alike()) {
        kernels.flow(lanes_, of_intervals_.data() + g * numbers(), 0);
      } else {
        if (g % block == 0) find_own_values(g);
        const std::size_t stride = lanes_.layout().count();
        kernels.flow(lanes_, of_intervals_.data() + g % block * numbers() * stride, stride);
      }
      for (std::size_t k = 0; k < pending_lanes_.size(); ++k) {
        lanes_.set(pending_lanes_[k], pending_.data() + k * x_.size());
      }
    }
  }
  template <class Visit>
  void for_each_receiver(const Arrival<Real>& arrival, Visit&& visit) const {
    const auto receivers = sloped_->shape.receivers();
    const std::size_t receptor = sloped_->motions[0].receptor_of(arrival.projection);
    for (std::size_t k = 0; k < receivers.size(); ++k) {
      if (receivers[k].receptor == receptor) visit(k, receivers[k].row);
    }
  }

  // Those that something happens to in an interval.
  void go_alone(std::size_t interval, std::span<const Arrival<Real>> arrived) {
    pending_.clear();
    pending_lanes_.clear();
    bool taken = false;
    for (const std::size_t e : by_interval_.of(interval)) {
      const Event& event = events_[e];
      Held& held = held_[event.neuron];
      if (!taken) take(event.neuron, held, arrived);
      move(2 * e, held);
      meet(event, held);
      taken = !event.last;
      if (taken || event.stays) continue;
      move(2 * e + 1, held);
      pending_lanes_.push_back(event.neuron);
      pending_.insert(pending_.end(), x_.begin(), x_.end());
    }
  }
  void take(std::size_t j, const Held& held, std::span<const Arrival<Real>> arrived) {
    lanes_.get(j, x_.data());
    for (const auto& arrival : arrived) {
      for_each_receiver(arrival, [&](std::size_t receiver, std::size_t row) {
        x_[row] += static_cast<double>(arrival.weight(j)) * lanes_.factor(receiver, j);
      });
    }
    if (held.now) restore(held);
  }
  void move(std::size_t gap, const Held& held) {
    if (gaps_[gap] == 0) return;
    const double* const values = values_.data() + gap * numbers();
    const TangentShape& shape = sloped_->shape;
    for (const auto& update : shape.updates()) {
      double sum = 0;
      for (std::size_t k = update.first; k < update.last; ++k) {
        const auto [number, from] = shape.terms()[k];
        sum += values[number] * x_[from];
      }
      x_[update.to] = sum;  // as in the vectors: what is still to be read has not moved
    }
    if (held.now) restore(held);
  }
  // V moves nothing but its integral: all else goes its way while V is held.
  void hold(Held& held, double since) {
    held.since = since;
    held.now = true;
    for_each_of(v_, [&](std::size_t by, double x) { held.v[by] = x; });
    for_each_of(integral_, [&](std::size_t by, double x) { held.integral[by] = x; });
  }
  void restore(const Held& held) {
    for_each_of(v_, [&](std::size_t by, double& x) { x = held.v[by]; });
    for_each_of(integral_, [&](std::size_t by, double& x) { x = held.integral[by]; });
  }
  void integrate(const Held& held, double to) {
    for_each_of(integral_, [&](std::size_t by, double& x) {
      x = held.integral[by] + held.v[by] * (to - held.since);
    });
  }
  template <class Do>
  void for_each_of(const RowsBy& rows, Do&& act) {
    for (std::size_t by = 0; by < rows.size(); ++by) {
      if (rows[by] != TangentShape::nobody) act(by, x_[rows[by]]);
    }
  }

  void meet(const Event& event, Held& held) {
    Slopes& sum = sums_[event.neuron];
    switch (event.kind) {
      case Kind::look:
        return book(sum, {event.error});
      case Kind::release:
        integrate(held, event.time);
        held.now = false;
        return;
      case Kind::spike: {
        if (event.p && terms::linear_at_spikes) book(sum, *event.p);
        reset(event.neuron);
        const double release = scene_->plan.linear_neuron(event.neuron).release_after(event.time);
        if (release > event.time) hold(held, event.time);
        return;
      }
      case Kind::end:
        if (held.now) integrate(held, event.time);
        book_end(event.neuron, sum);
    }
  }
  // s starts anew.
  void reset(std::size_t j) {
    const TangentShape& shape = sloped_->shape;
    const auto& motion = sloped_->motion(j);
    moved_ = x_;
    for (const auto& update : shape.updates()) moved_[update.to] = 0;
    for (const auto& r : shape.resets()) {
      const double factor = TangentShape::reset(motion, r, shape.rows());
      moved_[r.to] += r.from == TangentShape::nobody ? factor : factor * x_[r.from];
    }
    x_.swap(moved_);
  }
  // p . s
  void book(Slopes& sum, const linear::Vector<double>& p) const {
    const TangentShape& shape = sloped_->shape;
    for (const auto& update : shape.updates()) {
      const auto& row = shape.rows()[update.to];
      if (row.by > 0) sum[row.by - 1] += p[row.component] * x_[update.to];
    }
  }
  void book_end(std::size_t j, Slopes& sum) {
    const auto& errors = scene_->errors;
    if (!errors.integrals.empty() && terms::linear_at_the_end) {
      const auto error = static_cast<double>(errors.integrals[scene_->sample * scene_->size + j]);
      linear::Vector<double> p{};
      p[linear::integral_of_v] = error;
      book(sum, p);
      for_each_of(v_, [&](std::size_t by, double slope) {
        if (by > 0 && std::isinf(scene_->end)) without_end(error, slope, sum[by - 1]);
      });
    }
    if (!errors.at_end.x.empty() && terms::state_local) {
      const auto said = said_of_end(errors, scene_->samples, scene_->size, scene_->sample, j);
      linear::Vector<double> p{};
      std::copy(said.begin(), said.end(), p.begin());
      book(sum, p);
    }
  }
};

}  // namespace saltus
