// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "saltus/error.hpp"
#include "saltus/store.hpp"
#include "saltus/task.hpp"
#include "saltus/version.hpp"

namespace saltus::cli {
namespace {

using nlohmann::json;

struct Options {
  std::string task;
  std::string out;
  bool json = false, quiet = false;
  // What was given on the command line changes the defaults of the task.
  std::vector<std::function<void(RunSettings&)>> changes;
};

template <class T, class Apply>
CLI::Option* option(CLI::App& app, Options& o, const std::string& name, const std::string& help,
                    Apply apply) {
  return app.add_option_function<T>(
      name, [&o, apply](const T& value) {
        o.changes.push_back([apply, value](RunSettings& s) { apply(s, value); });
      }, help);
}

void add_options(CLI::App& app, Options& o) {
  app.add_option("task", o.task, "yinyang, mnist or spikes")
      ->required()
      ->check(CLI::IsMember({"yinyang", "mnist", "spikes"}));
  using S = RunSettings;
  const std::string data = "Data", network = "Network", optimiser = "Optimiser", run = "Run";
  option<std::string>(app, o, "--data", "folder with the IDX files of MNIST or Fashion-MNIST",
                      [](S& s, auto v) { s.data = v; })->group(data);
  option<std::string>(app, o, "--train", "training spikes, HDF5 in SHD's layout (task spikes)",
                      [](S& s, auto v) { s.train_file = v; })->group(data);
  option<std::string>(app, o, "--test", "test spikes, HDF5 in SHD's layout (task spikes)",
                      [](S& s, auto v) { s.test_file = v; })->group(data);
  option<std::size_t>(app, o, "--validation", "training samples to hold out (the first)",
                      [](S& s, auto v) { s.validation = v; })->group(data);
  option<std::size_t>(app, o, "--train-samples", "use only so many training samples",
                      [](S& s, auto v) { s.train_samples = v; })->group(data);
  option<double>(app, o, "--t-max", "latest input spike of a latency code, s",
                 [](S& s, auto v) { s.t_max = v; })->group(data);
  option<double>(app, o, "--t-end", "end of every sample, s; inf allowed without recurrence",
                 [](S& s, auto v) { s.t_end = v; })->group(data);

  option<std::vector<std::size_t>>(app, o, "--hidden", "neurons of each hidden layer",
                                   [](S& s, auto v) { s.hidden = v; })
      ->delimiter(',')->expected(1, 64)->group(network);
  app.add_flag_callback("--recurrent",
                        [&o] { o.changes.push_back([](S& s) { s.recurrent = true; }); },
                        "hidden layers project onto themselves")->group(network);
  option<double>(app, o, "--recurrent-delay", "delay of those synapses, s",
                 [](S& s, auto v) { s.recurrent_delay = v; })->group(network);
  option<double>(app, o, "--tau-mem", "membrane time constant, s",
                 [](S& s, auto v) { s.tau_mem = v; })->group(network);
  option<double>(app, o, "--tau-syn", "synaptic time constant, s",
                 [](S& s, auto v) { s.tau_syn = v; })->group(network);
  option<double>(app, o, "--v-threshold", "threshold", [](S& s, auto v) { s.v_threshold = v; })
      ->group(network);
  option<double>(app, o, "--v-reset", "V after a spike", [](S& s, auto v) { s.v_reset = v; })
      ->group(network);
  option<double>(app, o, "--tau-ref", "absolute refractory time, s",
                 [](S& s, auto v) { s.tau_ref = v; })->group(network);
  option<double>(app, o, "--hidden-mean", "mean of the first layer's first weights",
                 [](S& s, auto v) { s.hidden_mean = v; })->group(network);
  option<double>(app, o, "--hidden-std", "and their standard deviation",
                 [](S& s, auto v) { s.hidden_std = v; })->group(network);
  option<double>(app, o, "--output-mean", "mean of the output's first weights",
                 [](S& s, auto v) { s.output_mean = v; })->group(network);
  option<double>(app, o, "--output-std", "and their standard deviation",
                 [](S& s, auto v) { s.output_std = v; })->group(network);
  option<double>(app, o, "--recurrent-std", "standard deviation of the first recurrent weights",
                 [](S& s, auto v) { s.recurrent_std = v; })->group(network);
  option<double>(app, o, "--initial-spikes",
                 "scale the first weights until a hidden neuron spikes so often a sample; 0: leave",
                 [](S& s, auto v) { s.initial_spikes = v; })->group(network);

  option<std::string>(app, o, "--loss", "first_spike, maximum_voltage or integrated_voltage",
                      [](S& s, auto v) { s.loss.kind = loss_kind(v); })->group(optimiser);
  option<double>(app, o, "--tau-0", "sharpness of the softmax over first spikes, s",
                 [](S& s, auto v) { s.loss.tau_0 = v; })->group(optimiser);
  option<double>(app, o, "--tau-1", "time scale of the pull on the label's spike, s",
                 [](S& s, auto v) { s.loss.tau_1 = v; })->group(optimiser);
  option<double>(app, o, "--alpha", "weight of that pull", [](S& s, auto v) { s.loss.alpha = v; })
      ->group(optimiser);
  option<double>(app, o, "--tau-integral", "unit of the integrals, s",
                 [](S& s, auto v) { s.loss.tau_integral = v; })->group(optimiser);
  option<int>(app, o, "--epochs", "passes over the training data",
              [](S& s, auto v) { s.train.epochs = v; })->group(optimiser);
  option<std::size_t>(app, o, "--batch", "samples of a minibatch",
                      [](S& s, auto v) { s.train.batch = v; })->group(optimiser);
  option<std::string>(app, o, "--optimizer", "sgd, adam or adamw",
                      [](S& s, auto v) { s.train.optimizer = optimizer_kind(v); })->group(optimiser);
  option<double>(app, o, "--lr", "learning rate", [](S& s, auto v) { s.train.lr = v; })
      ->group(optimiser);
  option<std::string>(app, o, "--schedule", "constant, exponential or cosine",
                      [](S& s, auto v) { s.train.schedule = schedule_kind(v); })->group(optimiser);
  option<double>(app, o, "--decay", "exponential schedule: factor an epoch",
                 [](S& s, auto v) { s.train.decay = v; })->group(optimiser);
  option<double>(app, o, "--momentum", "of SGD", [](S& s, auto v) { s.train.momentum = v; })
      ->group(optimiser);
  option<double>(app, o, "--weight-decay", "of AdamW and SGD",
                 [](S& s, auto v) { s.train.weight_decay = v; })->group(optimiser);
  option<double>(app, o, "--clip-norm", "longest gradient; 0: no limit",
                 [](S& s, auto v) { s.train.clip_norm = v; })->group(optimiser);
  option<double>(app, o, "--input-dropout", "probability that an input spike is left out",
                 [](S& s, auto v) { s.train.input_dropout = v; })->group(optimiser);
  option<double>(app, o, "--revive", "raise the weights of neurons that were silent for an epoch by "
                 "this share of their rms; 0: off",
                 [](S& s, auto v) { s.train.revive = v; })->group(optimiser);
  option<std::vector<std::string>>(
      app, o, "--trainable", "what to train: weights, delays, tau_mem, v_threshold, ...",
      [](S& s, auto v) { s.train.trainable = v; })
      ->delimiter(',')->expected(1, 16)->group(optimiser);

  option<std::uint64_t>(app, o, "--seed", "of weights, shuffling and dropout (default 0)",
                        [](S& s, auto v) { s.train.seed = v; })->group(run);
  option<int>(app, o, "--threads", "0: all cores; never changes a result (default 1)",
              [](S& s, auto v) { s.train.threads = v; })->group(run);
  option<std::string>(app, o, "--precision", "float32 (default) or float64",
                      [](S& s, auto v) { s.precision = v; })
      ->check(CLI::IsMember({"float32", "float64"}))->group(run);
  app.add_option("--out", o.out, "folder for model.h5, settings.json and metrics.jsonl")->group(run);
  app.add_flag("--json", o.json, "last line on standard output: one JSON object")->group(run);
  app.add_flag("--quiet", o.quiet, "no lines for each epoch")->group(run);
  app.footer(
      "Defaults are the published settings of each task (docs/results.md).\n\n"
      "Examples:\n"
      "  saltus train yinyang --seed 1 --out runs/yinyang\n"
      "  saltus train mnist --data mnist/ --threads 0\n"
      "  saltus train mnist --data fashion_mnist/ --hidden 350 --epochs 20 --batch 32\n"
      "  saltus train spikes --train braille_train.h5 --test braille_test.h5 --recurrent");
}

json epoch_line(const EpochReport& r, const std::optional<Evaluation>& validation) {
  json line = {{"epoch", r.epoch},
               {"loss", r.loss},
               {"accuracy", r.accuracy},
               {"lr", r.lr},
               {"seconds", r.seconds},
               {"us_per_sample", r.us_per_sample},
               {"samples", r.samples},
               {"hidden_spikes_per_sample", r.hidden_spikes_per_sample},
               {"gradient_norm", r.gradient_norm},
               {"silent_neurons", r.silent_neurons},
               {"silent_labels", r.silent_labels},
               {"revived", r.revived},
               {"complete", r.complete}};
  if (validation) {
    line["validation_loss"] = validation->loss;
    line["validation_accuracy"] = validation->accuracy;
  }
  return line;
}

// Everything that a run leaves in its folder.
class Output {
 public:
  explicit Output(const std::string& folder) : folder_(folder) {
    if (folder.empty()) return;
    std::error_code error;
    std::filesystem::create_directories(folder_, error);
    if (error) throw FileError(fmt::format("cannot create {}: {}", folder, error.message()));
  }
  void settings(const RunSettings& s) const {
    if (!folder_.empty()) store::write_file(folder_ / "settings.json", store::to_json(s));
  }
  void epoch(const json& line) {
    if (folder_.empty()) return;
    metrics_ += line.dump() + "\n";
    store::write_file(folder_ / "metrics.jsonl", metrics_);
  }
  template <class Real>
  void model(const Network<Real>& network) const {
    if (!folder_.empty()) store::save_network(network, folder_ / "model.h5");
  }
  explicit operator bool() const { return !folder_.empty(); }
  std::string name() const { return folder_.string(); }

 private:
  std::filesystem::path folder_;
  std::string metrics_;
};

template <class Real>
int train(RunSettings settings, const Options& options) {
  Output output(options.out);
  const TaskData data = load_data(settings);
  if (settings.task == "spikes" && settings.t_end == 0) {
    double last = 0;
    for (const auto* part : {&data.train, &data.validation, &data.test}) {
      for (const double t : part->spikes.times) last = std::max(last, t);
    }
    settings.t_end = last + 50e-3;
  }
  Network<Real> network = build_network<Real>(settings, data.train);
  const std::size_t readout = network.index("out");
  output.settings(settings);
  if (!options.json && !options.quiet) fmt::print("{}", describe(network));
  Trainer<Real> trainer(std::move(network), readout, settings.loss, settings.t_end, settings.train);

  const int epochs = settings.train.epochs;
  const std::size_t total = data.train.size() * static_cast<std::size_t>(epochs);
  double seconds = 0;
  std::size_t samples = 0;
  bool stopped = false;
  EpochReport last;
  {
    Progress progress(std::max<std::size_t>(total, 1), "samples", options.quiet);
    for (int epoch = 0; epoch < epochs && !stopped; ++epoch) {
      const auto done = static_cast<std::size_t>(epoch) * data.train.size();
      const std::string what = fmt::format("epoch {}/{}", epoch + 1, epochs);
      last = trainer.train_epoch(
          data.train, [&](std::size_t n) { progress.show(what, done + n); }, &stop_requested());
      stopped = !last.complete;
      seconds += last.seconds;
      samples += last.samples;
      std::optional<Evaluation> validation;
      if (data.validation.size() > 0 && !stopped) validation = trainer.evaluate(data.validation);
      output.epoch(epoch_line(last, validation));
      progress.clear();
      if (!options.quiet) {
        const double left = epochs > epoch + 1 ? seconds / (epoch + 1) * (epochs - epoch - 1) : 0;
        fmt::print(stderr, "epoch {:3}/{}  loss {:.4f}  accuracy {:5.2f} %{}  {:6.1f} us/sample  "
                   "{:.1f} spikes/sample  {} left\n", last.epoch, epochs, last.loss,
                   100 * last.accuracy,
                   validation ? fmt::format("  validation {:5.2f} %", 100 * validation->accuracy)
                              : "",
                   last.us_per_sample, last.hidden_spikes_per_sample, clock_time(left));
      }
    }
  }
  output.model(trainer.network());
  if (stopped) {
    fmt::print(stderr, "stopped after {} epochs and {} samples of the next{}\n",
               trainer.epochs_done(), last.samples,
               output ? fmt::format("; the model is in {}", output.name())
                      : "; no --out was given, nothing is saved");
  }

  const Evaluation test = trainer.evaluate(data.test);
  json result = {{"task", settings.task},
                 {"seed", settings.train.seed},
                 {"epochs", trainer.epochs_done()},
                 {"threads", settings.train.threads},
                 {"precision", settings.precision},
                 {"test_accuracy", test.accuracy},
                 {"test_loss", test.loss},
                 {"test_samples", test.samples},
                 {"test_silent_labels", test.silent_labels},
                 {"train_seconds", seconds},
                 {"seconds_per_epoch", epochs > 0 ? seconds / std::max(1, trainer.epochs_done()) : 0.0},
                 {"us_per_sample", samples > 0 ? 1e6 * seconds / static_cast<double>(samples) : 0.0},
                 {"hidden_spikes_per_sample", test.hidden_spikes_per_sample},
                 {"interrupted", stopped},
                 {"version", version},
                 {"commit", git_commit()}};
  if (data.validation.size() > 0) {
    result["validation_accuracy"] = trainer.evaluate(data.validation).accuracy;
  }
  if (options.json) {
    fmt::print("{}\n", result.dump());
  } else {
    fmt::print("test accuracy {:.2f} %, loss {:.4f} ({} samples, {} with a silent label)\n"
               "trained {} epochs in {:.1f} s: {:.1f} us a sample, {:.1f} hidden spikes a sample\n",
               100 * test.accuracy, test.loss, test.samples, test.silent_labels,
               trainer.epochs_done(), seconds, result["us_per_sample"].get<double>(),
               test.hidden_spikes_per_sample);
    if (output) fmt::print("model, settings and metrics are in {}\n", output.name());
  }
  std::fflush(stdout);
  return stopped ? interrupted : success;
}

}  // namespace

Command add_train(CLI::App& app) {
  auto options = std::make_shared<Options>();
  add_options(app, *options);
  return [options] {
    RunSettings settings = default_settings(options->task);
    for (const auto& change : options->changes) change(settings);
    if (settings.task == "spikes" && (settings.train_file.empty() || settings.test_file.empty())) {
      throw InvalidInput("task spikes needs --train FILE.h5 and --test FILE.h5");
    }
    return settings.precision == "float64" ? train<double>(settings, *options)
                                           : train<float>(settings, *options);
  };
}

}  // namespace saltus::cli
