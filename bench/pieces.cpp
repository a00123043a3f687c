// SPDX-License-Identifier: Apache-2.0
// The pieces that a synaptic event is made of, one by one:
//
//     build/bench/bench_pieces --benchmark_repetitions=5 --benchmark_report_aggregates_only
//
// Whole passes are measured by `saltus bench`.
#include <benchmark/benchmark.h>

#include <vector>

#include "adjoint/lambda.hpp"
#include "neuron/decay.hpp"
#include "neuron/spike_search.hpp"
#include "random/random.hpp"
#include "simulate/layer.hpp"

namespace saltus {
namespace {

const neuron::TimeConstants tc(20e-3, 5e-3);

// A layer of LIF neurons under random weights, far from or near the threshold.
template <class Real>
struct Layer {
  Network<Real> network;

  Layer(std::size_t size, double largest) {
    network.add_input("in", inputs);
    Population p;
    p.name = "hidden";
    p.size = size;
    network.add_population(p);
    Random random(1, Purpose::synthetic);
    std::vector<Real> w(inputs * size);
    for (Real& x : w) x = static_cast<Real>(random.uniform(0, largest));
    network.connect("in", "hidden", w);
  }
  static constexpr std::size_t inputs = 64;
};

template <class Real>
void decay(benchmark::State& state) {
  double dt = 1e-4;
  for (auto _ : state) {
    benchmark::DoNotOptimize(neuron::decay<Real>(tc, dt));
    dt = dt < 1e-2 ? dt * 1.01 : 1e-4;
  }
}
BENCHMARK(decay<float>);
BENCHMARK(decay<double>);

// Newton's method on one neuron that does spike.
template <class Real>
void spike_search(benchmark::State& state) {
  Random random(2, Purpose::synthetic);
  std::vector<std::pair<Real, Real>> cases(1024);
  for (auto& [v, i] : cases) {
    v = static_cast<Real>(random.uniform(0, 0.9));
    i = static_cast<Real>(random.uniform(8, 20));
  }
  std::size_t k = 0;
  for (auto _ : state) {
    const auto& [v, i] = cases[k++ % cases.size()];
    benchmark::DoNotOptimize(neuron::crossing<Real>(tc, v, i, 0, 1, 0, 0));
  }
}
BENCHMARK(spike_search<float>);
BENCHMARK(spike_search<double>);

// Adding a row of weights to the currents of a layer; an item is a synaptic event.
template <class Real>
void row_add(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  const Layer<Real> layer(size, 0.01);
  const Plan<Real> plan(layer.network);
  LayerState<Real> neurons;
  neurons.start(plan.populations[1], size);
  const Rows<Real> rows = plan.rows(0);
  std::size_t k = 0;
  for (auto _ : state) LayerKernels<Real>::best().arrive(neurons, rows[k++ % Layer<Real>::inputs]);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(row_add<float>)->Arg(10)->Arg(350)->Arg(4096);
BENCHMARK(row_add<double>)->Arg(350);

// A sample of 64 arrivals through a layer in vectors: decay, the two tests, the search. The second
// argument is the largest weight in hundredths: 1, no neuron comes near its threshold; 40, many
// spike.
template <class Real>
void sweep(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  const Layer<Real> layer(size, static_cast<double>(state.range(1)) / 100);
  const Plan<Real> plan(layer.network);
  const PopulationPlan<Real>& population = plan.populations[1];
  std::vector<double> times;
  std::vector<std::int32_t> channels;
  for (std::size_t k = 0; k < Layer<Real>::inputs; ++k) {
    times.push_back(3e-4 * static_cast<double>(k));
    channels.push_back(static_cast<std::int32_t>(k));
  }
  Arrivals<Real> arrivals;
  arrivals.add(layer.network.projections()[0], plan.rows(0), 0, size, {times, channels},
               any_column);
  arrivals.finish(infinity);
  arrivals.decay_through(population.neuron(0).tc, 0, infinity);
  LayerState<Real> neurons;
  std::vector<RecordedSpike<Real>> spikes;
  for (auto _ : state) {
    spikes.clear();
    neurons.start(population, size);
    LayerKernels<Real>::best().sweep(population, neurons, arrivals, 0, infinity, spikes);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0) *
                          static_cast<std::int64_t>(Layer<Real>::inputs));
  state.counters["spikes"] = static_cast<double>(spikes.size());
}
BENCHMARK(sweep<float>)->Args({350, 1})->Args({350, 40});
BENCHMARK(sweep<double>)->Args({350, 1})->Args({350, 40});

// lambda of a layer back over an interval, and the error that an arrival reads off it.
template <class Real>
void lambda(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  Lambda<Real> l;
  l.start(size);
  const std::vector<Real> row(size + widest_vector, Real(0.1));
  const auto d = neuron::decay<Real>(tc, 1e-6);
  const auto& kernels = LambdaKernels<Real>::best();
  for (std::size_t j = 0; j < size; ++j) l.set(j, {Real(1), Real(-1)}, 0);
  for (auto _ : state) {
    kernels.flow_back(l, tc, d);
    benchmark::DoNotOptimize(kernels.error_of_arrival(l, row.data()));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(lambda<float>)->Arg(10)->Arg(256);
BENCHMARK(lambda<double>)->Arg(256);

}  // namespace
}  // namespace saltus

BENCHMARK_MAIN();
