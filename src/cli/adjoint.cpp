// SPDX-License-Identifier: Apache-2.0
#include "saltus/adjoint.hpp"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "archive/archive.hpp"
#include "cli/commands.hpp"
#include "cli/fields.hpp"
#include "cli/saved_run.hpp"
#include "saltus/error.hpp"
#include "saltus/loss.hpp"
#include "saltus/observe.hpp"
#include "saltus/store.hpp"
#include "store/gradients.hpp"
#include "store/network.hpp"
#include "store/recording.hpp"

namespace saltus::cli {
namespace {

using nlohmann::json;

struct AdjointOptions {
  std::string recorded, out, readout, precision;
  std::optional<double> t_end;
  double within = 1e-3;
  std::vector<std::string> traces;
  std::vector<double> at;
  bool json = false;
  Given<LossSettings> loss;  // changes that of the run
};

// What goes into the network and what came out, all in memory that stays where it is.
struct Measured {
  store::Recording recording;
  data::LabelledSpikes data;  // of the run, in place of inputs that the recording does not hold
  std::vector<double> t_end;
  std::vector<std::int32_t> labels;
  Inputs inputs;
  std::vector<SpikeView> spikes;  // of each population
};

std::vector<std::string> names_of(const auto& network) {
  std::vector<std::string> names;
  for (const Population& p : network.populations()) names.push_back(p.name);
  return names;
}

// The recording, and what the test data of the run say where it says nothing.
template <class Real>
void measure(const Network<Real>& network, const RunSettings& settings, const SavedRun& run,
             const AdjointOptions& o, Measured& m) {
  m.recording = store::load_recording(o.recorded, names_of(network));
  const auto& recorded = m.recording.spikes;
  const bool of_run = run.is_folder() && network.inputs().size() == 1 &&
                      !recorded.contains(network.populations()[network.inputs()[0]].name);
  if (of_run) m.data = run.test(settings, network);
  for (const Population& p : network.populations()) {
    const bool input = p.model == Model::input;
    const auto found = recorded.find(p.name);
    SpikeView view;
    if (found != recorded.end()) {
      view = found->second.view();
    } else if (input && of_run) {
      view = m.data.spikes.view();
    } else if (input || p.fires()) {
      throw InvalidInput(fmt::format(
          "{}: holds no '{}.times'; expected the spikes of every input and of every population "
          "that spikes",
          o.recorded, p.name));
    }
    if (input) m.inputs.spikes.push_back(view);
    m.spikes.push_back(view);
  }
  m.labels = !m.recording.labels.empty() ? m.recording.labels : m.data.labels;
  if (m.labels.empty()) {
    throw InvalidInput(
        fmt::format("{}: holds no 'labels'; expected a class for each sample", o.recorded));
  }
  m.t_end = o.t_end                           ? std::vector{*o.t_end}
            : !m.recording.t_end.empty()      ? m.recording.t_end
            : of_run && !m.data.t_end.empty() ? m.data.t_end
                                              : std::vector{settings.t_end};
  m.inputs.t_end = m.t_end;
}

// What each population was recorded to do, and what the network says that it does.
template <class Real>
json compared(const Network<Real>& network, const Measured& m, const Record<Real>& predicted,
              double within) {
  json all = json::object();
  for (std::size_t p = 0; p < network.populations().size(); ++p) {
    const Population& population = network.populations()[p];
    if (!population.fires()) continue;
    const SpikeView said = predicted.populations[p].spikes.view();
    const Agreement a = agreement(m.spikes[p], said, population.size, within);
    all[population.name] = {{"recorded", m.spikes[p].times.size()},
                            {"predicted", said.times.size()},
                            {"extra", a.extra},
                            {"missing", a.missing},
                            {"jitter", a.matched > 0 ? json(a.jitter) : json()}};
  }
  return all;
}

template <class Real>
void put_traces(const Network<Real>& network, const Inputs& inputs, const Record<Real>& record,
                const Errors<Real>& errors, const AdjointOptions& o, const Options& options,
                Archive& to) {
  if (o.traces.empty()) return;
  for (const std::string& name : o.traces) {
    const std::size_t p = network.index(name);
    const auto traces = adjoint_traces(network, inputs, record, errors, p, o.at, options);
    const Archive::Extents shape{inputs.samples(), o.at.size(), network.populations()[p].size};
    to.put(name + ".lambda_v", traces.v, shape);
    to.put(name + ".lambda_i", traces.i, shape);
  }
  to.put("trace_times", o.at);
}

void print(const json& said) {
  fmt::print(
      "loss {:.6g}, accuracy {} ({} samples, {} with a silent label)\n", said["loss"].get<double>(),
      said["accuracy"].is_null() ? std::string("unknown")
                                 : fmt::format("{:.2f} %", 100 * said["accuracy"].get<double>()),
      said["samples"].get<std::size_t>(), said["silent_labels"].get<std::size_t>());
  for (const auto& [name, p] : said["populations"].items()) {
    fmt::print(
        "{}: {} spikes recorded, {} predicted; {} recorded without a predicted one within "
        "{} s, {} the other way round{}\n",
        name, p["recorded"].dump(), p["predicted"].dump(), p["extra"].dump(),
        said["within"].get<double>(), p["missing"].dump(),
        p["jitter"].is_null() ? "" : fmt::format("; jitter {:.3g} s", p["jitter"].get<double>()));
  }
  fmt::print("gradients, and what else was asked for, are in {}\n", said["out"].get<std::string>());
}

template <class Real>
int adjoint(const RunSettings& settings, const SavedRun& run, const AdjointOptions& o) {
  const Network<Real> network =
      run.is_folder() ? run.network<Real>(run.settings()) : store::load_network<Real>(run.model());
  const std::size_t readout =
      o.readout.empty() ? network.populations().size() - 1 : network.index(o.readout);
  Measured m;
  measure(network, settings, run, o, m);
  Options options;
  options.threads = run.threads;
  options.limits = run.allowed(settings);
  const Record<Real> measured = record(network, m.inputs, m.spikes, options);
  const auto loss =
      evaluate(settings.loss, network, m.inputs, measured, readout, m.labels, options);
  const Gradients<Real> gradients =
      backward(network, m.inputs, measured, loss.errors, Wanted{}, options);
  const std::size_t samples = m.inputs.samples();
  json said = {
      {"loss", loss.value},
      {"accuracy", loss.predictions.empty()
                       ? json()
                       : json(static_cast<double>(loss.correct) /
                              static_cast<double>(std::max<std::size_t>(1, samples)))},
      {"samples", samples},
      {"silent_labels", loss.silent},
      {"within", o.within},
      {"populations", compared(network, m, simulate(network, m.inputs, options), o.within)}};
  Archive archive;
  store::write_gradients(network, gradients, archive);
  put_traces(network, m.inputs, measured, loss.errors, o, options, archive);
  archive.about["adjoint"] = said;
  store::save_archive(archive, o.out);
  said["out"] = o.out;
  if (o.json) {
    fmt::print("{}\n", said.dump());
  } else {
    print(said);
  }
  return success;
}

// Of a run its own; of a model those that it keeps, if it keeps any.
RunSettings settings_for(const SavedRun& run, const AdjointOptions& o) {
  RunSettings settings;
  if (run.is_folder()) {
    settings = run.settings();
  } else {
    settings.precision = "float64";
    const json kept = json::parse(store::load_settings_of_model(run.model()), nullptr, false);
    if (kept.is_object() && kept.contains("task")) {
      settings = store::settings_from_json(kept.dump());
    }
  }
  for (const auto& change : o.loss.changes) change(settings.loss);
  if (!o.precision.empty()) settings.precision = o.precision;
  check_precision("precision", settings.precision);
  check_fields(settings.loss);
  for (const auto& [what, file] : {std::pair{"the recording", std::filesystem::path(o.recorded)},
                                   {"the model", run.model()}}) {
    std::error_code none;
    if (!std::filesystem::equivalent(o.out, file, none)) continue;
    throw InvalidInput(fmt::format("--out is {}, {} itself; expected another file", o.out, what));
  }
  if (o.traces.empty() != o.at.empty()) {
    throw InvalidInput(
        "--traces names populations and --at the times of their traces; expected both, or neither");
  }
  return settings;
}

}  // namespace

Command add_adjoint(CLI::App& app) {
  auto run = std::make_shared<SavedRun>();
  auto o = std::make_shared<AdjointOptions>();
  SavedRun::add_options(app, run, "what `saltus train --out` left, or a model (.safetensors)");
  app.add_option("recorded", o->recorded,
                 "safetensors with NAME.times, NAME.neurons and NAME.offsets of each population; "
                 "of inputs, labels and t_end those of the run unless they are there")
      ->required();
  add_value<std::string>(app, "--out", "where gradients go (safetensors)", [o](auto v) {
    o->out = v;
  })->required();
  add_value<std::string>(app, "--readout", "population that the loss looks at (default: the last)",
                         [o](auto v) { o->readout = v; });
  add_value<double>(app, "--t-end", "end of every sample, s", [o](auto v) { o->t_end = v; });
  add_value<double>(app, "--within",
                    "count recorded spikes without a predicted one so near, and the other way "
                    "round, s (default 0.001)",
                    [o](auto v) { o->within = v; });
  add_value<std::vector<std::string>>(app, "--traces",
                                      "write lambda_v and lambda_i of these populations too",
                                      [o](auto v) { o->traces = v; });
  add_value<std::vector<double>>(app, "--at", "times of the traces, s", [o](auto v) { o->at = v; });
  add_value<std::string>(app, "--precision",
                         "float32 or float64 (default: that of the run; of a model float64)",
                         [o](auto v) { o->precision = v; });
  add_fields<LossSettings>(app, o->loss, heading::loss,
                           [](LossSettings& s) -> LossSettings& { return s; });
  app.add_flag("--json", o->json, "one JSON object on standard output");
  app.footer(
      "Gradients of a loss from spikes that were recorded elsewhere (neuromorphic hardware, "
      "another\n"
      "simulator): they may come at other times than the model says, be missing or more. What no\n"
      "neuron can do (a spike while refractory, before 0, after the end) is refused. The file "
      "that\n"
      "is written has each gradient by the name of what it is of (in->hidden.weight).\n\n"
      "Examples:\n"
      "  saltus adjoint runs/yinyang chip.safetensors --out gradients.safetensors\n"
      "  saltus adjoint model.safetensors chip.safetensors --loss maximum_voltage --t-end 0.05 \\\n"
      "      --traces hidden --at 0,0.01,0.02 --out gradients.safetensors --json");
  return [run, o] {
    const RunSettings settings = settings_for(*run, *o);
    return settings.precision == "float64" ? adjoint<double>(settings, *run, *o)
                                           : adjoint<float>(settings, *run, *o);
  };
}

}  // namespace saltus::cli
