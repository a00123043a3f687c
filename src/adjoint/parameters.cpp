// SPDX-License-Identifier: Apache-2.0
// The gradients of neuron parameters (docs/theory.md, section 6): at the spikes (booked by the
// dynamics), of the initial state, and of what acts all the time (adjoint/local_parameters.hpp).
#include "adjoint/accumulate.hpp"
#include "adjoint/local_parameters.hpp"

namespace saltus {
namespace {

void add(std::vector<double>& gradient, std::size_t neuron, double value) {
  if (gradient.empty()) return;  // not wanted
  gradient[gradient.size() == 1 ? 0 : neuron] += value;
}

}  // namespace

template <class Real>
void accumulate_parameters(Pass<Real>& pass, std::size_t population) {
  const PopulationPlan<Real>& plan = pass.plan.populations[population];
  const std::size_t size = pass.plan.size(population), samples = pass.segments.size();
  NeuronGradients& out = pass.gradients.neurons[population];
  auto &bias = out["bias"], &tau_mem = out["tau_mem"], &tau_syn = out["tau_syn"];
  auto &v_initial = out["v_initial"], &i_initial = out["i_initial"];
  const auto local =
      local_sums(pass, population, {!bias.empty(), !tau_mem.empty(), !tau_syn.empty()});
  const bool spikes = out.model->spikes;
  std::vector<double> none;  // LI
  auto &v_threshold = spikes ? out["v_threshold"] : none, &v_reset = spikes ? out["v_reset"] : none,
       &tau_ref = spikes ? out["tau_ref"] : none;
  const PopulationErrors<Real>& errors = pass.errors.populations[population];
  const auto sums = [&](auto visit) {
    for (auto& values : out.parameters) visit(std::span(values));
  };
  const int message = pass.number(1);
  if (pass.team) take_over(*pass.team, message, sums);
  for (std::size_t s = 0; s < samples; ++s) {
    const Segments<Real>& segments = pass.segments[s][population];
    for (std::size_t j = 0; j < size; ++j) {
      const auto& tc = plan.neuron(j).tc;
      const std::size_t at = s * size + j;
      if (!local.empty()) {
        add(bias, j, local[at].bias);
        add(tau_mem, j, local[at].tau_mem);
        add(tau_syn, j, local[at].tau_syn);
      }
      if (spikes) {
        add(v_threshold, j, segments.jumps[j].v_threshold);
        add(v_reset, j, segments.jumps[j].v_reset);
        add(tau_ref, j, segments.jumps[j].tau_ref);
      }
      // A sample that never ends may have its maximum at infinity, where V = b.
      if (terms::maximum_at_infinity && !errors.maxima.empty() &&
          std::isinf(pass.errors.maxima[population].times[at])) {
        add(bias, j, static_cast<double>(errors.maxima[at]));
      }
      const auto own = segments.of(j);
      const bool wanted = (!v_initial.empty() || !i_initial.empty()) && pass.starts.empty();
      if (!wanted || own.empty() || !terms::initial_state) continue;
      const auto lambda = own.back().read(tc, 0);
      add(v_initial, j, -tc.tau_mem * static_cast<double>(lambda.v));
      add(i_initial, j, -tc.tau_syn * static_cast<double>(lambda.i));
    }
  }
  if (pass.team) hand_on(*pass.team, message, sums);
}

template void accumulate_parameters(Pass<float>&, std::size_t);
template void accumulate_parameters(Pass<double>&, std::size_t);

}  // namespace saltus
