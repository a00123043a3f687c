// SPDX-License-Identifier: Apache-2.0
// Trainer32 and Trainer64: the loop of `saltus train`; Optimizer: one step on arrays of Python's.
#include "saltus/train.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "bind.hpp"
#include "interrupt.hpp"
#include "loss.hpp"
#include "saltus/advice.hpp"
#include "settings.hpp"
#include "train/optimizer.hpp"
#include "train/ranges.hpp"
#include "train/trainable.hpp"
#include "values.hpp"

namespace saltus::python {
namespace {

// NaN stands for what nobody knows.
template <class T>
nb::object or_none(const T& value) {
  if constexpr (std::is_same_v<T, double>) {
    if (std::isnan(value)) return nb::none();
  }
  return nb::cast(value);
}

// What Python can say by itself is left out.
template <class Report>
nb::dict as_dict(const Report& report) {
  nb::dict d;
  for_each_field(report, [&](const auto& figure, const auto& value) {
    if (figure.name == "us_per_sample" || figure.name == "complete") return;
    d[key(figure.name)] = or_none(value);
  });
  return d;
}

// A trainer and the network of the user, which it keeps in step: values that a callback changed
// between epochs are taken over, and whatever an epoch has learnt is given back, also if it throws.
template <class Real>
class BoundTrainer {
 public:
  BoundTrainer(nb::object network, const GivenLoss& loss, double t_end, const nb::dict& settings,
               std::optional<nb::callable> learning_rate, std::optional<nb::callable> step)
      : network_(std::move(network)),
        trainable_(settings_of<TrainSettings>(settings).trainable),
        trainer_(convert<Real>(user()), loss_of<Real>(loss, network_), t_end,
                 settings_of<TrainSettings>(settings),
                 hooks(std::move(learning_rate), std::move(step))) {}

  // `progress`: called at most ten times a second with samples done, loss and accuracy so far, or
  // none.
  nb::dict train_epoch(const data::LabelledSpikes& data, const nb::object& progress) {
    take_over(trainer_.state().network);
    const GiveBack give_back{*this};
    EpochReport report;
    {
      const Released released;
      report = trainer_.train_epoch(data, shown_by(progress));
    }
    nb::dict result = as_dict(report);
    result["advice"] = advice(report);
    return result;
  }

  nb::dict evaluate(const data::LabelledSpikes& data) {
    Evaluation result;
    {
      const Released released;
      result = trainer_.evaluate(data);
    }
    return as_dict(result);
  }

 private:
  struct GiveBack {
    BoundTrainer& self;
    ~GiveBack() { copy_values(self.trainer_.network(), self.user()); }
  };

  void take_over(Network<Real>& network) {
    check_structure(user(), network);
    copy_values(user(), network);
  }
  Net& user() { return nb::cast<Net&>(network_); }

  static std::function<void(const EpochReport&)> shown_by(const nb::object& progress) {
    if (progress.is_none()) return {};
    using Clock = std::chrono::steady_clock;
    return [&progress, last = Clock::now()](const EpochReport& r) mutable {
      const Clock::time_point now = Clock::now();
      if (now - last < std::chrono::milliseconds(100)) return;
      last = now;
      const nb::gil_scoped_acquire acquire;
      progress(r.samples, r.loss, or_none(r.accuracy));
    };
  }

  // learning_rate(epoch); step(gradients by name, lr, scale), which changes the user's network.
  TrainHooks<Real> hooks(std::optional<nb::callable> learning_rate,
                         std::optional<nb::callable> step) {
    TrainHooks<Real> result;
    if (learning_rate) {
      result.learning_rate = [rate = std::move(*learning_rate)](int epoch) {
        const nb::gil_scoped_acquire acquire;
        return nb::cast<double>(rate(epoch));
      };
    }
    if (step) {
      result.step = [this, step = std::move(*step)](Network<Real>& network,
                                                    const Gradients<Real>& gradients, double lr,
                                                    double scale) {
        const nb::gil_scoped_acquire acquire;
        nb::dict named;
        for (const Trained& what : trained_of(network, trainable_)) {
          visit_trained(
              what, network,
              [&](auto&, auto gradient) {
                named[name_of(network, what).c_str()] = give(std::move(gradient));
              },
              gradients);
        }
        copy_values(network, user());
        step(named, lr, scale);
        take_over(network);
      };
    }
    return result;
  }

  nb::object network_;
  std::vector<std::string> trainable_;
  Trainer<Real> trainer_;
};

template <class Real>
void bind(nb::module_& module, const char* name) {
  using T = BoundTrainer<Real>;
  nb::class_<T>(module, name)
      .def(nb::init<nb::object, const GivenLoss&, double, const nb::dict&,
                    std::optional<nb::callable>, std::optional<nb::callable>>(),
           nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg().none(), nb::arg().none())
      .def("train_epoch", &T::train_epoch, nb::arg(), nb::arg().none())
      .def("evaluate", &T::evaluate);
}

// The state for one tensor.
struct TensorOptimizer {
  std::vector<double> first, second;

  void step(const nb::dict& settings, double lr, std::int64_t count, double scale,
            nb::ndarray<double, nb::ndim<1>, nb::c_contig, nb::device::cpu> values,
            const In<double>& gradient, bool decays) {
    optimizer_step(settings_of<TrainSettings>(settings), lr, count, scale,
                   std::span(values.data(), values.size()), span_of(gradient), first, second,
                   decays);
  }
};

template <class Real>
nb::dict evaluate_network(const nb::object& network, const GivenLoss& given, double t_end,
                          const data::LabelledSpikes& data, int threads) {
  const auto loss = loss_of<Real>(given, network);
  const Network<Real> converted = convert<Real>(nb::cast<Net&>(network));
  Evaluation result;
  {
    const Released released;
    result = evaluate(converted, *loss, t_end, data, threads);
  }
  nb::dict d = as_dict(result);
  d["predictions"] = give(std::move(result.predictions));
  return d;
}

// name -> models that the outputs may have, {setting: default}
nb::dict losses_of() {
  nb::dict result;
  for (const NamedLoss& loss : losses()) {
    nb::dict usual;
    for (const LossSetting& setting : loss.settings) usual[key(setting.name)] = setting.usual;
    nb::list outputs;
    for (const Model model : Model::all()) {
      if (loss.takes(model)) outputs.append(key(model->name));
    }
    result[key(loss.name)] = nb::make_tuple(outputs, usual);
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
  nb::class_<Ranged>(module, "Ranged")
      .def("__init__", [](Ranged* self, const Net& network) { new (self) Ranged(network); })
      .def("clamp", [](const Ranged& before, Net& network) { return clamp(network, before); });
  // Of parameters by their names: the unit in which an optimiser sees each, and its learning rate as
  // a factor of lr.
  module.def("units_and_rates", [](const Net& network, const nb::dict& given) {
    const auto settings = settings_of<TrainSettings>(given);
    const auto trained = trained_of(network, settings.trainable);
    const auto rates = rates_of(network, trained, settings);
    nb::dict result;
    for (std::size_t k = 0; k < trained.size(); ++k) {
      result[key(name_of(network, trained[k]))] =
          nb::make_tuple(unit_of(network, trained[k]), rates[k]);
    }
    return result;
  });
  module.def("advice", [](const Net& network, const data::LabelledSpikes& data, double t_end) {
    return advice(network, data, t_end);
  });
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
}

}  // namespace saltus::python
