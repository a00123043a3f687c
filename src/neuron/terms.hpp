// SPDX-License-Identifier: Apache-2.0
// The terms of the adjoint, one switch each. Built with -DSALTUS_MUTATION_<NAME> a term is deleted
// and the gradient test must fail: scripts/mutation.sh runs them all. Off in every release.
// Numbers are sections of docs/theory.md.
#pragma once

namespace saltus::terms {

#ifndef SALTUS_MUTATION_SLOPE_RATIO
inline constexpr bool slope_ratio = true;  // 5: (dV/dt^+)/(dV/dt^-) in front of lambda_V^+
#else
inline constexpr bool slope_ratio = false;
#endif

#ifndef SALTUS_MUTATION_BIAS_IN_SLOPE
inline constexpr bool bias_in_slope = true;  // 5: b in both slopes of the jump
#else
inline constexpr bool bias_in_slope = false;
#endif

#ifndef SALTUS_MUTATION_SPIKE_ERROR
inline constexpr bool spike_error = true;  // 5: dl_p/dt_k in E_k
#else
inline constexpr bool spike_error = false;
#endif

#ifndef SALTUS_MUTATION_LOSS_JUMP
inline constexpr bool loss_jump = true;  // 5: l_V^- - l_V^+ in E_k
#else
inline constexpr bool loss_jump = false;
#endif

#ifndef SALTUS_MUTATION_LAMBDA_V_IN_E
inline constexpr bool lambda_v_in_e =
    true;  // 5: lambda_V of the targets in E_k, delays and input times
#else
inline constexpr bool lambda_v_in_e = false;
#endif

#ifndef SALTUS_MUTATION_LAMBDA_I_IN_E
inline constexpr bool lambda_i_in_e =
    true;  // 5: lambda_I of the targets in E_k, delays and input times
#else
inline constexpr bool lambda_i_in_e = false;
#endif

#ifndef SALTUS_MUTATION_RECURRENT_E
inline constexpr bool recurrent_e = true;  // 5: arrivals within a cycle in E_k
#else
inline constexpr bool recurrent_e = false;
#endif

#ifndef SALTUS_MUTATION_LOSS_SOURCE
inline constexpr bool loss_source = true;  // 5: dl_V/dV that drives lambda_V
#else
inline constexpr bool loss_source = false;
#endif

#ifndef SALTUS_MUTATION_SAMPLE_JUMP
inline constexpr bool sample_jump = true;  // 5: the jump of lambda_V at a sample of V
#else
inline constexpr bool sample_jump = false;
#endif

#ifndef SALTUS_MUTATION_MAXIMUM_JUMP
inline constexpr bool maximum_jump = true;  // 7: the jump of lambda_V at a maximum
#else
inline constexpr bool maximum_jump = false;
#endif

#ifndef SALTUS_MUTATION_KINK_TIME
inline constexpr bool kink_time = true;  // 7: the time term of a maximum at an arrival
#else
inline constexpr bool kink_time = false;
#endif

#ifndef SALTUS_MUTATION_RELEASE_CURRENT
inline constexpr bool release_current = true;  // 8: I at the release, not at the spike, in dV/dt^+
#else
inline constexpr bool release_current = false;
#endif

#ifndef SALTUS_MUTATION_CLAMP_RESET
inline constexpr bool clamp_reset = true;  // 8: the loss of V_reset during the clamp
#else
inline constexpr bool clamp_reset = false;
#endif

#ifndef SALTUS_MUTATION_CLAMP_SAMPLE
inline constexpr bool clamp_sample = true;  // 8: a sample inside the clamp belongs to V_reset
#else
inline constexpr bool clamp_sample = false;
#endif

#ifndef SALTUS_MUTATION_RELEASE_LAMBDA
inline constexpr bool release_lambda =
    true;  // 8: lambda_V at the release carries back to the spike
#else
inline constexpr bool release_lambda = false;
#endif

#ifndef SALTUS_MUTATION_LAMBDA_V_DRIVES_I
inline constexpr bool lambda_v_drives_i = true;  // 5: lambda_V in the equation of lambda_I
#else
inline constexpr bool lambda_v_drives_i = false;
#endif

#ifndef SALTUS_MUTATION_THRESHOLD_SUM
inline constexpr bool threshold_sum = true;  // 6: tau_mem lambda_V^- at a spike
#else
inline constexpr bool threshold_sum = false;
#endif

#ifndef SALTUS_MUTATION_RESET_SUM
inline constexpr bool reset_sum = true;  // 6: -tau_mem lambda_V^+ at a spike
#else
inline constexpr bool reset_sum = false;
#endif

#ifndef SALTUS_MUTATION_BIAS_INTEGRAL
inline constexpr bool bias_integral = true;  // 6: -integral of lambda_V
#else
inline constexpr bool bias_integral = false;
#endif

#ifndef SALTUS_MUTATION_TAU_MEM_INTEGRAL
inline constexpr bool tau_mem_integral = true;  // 6: integral of lambda_V dV/dt
#else
inline constexpr bool tau_mem_integral = false;
#endif

#ifndef SALTUS_MUTATION_TAU_SYN_INTEGRAL
inline constexpr bool tau_syn_integral = true;  // 6: integral of lambda_I dI/dt
#else
inline constexpr bool tau_syn_integral = false;
#endif

#ifndef SALTUS_MUTATION_INITIAL_STATE
inline constexpr bool initial_state = true;  // 6: lambda at 0
#else
inline constexpr bool initial_state = false;
#endif

#ifndef SALTUS_MUTATION_MAXIMUM_AT_INFINITY
inline constexpr bool maximum_at_infinity = true;  // 7: the bias of a maximum at infinity
#else
inline constexpr bool maximum_at_infinity = false;
#endif

#ifndef SALTUS_MUTATION_TAU_REF_SUM
inline constexpr bool tau_ref_sum = true;  // 8: (I(r) + b - V_reset) lambda_V(r^+)
#else
inline constexpr bool tau_ref_sum = false;
#endif

#ifndef SALTUS_MUTATION_GHOST_JUMP
inline constexpr bool ghost_jump = true;  // 10: the jump of lambda_V at a ghost
#else
inline constexpr bool ghost_jump = false;
#endif

#ifndef SALTUS_MUTATION_GHOST_KINK
inline constexpr bool ghost_kink = true;  // 10: the time term of a ghost at an arrival
#else
inline constexpr bool ghost_kink = false;
#endif

#ifndef SALTUS_MUTATION_GHOST_RECURRENT_KINK
inline constexpr bool ghost_recurrent_kink = true;  // 10: the same for a source within the cycle
#else
inline constexpr bool ghost_recurrent_kink = false;
#endif

#ifndef SALTUS_MUTATION_GHOST_THRESHOLD
inline constexpr bool ghost_threshold = true;  // 10: what a ghost takes from the mean threshold
#else
inline constexpr bool ghost_threshold = false;
#endif

#ifndef SALTUS_MUTATION_GHOST_PROBE
inline constexpr bool ghost_probe =
    true;  // 10: what the would-be spike of a ghost causes elsewhere
#else
inline constexpr bool ghost_probe = false;
#endif

#ifndef SALTUS_MUTATION_GHOST_RECURRENT_PROBE
inline constexpr bool ghost_recurrent_probe = true;  // 10: the same within a cycle
#else
inline constexpr bool ghost_recurrent_probe = false;
#endif

#ifndef SALTUS_MUTATION_GHOST_MOVES
inline constexpr bool ghost_moves = true;  // 10: the later spike that a ghost replaces
#else
inline constexpr bool ghost_moves = false;
#endif

#ifndef SALTUS_MUTATION_GHOST_RESET
inline constexpr bool ghost_reset = true;  // 10: the neuron's own reset in the difference of losses
#else
inline constexpr bool ghost_reset = false;
#endif

#ifndef SALTUS_MUTATION_GHOST_FREE_SYNAPSES
inline constexpr bool ghost_free_synapses =
    true;  // 10: arrivals between a spike and the free peak behind it
#else
inline constexpr bool ghost_free_synapses = false;
#endif

#ifndef SALTUS_MUTATION_GHOST_FREE_PARAMETERS
inline constexpr bool ghost_free_parameters = true;  // 10: neuron parameters there
#else
inline constexpr bool ghost_free_parameters = false;
#endif

}  // namespace saltus::terms
