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

}  // namespace saltus::terms
