// SPDX-License-Identifier: Apache-2.0
// Per interval between two arrivals, all neurons side by side: V and I decay, and those that may
// spike are searched (simulate/search-inl.hpp).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simulate/layer_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <hwy/cache_control.h>

#include <algorithm>
#include <type_traits>

#include "machine/dispatch.hpp"
#include "simulate/layer.hpp"
#include "simulate/search-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {
namespace {

template <class Real>
class Kernel : Search<Real> {
 public:
  using Base = Search<Real>;
  using Base::Base;
  using typename Base::M, typename Base::Tag, typename Base::V;

  void run(const Arrivals<Real>& arrivals, double from, double to) {
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
    const neuron::Lif<Real>& n = plan_.neurons[0];
    if (own_ || plan_.in_time) {
      earliest_one_by_one(count, d, from, to);
    } else if (n.by_z.integer_p) {
      earliest_side_by_side(WholePowers<V>(n), count, d, from, to);
    } else {
      earliest_side_by_side(AnyPowers<V>(n), count, d, from, to);
    }
  }

 private:
  // @tparam own  time constants of each neuron
  template <bool refractory, bool own>
  void go(const Arrivals<Real>& arrivals, double from, double to) {
    const neuron::Lif<Real>& n = plan_.neurons[0];
    const std::size_t groups = arrivals.group_count();
    double t = from;
    for (std::size_t g = 0; g <= groups; ++g) {
      heed_sample(g, t, spikes_.size());
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
          std::fill_n(state_.may_t.begin(), count, t);
          std::fill_n(state_.may_end.begin(), count, next);
          search_own(count, OwnPowers<V>());
        } else if (!z_tells(d, next)) {
          search_one_by_one(count, t, next, d);
        } else if (n.by_z.integer_p) {
          search<refractory>(WholePowers<V>(n), count, t, next, d);
        } else {
          search<refractory>(AnyPowers<V>(n), count, t, next, d);
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

  // What is left of the interval after a spike follows from z; endless ones end with nothing.
  bool z_tells(const neuron::Decay<Real>& d, double end) const {
    const neuron::Lif<Real>& n = plan_.neurons[0];
    return !plan_.in_time && (std::isinf(end) || neuron::z_tells(n, neuron::slower(n, d)));
  }

  template <class Powers>
  void earliest_side_by_side(const Powers& powers, std::size_t count, const neuron::Decay<Real>& d,
                             double from, double to) {
    const Tag tag;
    const std::size_t lanes = hn::Lanes(tag);
    const Decays<V> decays = in_all_lanes(tag, d);
    const V z_end = powers.if_slow(decays.syn, decays.mem);
    HWY_ALIGN Real z_of[most_lanes], current_of[most_lanes];
    for (std::size_t at = 0; at < count; at += lanes) {
      const Gathered n = gather(at, count);
      const V v_end = membrane_after(n.v, n.i, n.bias, decays);
      const V z = crossing(powers, at, n.used, n, z_end, v_end);
      const V current = current_at(powers, n.i, z);
      hn::Store(keep_rising(powers, z, current, n), tag, z_of);
      hn::Store(current, tag, current_of);
      for (std::size_t l = 0; l < n.count; ++l) {
        if (z_of[l] < 0) continue;
        const auto slot = static_cast<std::size_t>(state_.may_slot[at + l]);
        const neuron::Lif<Real>& neuron = plan_.neuron(layout_.neuron(slot));
        keep_earliest(slot, neuron::spike_time(neuron.by_z, static_cast<double>(z_of[l]), from, to),
                      neuron::rising_current(neuron, current_of[l]));
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
    const bool alike = !own_ && !freed_.empty();
    if (alike) find_decays_of_freed(t, next);
    for (std::size_t k = 0; k < freed_.size(); ++k) {
      const auto& [held, i] = freed_[k];
      const neuron::Lif<Real>& n = plan_.neuron(layout_.neuron(held.slot));
      state_.theta[held.slot] = n.theta;
      if (!alike) {
        go_alone(held.slot, {n.v_reset, i, held.release}, t, next, decay_of(n, d, next - t),
                 held.spike);
        continue;
      }
      const Real i_now = i * decays_[2 * k].syn;
      release(held.slot, held.spike, i_now);
      go_alone(held.slot, {n.v_reset, i_now}, held.release, next, decays_[2 * k + 1], held.spike);
    }
  }
  // Of each until it is released, and from then on.
  void find_decays_of_freed(double t, double next) {
    gaps_.clear();
    for (const Freed& freed : freed_) {
      gaps_.push_back(freed.held.release - t);
      gaps_.push_back(next - freed.held.release);
    }
    decays_.resize(gaps_.size());
    neuron::decays(plan_.neurons[0].tc, gaps_, decays_.data());
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
      if (HWY_LIKELY(hn::AllFalse(tag, may))) continue;
      if constexpr (std::is_same_v<Pace, OwnPace<V>>) {
        count = keep(may, slot, v, i, decays, count);
      } else {
        count = keep(may, slot, v, i, count);
      }
    }
    return count;
  }

  // neuron::advance for those that may spike, side by side: in each round the next spike of each;
  // who has none goes to the end of the interval and is done.
  template <bool refractory, class Powers>
  void search(const Powers& powers, std::size_t count, double t, double next,
              const neuron::Decay<Real>& whole) {
    const Tag tag;
    const std::size_t lanes = hn::Lanes(tag);
    const neuron::TimeConstants &tc = plan_.neurons[0].tc, &by_z = plan_.neurons[0].by_z;
    LayerState<Real>& s = state_;
    const V one = hn::Set(tag, Real(1));
    std::fill_n(s.may_t.begin(), count, t);
    HWY_ALIGN Real z_of[most_lanes], current_of[most_lanes], end_of[most_lanes];
    HWY_ALIGN Real later_of[most_lanes], left_of[most_lanes], left_syn_of[most_lanes];
    for (bool first = true; count > 0; first = false) {
      std::size_t again = 0;
      for (std::size_t at = 0; at < count; at += lanes) {
        const Gathered n = gather(at, count);
        M may = n.used;
        Decays<V> d = in_all_lanes(tag, whole);
        if (!first) d = decay_at(tc, by_z, powers, V(hn::LoadU(tag, s.may_mem + at)));
        const V v_end = membrane_after(n.v, n.i, n.bias, d);
        if (!first) may = hn::And(may, may_spike(n.v, n.i, n.bias, n.theta, v_end, d));
        const V z_end = powers.if_slow(d.syn, d.mem);
        const V z = crossing(powers, at, may, n, z_end, v_end);
        const V current = current_at(powers, n.i, z);
        hn::Store(keep_rising(powers, z, current, n), tag, z_of);
        hn::Store(current, tag, current_of);
        hn::Store(v_end, tag, end_of);
        hn::Store(hn::Mul(n.i, d.syn), tag, later_of);
        const V rest = hn::Min(one, hn::Div(z_end, z));
        hn::Store(rest, tag, left_of);
        if constexpr (refractory) {
          hn::Store(powers.if_slow(rest, powers.synaptic(rest)), tag, left_syn_of);
        }
        for (std::size_t l = 0; l < n.count; ++l) {
          const std::int32_t slot = s.may_slot[at + l];
          const auto where = static_cast<std::size_t>(slot);
          const neuron::Lif<Real>& neuron = plan_.neuron(layout_.neuron(where));
          if (z_of[l] < 0) {
            s.v[where] = std::min(end_of[l], neuron.just_below_theta);
            s.i[where] = later_of[l];
            continue;
          }
          const double time =
              neuron::spike_time(by_z, static_cast<double>(z_of[l]), s.may_t[at + l], next);
          emit(where, time, neuron::rising_current(neuron, current_of[l]));
          Real left = left_of[l], start = current_of[l];
          double begin = time;
          if (refractory && time + neuron.tau_ref > time) {
            const std::size_t number = spikes_.size() - 1;
            begin = time + neuron.tau_ref;
            if (begin > next) {
              s.v[where] = neuron.v_reset;
              s.i[where] = start * left_syn_of[l];
              s.hold(where, begin, number);
              continue;
            }
            start *= neuron.held.syn;
            release(where, number, start);
            left = left > 0 ? std::min(Real(1), left / neuron::slower(neuron, neuron.held)) : left;
          }
          s.may_v[again] = neuron.v_reset;
          s.may_i[again] = start;
          s.may_mem[again] = left;
          s.may_t[again] = begin;
          s.may_slot[again++] = slot;
        }
      }
      count = again;
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

  struct Freed {
    typename LayerState<Real>::Held held;
    Real i;
  };
  static constexpr neuron::Decay<Real> no_decay{};
  using Base::crossing, Base::emit, Base::gather, Base::go_alone, Base::keep, Base::keep_rising,
      Base::layout_, Base::may_spike, Base::most_lanes, Base::plan_, Base::release,
      Base::search_own, Base::spikes_, Base::state_;
  using typename Base::Gathered;
  const bool own_ = !plan_.same_time_constants;
  inline static thread_local std::vector<Freed> freed_;
  inline static thread_local std::vector<double> gaps_;
  inline static thread_local std::vector<neuron::Decay<Real>> decays_;
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
