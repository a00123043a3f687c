// SPDX-License-Identifier: Apache-2.0
// Trainer32 and Trainer64: the loop of `saltus train`; Optimizer: one step on arrays of Python's.
#include "saltus/train.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "bind.hpp"
#include "interrupt.hpp"
#include "settings.hpp"
#include "train/optimizer.hpp"

namespace saltus::python {
namespace {

using Net = Network<double>;

template <class Real>
Network<Real> network_of(const Net& network) {
  return convert<Real>(network);
}

// What Python can say by itself is left out.
template <class Report>
nb::dict as_dict(const Report& report) {
  nb::dict d;
  for_each_field(report, [&](const auto& figure, const auto& value) {
    if (figure.name != "us_per_sample" && figure.name != "complete") d[key(figure.name)] = value;
  });
  return d;
}

// `progress`: called at most ten times a second with samples done, loss and accuracy so far, or
// none.
template <class Real>
nb::dict train_epoch(Trainer<Real>& trainer, const data::LabelledSpikes& data,
                     const nb::object& progress) {
  EpochReport report;
  {
    const Released released;
    using Clock = std::chrono::steady_clock;
    Clock::time_point last = Clock::now();
    std::function<void(const EpochReport&)> show;
    if (!progress.is_none()) {
      show = [&](const EpochReport& r) {
        const Clock::time_point now = Clock::now();
        if (now - last < std::chrono::milliseconds(100)) return;
        last = now;
        const nb::gil_scoped_acquire acquire;
        progress(r.samples, r.loss, r.accuracy);
      };
    }
    report = trainer.train_epoch(data, show);
  }
  return as_dict(report);
}

template <class Real>
nb::dict evaluate_data(Trainer<Real>& trainer, const data::LabelledSpikes& data) {
  Evaluation result;
  {
    const Released released;
    result = trainer.evaluate(data);
  }
  return as_dict(result);
}

// Writes into the vectors that `to` has, so that Python's views stay where they are.
template <class Real>
void copy_values(const Trainer<Real>& trainer, Net& to) {
  const Network<Real>& from = trainer.network();
  for (std::size_t k = 0; k < from.projections().size(); ++k) {
    const auto& p = from.projections()[k];
    auto& q = to.projections()[k];
    std::copy(p.weight.begin(), p.weight.end(), q.weight.begin());
    std::copy(p.delay.values.begin(), p.delay.values.end(), q.delay.values.begin());
  }
  for (std::size_t k = 0; k < from.populations().size(); ++k) {
    for (const auto& [name, member, lif_only] : neuron_parameters) {
      const auto& values = (from.populations()[k].*member).values();
      std::copy(values.begin(), values.end(), (to.populations()[k].*member).values().begin());
    }
  }
}

template <class Real>
void bind(nb::module_& module, const char* name) {
  using T = Trainer<Real>;
  nb::class_<T>(module, name)
      .def("__init__",
           [](T* self, const Net& network, std::size_t readout, const nb::dict& loss, double t_end,
              const nb::dict& settings) {
             new (self) T(network_of<Real>(network), readout, settings_of<LossSettings>(loss),
                          t_end, settings_of<TrainSettings>(settings));
           })
      .def("train_epoch", &train_epoch<Real>, nb::arg(), nb::arg().none())
      .def("evaluate", &evaluate_data<Real>)
      .def("copy_values", &copy_values<Real>);
}

// The state for one tensor.
struct TensorOptimizer {
  Optimizer<double> state;

  void step(const nb::dict& settings, double lr, std::int64_t count, double scale,
            nb::ndarray<double, nb::ndim<1>, nb::c_contig, nb::device::cpu> values,
            const In<double>& gradient) {
    state.step(settings_of<TrainSettings>(settings), lr, count, scale,
               {values.data(), values.size()}, span_of(gradient));
  }
};

template <class Real>
nb::dict evaluate_network(const Net& network, std::size_t readout, const nb::dict& loss,
                          double t_end, const data::LabelledSpikes& data, int threads) {
  const LossSettings settings = settings_of<LossSettings>(loss);
  const Network<Real> converted = network_of<Real>(network);
  Evaluation result;
  {
    const Released released;
    result = evaluate(converted, readout, settings, t_end, data, threads);
  }
  return as_dict(result);
}

// name -> model of the outputs, {setting: default}
nb::dict losses_of() {
  nb::dict result;
  for (const NamedLoss& loss : losses()) {
    nb::dict usual;
    for (const LossSetting& setting : loss.settings) usual[key(setting.name)] = setting.usual;
    result[key(loss.name)] = nb::make_tuple(loss.readout_model == Model::lif ? "LIF" : "LI", usual);
  }
  return result;
}

}  // namespace

void bind_train(nb::module_& module) {
  bind<float>(module, "Trainer32");
  bind<double>(module, "Trainer64");
  nb::class_<TensorOptimizer>(module, "Optimizer")
      .def(nb::init<>())
      .def("step", &TensorOptimizer::step);
  module.def("evaluate32", &evaluate_network<float>);
  module.def("evaluate64", &evaluate_network<double>);
  module.def("check_settings",
             [](const nb::dict& given) { check(settings_of<TrainSettings>(given)); });
  module.def("train_settings", [] {
    nb::list names;
    const TrainSettings settings;
    for_each_field(settings,
                   [&](const auto& field, const auto&) { names.append(key(field.name)); });
    return names;
  });
  module.def("losses", &losses_of);
  module.def("check_loss",
             [](const nb::dict& given) { check_fields(settings_of<LossSettings>(given)); });
  module.def("learning_rate", [](const nb::dict& given, int epoch) {
    return learning_rate(settings_of<TrainSettings>(given), epoch);
  });
  module.def("smoothing_sigma", [](const nb::dict& given, int epoch) {
    return smoothing_sigma(settings_of<TrainSettings>(given), epoch);
  });
}

}  // namespace saltus::python
