// SPDX-License-Identifier: Apache-2.0
// Trainer32 and Trainer64: the loop of `saltus train`; Optimizer: one step on arrays of Python's.
#include "saltus/train.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "bind.hpp"
#include "interrupt.hpp"
#include "loss.hpp"
#include "saltus/advice.hpp"
#include "saltus/store.hpp"
#include "settings.hpp"
#include "store/json.hpp"
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

// Arrays by name, each as its shape and its values.
using Given = std::map<std::string, std::tuple<std::vector<std::size_t>, In<double>>>;

// Learning rates of a function(first, epoch).
class PythonSchedule final : public Schedule {
 public:
  explicit PythonSchedule(nb::callable rate) : rate_(std::move(rate)) {}
  double learning_rate(double first, int epoch,
                       std::span<const EpochReport> /*history*/) const override {
    const nb::gil_scoped_acquire acquire;
    return nb::cast<double>(rate_(first, epoch));
  }

 private:
  nb::callable rate_;
};

// A trainer and the network of the user, which it keeps in step: values that a callback changed
// between epochs are taken over, and whatever an epoch has learnt is given back, also if it throws.
template <class Real>
class BoundTrainer {
 public:
  BoundTrainer(nb::object network, const GivenLoss& loss, double t_end, const nb::dict& settings,
               std::optional<nb::callable> learning_rate, std::optional<nb::callable> step)
      : network_(std::move(network)),
        settings_(settings_of<TrainSettings>(settings)),
        trainer_(convert<Real>(user()), loss_of<Real>(loss, network_), t_end, settings_,
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

  // Of the last epoch, which is then the best of all or not.
  void validated(double loss, std::optional<double> accuracy) {
    EpochReport& last = trainer_.state().history.back();
    last.validation_loss = loss;
    last.validation_accuracy = accuracy.value_or(EpochReport::nan);
  }
  bool is_best() const {
    const TrainState<Real>& state = trainer_.state();
    return state.epochs > 0 && best_epoch(state.history) == state.epochs;
  }

  int epochs() const { return trainer_.epochs_done(); }
  bool within_epoch() const { return trainer_.state().epoch.minibatches > 0; }
  double lr() const {
    const double changed = trainer_.state().lr;
    return std::isnan(changed) ? settings_.lr : changed;
  }
  void set_lr(double lr) { trainer_.state().lr = lr; }

  // `about`: JSON of what is not in TrainSettings, or takes the place of what is.
  void save(const std::string& file, const std::string& about, const Given& memory) {
    TrainState<Real>& state = trainer_.state();
    if (!running_) take_over(state.network);
    state.memory.clear();
    for (const auto& [name, array] : memory) {
      state.memory[name] = {std::get<0>(array), vector_of(std::get<1>(array))};
    }
    store::save_checkpoint(state, settings_json(about), file);
  }

  // What there is to tell, the epochs that are done, and the memory: (lines, reports, arrays).
  nb::tuple resume(const std::string& file, const std::string& about) {
    auto saved = store::load_checkpoint<Real>(file);
    const std::string now = settings_json(about);
    nb::list told, history;
    nb::dict memory;
    for (const auto& [name, array] : saved.state.memory) {
      memory[name.c_str()] = nb::make_tuple(array.shape, give(std::vector<double>(array.values)));
    }
    try {
      for (const auto& line :
           store::resumed_with(saved.settings, now, saved.state.epoch.minibatches > 0)) {
        told.append(line);
      }
      const auto was = nlohmann::json::parse(saved.settings);
      if (was.value("lr", settings_.lr) != settings_.lr) saved.state.lr = EpochReport::nan;
      trainer_.resume(std::move(saved.state));
    } catch (const InvalidInput& e) {
      throw InvalidInput(store::checkpoint_in(file).string() + ": " + e.what());
    }
    const TrainState<Real>& state = std::as_const(trainer_).state();
    copy_values(state.network, user());
    for (const EpochReport& report : state.history) history.append(as_dict(report));
    return nb::make_tuple(told, history, memory);
  }

 private:
  struct GiveBack {
    BoundTrainer& self;
    explicit GiveBack(BoundTrainer& trainer) : self(trainer) { self.running_ = true; }
    ~GiveBack() {
      self.running_ = false;
      copy_values(self.trainer_.network(), self.user());
    }
    GiveBack(const GiveBack&) = delete;
    GiveBack& operator=(const GiveBack&) = delete;
  };

  void take_over(Network<Real>& network) {
    check_structure(user(), network);
    copy_values(user(), network);
  }
  Net& user() { return nb::cast<Net&>(network_); }

  std::string settings_json(const std::string& about) const {
    nlohmann::json text = nlohmann::json::object();
    store::write_fields(text, settings_);
    text.update(nlohmann::json::parse(about));
    return text.dump();
  }

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

  // step(gradients by name, lr, scale), which changes the user's network.
  class PythonOptimizer final : public Optimizer<Real> {
   public:
    PythonOptimizer(BoundTrainer& trainer, nb::callable step)
        : trainer_(trainer), step_(std::move(step)) {}
    void step(Network<Real>& network, const Gradients<Real>& gradients, double lr,
              double scale) override {
      const nb::gil_scoped_acquire acquire;
      nb::dict named;
      for (const Trained& what : trained_of(network, trainer_.settings_.trainable)) {
        visit_trained(
            what, network,
            [&](auto&, auto gradient) {
              named[name_of(network, what).c_str()] = give(std::move(gradient));
            },
            gradients);
      }
      copy_values(network, trainer_.user());
      step_(named, lr, scale);
      trainer_.take_over(network);
    }

   private:
    BoundTrainer& trainer_;
    nb::callable step_;
  };

  TrainHooks<Real> hooks(std::optional<nb::callable> learning_rate,
                         std::optional<nb::callable> step) {
    TrainHooks<Real> result;
    if (learning_rate) result.schedule = std::make_shared<PythonSchedule>(*learning_rate);
    if (step) result.optimizer = std::make_shared<PythonOptimizer>(*this, *step);
    return result;
  }

  nb::object network_;
  TrainSettings settings_;
  Trainer<Real> trainer_;
  bool running_ = false;
};

template <class Real>
void bind(nb::module_& module, const char* name) {
  using T = BoundTrainer<Real>;
  nb::class_<T>(module, name)
      .def(nb::init<nb::object, const GivenLoss&, double, const nb::dict&,
                    std::optional<nb::callable>, std::optional<nb::callable>>(),
           nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg().none(), nb::arg().none())
      .def("train_epoch", &T::train_epoch, nb::arg(), nb::arg().none())
      .def("evaluate", &T::evaluate)
      .def("validated", &T::validated, nb::arg(), nb::arg().none())
      .def_prop_ro("is_best", &T::is_best)
      .def_prop_ro("epochs", &T::epochs)
      .def_prop_ro("within_epoch", &T::within_epoch)
      .def_prop_rw("lr", &T::lr, &T::set_lr)
      .def("save", &T::save)
      .def("resume", &T::resume);
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

// Its arrays, to be kept and put back.
nb::tuple moments_of(const TensorOptimizer& tensor) {
  return nb::make_tuple(give(std::vector<double>(tensor.first)),
                        give(std::vector<double>(tensor.second)));
}
void put_moments(TensorOptimizer& tensor, const In<double>& first, const In<double>& second) {
  tensor.first = vector_of(first);
  tensor.second = vector_of(second);
}

template <class Real>
nb::dict evaluate_network(const nb::object& network, const GivenLoss& given, double t_end,
                          const data::LabelledSpikes& data, int threads, const nb::dict& limits) {
  const auto loss = loss_of<Real>(given, network);
  const Network<Real> converted = convert<Real>(nb::cast<Net&>(network));
  const auto allowed = settings_of<SampleLimits>(limits);
  check_fields(allowed);
  Evaluation result;
  {
    const Released released;
    result = evaluate(converted, *loss, t_end, data, threads, allowed);
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
      .def("step", &TensorOptimizer::step)
      .def("moments", &moments_of)
      .def("put_moments", &put_moments);
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
  module.def("fingerprint", &store::fingerprint);
  // Of a run's folder: do they belong together?
  module.def("check_settings_of_model", [](const std::string& settings, const std::string& model) {
    store::check_settings_of_model(store::load_settings(settings),
                                   store::load_settings_of_model(model));
  });
  module.def("write_file", [](const std::string& file, const nb::bytes& content) {
    store::write_file(file, std::string(content.c_str(), content.size()));
  });
  nb::class_<store::FolderLock>(module, "_FolderLock")
      .def(nb::init<const std::string&>())
      .def("release", &store::FolderLock::release);
  module.def("check_loss",
             [](const nb::dict& given) { check_fields(settings_of<LossSettings>(given)); });
  module.def("learning_rate", [](const nb::dict& given, int epoch) {
    return learning_rate(settings_of<TrainSettings>(given), epoch);
  });
}

}  // namespace saltus::python
