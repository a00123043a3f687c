// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "cli/values.hpp"
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
  std::vector<std::string> given;  // names of these options
};

template <class T, class Apply>
CLI::Option* option(CLI::App& app, Options& o, const std::string& name, const std::string& help,
                    Apply apply) {
  return add_value<T>(app, name, help, [&o, name, apply](const T& value) {
    o.given.push_back(name);
    o.changes.push_back([apply, value](RunSettings& s) { apply(s, value); });
  });
}

void add_options(CLI::App& app, Options& o) {
  app.add_option("task", o.task, "yinyang, mnist or spikes")
      ->required()
      ->check(CLI::IsMember({"yinyang", "mnist", "spikes"}));
  using S = RunSettings;
  const std::string data = "Data", network = "Network", optimiser = "Optimiser", run = "Run";
  option<std::string>(app, o, "--data", "folder with the IDX files of MNIST or Fashion-MNIST",
                      [](S& s, auto v) { s.data = v; })
      ->group(data);
  option<std::string>(app, o, "--train", "training spikes, HDF5 in SHD's layout (task spikes)",
                      [](S& s, auto v) { s.train_file = v; })
      ->group(data);
  option<std::string>(app, o, "--test", "test spikes, HDF5 in SHD's layout (task spikes)",
                      [](S& s, auto v) { s.test_file = v; })
      ->group(data);
  option<std::size_t>(app, o, "--validation", "training samples to hold out (the first ones)",
                      [](S& s, auto v) { s.validation = v; })
      ->group(data);
  option<std::size_t>(app, o, "--train-samples", "use only so many training samples (0: all)",
                      [](S& s, auto v) { s.train_samples = v; })
      ->group(data);
  option<double>(app, o, "--t-max", "latest input spike of a latency code, s", [](S& s, auto v) {
    s.t_max = v;
  })->group(data);
  option<double>(app, o, "--t-end", "end of every sample, s; inf allowed without recurrence",
                 [](S& s, auto v) { s.t_end = v; })
      ->group(data);

  option<std::vector<std::size_t>>(app, o, "--hidden",
                                   "neurons of each hidden layer, first to last",
                                   [](S& s, auto v) { s.hidden = v; })
      ->group(network);
  app.add_flag_callback(
         "--recurrent", [&o] { o.changes.push_back([](S& s) { s.recurrent = true; }); },
         "hidden layers project onto themselves")
      ->group(network);
  option<double>(app, o, "--recurrent-delay", "delay of those synapses, s", [](S& s, auto v) {
    s.recurrent_delay = v;
  })->group(network);
  option<double>(app, o, "--tau-mem", "membrane time constant, s", [](S& s, auto v) {
    s.tau_mem = v;
  })->group(network);
  option<double>(app, o, "--tau-syn", "synaptic time constant, s", [](S& s, auto v) {
    s.tau_syn = v;
  })->group(network);
  option<double>(app, o, "--v-threshold", "threshold", [](S& s, auto v) {
    s.v_threshold = v;
  })->group(network);
  option<double>(app, o, "--v-reset", "V after a spike", [](S& s, auto v) {
    s.v_reset = v;
  })->group(network);
  option<double>(app, o, "--tau-ref", "absolute refractory time, s", [](S& s, auto v) {
    s.tau_ref = v;
  })->group(network);
  option<double>(app, o, "--hidden-mean", "mean of the first layer's first weights",
                 [](S& s, auto v) { s.hidden_mean = v; })
      ->group(network);
  option<double>(app, o, "--hidden-std", "and their standard deviation", [](S& s, auto v) {
    s.hidden_std = v;
  })->group(network);
  option<double>(app, o, "--output-mean", "mean of the output's first weights", [](S& s, auto v) {
    s.output_mean = v;
  })->group(network);
  option<double>(app, o, "--output-std", "and their standard deviation", [](S& s, auto v) {
    s.output_std = v;
  })->group(network);
  option<double>(app, o, "--recurrent-std", "standard deviation of the first recurrent weights",
                 [](S& s, auto v) { s.recurrent_std = v; })
      ->group(network);
  option<double>(app, o, "--initial-spikes",
                 "scale the first weights until a hidden neuron spikes so often a sample; 0: leave",
                 [](S& s, auto v) { s.initial_spikes = v; })
      ->group(network);

  option<std::string>(app, o, "--loss", "first_spike, maximum_voltage or integrated_voltage",
                      [](S& s, auto v) { s.loss.kind = loss_kind(v); })
      ->group(optimiser);
  option<double>(app, o, "--tau-0", "sharpness of the softmax over first spikes, s",
                 [](S& s, auto v) { s.loss.tau_0 = v; })
      ->group(optimiser);
  option<double>(app, o, "--tau-1", "time scale of the pull on the label's spike, s",
                 [](S& s, auto v) { s.loss.tau_1 = v; })
      ->group(optimiser);
  option<double>(app, o, "--alpha", "weight of that pull", [](S& s, auto v) {
    s.loss.alpha = v;
  })->group(optimiser);
  option<double>(app, o, "--silent-pull", "pull on V of a label's output without a spike",
                 [](S& s, auto v) { s.loss.silent_pull = v; })
      ->group(optimiser);
  option<double>(app, o, "--tau-integral", "unit of the integrals, s", [](S& s, auto v) {
    s.loss.tau_integral = v;
  })->group(optimiser);
  option<int>(app, o, "--epochs", "passes over the training data", [](S& s, auto v) {
    s.train.epochs = v;
  })->group(optimiser);
  option<std::size_t>(app, o, "--batch", "samples of a minibatch", [](S& s, auto v) {
    s.train.batch = v;
  })->group(optimiser);
  option<std::string>(app, o, "--optimizer", "sgd, adam or adamw", [](S& s, auto v) {
    s.train.optimizer = optimizer_kind(v);
  })->group(optimiser);
  option<double>(app, o, "--lr", "learning rate", [](S& s, auto v) {
    s.train.lr = v;
  })->group(optimiser);
  option<std::string>(app, o, "--schedule", "constant, exponential or cosine", [](S& s, auto v) {
    s.train.schedule = schedule_kind(v);
  })->group(optimiser);
  option<double>(app, o, "--decay", "exponential schedule: factor an epoch", [](S& s, auto v) {
    s.train.decay = v;
  })->group(optimiser);
  option<double>(app, o, "--momentum", "of SGD", [](S& s, auto v) {
    s.train.momentum = v;
  })->group(optimiser);
  option<double>(app, o, "--weight-decay", "of AdamW and SGD", [](S& s, auto v) {
    s.train.weight_decay = v;
  })->group(optimiser);
  option<double>(app, o, "--clip-norm", "longest gradient; 0: no limit", [](S& s, auto v) {
    s.train.clip_norm = v;
  })->group(optimiser);
  option<double>(app, o, "--input-dropout", "probability that an input spike is left out",
                 [](S& s, auto v) { s.train.input_dropout = v; })
      ->group(optimiser);
  option<double>(app, o, "--revive",
                 "raise the weights of neurons that were silent for an epoch by "
                 "this share of their rms, less as lr falls; 0: off",
                 [](S& s, auto v) { s.train.revive = v; })
      ->group(optimiser);
  option<double>(app, o, "--smooth-threshold",
                 "standard deviation of noise that thresholds are thought to have: the gradient "
                 "then sees spikes appear and vanish; 0: off",
                 [](S& s, auto v) { s.train.smooth_threshold = v; })
      ->group(optimiser);
  option<double>(app, o, "--smooth-decay", "factor an epoch of that (default 0.8)",
                 [](S& s, auto v) { s.train.smooth_decay = v; })
      ->group(optimiser);
  option<double>(app, o, "--smooth-end", "below this it is 0 (default 0.01)", [](S& s, auto v) {
    s.train.smooth_end = v;
  })->group(optimiser);
  option<std::string>(app, o, "--smooth-reading",
                      "fixed (default): neurons spike at their mean thresholds; sampled: at "
                      "thresholds drawn from the noise",
                      [](S& s, auto v) { s.train.smooth_reading = threshold_reading(v); })
      ->group(optimiser);
  option<double>(app, o, "--step-limit",
                 "longest step, in units of the distance at which the first spike of the minibatch "
                 "appears or vanishes; 0: no limit",
                 [](S& s, auto v) { s.train.step_limit = v; })
      ->group(optimiser);
  option<std::vector<std::string>>(
      app, o, "--trainable",
      "what to train: weights, delays, tau_mem, ..., or single parameters "
      "(hidden.tau_mem)",
      [](S& s, auto v) { s.train.trainable = v; })
      ->group(optimiser);

  option<std::uint64_t>(app, o, "--seed", "of weights, shuffling and dropout (default 0)",
                        [](S& s, auto v) { s.train.seed = v; })
      ->group(run);
  option<int>(app, o, "--threads", "0: all cores; never changes a result (default 1)",
              [](S& s, auto v) { s.train.threads = v; })
      ->group(run);
  option<std::string>(app, o, "--kernel", "vector (default) or scalar: the readable path",
                      [](S& s, auto v) { s.train.kernel = kernel_of(v); })
      ->group(run);
  option<std::string>(app, o, "--precision", "float32 (default) or float64", [](S& s, auto v) {
    s.precision = v;
  })->group(run);
  add_value<std::string>(app, "--out", "folder for model.h5, settings.json and metrics.jsonl",
                         [&o](auto v) { o.out = v; })
      ->group(run);
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
               {"smoothing_sigma", r.smoothing_sigma},
               {"ghosts_per_sample", r.ghosts_per_sample},
               {"ghost_share", r.ghost_share},
               {"grazing_spikes_per_sample", r.grazing_spikes_per_sample},
               {"near_peaks_per_sample", r.near_peaks_per_sample},
               {"saturated_neurons", r.saturated_neurons},
               {"limited_steps", r.limited_steps},
               {"believable_step",
                std::isinf(r.believable_step) ? json("infinite") : json(r.believable_step)},
               {"complete", r.complete}};
  if (validation) {
    line["validation_loss"] = validation->loss;
    line["validation_accuracy"] = validation->accuracy;
  }
  return line;
}

// Everything that a run leaves in its folder: from before the first epoch a model that `saltus
// eval` can read, so that a killed run leaves that of its last epoch.
class Output {
 public:
  explicit Output(const std::string& folder) : folder_(folder) {
    if (folder.empty()) return;
    std::error_code error;
    std::filesystem::create_directories(folder_, error);
    if (error || !std::filesystem::is_directory(folder_, error)) {
      throw FileError(fmt::format("cannot create the folder {}: {}", folder,
                                  error ? error.message() : "a file of that name exists"));
    }
  }
  template <class Real>
  void begin(const RunSettings& s, const Network<Real>& network) const {
    model(network);
    if (folder_.empty()) return;
    store::write_file(folder_ / "metrics.jsonl", "");
    store::write_file(folder_ / "settings.json", store::to_json(s));
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

void say_epoch(const EpochReport& r, const std::optional<Evaluation>& validation, int epochs,
               double left) {
  say("epoch {:3}/{}  loss {:.4f}  accuracy {:5.2f} %{}  {:6.1f} us/sample  {:.1f} spikes/sample  "
      "{}{} left\n",
      r.epoch, epochs, r.loss, 100 * r.accuracy,
      validation ? fmt::format("  validation {:5.2f} %", 100 * validation->accuracy) : "",
      r.us_per_sample, r.hidden_spikes_per_sample,
      r.smoothing_sigma > 0 ? fmt::format("{:.1f} ghosts ({:.0f} % of the gradient)  ",
                                          r.ghosts_per_sample, 100 * r.ghost_share)
                            : "",
      clock_time(left));
}

struct Trained {
  double seconds = 0;
  std::size_t samples = 0;
  EpochReport last;
  bool stopped() const { return !last.complete; }
};

// All epochs, with what they show and leave.
template <class Real>
Trained train_epochs(Trainer<Real>& trainer, const TaskData& data, int epochs, bool quiet,
                     Output& output) {
  Trained t;
  const std::size_t total = data.train.size() * static_cast<std::size_t>(epochs);
  Progress progress(std::max<std::size_t>(total, 1), "samples", quiet);
  for (int epoch = 0; epoch < epochs && !t.stopped(); ++epoch) {
    const auto done = static_cast<std::size_t>(epoch) * data.train.size();
    t.last = trainer.train_epoch(
        data.train,
        [&](const EpochReport& r) {
          progress.show(done + r.samples, fmt::format("epoch {}/{}  loss {:.4f}  accuracy {:.2f} %",
                                                      r.epoch, epochs, r.loss, 100 * r.accuracy));
        },
        &stop_requested());
    if (t.last.samples == 0) break;
    t.seconds += t.last.seconds;
    t.samples += t.last.samples;
    std::optional<Evaluation> validation;
    if (data.validation.size() > 0 && !t.stopped()) validation = trainer.evaluate(data.validation);
    output.model(trainer.network());
    output.epoch(epoch_line(t.last, validation));
    progress.clear();
    if (!quiet) {
      say_epoch(t.last, validation, epochs, t.seconds / (epoch + 1) * (epochs - epoch - 1));
    }
  }
  progress.clear();
  if (t.stopped()) {
    say("stopped after {} epochs and {} samples of the next{}\n", trainer.epochs_done(),
        t.last.samples,
        output ? fmt::format("; the model is in {}", output.name())
               : "; no --out was given, nothing is saved");
  }
  return t;
}

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
  if (!options.json && !options.quiet) fmt::print("{}", describe(network));
  std::fflush(stdout);
  Trainer<Real> trainer(std::move(network), readout, settings.loss, settings.t_end, settings.train);
  output.begin(settings, trainer.network());

  catch_interrupts();
  const Trained trained = train_epochs(trainer, data, settings.train.epochs, options.quiet, output);
  const Evaluation test = trainer.evaluate(data.test);
  const int epochs = trainer.epochs_done();
  const double us_per_sample =
      trained.samples > 0 ? 1e6 * trained.seconds / static_cast<double>(trained.samples) : 0.0;
  json result = {{"task", settings.task},
                 {"seed", settings.train.seed},
                 {"epochs", epochs},
                 {"threads", settings.train.threads},
                 {"precision", settings.precision},
                 {"test_accuracy", test.accuracy},
                 {"test_loss", test.loss},
                 {"test_samples", test.samples},
                 {"test_silent_labels", test.silent_labels},
                 {"train_seconds", trained.seconds},
                 {"seconds_per_epoch", trained.seconds / std::max(1, epochs)},
                 {"us_per_sample", us_per_sample},
                 {"hidden_spikes_per_sample", test.hidden_spikes_per_sample},
                 {"interrupted", trained.stopped()},
                 {"version", version},
                 {"commit", git_commit()}};
  if (data.validation.size() > 0) {
    result["validation_accuracy"] = trainer.evaluate(data.validation).accuracy;
  }
  if (settings.loss.kind == LossKind::first_spike && 2 * test.silent_labels > test.samples) {
    say("the label's output is silent in {} of {} test samples, which teach nothing: try larger "
        "first weights (--hidden-mean, --output-mean) or more hidden neurons\n",
        test.silent_labels, test.samples);
  }
  if (options.json) {
    fmt::print("{}\n", result.dump());
  } else {
    fmt::print(
        "test accuracy {:.2f} %, loss {:.4f} ({} samples, {} with a silent label)\n"
        "trained {} epochs in {:.1f} s: {:.1f} us a sample, {:.1f} hidden spikes a sample\n",
        100 * test.accuracy, test.loss, test.samples, test.silent_labels, epochs, trained.seconds,
        us_per_sample, test.hidden_spikes_per_sample);
    if (output) fmt::print("model, settings and metrics are in {}\n", output.name());
  }
  return trained.stopped() ? interrupted : success;
}

// An option that its task does not read is a mistake, as is one that it needs and does not get.
void check_given(const Options& options) {
  const auto given = [&](std::string_view name) {
    return std::find(options.given.begin(), options.given.end(), name) != options.given.end();
  };
  const std::pair<const char*, std::vector<std::string>> readers[] = {
      {"--data", {"mnist"}},
      {"--train", {"spikes"}},
      {"--test", {"spikes"}},
      {"--validation", {"mnist", "spikes"}},
      {"--t-max", {"yinyang", "mnist"}}};
  for (const auto& [name, tasks] : readers) {
    if (given(name) && std::find(tasks.begin(), tasks.end(), options.task) == tasks.end()) {
      throw InvalidInput(fmt::format("task {} has no {}; it is of {}", options.task, name,
                                     fmt::join(tasks, " and ")));
    }
  }
  if (options.task == "mnist" && !given("--data")) {
    throw InvalidInput(
        "task mnist needs --data DIR, a folder with the IDX files of MNIST or "
        "Fashion-MNIST");
  }
  if (options.task == "spikes" && !(given("--train") && given("--test"))) {
    throw InvalidInput("task spikes needs --train FILE.h5 and --test FILE.h5");
  }
}

}  // namespace

Command add_train(CLI::App& app) {
  auto options = std::make_shared<Options>();
  add_options(app, *options);
  return [options] {
    RunSettings settings = default_settings(options->task);
    for (const auto& change : options->changes) change(settings);
    check_given(*options);
    check(settings);
    // So that `saltus eval` finds them from any folder.
    for (std::string* place : {&settings.data, &settings.train_file, &settings.test_file}) {
      if (!place->empty()) *place = std::filesystem::absolute(*place).lexically_normal().string();
    }
    return settings.precision == "float64" ? train<double>(settings, *options)
                                           : train<float>(settings, *options);
  };
}

}  // namespace saltus::cli
