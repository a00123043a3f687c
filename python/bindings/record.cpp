// SPDX-License-Identifier: Apache-2.0
// Record32 and Record64: simulate, what is read off a record, backward.
#include "record.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bind.hpp"
#include "errors.hpp"
#include "observe/observe.hpp"
#include "saltus/adjoint.hpp"
#include "saltus/advice.hpp"
#include "saltus/ghosts.hpp"
#include "settings.hpp"
#include "simulate/forward.hpp"
#include "state.hpp"

namespace saltus::python {
namespace {

template <class Real>
std::unique_ptr<Run<Real>> run_simulate(std::shared_ptr<Net> network,
                                        std::vector<SpikeArrays> spikes, const In<double>& t_end,
                                        int threads, const std::optional<nb::dict>& smoothing,
                                        const std::optional<std::vector<StateArrays>>& state,
                                        const nb::dict& limits) {
  auto run = std::make_unique<Run<Real>>(std::move(network), std::move(spikes), t_end, threads);
  run->inputs.state = state_of(state);
  run->options.limits = settings_of<SampleLimits>(limits);
  check_fields(run->options.limits);
  const Smoothing thresholds = smoothing ? settings_of<Smoothing>(*smoothing) : Smoothing{};
  const Released released;
  run->record = simulate(*run->network, run->inputs, thresholds, {}, run->options);
  run->seen = fingerprint(run->inputs);
  return run;
}

// `foreign`: the spikes of each population, by its number.
template <class Real>
std::unique_ptr<Run<Real>> run_record(std::shared_ptr<Net> network, std::vector<SpikeArrays> spikes,
                                      const std::map<std::size_t, SpikeArrays>& foreign,
                                      const In<double>& t_end, int threads) {
  auto run = std::make_unique<Run<Real>>(std::move(network), std::move(spikes), t_end, threads);
  std::vector<SpikeView> views(run->network->populations().size());
  for (const auto& [population, arrays] : foreign) views.at(population) = view_of(arrays);
  const Released released;
  run->record = record(*run->network, run->inputs, views, run->options);
  run->seen = fingerprint(run->inputs);
  return run;
}

template <class Real>
nb::tuple spikes(nb::handle self, std::size_t population) {
  const SpikeRecord<Real>& r = nb::cast<const Run<Real>&>(self).record.populations.at(population);
  const auto whole = [&](const auto& values) { return view(values.data(), values.size(), self); };
  return nb::make_tuple(whole(r.spikes.times), whole(r.spikes.neurons), whole(r.currents),
                        whole(r.spikes.offsets));
}

// Where each spike was fired; empty: at its neuron's own threshold.
template <class Real>
auto get_thresholds(nb::handle self, std::size_t population) {
  const auto& values =
      nb::cast<const Run<Real>&>(self).record.populations.at(population).thresholds;
  return view(values.data(), values.size(), self);
}

template <class Real>
nb::tuple get_maxima(Run<Real>& run, std::size_t population) {
  using Shared = std::shared_ptr<const Maxima<Real>>;
  auto shared = std::make_unique<Shared>(find_maxima(run, population));
  const Maxima<Real>& m = **shared;
  const nb::capsule owner(shared.get(), [](void* p) noexcept { delete static_cast<Shared*>(p); });
  shared.release();
  static_assert(sizeof(Place) == 1);
  return nb::make_tuple(
      view(m.values.data(), m.values.size(), owner), view(m.times.data(), m.times.size(), owner),
      view(reinterpret_cast<const std::uint8_t*>(m.places.data()), m.places.size(), owner));
}

template <class Real>
auto get_integrals(const Run<Real>& run, std::size_t population) {
  std::vector<Real> result;
  {
    const Released released;
    run.check_unchanged();
    result = integrals(*run.network, run.inputs, run.record, population, run.options);
  }
  return give(std::move(result));
}

template <class Real>
auto get_voltages(const Run<Real>& run, std::size_t population, const In<double>& at) {
  std::vector<Real> result;
  {
    const Released released;
    run.check_unchanged();
    result = voltages(*run.network, run.inputs, run.record, population, span_of(at), run.options);
  }
  return give(std::move(result));
}

template <class Real>
auto get_currents(const Run<Real>& run, std::size_t population, const In<double>& at) {
  std::vector<Real> result;
  {
    const Released released;
    run.check_unchanged();
    result = currents(*run.network, run.inputs, run.record, population, span_of(at), run.options);
  }
  return give(std::move(result));
}

template <class Real>
nb::list get_state(const Run<Real>& run) {
  State state;
  {
    const Released released;
    run.check_unchanged();
    state = final_state(*run.network, run.inputs, run.record, run.options);
  }
  return give(std::move(state));
}

nb::list get_below(const Net& network, const std::vector<StateArrays>& state) {
  return give(below_thresholds(network, *state_of(state)));
}

template <class Real>
nb::dict by_name(const Network<Real>& network, Gradients<Real>& gradients) {
  nb::dict result;
  const auto put = [&](const std::string& owner, std::string_view parameter, auto& values) {
    const std::string key = owner + '.' + std::string(parameter);
    result[key.c_str()] = give(std::move(values));
  };
  const auto& populations = network.populations();
  for (std::size_t p = 0; p < populations.size(); ++p) {
    const std::string& name = populations[p].name;
    auto& parameters = gradients.neurons[p].parameters;  // none if not wanted
    for (std::size_t k = 0; k < parameters.size(); ++k) {
      put(name, populations[p].model->parameters[k].name, parameters[k]);
    }
    put(name, "times", gradients.times[p]);
    if (gradients.state.populations.empty()) continue;  // it does not go on from one
    put(name, "state", gradients.state.populations[p].x);
    put(name, "state.times", gradients.state.populations[p].past);
  }
  for (std::size_t k = 0; k < network.projections().size(); ++k) {
    put(network.projections()[k].name, "weight", gradients.weights[k]);
    put(network.projections()[k].name, "delay", gradients.delays[k]);
  }
  return result;
}

// `other`: a network with other values than the record's, or none for the record's own.
// `wanted`: delays, input times, neurons. `ghosts`: their differences are filled in.
template <class Real>
nb::dict run_backward(Run<Real>& run, const std::map<std::size_t, ErrorArrays<Real>>& given,
                      const Net* other, std::tuple<bool, bool, bool> wanted, int threads,
                      Ghosts<Real>* ghosts) {
  const std::shared_ptr<const Network<Real>> network = run.network_or(other);
  // A copy: another thread may look at the ghosts meanwhile.
  std::optional<Ghosts<Real>> known;
  if (ghosts) known = *ghosts;
  Errors<Real> errors = errors_of<Real>(given, network->populations().size());
  if (!other) place_maxima(run, errors);
  Gradients<Real> gradients;
  {
    const Released released;
    run.check_unchanged();
    Options options;
    options.threads = threads;
    for (std::size_t p = 0; other && p < errors.populations.size(); ++p) {
      if (errors.populations[p].maxima.empty()) continue;
      errors.maxima[p] = maxima_for(run, *network, p, errors.populations[p].maxima, options);
    }
    const auto [delays, input_times, neurons] = wanted;
    const Wanted kinds{delays, input_times, neurons};
    gradients = known ? backward(*network, run.inputs, run.record, errors, *known, kinds, options)
                      : backward(*network, run.inputs, run.record, errors, kinds, options);
  }
  if (ghosts) *ghosts = std::move(*known);
  return by_name(*network, gradients);
}

template <class Real>
nb::tuple get_adjoint(Run<Real>& run, const std::map<std::size_t, ErrorArrays<Real>>& given,
                      std::size_t population, const In<double>& at) {
  Errors<Real> errors = errors_of<Real>(given, run.network->populations().size());
  place_maxima(run, errors);
  AdjointTraces<Real> traces;
  {
    const Released released;
    run.check_unchanged();
    traces = adjoint_traces(*run.network, run.inputs, run.record, errors, population, span_of(at),
                            run.options);
  }
  return nb::make_tuple(give(std::move(traces.v)), give(std::move(traces.i)));
}

// value, correct, silent, predictions, and the errors: of spikes, maxima, integrals, and of samples
// with their times
template <class Real>
nb::tuple run_loss(Run<Real>& run, const nb::dict& settings, std::size_t readout,
                   const In<std::int32_t>& labels) {
  const LossSettings loss = settings_of<LossSettings>(settings);
  LossResult<Real> result{0, 0, 0, {}, Errors<Real>(0)};
  {
    const Released released;
    run.check_unchanged();
    result =
        evaluate(loss, *run.network, run.inputs, run.record, readout, span_of(labels), run.options);
  }
  // backward() will ask for the same maxima.
  if (Maxima<Real>& m = result.errors.maxima[readout];
      !m.values.empty() && run.network->populations()[readout].model == Model::li) {
    run.maxima[readout] = std::make_shared<const Maxima<Real>>(std::move(m));
  }
  PopulationErrors<Real>& e = result.errors.populations[readout];
  return nb::make_tuple(result.value, result.correct, result.silent,
                        give(std::move(result.predictions)), give(std::move(e.spikes)),
                        give(std::move(e.maxima)), give(std::move(e.integrals)),
                        give(std::move(e.sample_times)), give(std::move(e.samples)));
}

template <class Real>
void bind(nb::module_& module, const char* name) {
  using R = Run<Real>;
  nb::class_<R>(module, name)
      .def_static("simulate", &run_simulate<Real>, nb::arg(), nb::arg(), nb::arg(), nb::arg(),
                  nb::arg().none(), nb::arg().none(), nb::arg())
      .def_static("record", &run_record<Real>)
      .def_prop_ro("goes_on", [](const R& run) { return run.inputs.state != nullptr; })
      .def_prop_ro("samples", [](const R& run) { return run.record.samples; })
      .def("spikes", [](nb::handle_t<R> self, std::size_t p) { return spikes<Real>(self, p); })
      .def("maxima", &get_maxima<Real>)
      .def("integrals", &get_integrals<Real>)
      .def("voltages", &get_voltages<Real>)
      .def("thresholds", &get_thresholds<Real>)
      .def("currents", &get_currents<Real>)
      .def("state", &get_state<Real>)
      .def("advice", [](const R& run) { return advice(*run.network, run.inputs); })
      .def("adjoint", &get_adjoint<Real>)
      .def("loss", &run_loss<Real>)
      .def("backward", &run_backward<Real>, nb::arg(), nb::arg().none(), nb::arg(), nb::arg(),
           nb::arg().none());
}

}  // namespace

void bind_record(nb::module_& module) {
  bind<float>(module, "Record32");
  bind<double>(module, "Record64");
  module.def("below_thresholds", &get_below);
}

}  // namespace saltus::python
