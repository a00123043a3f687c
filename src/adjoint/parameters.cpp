// SPDX-License-Identifier: Apache-2.0
// The gradients of neuron parameters (docs/theory.md, section 6): at the spikes (booked by the
// dynamics), of the initial state, and as integrals over the course of V and I, which is replayed.
#include "adjoint/accumulate.hpp"
#include "machine/parallel.hpp"
#include "observe/replay.hpp"

namespace saltus {
namespace {

// Walks the pieces of V and I forwards and the segments of lambda with them.
template <class Real>
struct Integrals : ReplayVisitor {
  const neuron::Lif<Real>& n;
  std::span<const Segment<Real>> segments;  // latest first
  std::size_t next;                         // 1 + number of the segment that holds the present time
  neuron::ParameterIntegrals sum;

  Integrals(const neuron::Lif<Real>& neuron, std::span<const Segment<Real>> s)
      : n(neuron), segments(s), next(s.size()) {}

  void piece(const Piece<Real>& p) {
    for (double t = p.t0; t < p.t1;) {
      while (next > 0 && segments[next - 1].from <= t) --next;
      if (next == 0) return;  // no error lies later
      const Segment<Real>& segment = segments[next - 1];
      const double to = std::min(p.t1, segment.from);
      const auto d = neuron::decay<double>(n.tc, t - p.t0);
      const double i = p.i * d.syn;
      const double v = p.held ? n.v_reset : n.bias + (p.v - n.bias) * d.mem + p.i * d.k;
      const auto lambda = segment.read(n.tc, to);
      const auto part = neuron::parameter_integrals(n.tc, n.bias, v, i, {lambda.v, lambda.i},
                                                    segment.source, to - t);
      sum.bias += part.bias;
      sum.tau_mem += part.tau_mem;
      sum.tau_syn += part.tau_syn;
      t = to;
    }
  }
};

void add(std::vector<double>& gradient, std::size_t neuron, double value) {
  if (gradient.empty()) return;  // not wanted
  gradient[gradient.size() == 1 ? 0 : neuron] += value;
}

// [sample, neuron]
template <class Real>
std::vector<neuron::ParameterIntegrals> integrals_of(const Pass<Real>& pass,
                                                     std::size_t population) {
  const PopulationPlan<Real>& plan = pass.plan.populations[population];
  const std::size_t size = pass.plan.size(population), samples = pass.segments.size();
  std::vector<neuron::ParameterIntegrals> integrals(samples * size);
  parallel_for(pass.threads, samples, [&](std::size_t s) {
    thread_local Timeline<Real> timeline;
    thread_local OwnSpikes own_spikes;
    const Segments<Real>& segments = pass.segments[s][population];
    for_each_neuron(pass.plan, pass.inputs, pass.record, population, s, timeline, own_spikes,
                    [&](std::size_t j, const auto& arrivals, auto own, auto times) {
                      if (segments.of(j).empty()) return;
                      Integrals<Real> visitor(plan.neuron(j), segments.of(j));
                      replay(plan.neuron(j), arrivals, j, own, times, pass.inputs.end(s), visitor);
                      integrals[s * size + j] = visitor.sum;
                    });
  });
  return integrals;
}

}  // namespace

template <class Real>
void accumulate_parameters(Pass<Real>& pass, std::size_t population) {
  const PopulationPlan<Real>& plan = pass.plan.populations[population];
  const std::size_t size = pass.plan.size(population), samples = pass.segments.size();
  NeuronGradients& out = pass.gradients.neurons[population];
  auto &bias = out["bias"], &tau_mem = out["tau_mem"], &tau_syn = out["tau_syn"];
  auto &v_initial = out["v_initial"], &i_initial = out["i_initial"];
  // The courses are replayed for these alone.
  std::vector<neuron::ParameterIntegrals> integrals;
  if (!bias.empty() || !tau_mem.empty() || !tau_syn.empty()) {
    integrals = integrals_of(pass, population);
  }
  const bool spikes = out.model->spikes;
  std::vector<double> none;  // LI
  auto &v_threshold = spikes ? out["v_threshold"] : none, &v_reset = spikes ? out["v_reset"] : none,
       &tau_ref = spikes ? out["tau_ref"] : none;
  const PopulationErrors<Real>& errors = pass.errors.populations[population];
  for (std::size_t s = 0; s < samples; ++s) {
    const Segments<Real>& segments = pass.segments[s][population];
    for (std::size_t j = 0; j < size; ++j) {
      const auto& tc = plan.neuron(j).tc;
      const std::size_t at = s * size + j;
      if (!integrals.empty()) {
        if (terms::bias_integral) add(bias, j, integrals[at].bias);
        if (terms::tau_mem_integral) add(tau_mem, j, integrals[at].tau_mem);
        if (terms::tau_syn_integral) add(tau_syn, j, integrals[at].tau_syn);
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
      if (own.empty() || !terms::initial_state) continue;
      const auto lambda = own.back().read(tc, 0);
      add(v_initial, j, -tc.tau_mem * static_cast<double>(lambda.v));
      add(i_initial, j, -tc.tau_syn * static_cast<double>(lambda.i));
    }
  }
}

template void accumulate_parameters(Pass<float>&, std::size_t);
template void accumulate_parameters(Pass<double>&, std::size_t);

}  // namespace saltus
