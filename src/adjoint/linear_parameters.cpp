// SPDX-License-Identifier: Apache-2.0
// The gradients of the parameters of linear neurons, all of them by one mechanism (docs/theory.md,
// section 14): the neuron is replayed in dual numbers, so that x carries s = dx/dq, which starts
// anew at each of its spikes. Then
//
//     dL/dq = sum over spikes of p- . s   + at the end p . s   + per sample of V: its error s_V
//             + what enters only through threshold, c and tau_ref: SpikeSums
#include "adjoint/accumulate.hpp"
#include "adjoint/dynamics.hpp"
#include "adjoint/linear_walk.hpp"
#include "machine/parallel.hpp"
#include "observe/linear_replay.hpp"
#include "observe/replay.hpp"

namespace saltus {
namespace {

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
    for (std::size_t k = 0; k < Dual::width && std::isinf(end); ++k) {
      without_end(error, x[0].slopes[k], products.sum[k]);
    }
  }
  if (!errors.at_end.x.empty() && terms::state_local) {
    const auto said = said_of_end(errors, pass.record.samples, size, s, j);
    for (std::size_t k = 0; k < said.size(); ++k) add(products.sum, said[k], x[k]);
  }
  return products.sum;
}

// What enters through the threshold, c and tau_ref only.
void add_spikes(const SpikeSums& spikes, const linear::Motion<Dual>& motion, Slopes& sum) {
  add(sum, spikes.threshold, motion.theta);
  add(sum, spikes.release, motion.tau_ref);
  for (std::size_t k = 0; k < linear::dimension; ++k) add(sum, spikes.c[k], motion.c[k]);
}

// What moves any of them, driven by ones; none if they do not move, or their derivatives, alike.
std::optional<linear::System<Dual>> shared_motion(std::span<const linear::Motion<Dual>> motions,
                                                  std::size_t components) {
  const auto same = [](const Dual& a, const Dual& b) {
    return a.value == b.value && a.slopes == b.slopes;
  };
  const auto same_row = [&](const auto& a, const auto& b) {
    return std::ranges::equal(a, b, same);
  };
  linear::Vector<double> constant{};  // one that is 0 may have a slope
  for (const auto& m : motions) {
    if (!std::ranges::equal(m.free.matrix(), motions[0].free.matrix(), same_row)) return {};
    for (std::size_t k = 0; k < most_components; ++k) {
      if (!linear::is_zero(m.free.constant()[k])) constant[k] = 1;
    }
  }
  return linear::driven_by_ones(motions[0].free, constant, components);
}

// None if the vectors do not know their shape.
// @param shared  their motion, if they move alike
template <class Real>
std::optional<SlopedNeurons> side_by_side(const Pass<Real>& pass, std::size_t population,
                                          std::span<const linear::Motion<Dual>> motions,
                                          const std::optional<linear::System<Dual>>& shared) {
  const bool known =
      pass.plan.linear_in_vectors(population) &&
      std::ranges::none_of(motions, [](const auto& m) { return m.free.pair().has_value(); });
  if (!known) return {};
  const std::size_t rows =
      pass.errors.populations[population].integrals.empty() ? most_components : linear::dimension;
  std::vector<const linear::System<Dual>*> systems;
  if (shared) {
    systems.push_back(&*shared);
  } else {
    for (const auto& m : motions) systems.push_back(&m.free);
  }
  SlopedNeurons sloped{motions, TangentShape(motions, systems, rows), {}};
  if (!sloped.shape.in_order()) return {};
  for (const auto* system : systems) {
    sloped.flows.emplace_back(*system, rows,
                              [&](const auto& e) { return sloped.shape.number_of(e); });
  }
  return sloped;
}

template <class Real>
void walk(const Pass<Real>& pass, std::size_t population, std::size_t s,
          const SlopedNeurons& sloped, Slopes* sums) {
  thread_local Timeline<Real> timeline;
  thread_local OwnSpikes own_spikes;
  thread_local LinearWalk<Real> through_sample;
  const std::size_t size = pass.plan.size(population);
  const PopulationPlan<Real>& plan = pass.plan_of(s).populations[population];
  const LinearSegments& segments = pass.linear[s][population];
  const SampleSpikes spikes = sample_of(pass.spikes_of(population), s);
  own_spikes.sort(spikes, size);
  pass.start(timeline, population, s);
  const typename LinearWalk<Real>::Scene scene{plan,
                                               pass.errors.populations[population],
                                               segments,
                                               spikes,
                                               own_spikes,
                                               s,
                                               pass.record.samples,
                                               size,
                                               pass.inputs.end(s),
                                               !pass.starts.empty()};
  through_sample.go(sloped, scene, timeline.shared(), sums);
}

template <class Real>
void one_by_one(const Pass<Real>& pass, std::size_t population, std::size_t s,
                std::span<const linear::Motion<Dual>> motions,
                const std::optional<linear::System<Dual>>& shared, Slopes* sums) {
  thread_local Timeline<Real> timeline;
  thread_local OwnSpikes own_spikes;
  thread_local linear::SharedSteps<Dual> steps;
  if (shared) {
    pass.start(timeline, population, s);
    const bool integrals = !pass.errors.populations[population].integrals.empty();
    steps.find(*shared, timeline.shared().times, integrals ? linear::dimension : most_components);
  }
  for_each_neuron(pass.plan, pass.inputs, pass.record, population, s, timeline, own_spikes,
                  [&](std::size_t j, const auto& arrivals, auto own, auto times) {
                    if (pass.linear[s][population].of(j).empty()) return;
                    const auto& own_motion = motions[motions.size() == 1 ? 0 : j];
                    const auto find = [&](const linear::Motion<Dual>& m) {
                      return slopes_of(pass, population, s, j, m, arrivals, own, times,
                                       shared ? &steps : nullptr);
                    };
                    if (pass.starts.empty()) {
                      sums[j] = find(own_motion);
                      return;
                    }
                    linear::Motion<Dual> started = own_motion;  // a state knows no parameter
                    const auto& n = pass.starts[s].populations[population].linear_neuron(j);
                    std::copy_n(n.initial.begin(), n.initial.size(), started.initial.begin());
                    sums[j] = find(started);
                  });
}

}  // namespace

template <class Real>
void accumulate_linear_parameters(Pass<Real>& pass, std::size_t population) {
  const Population& neurons = pass.plan.network->populations()[population];
  const PopulationPlan<Real>& plan = pass.plan.populations[population];
  const std::size_t size = neurons.size, samples = pass.linear.size();
  std::vector<std::size_t> wanted;
  for (std::size_t k = 0; k < neurons.parameters.size(); ++k) {
    if (pass.wanted.parameter(population, k)) wanted.push_back(k);
  }
  for (std::size_t first = 0; first < wanted.size(); first += Dual::width) {
    const auto by = std::span(wanted).subspan(first, std::min(Dual::width, wanted.size() - first));
    std::vector<linear::Motion<Dual>> motions;
    for (std::size_t j = 0; j < plan.linear_neurons.size(); ++j) {
      motions.push_back(with_slopes(neurons, plan.linear_neuron(j), j, by));
    }
    std::optional<linear::System<Dual>> shared;
    if (plan.motion) shared = shared_motion(motions, neurons.model->linear->components.size());
    const auto sloped = side_by_side<Real>(pass, population, motions, shared);
    std::vector<Slopes> sums(samples * size);
    parallel_for(pass.threads, samples, [&](std::size_t s) {
      Slopes* const of_sample = sums.data() + s * size;
      if (!sloped) {
        one_by_one<Real>(pass, population, s, motions, shared, of_sample);
      } else if (!sloped->shape.empty()) {
        walk(pass, population, s, *sloped, of_sample);
      }
      const LinearSegments& segments = pass.linear[s][population];
      for (std::size_t j = segments.next(0); j < size; j = segments.next(j + 1)) {
        add_spikes(segments.sums[j], motions[motions.size() == 1 ? 0 : j], of_sample[j]);
      }
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
