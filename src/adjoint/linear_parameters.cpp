// SPDX-License-Identifier: Apache-2.0
// The gradients of the parameters of linear neurons, all of them by one mechanism (docs/theory.md,
// section 14): the neuron is replayed in dual numbers, so that x carries s = dx/dq, which starts
// anew at each of its spikes. Then
//
//     dL/dq = sum over spikes of p- . s   + at the end p . s   + per sample of V: its error s_V
//             + what enters only through threshold, c and tau_ref: SpikeSums
#include "adjoint/accumulate.hpp"
#include "adjoint/dynamics.hpp"
#include "machine/parallel.hpp"
#include "observe/linear_replay.hpp"
#include "observe/replay.hpp"

namespace saltus {
namespace {

using Slopes = std::array<double, Dual::width>;

void add(Slopes& to, double factor, const Dual& value) {
  for (std::size_t k = 0; k < Dual::width; ++k) to[k] += factor * value.slopes[k];
}

// The model's function with derivatives by some of the parameters.
linear::Motion<Dual> with_slopes(const Population& p, const linear::Neuron& ready, std::size_t j,
                                 std::span<const std::size_t> by) {
  std::vector<Dual> values;
  for (const Parameter& parameter : p.parameters) values.emplace_back(parameter[j]);
  for (std::size_t k = 0; k < by.size(); ++k) values[by[k]].slopes[k] = 1;
  linear::Motion<Dual> motion(p.model->linear->with_slopes(Values<Dual>(*p.model, values)),
                              p.model->linear->components.size());
  motion.receptor_of = ready.receptor_of;
  if (!terms::linear_receptor) {
    for (auto& receptor : motion.receptors) {
      for (Dual& e : receptor) e = e.value;
    }
  }
  return motion;
}

// Gathers p . s of one neuron.
template <class Real>
struct Products : LinearVisitor<Dual> {
  const linear::Motion<Dual>& motion;
  const PopulationErrors<Real>& errors;
  const Real* samples;  // [time, neuron], this neuron's column
  std::size_t stride;
  const LinearSegments& segments;
  std::span<const LinearSegment> own;  // latest first
  std::span<const double> times;       // of all spikes of the sample
  std::size_t next_sample = 0, next_segment;
  Slopes sum{};

  Products(const linear::Motion<Dual>& m, const PopulationErrors<Real>& e, const Real* s,
           std::size_t neurons, const LinearSegments& all, std::size_t j, std::span<const double> t)
      : motion(m),
        errors(e),
        samples(s),
        stride(neurons),
        segments(all),
        own(all.of(j)),
        times(t),
        next_segment(own.size()) {
    while (next_sample < errors.sample_times.size() && errors.sample_times[next_sample] <= 0) {
      sample(motion.initial);
    }
  }

  void piece(double t0, double t1, const linear::Vector<Dual>& x, bool held) {
    while (next_sample < errors.sample_times.size() && errors.sample_times[next_sample] <= t1) {
      sample(motion.system(held).flow(x, errors.sample_times[next_sample] - t0));
    }
  }
  void sample(const linear::Vector<Dual>& x) {
    const auto error = static_cast<double>(samples[stride * next_sample++]);
    if (terms::linear_at_samples && error != 0) add(sum, error, x[0]);
  }
  void jump(std::size_t k, const linear::Vector<Dual>& x, std::size_t) { spike(k, x); }
  void spike(std::size_t k, const linear::Vector<Dual>& x) {
    const auto earlier = [&](const LinearSegment& s) { return s.from < times[k] || !s.at_spike; };
    while (next_segment > 0 && earlier(own[next_segment - 1])) --next_segment;
    if (next_segment == 0 || own[next_segment - 1].from != times[k]) return;  // no error lies later
    if (terms::linear_at_spikes) product(own[next_segment - 1].p, x);
  }
  // An integral of V has no limit where a parameter moves what V settles at.
  void without_end(double error, const Dual& v) {
    for (std::size_t k = 0; k < Dual::width; ++k) {
      if (error != 0 && std::fabs(v.slopes[k]) > 1e-9) {
        sum[k] = std::copysign(infinity, error * v.slopes[k]);
      }
    }
  }
  void product(const linear::Vector<double>& p, const linear::Vector<Dual>& x) {
    for (std::size_t k = 0; k < linear::dimension; ++k) add(sum, p[k], x[k]);
  }
};

// What neuron j gives its parameters in one sample.
template <class Real>
Slopes slopes_of(const Pass<Real>& pass, std::size_t population, std::size_t s, std::size_t j,
                 const linear::Motion<Dual>& motion, const Arrivals<Real>& arrivals,
                 std::span<const std::size_t> own, std::span<const double> times,
                 const linear::SharedSteps<Dual>* shared) {
  const PopulationErrors<Real>& errors = pass.errors.populations[population];
  const LinearSegments& segments = pass.linear[s][population];
  const std::size_t size = pass.plan.size(population);
  const Real* at = errors.samples.empty()
                       ? nullptr
                       : errors.samples.data() + s * errors.sample_times.size() * size + j;
  Products<Real> products(motion, errors, at, size, segments, j, times);
  const double end = pass.inputs.end(s);
  const double rest = rest_of(pass.plan.populations[population].linear_neuron(j), arrivals, own,
                              times, errors.sample_times, end);
  const auto x = replay(motion, arrivals, j, own, times, rest, products, shared);
  if (!errors.integrals.empty() && terms::linear_at_the_end) {
    const auto error = static_cast<double>(errors.integrals[s * size + j]);
    add(products.sum, error, x[linear::integral_of_v]);
    if (std::isinf(end)) products.without_end(error, x[0]);
  }
  if (!errors.at_end.x.empty() && terms::state_local) {
    const auto said = said_of_end(errors, pass.record.samples, size, s, j);
    for (std::size_t k = 0; k < said.size(); ++k) add(products.sum, said[k], x[k]);
  }
  const SpikeSums& spikes = segments.sums[j];
  add(products.sum, spikes.threshold, motion.theta);
  add(products.sum, spikes.release, motion.tau_ref);
  for (std::size_t k = 0; k < linear::dimension; ++k) add(products.sum, spikes.c[k], motion.c[k]);
  return products.sum;
}

}  // namespace

template <class Real>
void accumulate_linear_parameters(Pass<Real>& pass, std::size_t population) {
  const Population& neurons = pass.plan.network->populations()[population];
  const std::size_t size = neurons.size, samples = pass.linear.size();
  std::vector<std::size_t> wanted;
  for (std::size_t k = 0; k < neurons.parameters.size(); ++k) {
    if (pass.wanted.parameter(population, k)) wanted.push_back(k);
  }
  for (std::size_t first = 0; first < wanted.size(); first += Dual::width) {
    const auto by = std::span(wanted).subspan(first, std::min(Dual::width, wanted.size() - first));
    std::vector<linear::Motion<Dual>> motions;
    for (std::size_t j = 0; j < pass.plan.populations[population].linear_neurons.size(); ++j) {
      motions.push_back(
          with_slopes(neurons, pass.plan.populations[population].linear_neuron(j), j, by));
    }
    const bool alike = pass.plan.populations[population].motion.has_value();
    linear::Vector<double> constant{};  // one that is 0 may have a slope
    for (const auto& m : motions) {
      for (std::size_t k = 0; k < most_components; ++k) {
        if (!linear::is_zero(m.free.constant()[k])) constant[k] = 1;
      }
    }
    const auto motion =
        linear::driven_by_ones(motions[0].free, constant, neurons.model->linear->components.size());
    std::vector<Slopes> sums(samples * size);
    parallel_for(pass.threads, samples, [&](std::size_t s) {
      thread_local Timeline<Real> timeline;
      thread_local OwnSpikes own_spikes;
      thread_local linear::SharedSteps<Dual> steps;
      const linear::SharedSteps<Dual>* shared = nullptr;
      if (alike) {
        pass.start(timeline, population, s);
        const bool integrals = !pass.errors.populations[population].integrals.empty();
        steps.find(motion, timeline.shared().times,
                   integrals ? linear::dimension : most_components);
        shared = &steps;
      }
      for_each_neuron(pass.plan, pass.inputs, pass.record, population, s, timeline, own_spikes,
                      [&](std::size_t j, const auto& arrivals, auto own, auto times) {
                        if (pass.linear[s][population].of(j).empty()) return;
                        const auto& own_motion = motions[motions.size() == 1 ? 0 : j];
                        const auto find = [&](const linear::Motion<Dual>& m) {
                          return slopes_of(pass, population, s, j, m, arrivals, own, times, shared);
                        };
                        if (pass.starts.empty()) {
                          sums[s * size + j] = find(own_motion);
                          return;
                        }
                        linear::Motion<Dual> started = own_motion;  // a state knows no parameter
                        const auto& n = pass.starts[s].populations[population].linear_neuron(j);
                        std::copy_n(n.initial.begin(), n.initial.size(), started.initial.begin());
                        sums[s * size + j] = find(started);
                      });
    });
    auto& gradients = pass.gradients.neurons[population].parameters;
    const auto adding_up = [&](auto visit) {
      for (const std::size_t k : by) visit(std::span(gradients[k]));
    };
    const int message = pass.number(1);
    if (pass.team) take_over(*pass.team, message, adding_up);
    for (std::size_t k = 0; k < by.size(); ++k) {
      std::vector<double>& gradient = gradients[by[k]];
      for (std::size_t at = 0; at < sums.size(); ++at) {
        gradient[gradient.size() == 1 ? 0 : at % size] += sums[at][k];
      }
    }
    if (pass.team) hand_on(*pass.team, message, adding_up);
  }
}

template void accumulate_linear_parameters(Pass<float>&, std::size_t);
template void accumulate_linear_parameters(Pass<double>&, std::size_t);

}  // namespace saltus
