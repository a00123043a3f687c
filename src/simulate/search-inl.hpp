// SPDX-License-Identifier: Apache-2.0
// What the walks of a population in vectors share (simulate/layer_kernel.cpp, lanes_kernel.cpp): of
// all neurons in an interval two exact tests (neuron/spike_search.hpp) leave few that may spike. These
// are gathered, and Newton's method finds their spikes side by side. Compiled once for each
// instruction set: include it after hwy/highway.h, outside of all namespaces.
#if defined(SALTUS_SIMULATE_SEARCH_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef SALTUS_SIMULATE_SEARCH_INL
#undef SALTUS_SIMULATE_SEARCH_INL
#else
#define SALTUS_SIMULATE_SEARCH_INL
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <type_traits>

#include "machine/mask-inl.hpp"
#include "neuron/lif-inl.hpp"
#include "neuron/lif.hpp"
#include "simulate/layer.hpp"
#include "simulate/limits.hpp"

HWY_BEFORE_NAMESPACE();
namespace saltus {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class Real>
class Search {
 public:
  using Tag = hn::ScalableTag<Real>;
  using V = hn::Vec<Tag>;
  using M = hn::Mask<Tag>;
  static constexpr std::size_t most_lanes = HWY_MAX_BYTES / sizeof(Real);

  /// @param spikes  found ones are appended
  Search(const PopulationPlan<Real>& plan, LayerState<Real>& state,
         std::vector<RecordedSpike<Real>>& spikes)
      : plan_(plan), state_(state), layout_(state.slots.layout()), spikes_(spikes) {}

 protected:
  const PopulationPlan<Real>& plan_;
  LayerState<Real>& state_;
  const SlotLayout layout_;
  std::vector<RecordedSpike<Real>>& spikes_;

  // V ends at or above theta; or it may reach theta and has its peak inside: the two tests of
  // neuron/spike_search.hpp.
  static HWY_INLINE M may_spike(V v, V i, V bias, V theta, V end, const Decays<V>& d) {
    const M may_reach = hn::Ge(highest_reach(v, i, bias, d), theta);
    return hn::Or(hn::Ge(end, theta), hn::AndNot(rises_at_end(v, i, bias, d), may_reach));
  }

  // Keeps those of a vector that may spike, with V and I at the start of their interval.
  HWY_INLINE std::size_t keep(M may, std::size_t slot, V v, V i, std::size_t count) {
    keep_lanes<2>(may, {v, i}, {state_.may_v, state_.may_i}, count);
    for (std::uint64_t left = bits_of(Tag(), may); left != 0; left &= left - 1) {
      const auto lane = static_cast<std::size_t>(std::countr_zero(left));
      state_.may_slot[count++] = static_cast<std::int32_t>(slot + lane);
    }
    return count;
  }
  // And with the decays of that interval.
  HWY_INLINE std::size_t keep(M may, std::size_t slot, V v, V i, const Decays<V>& d,
                              std::size_t count) {
    keep_lanes<3>(may, {d.mem, d.syn, d.k}, {state_.may_mem, state_.may_syn, state_.may_k}, count);
    return keep(may, slot, v, i, count);
  }
  // Those lanes of each vector into its array, from `at` on; what lies behind them, up to a vector, is
  // overwritten.
  template <std::size_t n>
  static HWY_INLINE void keep_lanes(M may, const V (&from)[n], Real* const (&to)[n],
                                    std::size_t at) {
    const Tag tag;
    // Else Highway 1.0.3 would copy a table onto the stack each time, as position-independent code.
    constexpr bool without_table = HWY_TARGET <= HWY_AVX3 && sizeof(Real) == 4;
    if constexpr (without_table) {
      for (std::size_t a = 0; a < n; ++a) hn::StoreU(hn::Compress(from[a], may), tag, to[a] + at);
    } else {
      HWY_ALIGN Real all[n][most_lanes];
      for (std::size_t a = 0; a < n; ++a) hn::Store(from[a], tag, all[a]);
      for (std::uint64_t left = bits_of(tag, may); left != 0; left &= left - 1, ++at) {
        for (std::size_t a = 0; a < n; ++a) to[a][at] = all[a][std::countr_zero(left)];
      }
    }
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

  // neuron::crossing for the lanes of `wanted`, from z = 1 downwards; -1 where there is none.
  template <class Powers>
  HWY_INLINE V crossing(const Powers& powers, std::size_t at, M wanted, const Gathered& n, V z_end,
                        V v_end) const {
    const Tag tag;
    const V none = hn::Set(tag, Real(-1));
    if (hn::AllFalse(tag, wanted)) return none;
    const V v = n.v, bias = n.bias, theta = n.theta;
    const V zero = hn::Zero(tag), one = hn::Set(tag, Real(1));
    const V a = hn::Sub(v, bias), c = hn::Sub(bias, theta), i = drive(powers, n.i, a);
    const V low = hn::Max(z_end, hn::Set(tag, std::numeric_limits<Real>::min()));
    M active = hn::And(wanted, hn::Ge(i, zero));
    M alone = hn::And(wanted, hn::Lt(i, zero));  // convex: by itself
    V result = none, z = one, f = hn::Sub(v, theta);
    V slope = hn::Sub(a, i);
    M border = hn::And(active, hn::Not(active));
    for (int k = 0; k < neuron::newton_limit; ++k) {
      const V next = hn::Sub(z, hn::Div(f, slope));
      const M rises = hn::Lt(slope, zero), moves = hn::Lt(next, z);
      const M found = hn::And(active, hn::AndNot(moves, rises));
      result = hn::IfThenElse(found, z, result);
      const M inside = hn::And(hn::And(rises, moves), hn::Ge(next, low));
      border = hn::Or(border, hn::AndNot(hn::Or(found, inside), active));
      active = hn::And(active, inside);
      if (hn::AllFalse(tag, active)) break;
      z = next;
      const V h = powers.h(z);
      f = hn::Add(hn::Mul(hn::Sub(a, hn::Mul(i, h)), z), c);
      slope = hn::Sub(a, hn::Mul(i, hn::Add(one, hn::Mul(powers.ratio, h))));
    }
    alone = hn::Or(hn::Or(alone, active), hn::And(border, hn::Ge(v_end, theta)));
    if (HWY_LIKELY(hn::AllFalse(tag, alone))) return result;
    return crossing_one_by_one(alone, at, n, z_end, v_end, result);
  }

  // The same for the lanes of `alone`, each by itself; the others keep their `result`.
  HWY_INLINE V crossing_one_by_one(M alone, std::size_t at, const Gathered& n, V z_end, V v_end,
                                   V result) const {
    const Tag tag;
    HWY_ALIGN Real lane[7][most_lanes];
    hn::Store(n.v, tag, lane[0]);
    hn::Store(n.i, tag, lane[1]);
    hn::Store(n.bias, tag, lane[2]);
    hn::Store(n.theta, tag, lane[3]);
    hn::Store(z_end, tag, lane[4]);
    hn::Store(v_end, tag, lane[5]);
    hn::Store(result, tag, lane[6]);
    for (std::uint64_t left = bits_of(tag, alone); left != 0; left &= left - 1) {
      const auto l = static_cast<std::size_t>(std::countr_zero(left));
      const auto slot = static_cast<std::size_t>(state_.may_slot[at + l]);
      const neuron::Lif<Real>& neuron = plan_.neuron(layout_.neuron(slot));
      lane[6][l] = neuron::crossing(neuron.by_z, neuron.by_y, lane[0][l], lane[1][l], lane[2][l],
                                    lane[3][l], lane[4][l], lane[5][l]);
    }
    return hn::Load(tag, lane[6]);
  }

  // Where V only touches theta (dV/dt = 0 but for rounding), there is no spike: -1. (As in
  // neuron::first_crossing slow synapses are not asked.)
  template <class Powers>
  static HWY_INLINE V keep_rising(const Powers& powers, V z, V current, const Gathered& n) {
    const V none = hn::Set(Tag(), Real(-1));
    const M rises = hn::Gt(hn::Add(current, n.bias), n.theta);
    const V kept = powers.if_slow(z, hn::IfThenElse(rises, z, none));
    return hn::IfThenElse(hn::Ge(z, hn::Zero(Tag())), kept, none);
  }

  // Of those that may spike which fill one vector, from number `at` on.
  OwnPowers<V> own_powers(std::size_t at, std::size_t count) const {
    HWY_ALIGN Real of[6][most_lanes];
    bool some_slow = false;
    for (std::size_t l = 0; l < hn::Lanes(Tag()); ++l) {
      const auto slot = static_cast<std::size_t>(state_.may_slot[std::min(at + l, count - 1)]);
      const neuron::Lif<Real>& n = plan_.neuron(layout_.neuron(slot));
      const neuron::TimeConstants& by_z = n.by_z;
      of[0][l] = static_cast<Real>(by_z.p);
      of[1][l] = static_cast<Real>(by_z.p_high);
      of[2][l] = static_cast<Real>(by_z.p - by_z.p_high);
      of[3][l] = static_cast<Real>(by_z.p - 1);
      of[4][l] = static_cast<Real>(1 / (by_z.p - 1));
      of[5][l] = n.by_y ? Real(1) : Real(0);
      some_slow = some_slow || n.by_y;
    }
    const Tag tag;
    return {hn::Load(tag, of[0]),
            hn::Load(tag, of[1]),
            hn::Load(tag, of[2]),
            hn::Load(tag, of[3]),
            hn::Load(tag, of[4]),
            hn::Load(tag, of[5]),
            some_slow};
  }

  // Of those kept, each in an interval of its own, may_t to may_end, by decays of its own: its first
  // spike side by side, what comes after it, and slow synapses, one by one.
  // @param shared  the powers, unless they are OwnPowers
  template <class Powers>
  void search_own(std::size_t count, const Powers& shared) {
    const Tag tag;
    LayerState<Real>& s = state_;
    std::size_t kept = 0;
    for (std::size_t k = 0; k < count; ++k) {
      const auto slot = static_cast<std::size_t>(s.may_slot[k]);
      const neuron::Lif<Real>& n = plan_.neuron(layout_.neuron(slot));
      const bool ends = std::isfinite(s.may_end[k]) || n.in_time();
      if (!neuron::z_tells(n, n.by_y ? s.may_syn[k] : s.may_mem[k]) && ends) {
        go_alone(slot, {s.may_v[k], s.may_i[k]}, s.may_t[k], s.may_end[k],
                 neuron::own_decay(n.own, s.may_end[k] - s.may_t[k]), Release<Real>::earlier_pass);
        continue;
      }
      for (Real* of : {s.may_v, s.may_i, s.may_mem, s.may_syn, s.may_k}) of[kept] = of[k];
      s.may_t[kept] = s.may_t[k];
      s.may_end[kept] = s.may_end[k];
      s.may_slot[kept++] = s.may_slot[k];
    }
    HWY_ALIGN Real z_of[most_lanes], current_of[most_lanes], end_of[most_lanes];
    for (std::size_t at = 0; at < kept; at += hn::Lanes(tag)) {
      const Gathered n = gather(at, kept);
      const Powers powers = powers_of(at, kept, shared);
      const V mem = hn::LoadU(tag, s.may_mem + at), k = hn::LoadU(tag, s.may_k + at);
      const V v_end = membrane_after(n.v, n.i, n.bias, Decays<V>{mem, mem, k, k, k});
      const V z_end = powers.if_slow(hn::LoadU(tag, s.may_syn + at), mem);
      const V z = crossing(powers, at, n.used, n, z_end, v_end);
      const V current = current_at(powers, n.i, z);
      hn::Store(keep_rising(powers, z, current, n), tag, z_of);
      hn::Store(current, tag, current_of);
      hn::Store(v_end, tag, end_of);
      for (std::size_t l = 0; l < n.count; ++l) {
        const auto slot = static_cast<std::size_t>(s.may_slot[at + l]);
        const neuron::Lif<Real>& neuron = plan_.neuron(layout_.neuron(slot));
        if (z_of[l] < 0) {
          s.v[slot] = std::min(end_of[l], neuron.just_below_theta);
          s.i[slot] = s.may_i[at + l] * s.may_syn[at + l];
          continue;
        }
        const double end = s.may_end[at + l];
        const double time =
            neuron::spike_time(neuron.by_z, static_cast<double>(z_of[l]), s.may_t[at + l], end);
        emit(slot, time, neuron::rising_current(neuron, current_of[l]));
        const Real whole = neuron.by_y ? s.may_syn[at + l] : s.may_mem[at + l];
        go_alone(slot, {neuron.v_reset, current_of[l], time + neuron.tau_ref}, time, end,
                 neuron::rest_of_interval(neuron, whole, z_of[l], end - time), spikes_.size() - 1,
                 true);
      }
    }
  }

  // A neuron that `advance` takes through an interval by itself.
  struct Sink {
    Search& search;
    std::size_t slot, last;  // the number of its last spike in this pass
    void spike(double time, Real current) {
      last = search.spikes_.size();
      search.emit(slot, time, current);
    }
    void release(Real current) { search.release(slot, last, current); }
  };

  HWY_NOINLINE void go_alone(std::size_t slot, neuron::State<Real> neuron, double t, double next,
                             const neuron::Decay<Real>& d, std::size_t spike, bool spiked = false) {
    Sink sink{*this, slot, spike};
    neuron::advance(plan_.neuron(layout_.neuron(slot)), neuron, t, next, d, sink, spiked);
    state_.v[slot] = neuron.v;
    state_.i[slot] = neuron.i;
    if (neuron.release > next) state_.hold(slot, neuron.release, sink.last);
  }

  void emit(std::size_t slot, double time, Real current) {
    if (layout_.repeats(slot)) return;
    heed_sample(spikes_.size(), time, spikes_.size());
    spikes_.push_back({time, static_cast<std::int32_t>(layout_.neuron(slot)), current});
  }

  void release(std::size_t slot, std::size_t spike, Real current) {
    if (layout_.repeats(slot)) return;
    state_.releases.push_back({layout_.neuron(slot), spike, current});
  }

 private:
  template <class Powers>
  const Powers& powers_of(std::size_t, std::size_t, const Powers& shared) const {
    return shared;
  }
  OwnPowers<V> powers_of(std::size_t at, std::size_t count, const OwnPowers<V>&) const {
    return own_powers(at, count);
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace saltus
HWY_AFTER_NAMESPACE();
#endif
