// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.hpp"
#include "cli/fields.hpp"
#include "cli/progress.hpp"
#include "cli/result.hpp"
#include "cli/values.hpp"
#include "cli/warnings.hpp"
#include "saltus/advice.hpp"
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
  Given<RunSettings> given;  // changes the defaults of the task
};

void add_options(CLI::App& app, Options& o) {
  app.add_option("task", o.task, "yinyang, mnist or spikes")
      ->required()
      ->check(CLI::IsMember({"yinyang", "mnist", "spikes"}));
  const auto whole = [](RunSettings& s) -> RunSettings& { return s; };
  const auto loss = [](RunSettings& s) -> LossSettings& { return s.loss; };
  const auto train = [](RunSettings& s) -> TrainSettings& { return s.train; };
  add_fields<RunSettings>(app, o.given, heading::data, whole);
  add_fields<RunSettings>(app, o.given, heading::network, whole);
  add_fields<LossSettings>(app, o.given, heading::optimiser, loss);
  add_fields<TrainSettings>(app, o.given, heading::optimiser, train);
  add_fields<TrainSettings>(app, o.given, heading::run, train);
  const std::string run(heading::run);
  add_option<std::string>(app, o.given, "--kernel", "vector (default) or scalar: the readable path",
                          [](RunSettings& s, auto& v) { s.train.kernel = kernel_of(v); })
      ->group(run);
  add_fields<RunSettings>(app, o.given, heading::run, whole);
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
      "  saltus train mnist --data mnist/ --layers conv:16x5s2,pool:2,128\n"
      "  saltus train spikes --train braille_train.h5 --test braille_test.h5 --recurrent");
}

// What is about to be trained on: "data: 5000 training, 1000 validation and 1000 test samples; 5.0
// spikes a sample, the last at 0.03 s; t_end inf s".
std::string describe(const TaskData& data, double t_end) {
  double longest = 0;
  std::size_t spikes = 0, samples = 0;
  for (const auto* part : {&data.train, &data.validation, &data.test}) {
    for (const double t : part->spikes.times) longest = std::max(longest, t);
    spikes += part->spikes.times.size();
    samples += part->size();
  }
  return fmt::format(
      "data: {} training, {} validation and {} test samples; {:.1f} spikes a sample, the last at "
      "{:.4g} s; t_end {:.4g} s\n",
      data.train.size(), data.validation.size(), data.test.size(),
      static_cast<double>(spikes) / static_cast<double>(std::max<std::size_t>(1, samples)), longest,
      t_end);
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
  void begin(const RunSettings& s, const Network<Real>& network) {
    settings_ = store::settings_of_model(s);
    model(network);
    if (folder_.empty()) return;
    store::write_file(folder_ / "metrics.jsonl", "");
    store::write_file(folder_ / "settings.json", store::to_json(s));
  }
  void epoch(const EpochReport& report, const std::optional<Evaluation>& validation) {
    if (folder_.empty()) return;
    metrics_ += store::metrics_line(report, validation);
    store::write_file(folder_ / "metrics.jsonl", metrics_);
  }
  template <class Real>
  void model(const Network<Real>& network) const {
    if (!folder_.empty()) store::save_network(network, folder_ / "model.h5", settings_);
  }
  explicit operator bool() const { return !folder_.empty(); }
  std::string name() const { return folder_.string(); }

 private:
  std::filesystem::path folder_;
  std::string metrics_, settings_;
};

void say_epoch(const EpochReport& r, const std::optional<Evaluation>& validation, int epochs,
               double left) {
  say("epoch {:3}/{}  loss {:.4f}  accuracy {:5.2f} %{}  {:6.1f} us/sample  {:.1f} spikes/sample  "
      "{}{}{} left\n",
      r.epoch, epochs, r.loss, 100 * r.accuracy,
      validation ? fmt::format("  validation {:5.2f} %", 100 * validation->accuracy) : "",
      r.us_per_sample, r.hidden_spikes_per_sample,
      r.smoothing_sigma > 0 ? fmt::format("{:.1f} ghosts ({:.0f} % of the gradient)  ",
                                          r.ghosts_per_sample, 100 * r.ghost_share)
                            : "",
      r.silent_neurons > 0 ? fmt::format("{} silent neurons  ", r.silent_neurons) : "",
      clock_time(left));
}

struct Trained : store::TrainedEpochs {
  EpochReport last;
  bool stopped() const { return !last.complete; }
};

// All epochs, with what they show and leave.
template <class Real>
Trained train_epochs(Trainer<Real>& trainer, const TaskData& data, int epochs, bool quiet,
                     Output& output, Warnings& warnings) {
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
    t.epochs += t.last.complete;
    std::optional<Evaluation> validation;
    if (data.validation.size() > 0 && !t.stopped()) validation = trainer.evaluate(data.validation);
    output.model(trainer.network());
    output.epoch(t.last, validation);
    progress.clear();
    if (!quiet) {
      say_epoch(t.last, validation, epochs, t.seconds / (epoch + 1) * (epochs - epoch - 1));
    }
    warnings.say_once(advice(t.last));
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
  if (settings.task == "spikes" && settings.t_end == 0) settings.t_end = usual_t_end(data);
  Network<Real> network = build_network<Real>(settings, data.train);
  const std::size_t readout = network.index("out");
  if (!options.json && !options.quiet) {
    fmt::print("{}{}", describe(network), describe(data, settings.t_end));
  }
  std::fflush(stdout);
  Warnings warnings;
  warnings.say_once(advice(network, data.train, settings.t_end));
  Trainer<Real> trainer(std::move(network), readout, settings.loss, settings.t_end, settings.train);
  output.begin(settings, trainer.network());

  catch_interrupts();
  const Trained trained =
      train_epochs(trainer, data, settings.train.epochs, options.quiet, output, warnings);
  const Evaluation test = trainer.evaluate(data.test);
  json result = result_of(settings, settings.train.threads, trained, test);
  result["interrupted"] = trained.stopped();
  result["version"] = version;
  result["commit"] = git_commit();
  if (data.validation.size() > 0) {
    result["validation_accuracy"] = trainer.evaluate(data.validation).accuracy;
  }
  if (find_loss(settings.loss.kind).readout_model == Model::lif &&
      2 * test.silent_labels > test.samples) {
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
        100 * test.accuracy, test.loss, test.samples, test.silent_labels, trained.epochs,
        trained.seconds, trained.us_per_sample(), test.hidden_spikes_per_sample);
    if (output) fmt::print("model, settings and metrics are in {}\n", output.name());
  }
  return trained.stopped() ? interrupted : success;
}

// An option that its task does not read is a mistake, as is one that it needs and does not get.
void check_given(const Options& options) {
  const auto& names = options.given.names;
  const auto given = [&](std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
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
    const auto& names = options->given.names;
    const bool layers = std::find(names.begin(), names.end(), "--layers") != names.end();
    RunSettings settings = default_settings(options->task, layers);
    for (const auto& change : options->given.changes) change(settings);
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
