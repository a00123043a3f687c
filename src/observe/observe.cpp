// SPDX-License-Identifier: Apache-2.0
// What can be read off a record: maxima, integrals and samples of V.
#include <fmt/format.h>

#include <cmath>

#include "machine/parallel.hpp"
#include "observe/highest.hpp"
#include "observe/linear_replay.hpp"
#include "observe/observe.hpp"
#include "observe/replay.hpp"
#include "observe/trace_times.hpp"
#include "saltus/error.hpp"
#include "saltus/simulate.hpp"
#include "simulate/continued.hpp"
#include "simulate/prepared.hpp"

namespace saltus {
namespace {

template <class Real>
struct Integral : ReplayVisitor {
  const neuron::Lif<Real>& n;
  double sum = 0;

  explicit Integral(const neuron::Lif<Real>& neuron) : n(neuron) {}

  void piece(const Piece<Real>& p) {
    const double dt = p.t1 - p.t0;
    if (dt == 0) return;
    if (p.held) {
      sum += static_cast<double>(n.v_reset) * dt;
      return;
    }
    const auto d = neuron::decay<double>(n.tc, dt);
    const double b = n.bias;
    sum += (b == 0 ? 0 : b * dt) + (p.v - b) * n.tc.tau_mem * (1 - d.mem) +
           p.i * (n.tc.tau_syn * (1 - d.syn) - n.tc.tau_mem * d.k);
  }
};

template <class Real>
struct Samples : ReplayVisitor {
  const neuron::Lif<Real>& n;
  std::span<const double> at;
  Real* out;           // [time, neuron], this neuron's column
  std::size_t stride;  // neurons
  std::size_t next = 0;

  Samples(const neuron::Lif<Real>& neuron, std::span<const double> times, Real* o, std::size_t s)
      : n(neuron), at(times), out(o), stride(s) {
    while (next < at.size() && at[next] <= 0) out[stride * next++] = n.v_initial;
  }

  void piece(const Piece<Real>& p) {
    for (; next < at.size() && at[next] <= p.t1; ++next) {
      out[stride * next] =
          p.held ? n.v_reset
                 : neuron::membrane_after(n, p.v, p.i, neuron::decay<Real>(n.tc, at[next] - p.t0));
    }
  }
};

template <class Real>
Maxima<Real> nothing_found(std::size_t count) {
  Maxima<Real> result;
  result.values.resize(count);
  result.times.resize(count);
  result.places.resize(count);
  result.currents.resize(count);
  return result;
}

template <class Real>
void note(Maxima<Real>& maxima, std::size_t at, const Highest<Real>& highest) {
  maxima.values[at] = highest.value;
  maxima.times[at] = highest.time;
  maxima.places[at] = highest.place;
  maxima.currents[at] = highest.current;
}

// Those of one sample among others.
template <class Real>
void put(Maxima<Real>& all, std::size_t at, const Maxima<Real>& one) {
  const auto to = static_cast<std::ptrdiff_t>(at);
  std::ranges::copy(one.values, all.values.begin() + to);
  std::ranges::copy(one.times, all.times.begin() + to);
  std::ranges::copy(one.places, all.places.begin() + to);
  std::ranges::copy(one.currents, all.currents.begin() + to);
}

// Where each neuron has arrivals of its own.
template <class Real>
void find_in_lanes(Timeline<Real>& timeline, const PopulationPlan<Real>& plan, double end,
                   std::span<Highest<Real>> highest) {
  constexpr std::size_t lanes = LaneCourse<Real>::lanes;
  thread_local LaneCourse<Real> course;
  thread_local neuron::LaneConstants<Real> own;
  for (std::size_t first = 0; first < highest.size(); first += lanes) {
    const std::size_t width = std::min(lanes, highest.size() - first);
    course.clear();
    course.add(timeline.lists({first, first + width}), 0, 0, end);
    own.start(plan.neurons, first, width);
    HighestKernels<Real>::best().find_in_lanes(course, own, end, highest.subspan(first, width));
  }
}

}  // namespace

template <class Real>
Maxima<Real> maxima(const Network<Real>& network, const Inputs& inputs, const Record<Real>& record,
                    std::size_t population, const Options& options) {
  const Prepared<Real> prepared(network, inputs, record, options);
  const Population& p = prepared.neurons(population, "membrane voltage");
  if (p.model != Model::li) {
    throw InvalidInput(
        fmt::format("'{}' is a {} population; expected LI, whose voltage no threshold limits",
                    p.name, p.model->name));
  }
  return maxima<Real>(prepared.plan, inputs, record, population, options.threads, nullptr);
}

template <class Real>
Maxima<Real> maxima(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record,
                    std::size_t population, int threads, Timelines<Real>* timelines) {
  const std::size_t size = plan.size(population);
  const std::size_t samples = inputs.samples();
  Maxima<Real> result = nothing_found<Real>(samples * size);
  if (inputs.state) {
    const auto find = [&](const auto& one, const auto& in, const auto& of) {
      return maxima<Real>(one, in, of, population, 1, nullptr);
    };
    const auto parts = joined(plan, inputs, record, threads, find);
    for (std::size_t s = 0; s < samples; ++s) put(result, s * size, parts[s]);
    return result;
  }
  const PopulationPlan<Real>& neurons = plan.populations[population];
  parallel_for(threads, samples, [&](std::size_t s) {
    thread_local Timeline<Real> timeline;
    thread_local OwnSpikes own_spikes;
    const double end = inputs.end(s);
    thread_local std::vector<Highest<Real>> highest;
    highest.clear();
    for (std::size_t j = 0; j < size; ++j) highest.emplace_back(neurons.neuron(j), end);
    if (!plan.scalar && neurons.per_column) {
      start_timeline(plan, inputs, record, population, s, timeline);
      find_in_lanes(timeline, neurons, end, std::span(highest));
    } else if (!plan.in_vectors(population) || !neurons.same_time_constants) {
      for_each_neuron(plan, inputs, record, population, s, timeline, own_spikes,
                      [&](std::size_t j, const auto& arrivals, auto own, auto times) {
                        replay(neurons.neuron(j), arrivals, j, own, times, end, highest[j]);
                      });
    } else {
      start_timeline(plan, inputs, record, population, s, timeline, timelines);
      HighestKernels<Real>::best().find(timeline.shared(), end, std::span(highest));
    }
    for (std::size_t j = 0; j < size; ++j) note(result, s * size + j, highest[j]);
  });
  return result;
}

template <class Real>
Maxima<Real> maxima_of(const Plan<Real>& plan, const Inputs& inputs, const Record<Real>& record,
                       std::size_t population, const std::vector<SilentNeuron>& silent) {
  const std::size_t size = plan.size(population);
  const Population& p = plan.network->populations()[population];
  if (p.model->linear) {
    throw InvalidInput(
        fmt::format("'{}' is {}: maxima of V are known of LIF and LI", p.name, p.model->name));
  }
  refuse_state(inputs, "maxima of silent neurons");
  Maxima<Real> result = nothing_found<Real>(inputs.samples() * size);
  Timeline<Real> timeline;
  for (const auto& [s, j] : silent) {
    start_timeline(plan, inputs, record, population, s, timeline);
    const auto& n = plan.populations[population].neuron(j);
    Highest<Real> highest(n, inputs.end(s));
    replay(n, timeline.of(j), j, std::span<const std::size_t>(), std::span<const double>(),
           inputs.end(s), highest);
    note(result, s * size + j, highest);
  }
  return result;
}

void check_integral(const Population& p, const Inputs& inputs) {
  if (!p.model->has("bias")) return;
  const Parameter& bias = p["bias"];
  for (std::size_t s = 0; s < inputs.t_end.size(); ++s) {
    if (!std::isinf(inputs.t_end[s])) continue;
    for (std::size_t j = 0; j < p.size; ++j) {
      if (bias[j] == 0) continue;
      throw InvalidInput(fmt::format(
          "t_end[{}] is infinite and {}.bias[{}] = {}: the integral of V has no limit; give a "
          "finite end or a bias of 0",
          s, p.name, j, bias[j]));
    }
  }
}

template <class Real>
std::vector<Real> integrals(const Network<Real>& network, const Inputs& inputs,
                            const Record<Real>& record, std::size_t population,
                            const Options& options) {
  const Prepared<Real> prepared(network, inputs, record, options);
  prepared.neurons(population, "integral");
  return integrals<Real>(prepared.plan, inputs, record, population, options.threads, nullptr);
}

namespace {

// Of a neuron without a spike: V is linear in its initial state, its bias and what arrives.
template <class Real>
double integral_at_rest(const neuron::Lif<Real>& n, double end) {
  Integral<Real> integral(n);
  const auto d = neuron::decay<Real>(n.tc, end);
  integral.piece(Piece<Real>{0, end, n.v_initial, n.i_initial, false, d, 0});
  return integral.sum;
}
// What each arrival of weight 1 adds to that.
template <class Real>
void integrals_of_arrivals(const neuron::TimeConstants& tc, const Arrivals<Real>& arrivals,
                           double end, std::vector<double>& out) {
  thread_local std::vector<double> left;
  thread_local std::vector<neuron::Decay<double>> decays;
  left.clear();
  for (const auto& arrival : arrivals.list) left.push_back(end - arrival.time);
  decays.resize(left.size());
  neuron::decays(tc, left, decays.data());
  out.clear();
  for (const auto& d : decays) out.push_back(tc.tau_syn * (1 - d.syn) - tc.tau_mem * d.k);
}

template <class Real>
void integrals_without_spikes(const PopulationPlan<Real>& plan, Timeline<Real>& timeline,
                              double end, std::span<Real> out) {
  thread_local std::vector<double> parts, sums;
  sums.clear();
  for (std::size_t j = 0; j < out.size(); ++j) {
    sums.push_back(integral_at_rest(plan.neuron(j), end));
    if (plan.alike()) continue;
    const Arrivals<Real>& arrivals = timeline.of(j);
    integrals_of_arrivals(plan.neuron(j).tc, arrivals, end, parts);
    for (std::size_t k = 0; k < parts.size(); ++k) {
      sums[j] += parts[k] * static_cast<double>(arrivals.list[k].weight(j));
    }
  }
  if (plan.alike()) {
    const Arrivals<Real>& arrivals = timeline.shared();
    integrals_of_arrivals(plan.neuron(0).tc, arrivals, end, parts);
    for (std::size_t k = 0; k < parts.size(); ++k) {
      const Real* const row = arrivals.list[k].row;
      for (std::size_t j = 0; j < sums.size(); ++j) {
        sums[j] += parts[k] * static_cast<double>(row[j]);
      }
    }
  }
  for (std::size_t j = 0; j < out.size(); ++j) out[j] = static_cast<Real>(sums[j]);
}

// The same of linear neurons that move alike.
template <class Real>
void integrals_of_linear(const PopulationPlan<Real>& plan, const Arrivals<Real>& arrivals,
                         double end, std::span<Real> out) {
  const linear::Alike& all = *plan.alike_linear;
  std::vector<double> sums;
  end = rest_of(plan.linear_neuron(0), arrivals, {}, {}, {}, end);
  for (std::size_t j = 0; j < out.size(); ++j) {
    const linear::Neuron& n = plan.linear_neuron(j);
    sums.push_back(n.free.flow(n.initial, end)[linear::integral_of_v]);
  }
  for (const auto& arrival : arrivals.list) {
    const linear::Step step = all.step(end - arrival.time, true);
    const auto& receptor = all.receptors[all.receptor_of(arrival.projection)];
    double part = 0;
    for (std::size_t k = 0; k < all.components; ++k) part += step.of_integral[k] * receptor[k];
    for (std::size_t j = 0; j < sums.size(); ++j) {
      sums[j] += part * static_cast<double>(arrival.row[j]);
    }
  }
  for (std::size_t j = 0; j < out.size(); ++j) out[j] = static_cast<Real>(sums[j]);
}

}  // namespace

template <class Real>
std::vector<Real> integrals(const Plan<Real>& plan, const Inputs& inputs,
                            const Record<Real>& record, std::size_t population, int threads,
                            Timelines<Real>* timelines) {
  const std::size_t size = plan.size(population);
  const PopulationPlan<Real>& neurons = plan.populations[population];
  check_integral(plan.network->populations()[population], inputs);
  if (inputs.state) {
    const auto find = [&](const auto& one, const auto& in, const auto& of) {
      return integrals<Real>(one, in, of, population, 1, nullptr);
    };
    return joined_lists(plan, inputs, record, threads, find);
  }
  std::vector<Real> result(inputs.samples() * size);
  parallel_for(threads, inputs.samples(), [&](std::size_t s) {
    thread_local Timeline<Real> timeline;
    thread_local OwnSpikes own_spikes;
    const std::span<Real> out = std::span(result).subspan(s * size, size);
    const auto& spikes = record.populations[population].spikes;
    const bool silent = spikes.offsets[s] == spikes.offsets[s + 1];
    if (silent && (!neurons.is_linear() || neurons.linear_alike())) {
      start_timeline(plan, inputs, record, population, s, timeline, timelines);
      if (neurons.is_linear()) {
        integrals_of_linear(neurons, timeline.shared(), inputs.end(s), out);
      } else {
        integrals_without_spikes(neurons, timeline, inputs.end(s), out);
      }
      return;
    }
    for_each_neuron(plan, inputs, record, population, s, timeline, own_spikes,
                    [&](std::size_t j, const auto& arrivals, auto own, auto times) {
                      if (neurons.is_linear()) {
                        const linear::Neuron& n = neurons.linear_neuron(j);
                        const auto x =
                            replay<double>(n, arrivals, j, own, times,
                                           rest_of(n, arrivals, own, times, {}, inputs.end(s)),
                                           LinearVisitor<double>());
                        out[j] = static_cast<Real>(x[linear::integral_of_v]);
                        return;
                      }
                      Integral<Real> integral(neurons.neuron(j));
                      replay(neurons.neuron(j), arrivals, j, own, times, inputs.end(s), integral);
                      out[j] = static_cast<Real>(integral.sum);
                    });
  });
  return result;
}

template <class Real>
std::vector<Real> voltages(const Network<Real>& network, const Inputs& inputs,
                           const Record<Real>& record, std::size_t population,
                           std::span<const double> at, const Options& options) {
  const Prepared<Real> prepared(network, inputs, record, options);
  check_trace(prepared, population, at, "membrane voltage");
  return read_trace<Samples<Real>>(prepared.plan, inputs, record, population, at, 0,
                                   options.threads);
}

#define SALTUS_INSTANTIATE(Real)                                                                   \
  template Maxima<Real> maxima(const Plan<Real>&, const Inputs&, const Record<Real>&, std::size_t, \
                               int, Timelines<Real>*);                                             \
  template Maxima<Real> maxima_of(const Plan<Real>&, const Inputs&, const Record<Real>&,           \
                                  std::size_t, const std::vector<SilentNeuron>&);                  \
  template std::vector<Real> integrals(const Plan<Real>&, const Inputs&, const Record<Real>&,      \
                                       std::size_t, int, Timelines<Real>*);                        \
  template Maxima<Real> maxima(const Network<Real>&, const Inputs&, const Record<Real>&,           \
                               std::size_t, const Options&);                                       \
  template std::vector<Real> integrals(const Network<Real>&, const Inputs&, const Record<Real>&,   \
                                       std::size_t, const Options&);                               \
  template std::vector<Real> voltages(const Network<Real>&, const Inputs&, const Record<Real>&,    \
                                      std::size_t, std::span<const double>, const Options&);
SALTUS_INSTANTIATE(float)
SALTUS_INSTANTIATE(double)
#undef SALTUS_INSTANTIATE

}  // namespace saltus
