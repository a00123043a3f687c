// SPDX-License-Identifier: Apache-2.0
#include "adjoint/local_parameters.hpp"

#include <algorithm>
#include <cmath>

#include "adjoint/dynamics.hpp"
#include "adjoint/tangent.hpp"
#include "machine/buckets.hpp"
#include "machine/parallel.hpp"
#include "observe/replay.hpp"

namespace saltus {
namespace {

// What happens to a neuron between arrivals. At one time they come in this order: V at a spike or
// a release is V just before it; the state at the end is what it is after all.
enum class Kind : std::uint8_t { look, release, spike, last };
struct Event {
  double time;
  Kind kind;
  std::uint32_t neuron;
  double p_v, p_i;  // dL/dV and dL/dI there

  bool operator<(const Event& other) const {
    return time != other.time ? time < other.time : kind < other.kind;
  }
};

// Those of one sample, in order of time; of neurons that any error reaches.
template <class Real>
class Events {
 public:
  std::vector<Event> list;

  /// Of neurons begin .. end - 1.
  void find(const Pass<Real>& pass, std::size_t population, std::size_t sample,
            const OwnSpikes& own_spikes, std::size_t begin, std::size_t end) {
    const SampleAdjoint<Real> of_sample{pass.plan_of(sample), pass.inputs, pass.record,
                                        pass.errors,          sample,      nullptr};
    const PopulationAdjoint<Real> p(of_sample, population, {});
    const Segments<Real>& segments = pass.segments[sample][population];
    const SampleGhosts<Real>* ghosts = pass.ghosts ? &(*pass.ghosts)[sample][population] : nullptr;
    list.clear();
    others_.clear();
    at_spikes_.resize(p.times.size());
    for (std::size_t j = begin; j < end; ++j) {
      const auto own = segments.of(j);
      if (own.empty()) continue;
      const auto& n = p.plan.neuron(j);
      std::size_t hint = 0;
      const auto spikes = own_spikes.of(j);
      for (std::size_t k = spikes.size(); k-- > 0;) {  // as the segments: latest first
        const double time = p.times[spikes[k]];
        if (is_past(time)) {
          if (time + n.tau_ref > 0 && time + n.tau_ref < p.end) {
            add(time + n.tau_ref, Kind::release, j, 0);
          }
          continue;
        }
        const Segment<Real>* before = segments.before_spike(j, time, hint);
        const auto lambda = before ? before->at : neuron::Adjoint<Real>{};
        at_spikes_[spikes[k]] = {time, Kind::spike, static_cast<std::uint32_t>(j),
                                 -n.tc.tau_mem * static_cast<double>(lambda.v),
                                 -n.tc.tau_syn * static_cast<double>(lambda.i)};
        const double release = time + n.tau_ref;
        if (release > time && release < p.end) add(release, Kind::release, j, 0);
      }
      add_looks(p, j);
      if (ghosts && ghosts->any(j)) add_ghosts(*ghosts, j);
    }
    const auto take = [&](std::size_t k) {
      const auto j = static_cast<std::size_t>(p.neurons[k]);
      if (k >= p.past && !segments.of(j).empty()) list.push_back(at_spikes_[k]);
    };
    if (end - begin == 1) {
      for (const std::size_t k : own_spikes.of(begin)) take(k);
    } else {
      for (std::size_t k = 0; k < p.times.size(); ++k) take(k);
    }
    if (others_.empty()) return;
    std::sort(others_.begin(), others_.end());
    const auto middle = list.insert(list.end(), others_.begin(), others_.end());
    std::inplace_merge(list.begin(), middle, list.end());
  }

 private:
  std::vector<Event> others_;     // than spikes
  std::vector<Event> at_spikes_;  // [number in the sample]

  void add(double time, Kind kind, std::size_t j, double p_v, double p_i = 0) {
    others_.push_back({time, kind, static_cast<std::uint32_t>(j), p_v, p_i});
  }
  void add_looks(const PopulationAdjoint<Real>& p, std::size_t j) {
    for (std::size_t k = 0; k < p.errors.sample_times.size(); ++k) {
      const auto error = static_cast<double>(p.at_sample(k, j));
      if (error != 0) add(p.errors.sample_times[k], Kind::look, j, error);
    }
    if (!p.errors.at_end.x.empty() && terms::state_local) {
      add(p.end, Kind::last, j, p.at_end(j)[0], p.at_end(j)[1]);
    }
    if (p.errors.maxima.empty()) return;
    const std::size_t at = p.sample * p.size + j;
    const auto error = static_cast<double>(p.errors.maxima[at]);
    const double time = p.maxima.times[at];
    if (error != 0 && !std::isinf(time)) add(time, Kind::look, j, error);
  }
  void add_ghosts(const SampleGhosts<Real>& ghosts, std::size_t j) {
    for (std::size_t k = ghosts.first[j]; k < ghosts.first[j + 1]; ++k) {
      const Ghost<Real>& g = (*ghosts.list)[k];
      if (g.behind >= 0 || ghosts.errors[k] == 0) continue;  // behind a spike: a free piece
      add(g.time, Kind::look, j, ghosts.errors[k]);
    }
  }
};

// All neurons of a population, from arrival to arrival.
template <class Real>
class Together {
 public:
  Together(const PopulationPlan<Real>& plan, std::size_t size, const LocalWanted& wanted,
           bool integrals)
      : wanted_(wanted), integrals_(integrals), alike_(plan.same_time_constants) {
    lanes_.start(size);
    if (!alike_) own_.start(plan.neurons, 0, size);
    for (std::size_t j = 0; j < size; ++j) {
      const auto& n = plan.neuron(j);
      lanes_.v[lanes_.slot(j)] = n.v_initial;
      lanes_.i[lanes_.slot(j)] = n.i_initial;
      lanes_.bias[lanes_.slot(j)] = n.bias;
    }
  }
  neuron::Tangent<double> get(std::size_t j) const { return lanes_.get(j); }
  void set(std::size_t j, const neuron::Tangent<double>& x) { lanes_.set(j, x); }
  double arrived(std::size_t j) const { return lanes_.arrived[lanes_.slot(j)]; }
  void forget_arrived(std::size_t j) { lanes_.arrived[lanes_.slot(j)] = 0; }

  void add(std::span<const Arrival<Real>> arrivals) {
    const auto& kernels = TangentKernels<Real>::best();
    for (const auto& arrival : arrivals) {
      kernels.add(lanes_.slots.layout(), arrival.row, lanes_.i);
      if (integrals_) kernels.add(lanes_.slots.layout(), arrival.row, lanes_.arrived);
    }
  }
  /// Else each finds its own, over dt seconds.
  bool takes_decays() const { return alike_; }
  void own_flow(double dt) {
    TangentKernels<Real>::best().own_flow(lanes_, wanted_.tau_mem || integrals_, wanted_.tau_syn,
                                          own_, dt);
  }
  void flow(const neuron::Decay<Real>& d, const neuron::Decay<double>&,
            const neuron::DecaySlopes<double>& s) {
    TangentKernels<Real>::best().flow(lanes_, wanted_.tau_mem || integrals_, wanted_.tau_syn, d,
                                      {static_cast<Real>(s.mem_mem), static_cast<Real>(s.syn_syn),
                                       static_cast<Real>(s.k_mem), static_cast<Real>(s.k_syn)});
  }

 private:
  LocalWanted wanted_;
  bool integrals_;
  bool alike_;
  inline static thread_local TangentLanes<Real> lanes_;
  inline static thread_local neuron::LaneConstants<Real> own_;  // if they do not decay alike
};

// One neuron, which has arrivals or time constants of its own.
template <class Real>
class Alone {
 public:
  Alone(const neuron::Lif<Real>& n, std::size_t j) : n_(n), neuron_(j) {
    x_.v = n.v_initial;
    x_.i = n.i_initial;
  }
  const neuron::Tangent<double>& get(std::size_t) const { return x_; }
  void set(std::size_t, const neuron::Tangent<double>& x) { x_ = x; }
  double arrived(std::size_t) const { return arrived_; }
  void forget_arrived(std::size_t) { arrived_ = 0; }

  void add(std::span<const Arrival<Real>> arrivals) {
    for (const auto& arrival : arrivals) {
      const auto weight = static_cast<double>(arrival.weight(neuron_));
      x_.i += weight;
      arrived_ += weight;
    }
  }
  static constexpr bool takes_decays() { return true; }
  void own_flow(double) {}
  void flow(const neuron::Decay<Real>&, const neuron::Decay<double>& d,
            const neuron::DecaySlopes<double>& s) {
    neuron::flow(x_, static_cast<double>(n_.bias), d, s);
  }

 private:
  const neuron::Lif<Real>& n_;
  std::size_t neuron_;
  neuron::Tangent<double> x_;
  double arrived_ = 0;
};

// Through one sample.
template <class Real>
class Walk {
 public:
  /// @param sums  [neuron] added to
  Walk(const Pass<Real>& pass, std::size_t population, std::size_t sample,
       const LocalWanted& wanted, LocalSums* sums)
      : plan_(pass.plan_of(sample).populations[population]),
        integral_errors_(pass.errors.populations[population].integrals),
        first_(sample * pass.plan.size(population)),
        end_(pass.inputs.end(sample)),
        wanted_(wanted),
        courses_(wanted.tau_mem || wanted.tau_syn),
        sums_(sums) {
    pieces_.assign(pass.plan.size(population), {});
    held_until_.assign(pass.plan.size(population), 0);
    const SampleSpikes spikes = sample_of(pass.spikes_of(population), sample);
    for (std::size_t k = 0; k < count_past(spikes.times); ++k) {
      const auto j = static_cast<std::size_t>(spikes.neurons[k]);
      held_until_[j] = std::max(0.0, spikes.times[k] + plan_.neuron(j).tau_ref);
    }
    touched_.assign(pass.plan.size(population), none);
  }

  /// Neurons begin .. end - 1, which `course` holds.
  template <class Course>
  void go(Course& course, std::size_t begin, std::size_t end, std::span<const Event> events,
          const Arrivals<Real>& arrivals) {
    find_gaps(events, arrivals, course.takes_decays());
    if (course.takes_decays()) {
      neuron::decays(plan_.neuron(begin).tc, gaps_, decays_.data());
      neuron::slopes(plan_.neuron(begin).tc, gaps_, decays_.data(), slopes_.data());
    } else {
      find_own_decays();
    }
    for (std::size_t j = begin; j < end; ++j) begin_piece(j, course.get(j), held_until_[j]);
    through(
        events, arrivals,
        [&](std::size_t g) {
          if (g > 0) course.add(arrivals.group(g - 1));
        },
        [&](Local& local) { local.x = course.get(local.neuron); },
        [&](const Event& event, Local& local) {
          move(local, event.time);
          meet(event, local, course);
        },
        [&](std::size_t g, double dt) {
          if (!courses_) return;
          if (!course.takes_decays()) return course.own_flow(dt);
          const std::size_t k = next_++;
          course.flow(arrivals.decays[g], decays_[k], slopes_[k]);
        },
        [&](Local& local, double to) {
          move(local, to);
          course.set(local.neuron, local.x);
        });
    if (!integrates()) return;
    for (std::size_t j = begin; j < end; ++j) {
      if (pieces_[j].from < end_) end_piece(j, course.get(j), course.arrived(j), end_);
    }
  }

 private:
  // A neuron that something happens to in the present interval.
  struct Local {
    std::uint32_t neuron;
    double t;
    neuron::Tangent<double> x;
  };
  // Since V of a neuron began to move.
  struct MovingPiece {
    double from = 0;
    double v = 0, i = 0, i_syn = 0;  // then
  };
  static constexpr std::uint32_t none = static_cast<std::uint32_t>(-1);
  const PopulationPlan<Real>& plan_;
  const std::vector<Real>& integral_errors_;
  std::size_t first_;
  double end_;
  LocalWanted wanted_;
  bool courses_;  // by the bias V has a derivative that knows no arrivals
  LocalSums* sums_;
  inline static thread_local std::vector<MovingPiece> pieces_;     // [neuron]
  inline static thread_local std::vector<double> held_until_;      // [neuron] from the start
  inline static thread_local std::vector<std::uint32_t> touched_;  // [neuron] place in local_
  inline static thread_local std::vector<Local> local_;
  // Of all stretches of time that courses and neurons by themselves go through, in that order.
  inline static thread_local std::vector<double> gaps_;
  inline static thread_local std::vector<std::uint32_t>
      owners_;  // of those that neurons go through by themselves
  inline static thread_local std::vector<neuron::Decay<double>> decays_;
  inline static thread_local std::vector<neuron::DecaySlopes<double>> slopes_;
  std::size_t next_ = 0;

  bool integrates() const { return !integral_errors_.empty(); }

  // From arrival to arrival: begin(interval); enter(local) before a neuron's first event in it and
  // meet(event, local) for each; cross(interval, its length); leave(local, its end).
  template <class Begin, class Enter, class Meet, class Cross, class Leave>
  void through(std::span<const Event> events, const Arrivals<Real>& arrivals, Begin&& begin,
               Enter&& enter, Meet&& meet, Cross&& cross, Leave&& leave) {
    const std::size_t groups = courses_ ? arrivals.group_count() : 0;
    double t = 0;
    auto event = events.begin();
    for (std::size_t g = 0; g <= groups; ++g) {
      if (event == events.end() && !integrates()) return;
      const double to = g < groups ? arrivals.times[g] : end_;
      begin(g);
      for (; event != events.end() && event->time <= to; ++event) {
        std::uint32_t& place = touched_[event->neuron];
        if (place == none) {
          place = static_cast<std::uint32_t>(local_.size());
          local_.push_back({event->neuron, t, {}});
          enter(local_.back());
        }
        meet(*event, local_[place]);
      }
      cross(g, to - t);
      for (Local& local : local_) {
        leave(local, to);
        touched_[local.neuron] = none;
      }
      local_.clear();
      t = to;
    }
  }
  // @param crossings  those of the courses too?
  void find_gaps(std::span<const Event> events, const Arrivals<Real>& arrivals, bool crossings) {
    gaps_.clear();
    owners_.clear();
    next_ = 0;
    const auto move = [&](Local& local, double to) {
      if (to > local.t) {
        gaps_.push_back(to - local.t);
        owners_.push_back(local.neuron);
      }
      local.t = to;
    };
    if (courses_) {
      through(
          events, arrivals, [](std::size_t) {}, [](Local&) {},
          [&](const Event& event, Local& local) { move(local, event.time); },
          [&](std::size_t, double dt) {
            if (crossings) gaps_.push_back(dt);
          },
          move);
    }
    decays_.resize(gaps_.size());
    slopes_.resize(gaps_.size());
  }
  // Where each has time constants of its own: of one neuron after the other.
  void find_own_decays() {
    thread_local Buckets by_neuron;
    thread_local std::vector<double> gaps;
    thread_local std::vector<neuron::Decay<double>> decays;
    thread_local std::vector<neuron::DecaySlopes<double>> slopes;
    by_neuron.sort(std::span<const std::uint32_t>(owners_), pieces_.size());
    for (std::size_t j = by_neuron.next(0); j < pieces_.size(); j = by_neuron.next(j + 1)) {
      const auto own = by_neuron.of(j);
      gaps.clear();
      for (const std::size_t k : own) gaps.push_back(gaps_[k]);
      decays.resize(own.size());
      slopes.resize(own.size());
      neuron::decays(plan_.neuron(j).tc, gaps, decays.data());
      neuron::slopes(plan_.neuron(j).tc, gaps, decays.data(), slopes.data());
      for (std::size_t k = 0; k < own.size(); ++k) {
        decays_[own[k]] = decays[k];
        slopes_[own[k]] = slopes[k];
      }
    }
  }
  void move(Local& local, double to) {
    const auto& n = plan_.neuron(local.neuron);
    if (courses_ && to > local.t) {
      const std::size_t k = next_++;
      neuron::flow(local.x, static_cast<double>(n.bias), decays_[k], slopes_[k]);
    }
    local.t = to;
  }

  template <class Course>
  void meet(const Event& event, Local& local, Course& course) {
    const std::size_t j = event.neuron;
    const auto& n = plan_.neuron(j);
    neuron::Tangent<double>& x = local.x;
    if (event.kind == Kind::look || event.kind == Kind::last) {
      if (terms::local_at_looks) book(event, x);
      return;
    }
    if (event.kind == Kind::spike) {
      if (terms::local_at_spikes) book(event, x);
      end_piece(j, x, course.arrived(j), event.time);
      x.i_syn = 0;
    }
    x.v = n.v_reset;
    x.v_mem = x.v_syn = 0;
    course.forget_arrived(j);
    begin_piece(j, x, event.kind == Kind::spike ? event.time + n.tau_ref : event.time);
  }
  void begin_piece(std::size_t j, const neuron::Tangent<double>& x, double from) {
    pieces_[j] = {from, x.v, x.i, x.i_syn};
  }

  // p . s; while V is held nothing but I depends on the parameters.
  void book(const Event& event, const neuron::Tangent<double>& x) {
    LocalSums& sum = sums_[event.neuron];
    if (terms::local_i) sum.tau_syn += event.p_i * x.i_syn;
    const double from = pieces_[event.neuron].from;
    if (!(event.time > from)) return;
    sum.tau_mem += event.p_v * x.v_mem;
    sum.tau_syn += event.p_v * x.v_syn;
    if (!wanted_.bias) return;
    sum.bias -=
        event.p_v * std::expm1(-(event.time - from) / plan_.neuron(event.neuron).tc.tau_mem);
  }

  // g times the integral of s_V since V began to move. Its equation and that of I, integrated:
  // integral of V = b t - tau_mem (V - V_0) + integral of I,  that of I = tau_syn (I_0 + sum w - I).
  void end_piece(std::size_t j, const neuron::Tangent<double>& x, double arrived, double to) {
    if (integral_errors_.empty() || !terms::local_integral) return;
    const auto g = static_cast<double>(integral_errors_[first_ + j]);
    if (g == 0) return;
    const MovingPiece& piece = pieces_[j];
    const neuron::TimeConstants& tc = plan_.neuron(j).tc;
    const double t = to - piece.from;
    LocalSums& sum = sums_[j];
    sum.tau_mem += g * (piece.v - x.v - tc.tau_mem * x.v_mem);
    sum.tau_syn +=
        g * (piece.i + arrived - x.i + tc.tau_syn * (piece.i_syn - x.i_syn) - tc.tau_mem * x.v_syn);
    sum.bias += g * (t + tc.tau_mem * std::expm1(-t / tc.tau_mem));
  }
};

// Of one sample, [neuron].
template <class Real>
void sum_up(const Pass<Real>& pass, std::size_t population, std::size_t s,
            const LocalWanted& wanted, LocalSums* sums) {
  thread_local Timeline<Real> timeline;
  thread_local OwnSpikes own_spikes;
  thread_local Events<Real> events;
  const PopulationPlan<Real>& plan = pass.plan_of(s).populations[population];
  const std::size_t size = pass.plan.size(population);
  const Segments<Real>& segments = pass.segments[s][population];
  const SampleSpikes spikes = sample_of(pass.spikes_of(population), s);
  own_spikes.sort(spikes, size);
  pass.start(timeline, population, s);
  Walk<Real> walk(pass, population, s, wanted, sums);
  // (An integral over a short time cancels most of its digits: where each is carried by itself, in double, they
  // are there.)
  const bool integrals = !pass.errors.populations[population].integrals.empty();
  if (pass.plan.in_vectors(population) && (plan.same_time_constants || !integrals)) {
    events.find(pass, population, s, own_spikes, 0, size);
    Together<Real> course(plan, size, wanted, integrals);
    walk.go(course, 0, size, events.list, timeline.of(0));
    return;
  }
  for (std::size_t j = segments.next(0); j < size; j = segments.next(j + 1)) {
    events.find(pass, population, s, own_spikes, j, j + 1);
    Alone<Real> course(plan.neuron(j), j);
    walk.go(course, j, j + 1, events.list, timeline.of(j));
  }
}

}  // namespace

template <class Real>
std::vector<LocalSums> local_sums(const Pass<Real>& pass, std::size_t population,
                                  const LocalWanted& wanted) {
  if (!wanted.any()) return {};
  const std::size_t size = pass.plan.size(population), samples = pass.segments.size();
  std::vector<LocalSums> sums(samples * size);
  parallel_for(pass.threads, samples,
               [&](std::size_t s) { sum_up(pass, population, s, wanted, sums.data() + s * size); });
  return sums;
}

template std::vector<LocalSums> local_sums(const Pass<float>&, std::size_t, const LocalWanted&);
template std::vector<LocalSums> local_sums(const Pass<double>&, std::size_t, const LocalWanted&);

}  // namespace saltus
