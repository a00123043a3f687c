// SPDX-License-Identifier: Apache-2.0
// Per interval between two arrivals, all neurons side by side: V and I decay, and two exact tests
// tell who cannot spike (neuron/spike_search.hpp), nearly all. The others are gathered, and
// Newton's method finds their spikes, again side by side.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simulate/layer_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <hwy/cache_control.h>

#include <algorithm>
#include <bit>

#include "machine/dispatch.hpp"
#include "machine/mask-inl.hpp"
#include "neuron/lif-inl.hpp"
#include "neuron/lif.hpp"
#include "simulate/layer.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class Real>
class Kernel {
 public:
  using Tag = hn::ScalableTag<Real>;
  using V = hn::Vec<Tag>;
  using M = hn::Mask<Tag>;
  static constexpr std::size_t most_lanes = HWY_MAX_BYTES / sizeof(Real);

  Kernel(const PopulationPlan<Real>& plan, LayerState<Real>& state,
         std::vector<RecordedSpike<Real>>& spikes)
      : plan_(plan), state_(state), layout_(state.slots.layout()), spikes_(spikes) {}

  void run(const Arrivals<Real>& arrivals, double from, double to) {
    begin_pass();
    if (plan_.refractory) {
      own_ ? go<true, true>(arrivals, from, to) : go<true, false>(arrivals, from, to);
    } else {
      own_ ? go<false, true>(arrivals, from, to) : go<false, false>(arrivals, from, to);
    }
  }

  void earliest(const neuron::Decay<Real>& d, double from, double to) {
    spikes_.clear();
    const std::size_t count = own_ ? pass_by<false, true>(own_pace(to - from), {})
                                   : pass_by<false, true>(shared_pace(d), {});
    if (count == 0) return;
    const neuron::TimeConstants& tc = plan_.neurons[0].tc;
    if (own_ || tc.slow_synapse()) {
      earliest_one_by_one(count, d, from, to);
    } else if (tc.integer_p) {
      earliest_side_by_side(WholePowers<V>(tc), count, d, from, to);
    } else {
      earliest_side_by_side(AnyPowers<V>(tc), count, d, from, to);
    }
  }

 private:
  // @tparam own  time constants of each neuron
  template <bool refractory, bool own>
  void go(const Arrivals<Real>& arrivals, double from, double to) {
    const neuron::TimeConstants& tc = plan_.neurons[0].tc;
    const std::size_t groups = arrivals.group_count();
    double t = from;
    for (std::size_t g = 0; g <= groups; ++g) {
      const double next = g < groups ? arrivals.times[g] : to;
      const auto arrived = g > 0 ? arrivals.group(g - 1) : std::span<const Arrival<Real>>();
      const neuron::Decay<Real>& d = own ? no_decay : arrivals.decays[g];
      if (g < groups) prefetch(arrivals.group(g));
      if constexpr (refractory) free_until(next, arrived);
      std::size_t count;
      if constexpr (own) {
        count = pass(own_pace(next - t), arrived);
      } else {
        count = pass(shared_pace(d), arrived);
      }
      if (count > 0) {
        if constexpr (own) {
          search_own(count, t, next);
        } else if (!x_tells(d, next)) {
          search_one_by_one(count, t, next, d);
        } else if (tc.integer_p) {
          search<refractory>(WholePowers<V>(tc), count, t, next, d);
        } else {
          search<refractory>(AnyPowers<V>(tc), count, t, next, d);
        }
      }
      if constexpr (refractory) advance_freed(t, next, d);
      t = next;
    }
  }

  static SharedPace<V> shared_pace(const neuron::Decay<Real>& d) {
    return {in_all_lanes(Tag(), d)};
  }
  OwnPace<V> own_pace(double dt) const {
    return {state_.own, hn::Set(Tag(), static_cast<Real>(dt))};
  }
  neuron::Decay<Real> decay_of(const neuron::Lif<Real>& n, const neuron::Decay<Real>& shared,
                               double dt) const {
    return own_ ? neuron::own_decay(n.own, dt) : shared;
  }

  // What is left of the interval after a spike follows from x; endless ones end with nothing.
  bool x_tells(const neuron::Decay<Real>& d, double end) const {
    const neuron::TimeConstants& tc = plan_.neurons[0].tc;
    return neuron::x_tells(tc, d.mem) || (std::isinf(end) && !tc.slow_synapse());
  }

  template <class Powers>
  void earliest_side_by_side(const Powers& powers, std::size_t count, const neuron::Decay<Real>& d,
                             double from, double to) {
    const Tag tag;
    const std::size_t lanes = hn::Lanes(tag);
    const neuron::TimeConstants& tc = plan_.neurons[0].tc;
    const Decays<V> decays = in_all_lanes(tag, d);
    HWY_ALIGN Real x_of[most_lanes], current_of[most_lanes];
    for (std::size_t at = 0; at < count; at += lanes) {
      const Gathered n = gather(at, count);
      const V v_end = membrane_after(n.v, n.i, n.bias, decays);
      const V x = crossing(powers, at, n.used, n, decays.mem, v_end);
      const V current = hn::Mul(n.i, powers.synaptic(x));
      hn::Store(keep_rising(x, current, n), tag, x_of);
      hn::Store(current, tag, current_of);
      for (std::size_t l = 0; l < n.count; ++l) {
        if (x_of[l] < 0) continue;
        keep_earliest(static_cast<std::size_t>(state_.may_slot[at + l]),
                      neuron::spike_time(tc, static_cast<double>(x_of[l]), from, to),
                      current_of[l]);
      }
    }
  }

  void earliest_one_by_one(std::size_t count, const neuron::Decay<Real>& d, double from,
                           double to) {
    for (std::size_t k = 0; k < count; ++k) {
      const auto slot = static_cast<std::size_t>(state_.may_slot[k]);
      const neuron::Lif<Real>& n = plan_.neuron(layout_.neuron(slot));
      const Real v = state_.may_v[k], i = state_.may_i[k];
      const auto decay = decay_of(n, d, to - from);
      const auto spike =
          neuron::first_crossing(n, v, i, from, to, decay, neuron::membrane_after(n, v, i, decay));
      if (!spike.found()) continue;
      keep_earliest(slot, spike.time, neuron::rising_current(n, spike.current));
    }
  }

  // A neuron that `advance` takes through an interval by itself.
  struct Sink {
    Kernel& kernel;
    std::size_t slot, last;  // the number of its last spike in this pass
    void spike(double time, Real current) {
      last = kernel.spikes_.size();
      kernel.emit(slot, time, current);
    }
    void release(Real current) { kernel.release(slot, last, current); }
  };

  // The spikes of earlier passes are in the record.
  void begin_pass() {
    state_.releases.clear();
    for (auto& held : state_.held) held.spike = Release<Real>::earlier_pass;
  }
  // Those released until `next`, with I at the start of the interval.
  void free_until(double next, std::span<const Arrival<Real>> arrived) {
    freed_.clear();
    while (!state_.held.empty() && state_.held.front().release <= next) {
      const auto held = state_.take_held();
      Real i = state_.i[held.slot];
      for (const auto& arrival : arrived) i += arrival.row[layout_.place(held.slot)];
      freed_.push_back({held, i});
    }
  }
  // They go through the interval one by one. (In the vectors theirs was another course.)
  void advance_freed(double t, double next, const neuron::Decay<Real>& d) {
    for (const auto& [held, i] : freed_) {
      const neuron::Lif<Real>& n = plan_.neuron(layout_.neuron(held.slot));
      state_.theta[held.slot] = n.theta;
      go_alone(held.slot, {n.v_reset, i, held.release}, t, next, decay_of(n, d, next - t),
               held.spike);
    }
  }
  HWY_NOINLINE void go_alone(std::size_t slot, neuron::State<Real> neuron, double t, double next,
                             const neuron::Decay<Real>& d, std::size_t spike) {
    Sink sink{*this, slot, spike};
    neuron::advance(plan_.neuron(layout_.neuron(slot)), neuron, t, next, d, sink);
    state_.v[slot] = neuron.v;
    state_.i[slot] = neuron.i;
    if (neuron.release > next) state_.hold(slot, neuron.release, sink.last);
  }

  void keep_earliest(std::size_t slot, double time, Real current) {
    if (!spikes_.empty() && time > spikes_[0].time) return;
    if (!spikes_.empty() && time < spikes_[0].time) spikes_.clear();
    emit(slot, time, current);
  }

  // Rows come in no order that the machine could guess.
  void prefetch(std::span<const Arrival<Real>> next) const {
    constexpr std::size_t line = 64 / sizeof(Real);
    for (const auto& arrival : next) {
      for (std::size_t s = 0; s < layout_.count(); s += line) hwy::Prefetch(arrival.row + s);
    }
  }

  // Adds what arrives at the start of an interval, then takes V and I to its end, unless they shall
  // stay. Returns how many may spike in it; their state at the start is kept.
  template <class Pace>
  HWY_INLINE std::size_t pass(Pace pace, std::span<const Arrival<Real>> arrived) {
    return arrived.empty() ? pass_by<false>(pace, arrived) : pass_by<true>(pace, arrived);
  }
  template <bool any_arrived, bool stay = false, class Pace>
  HWY_INLINE std::size_t pass_by(Pace pace, std::span<const Arrival<Real>> arrived) {
    const Tag tag;
    const std::size_t lanes = hn::Lanes(tag);
    LayerState<Real>& s = state_;
    HWY_ALIGN Real v_of[most_lanes], i_of[most_lanes];
    // Copies: a store of a vector might change the members, for all that a compiler knows.
    const SlotLayout layout = layout_;
    Real *const state_v = s.v, *const state_i = s.i;
    const Real *const bias_of = s.bias, *const theta_of = s.theta;
    const std::size_t end_slot = layout.end(lanes);
    std::size_t count = 0;
    for (std::size_t slot = 0; slot < end_slot; slot += lanes) {
      const std::size_t neuron = layout.neuron(slot);
      const Decays<V> decays = pace.at(slot);
      const V v = hn::Load(tag, state_v + slot), bias = hn::Load(tag, bias_of + slot);
      const V theta = hn::Load(tag, theta_of + slot);
      V i = hn::Load(tag, state_i + slot);
      if constexpr (any_arrived) {
        i = hn::Add(i, hn::LoadU(tag, arrived[0].row + neuron));
        for (const auto& more : arrived.subspan(1))
          i = hn::Add(i, hn::LoadU(tag, more.row + neuron));
      }
      const V end = membrane_after(v, i, bias, decays);
      const M may = may_spike(v, i, bias, theta, end, decays);
      if constexpr (!stay) {
        hn::Store(end, tag, state_v + slot);
        hn::Store(hn::Mul(i, decays.syn), tag, state_i + slot);
      }
      if (HWY_UNLIKELY(!hn::AllFalse(tag, may))) {
        hn::Store(v, tag, v_of);
        hn::Store(i, tag, i_of);
        for (std::uint64_t left = bits_of(tag, may); left != 0; left &= left - 1) {
          const auto lane = static_cast<std::size_t>(std::countr_zero(left));
          s.may_slot[count] = static_cast<std::int32_t>(slot + lane);
          s.may_v[count] = v_of[lane];
          s.may_i[count++] = i_of[lane];
        }
      }
    }
    return count;
  }

  // V ends at or above theta; or it may reach theta and has its peak inside: the two tests of
  // neuron/spike_search.hpp.
  static HWY_INLINE M may_spike(V v, V i, V bias, V theta, V end, const Decays<V>& d) {
    const M may_reach = hn::Ge(highest_reach(v, i, bias, d), theta);
    return hn::Or(hn::Ge(end, theta), hn::AndNot(rises_at_end(v, i, bias, d), may_reach));
  }

  // Those of the neurons that may spike which fill one vector, from number `at` on.
  struct Gathered {
    std::size_t count;
    M used;
    V v, i, bias, theta;
  };
  HWY_INLINE Gathered gather(std::size_t at, std::size_t count) const {
    const Tag tag;
    const std::size_t lanes = hn::Lanes(tag), n = std::min(lanes, count - at);
    Gathered result{n,
                    hn::FirstN(tag, n),
                    hn::LoadU(tag, state_.may_v + at),
                    hn::LoadU(tag, state_.may_i + at),
                    hn::Set(tag, plan_.neurons[0].bias),
                    hn::Set(tag, plan_.neurons[0].theta)};
    if (plan_.neurons.size() == 1) return result;
    HWY_ALIGN Real bias[most_lanes], theta[most_lanes];
    for (std::size_t l = 0; l < lanes; ++l) {
      const auto slot = static_cast<std::size_t>(state_.may_slot[at + std::min(l, n - 1)]);
      bias[l] = state_.bias[slot];
      theta[l] = state_.theta[slot];
    }
    result.bias = hn::Load(tag, bias);
    result.theta = hn::Load(tag, theta);
    return result;
  }

  // neuron::crossing for the lanes of `wanted`, from x = 1 downwards; -1 where there is none.
  template <class Powers>
  HWY_INLINE V crossing(const Powers& powers, std::size_t at, M wanted, const Gathered& n, V x_end,
                        V v_end) const {
    const Tag tag;
    const V v = n.v, i = n.i, bias = n.bias, theta = n.theta;
    const V zero = hn::Zero(tag), one = hn::Set(tag, Real(1));
    const V p = ratio_of(powers), none = hn::Set(tag, Real(-1));
    const V a = hn::Sub(v, bias), c = hn::Sub(bias, theta);
    const V low = hn::Max(x_end, hn::Set(tag, std::numeric_limits<Real>::min()));
    M active = hn::And(wanted, hn::Ge(i, zero));
    M alone = hn::And(wanted, hn::Lt(i, zero));  // convex: by itself
    V result = none, x = one, f = hn::Sub(v, theta), slope = hn::Sub(a, i);
    M border = hn::And(active, hn::Not(active));
    for (int k = 0; k < neuron::newton_limit; ++k) {
      const V next = hn::Sub(x, hn::Div(f, slope));
      const M rises = hn::Lt(slope, zero), moves = hn::Lt(next, x);
      const M found = hn::And(active, hn::AndNot(moves, rises));
      result = hn::IfThenElse(found, x, result);
      const M inside = hn::And(hn::And(rises, moves), hn::Ge(next, low));
      border = hn::Or(border, hn::AndNot(hn::Or(found, inside), active));
      active = hn::And(active, inside);
      if (hn::AllFalse(tag, active)) break;
      x = next;
      const V h = powers.h(x);
      f = hn::Add(hn::Mul(hn::Sub(a, hn::Mul(i, h)), x), c);
      slope = hn::Sub(a, hn::Mul(i, hn::Add(one, hn::Mul(p, h))));
    }
    alone = hn::Or(hn::Or(alone, active), hn::And(border, hn::Ge(v_end, theta)));
    if (HWY_LIKELY(hn::AllFalse(tag, alone))) return result;
    return crossing_one_by_one(alone, at, n, x_end, v_end, result);
  }

  // The same for the lanes of `alone`, each by itself; the others keep their `result`.
  HWY_INLINE V crossing_one_by_one(M alone, std::size_t at, const Gathered& n, V x_end, V v_end,
                                   V result) const {
    const Tag tag;
    HWY_ALIGN Real lane[7][most_lanes];
    hn::Store(n.v, tag, lane[0]);
    hn::Store(n.i, tag, lane[1]);
    hn::Store(n.bias, tag, lane[2]);
    hn::Store(n.theta, tag, lane[3]);
    hn::Store(x_end, tag, lane[4]);
    hn::Store(v_end, tag, lane[5]);
    hn::Store(result, tag, lane[6]);
    for (std::uint64_t left = bits_of(tag, alone); left != 0; left &= left - 1) {
      const auto l = static_cast<std::size_t>(std::countr_zero(left));
      const auto slot = static_cast<std::size_t>(state_.may_slot[at + l]);
      const neuron::TimeConstants& tc = plan_.neuron(layout_.neuron(slot)).tc;
      lane[6][l] = neuron::crossing(tc, lane[0][l], lane[1][l], lane[2][l], lane[3][l], lane[4][l],
                                    lane[5][l]);
    }
    return hn::Load(tag, lane[6]);
  }

  // Where V only touches theta (dV/dt = 0 but for rounding), there is no spike: -1.
  static HWY_INLINE V keep_rising(V x, V current, const Gathered& n) {
    const M rises = hn::And(hn::Ge(x, hn::Zero(Tag())), hn::Gt(hn::Add(current, n.bias), n.theta));
    return hn::IfThenElse(rises, x, hn::Set(Tag(), Real(-1)));
  }

  // neuron::advance for those that may spike, side by side: in each round the next spike of each;
  // who has none goes to the end of the interval and is done.
  template <bool refractory, class Powers>
  void search(const Powers& powers, std::size_t count, double t, double next,
              const neuron::Decay<Real>& whole) {
    const Tag tag;
    const std::size_t lanes = hn::Lanes(tag);
    const neuron::TimeConstants& tc = plan_.neurons[0].tc;
    LayerState<Real>& s = state_;
    const V one = hn::Set(tag, Real(1));
    std::fill_n(s.may_t.begin(), count, t);
    HWY_ALIGN Real x_of[most_lanes], current_of[most_lanes], end_of[most_lanes];
    HWY_ALIGN Real later_of[most_lanes], left_of[most_lanes];
    for (bool first = true; count > 0; first = false) {
      std::size_t again = 0;
      for (std::size_t at = 0; at < count; at += lanes) {
        const Gathered n = gather(at, count);
        M may = n.used;
        V mem, syn, v_end;
        if (first) {
          const Decays<V> d = in_all_lanes(tag, whole);
          mem = d.mem;
          syn = d.syn;
          v_end = membrane_after(n.v, n.i, n.bias, d);
        } else {
          const Decays<V> d = decay_at(tc, powers, V(hn::LoadU(tag, s.may_mem + at)));
          mem = d.mem;
          syn = d.syn;
          v_end = membrane_after(n.v, n.i, n.bias, d);
          may = hn::And(may, may_spike(n.v, n.i, n.bias, n.theta, v_end, d));
        }
        const V x = crossing(powers, at, may, n, mem, v_end);
        const V current = hn::Mul(n.i, powers.synaptic(x));
        hn::Store(keep_rising(x, current, n), tag, x_of);
        hn::Store(current, tag, current_of);
        hn::Store(v_end, tag, end_of);
        hn::Store(hn::Mul(n.i, syn), tag, later_of);
        hn::Store(hn::Min(one, hn::Div(mem, x)), tag, left_of);
        for (std::size_t l = 0; l < n.count; ++l) {
          const std::int32_t slot = s.may_slot[at + l];
          const auto where = static_cast<std::size_t>(slot);
          const neuron::Lif<Real>& neuron = plan_.neuron(layout_.neuron(where));
          if (x_of[l] < 0) {
            s.v[where] = std::min(end_of[l], neuron.just_below_theta);
            s.i[where] = later_of[l];
            continue;
          }
          const double time =
              neuron::spike_time(tc, static_cast<double>(x_of[l]), s.may_t[at + l], next);
          emit(where, time, current_of[l]);
          if (refractory && neuron.tau_ref > 0) {
            go_alone(where, {neuron.v_reset, current_of[l], time + neuron.tau_ref}, time, next,
                     neuron::rest_of_interval<Real>(tc, first ? whole.mem : s.may_mem[at + l],
                                                    x_of[l], next - time),
                     spikes_.size() - 1);
            continue;
          }
          s.may_v[again] = neuron.v_reset;
          s.may_i[again] = current_of[l];
          s.may_mem[again] = left_of[l];
          s.may_t[again] = time;
          s.may_slot[again++] = slot;
        }
      }
      count = again;
    }
  }

  template <class Powers>
  V ratio_of(const Powers&) const {
    return hn::Set(Tag(), static_cast<Real>(plan_.neurons[0].tc.p));
  }
  V ratio_of(const OwnPowers<V>& powers) const { return powers.p; }

  // Of those that may spike which fill one vector, from number `at` on.
  OwnPowers<V> own_powers(std::size_t at, std::size_t count) const {
    HWY_ALIGN Real of[5][most_lanes];
    for (std::size_t l = 0; l < hn::Lanes(Tag()); ++l) {
      const auto slot = static_cast<std::size_t>(state_.may_slot[std::min(at + l, count - 1)]);
      const neuron::TimeConstants& tc = plan_.neuron(layout_.neuron(slot)).tc;
      of[0][l] = static_cast<Real>(tc.p);
      of[1][l] = static_cast<Real>(tc.p_high);
      of[2][l] = static_cast<Real>(tc.p - tc.p_high);
      of[3][l] = static_cast<Real>(tc.p - 1);
      of[4][l] = static_cast<Real>(1 / (tc.p - 1));
    }
    const Tag tag;
    return {hn::Load(tag, of[0]), hn::Load(tag, of[1]), hn::Load(tag, of[2]), hn::Load(tag, of[3]),
            hn::Load(tag, of[4])};
  }

  // The same where each neuron has time constants of its own: its first spike side by side, what
  // comes after it, and slow synapses, one by one.
  HWY_NOINLINE void search_own(std::size_t count, double t, double next) {
    const Tag tag;
    LayerState<Real>& s = state_;
    std::size_t kept = 0;
    for (std::size_t k = 0; k < count; ++k) {
      const auto slot = static_cast<std::size_t>(s.may_slot[k]);
      const neuron::Lif<Real>& n = plan_.neuron(layout_.neuron(slot));
      const auto d = neuron::own_decay(n.own, next - t);
      if (!neuron::x_tells(n.tc, d.mem) && (std::isfinite(next) || n.tc.slow_synapse())) {
        go_alone(slot, {s.may_v[k], s.may_i[k]}, t, next, d, Release<Real>::earlier_pass);
        continue;
      }
      s.may_v[kept] = s.may_v[k];
      s.may_i[kept] = s.may_i[k];
      s.may_mem[kept] = d.mem;
      s.may_syn[kept] = d.syn;
      s.may_k[kept] = d.k;
      s.may_slot[kept++] = s.may_slot[k];
    }
    HWY_ALIGN Real x_of[most_lanes], current_of[most_lanes], end_of[most_lanes];
    for (std::size_t at = 0; at < kept; at += hn::Lanes(tag)) {
      const Gathered n = gather(at, kept);
      const OwnPowers<V> powers = own_powers(at, kept);
      const V mem = hn::LoadU(tag, s.may_mem + at), k = hn::LoadU(tag, s.may_k + at);
      const V v_end = membrane_after(n.v, n.i, n.bias, Decays<V>{mem, mem, k, k, k});
      const V x = crossing(powers, at, n.used, n, mem, v_end);
      const V current = hn::Mul(n.i, powers.synaptic(x));
      hn::Store(keep_rising(x, current, n), tag, x_of);
      hn::Store(current, tag, current_of);
      hn::Store(v_end, tag, end_of);
      for (std::size_t l = 0; l < n.count; ++l) {
        const auto slot = static_cast<std::size_t>(s.may_slot[at + l]);
        const neuron::Lif<Real>& neuron = plan_.neuron(layout_.neuron(slot));
        if (x_of[l] < 0) {
          s.v[slot] = std::min(end_of[l], neuron.just_below_theta);
          s.i[slot] = s.may_i[at + l] * s.may_syn[at + l];
          continue;
        }
        const double time = neuron::spike_time(neuron.tc, static_cast<double>(x_of[l]), t, next);
        emit(slot, time, current_of[l]);
        go_alone(slot, {neuron.v_reset, current_of[l], time + neuron.tau_ref}, time, next,
                 neuron::rest_of_interval<Real>(neuron.tc, s.may_mem[at + l], x_of[l], next - time),
                 spikes_.size() - 1);
      }
    }
  }

  // The same with a slow synapse too, and in any interval. Not inlined: it is long and
  // rare, and would take registers from the loops beside it.
  HWY_NOINLINE void search_one_by_one(std::size_t count, double t, double next,
                                      const neuron::Decay<Real>& d) {
    for (std::size_t k = 0; k < count; ++k) {
      const auto slot = static_cast<std::size_t>(state_.may_slot[k]);
      go_alone(slot, {state_.may_v[k], state_.may_i[k]}, t, next, d, Release<Real>::earlier_pass);
    }
  }

  void emit(std::size_t slot, double time, Real current) {
    if (layout_.repeats(slot)) return;
    spikes_.push_back({time, static_cast<std::int32_t>(layout_.neuron(slot)), current});
  }

  void release(std::size_t slot, std::size_t spike, Real current) {
    if (layout_.repeats(slot)) return;
    state_.releases.push_back({layout_.neuron(slot), spike, current});
  }

  struct Freed {
    typename LayerState<Real>::Held held;
    Real i;
  };
  static constexpr neuron::Decay<Real> no_decay{};
  const PopulationPlan<Real>& plan_;
  const bool own_ = !plan_.same_time_constants;
  LayerState<Real>& state_;
  const SlotLayout layout_;
  std::vector<RecordedSpike<Real>>& spikes_;
  inline static thread_local std::vector<Freed> freed_;
};

template <class Real, class Pace>
void flow_at(LayerState<Real>& s, const Pace& pace) {
  const hn::ScalableTag<Real> tag;
  Real *const v_of = s.v, *const i_of = s.i;
  const Real *const bias_of = s.bias, *const below_of = s.just_below_theta;
  const std::size_t end = s.slots.layout().end(hn::Lanes(tag));
  for (std::size_t slot = 0; slot < end; slot += hn::Lanes(tag)) {
    const auto v = hn::Load(tag, v_of + slot), i = hn::Load(tag, i_of + slot);
    const auto bias = hn::Load(tag, bias_of + slot), below = hn::Load(tag, below_of + slot);
    const auto decays = pace.at(slot);
    hn::Store(hn::Min(membrane_after(v, i, bias, decays), below), tag, v_of + slot);
    hn::Store(hn::Mul(i, decays.syn), tag, i_of + slot);
  }
}

template <class Real>
void flow(const PopulationPlan<Real>& plan, LayerState<Real>& s, const neuron::Decay<Real>& d,
          double dt) {
  const hn::ScalableTag<Real> tag;
  using V = hn::Vec<decltype(tag)>;
  if (plan.same_time_constants) return flow_at(s, SharedPace<V>{in_all_lanes(tag, d)});
  flow_at(s, OwnPace<V>{s.own, hn::Set(tag, static_cast<Real>(dt))});
}

template <class Real>
void arrive(LayerState<Real>& s, const Real* row) {
  const hn::ScalableTag<Real> tag;
  const SlotLayout layout = s.slots.layout();
  Real* const i_of = s.i;
  const std::size_t end = layout.end(hn::Lanes(tag));
  for (std::size_t slot = 0; slot < end; slot += hn::Lanes(tag)) {
    const auto w = hn::LoadU(tag, row + layout.place(slot));
    hn::Store(hn::Add(hn::Load(tag, i_of + slot), w), tag, i_of + slot);
  }
}

template <class Real>
void sweep(const PopulationPlan<Real>& plan, LayerState<Real>& state,
           const Arrivals<Real>& arrivals, double from, double to,
           std::vector<RecordedSpike<Real>>& spikes) {
  Kernel<Real>(plan, state, spikes).run(arrivals, from, to);
}

template <class Real>
void earliest_spikes(const PopulationPlan<Real>& plan, LayerState<Real>& state,
                     const neuron::Decay<Real>& d, double from, double to,
                     std::vector<RecordedSpike<Real>>& spikes) {
  Kernel<Real>(plan, state, spikes).earliest(d, from, to);
}

SALTUS_KERNELS(LayerKernels, sweep<Real>, earliest_spikes<Real>, flow<Real>, arrive<Real>)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saltus {
SALTUS_DISPATCH(LayerKernels)
}  // namespace saltus
#endif
