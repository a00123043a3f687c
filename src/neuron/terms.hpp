// SPDX-License-Identifier: Apache-2.0
// The terms of the adjoint, one switch each. Built with SALTUS_MUTABLE the term that the environment
// names in SALTUS_MUTATION is deleted, and the gradient test must fail: scripts/mutation.sh, which reads
// the names here, runs them all. In every other build they are constants. Numbers are sections of
// docs/theory.md.
#pragma once

#ifdef SALTUS_MUTABLE
#include <cstdlib>
#include <string_view>
#endif

namespace saltus::terms {

#ifdef SALTUS_MUTABLE
inline bool kept(std::string_view name) {
  const char* const deleted = std::getenv("SALTUS_MUTATION");
  return deleted == nullptr || deleted != name;
}
#define SALTUS_TERM(name) inline const bool name = kept(#name)
#else
#define SALTUS_TERM(name) inline constexpr bool name = true
#endif

SALTUS_TERM(slope_ratio);            // 5: (dV/dt^+)/(dV/dt^-) in front of lambda_V^+
SALTUS_TERM(bias_in_slope);          // 5: b in both slopes of the jump
SALTUS_TERM(spike_error);            // 5: dl_p/dt_k in E_k
SALTUS_TERM(loss_jump);              // 5: l_V^- - l_V^+ in E_k
SALTUS_TERM(lambda_v_in_e);          // 5: lambda_V of the targets in E_k, delays and input times
SALTUS_TERM(lambda_i_in_e);          // 5: lambda_I of the targets in E_k, delays and input times
SALTUS_TERM(recurrent_e);            // 5: arrivals within a cycle in E_k
SALTUS_TERM(loss_source);            // 5: dl_V/dV that drives lambda_V
SALTUS_TERM(sample_jump);            // 5: the jump of lambda_V at a sample of V
SALTUS_TERM(maximum_jump);           // 7: the jump of lambda_V at a maximum
SALTUS_TERM(kink_time);              // 7: the time term of a maximum at an arrival
SALTUS_TERM(release_current);        // 8: I at the release, not at the spike, in dV/dt^+
SALTUS_TERM(clamp_reset);            // 8: the loss of V_reset during the clamp
SALTUS_TERM(clamp_sample);           // 8: a sample inside the clamp belongs to V_reset
SALTUS_TERM(release_lambda);         // 8: lambda_V at the release carries back to the spike
SALTUS_TERM(lambda_v_drives_i);      // 5: lambda_V in the equation of lambda_I
SALTUS_TERM(threshold_sum);          // 6: tau_mem lambda_V^- at a spike
SALTUS_TERM(reset_sum);              // 6: -tau_mem lambda_V^+ at a spike
SALTUS_TERM(local_at_spikes);        // 6: p- . s at the spikes of the neuron
SALTUS_TERM(local_i);                // 6: p_I s_I in it
SALTUS_TERM(local_at_looks);         // 6: the error of V at a time, times s_V
SALTUS_TERM(local_integral);         // 6: g times the integral of s_V
SALTUS_TERM(initial_state);          // 6: lambda at 0
SALTUS_TERM(maximum_at_infinity);    // 7: the bias of a maximum at infinity
SALTUS_TERM(tau_ref_sum);            // 8: (I(r) + b - V_reset) lambda_V(r^+)
SALTUS_TERM(ghost_jump);             // 10: the jump of lambda_V at a ghost
SALTUS_TERM(ghost_kink);             // 10: the time term of a ghost at an arrival
SALTUS_TERM(ghost_recurrent_kink);   // 10: the same for a source within the cycle
SALTUS_TERM(ghost_threshold);        // 10: what a ghost takes from the mean threshold
SALTUS_TERM(ghost_probe);            // 10: what the would-be spike of a ghost causes elsewhere
SALTUS_TERM(ghost_recurrent_probe);  // 10: the same within a cycle
SALTUS_TERM(ghost_moves);            // 10: the later spike that a ghost replaces
SALTUS_TERM(ghost_reset);            // 10: the neuron's own reset in the difference of losses
SALTUS_TERM(ghost_free_synapses);    // 10: arrivals between a spike and the free peak behind it
SALTUS_TERM(ghost_free_parameters);  // 10: neuron parameters there
SALTUS_TERM(shared_weight);          // 6: all synapses that have the weight
SALTUS_TERM(linear_jump);            // 14: p+ . (R f- - f+) in S
SALTUS_TERM(linear_release);         // 14: what the release adds to S
SALTUS_TERM(linear_reset_back);      // 14: R^T p+ at a spike
SALTUS_TERM(linear_threshold);       // 14: S/(c.f-) for parameters of the threshold
SALTUS_TERM(linear_c);               // 14: -(x-) S/(c.f-) for parameters of c
SALTUS_TERM(linear_tau_ref);         // 14: of the release, for tau_ref
SALTUS_TERM(linear_e);               // 14: -w p.(A e) in E_k, delays and input times
SALTUS_TERM(linear_receptor);        // 14: w (de/dq) . p at arrivals
SALTUS_TERM(linear_moves);           // 14: a spike at an arrival moves with it
SALTUS_TERM(linear_at_spikes);       // 14: p- . dx/dq at the spikes
SALTUS_TERM(linear_at_the_end);      // 14: p . dx/dq at the end
SALTUS_TERM(linear_at_samples);      // 14: the error of a sample times dV/dq
SALTUS_TERM(state_end);              // 15: the adjoint at the end, where what follows has a say
SALTUS_TERM(state_reset);            // 15: V at the end, held at V_reset
SALTUS_TERM(state_local);            // 15: p . s at the end
SALTUS_TERM(past_release);           // 15: the release of a spike of before
SALTUS_TERM(past_arrivals);          // 15: arrivals of a spike of before

#undef SALTUS_TERM

}  // namespace saltus::terms
