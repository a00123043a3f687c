// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "cli/commands.hpp"
#include "cli/fields.hpp"
#include "cli/log_level.hpp"
#include "cli/progress.hpp"
#include "cli/result.hpp"
#include "cli/run_folder.hpp"
#include "cli/team.hpp"
#include "cli/values.hpp"
#include "cli/warnings.hpp"
#include "machine/peak_memory.hpp"
#include "machine/stoppable.hpp"
#include "saltus/advice.hpp"
#include "saltus/error.hpp"
#include "saltus/store.hpp"
#include "saltus/task.hpp"
#include "saltus/version.hpp"
#include "store/settings.hpp"
#include "train/together.hpp"

namespace saltus::cli {
namespace {

using nlohmann::json;

struct Options {
  std::string task;
  std::string config, out, resume;
  bool json = false;
  LogLevel level = LogLevel::info;
  Given<RunSettings> given;  // changes the defaults of the task
};

void add_options(CLI::App& app, Options& o) {
  app.add_option("task", o.task,
                 "yinyang, mnist or spikes; with --config or --resume that of the file")
      ->check(CLI::IsMember({"yinyang", "mnist", "spikes"}));
  const auto whole = [](RunSettings& s) -> RunSettings& { return s; };
  const auto loss = [](RunSettings& s) -> LossSettings& { return s.loss; };
  const auto train = [](RunSettings& s) -> TrainSettings& { return s.train; };
  add_fields<RunSettings>(app, o.given, heading::data, whole);
  add_fields<RunSettings>(app, o.given, heading::network, whole);
  add_fields<LossSettings>(app, o.given, heading::loss, loss);
  add_fields<TrainSettings>(app, o.given, heading::optimiser, train);
  add_fields<TrainSettings>(app, o.given, heading::run, train);
  const std::string run(heading::run);
  add_option<std::string>(app, o.given, "--kernel", "vector (default) or scalar: the readable path",
                          [](RunSettings& s, auto& v) { s.train.kernel = kernel_of(v); })
      ->group(run);
  add_fields<RunSettings>(app, o.given, heading::run, whole);
  add_value<std::string>(
      app, "--config",
      "settings of a file: TOML, as `saltus init` writes it, or the settings.json of a run (or its "
      "folder); options win over it",
      [&o](auto v) { o.config = v; })
      ->group(run);
  add_value<std::string>(app, "--out",
                         "folder for model.safetensors, settings.json, metrics.jsonl, "
                         "checkpoint.safetensors, best.safetensors",
                         [&o](auto v) { o.out = v; })
      ->group(run);
  add_value<std::string>(
      app, "--resume",
      "go on with the training in this folder, or of this checkpoint, to the bit; "
      "settings are its own unless given (--epochs: in all); without --out into "
      "the same folder",
      [&o](auto v) { o.resume = v; })
      ->group(run);
  app.add_flag("--json", o.json, "last line on standard output: one JSON object")->group(run);
  add_log_level(app, o.level, run);
  app.footer(
      "Defaults are the published settings of each task (docs/results.md).\n\n"
      "Examples:\n"
      "  saltus train yinyang --seed 1 --out runs/yinyang\n"
      "  saltus train --resume runs/yinyang\n"
      "  saltus train --config yinyang.toml --epochs 5      (saltus init yinyang writes one)\n"
      "  saltus train --config graph.toml                   (saltus init graph: any network)\n"
      "  saltus train --config runs/yinyang/settings.json --out runs/again      the same bits\n"
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

void say_epoch(const EpochReport& r, int epochs, double left) {
  say("epoch {:3}/{}  loss {:.4f}  accuracy {:5.2f} %{}  {:6.1f} us/sample  {:.1f} spikes/sample  "
      "{}{}{} left\n",
      r.epoch, epochs, r.loss, 100 * r.accuracy,
      std::isnan(r.validation_loss)
          ? ""
          : fmt::format("  validation {:5.2f} %", 100 * r.validation_accuracy),
      r.us_per_sample, r.hidden_spikes_per_sample,
      r.smoothing_sigma > 0 ? fmt::format("{:.1f} ghosts ({:.0f} % of the gradient)  ",
                                          r.ghosts_per_sample, 100 * r.ghost_share)
                            : "",
      r.silent_neurons > 0 ? fmt::format("{} silent neurons  ", r.silent_neurons) : "",
      clock_time(left));
}

// What it was made of.
void say_details(const EpochReport& r) {
  const auto share = [&](double seconds) {
    return r.seconds > 0 ? 100 * seconds / r.seconds : 0.0;
  };
  say("  {:.2f} s: gather {:.0f} %, forward {:.0f} %, loss {:.0f} %, backward {:.0f} %, step "
      "{:.0f} "
      "%; lr {:.4g}, gradient {:.4g}, {} labels silent; at most {:.0f} MB\n",
      r.seconds, share(r.gather_seconds), share(r.forward_seconds), share(r.loss_seconds),
      share(r.backward_seconds), share(r.step_seconds), r.lr, r.gradient_norm, r.silent_labels,
      static_cast<double>(peak_memory()) / 1e6);
}

// What all epochs of the training add up to, those before a resumption too.
template <class Real>
store::TrainedEpochs sums_of(const TrainState<Real>& state) {
  return store::add_up(store::epochs_of(state));
}

// Nothing if a stop was asked for and it did not end soon: a network that runs away never would. (A
// team ends together.)
template <class Real>
std::optional<Evaluation> evaluated(Trainer<Real>& trainer, const data::LabelledSpikes& data) {
  const Stoppable stoppable(team() ? nullptr : &stop_overdue());
  try {
    return trainer.evaluate(data);
  } catch (const Interrupted&) {
    return std::nullopt;
  }
}

// What a stop leaves.
std::string left_in(const RunFolder& folder) {
  return folder ? fmt::format("; the model is in {0}, and --resume {0} goes on", folder.name())
                : "; no --out was given, nothing is saved";
}

// All epochs that are left, with what they show and leave. @return  were they stopped?
template <class Real>
bool train_epochs(Trainer<Real>& trainer, const TaskData& data, int epochs, LogLevel level,
                  RunFolder& folder, Warnings& warnings) {
  const auto to_do = static_cast<std::size_t>(std::max(0, epochs - trainer.epochs_done()));
  Progress progress(std::max<std::size_t>(to_do * data.train.size(), 1), "samples",
                    level < LogLevel::info);
  std::size_t before = 0;
  EpochReport last;
  while (trainer.epochs_done() < epochs && last.complete) {
    last = trainer.train_epoch(
        data.train,
        [&](const EpochReport& r) {
          progress.show(before + r.samples,
                        fmt::format("epoch {}/{}  loss {:.4f}  accuracy {:.2f} %", r.epoch, epochs,
                                    r.loss, 100 * r.accuracy));
          if (folder.due()) folder.checkpoint(trainer.state());
        },
        &stop_requested());
    if (last.samples == 0) {  // stopped between epochs, of which the last may not have been kept
      folder.checkpoint(trainer.state());
      break;
    }
    before += data.train.size();
    if (last.complete && data.validation.size() > 0) {
      const auto validation = evaluated(trainer, data.validation);
      if (!validation) {  // as if it had been killed: what goes on does the same again
        progress.clear();
        say("stopped in the validation of epoch {}, which is not kept{}\n", last.epoch,
            left_in(folder));
        trainer.state().history.pop_back();
        --trainer.state().epochs;
        return true;
      }
      EpochReport& report = trainer.state().history.back();
      report.validation_loss = last.validation_loss = validation->loss;
      report.validation_accuracy = last.validation_accuracy = validation->accuracy;
    }
    folder.epoch(trainer.state(), last);
    progress.clear();
    const double done = trainer.epochs_done() + (last.complete ? 0 : 1);
    if (level >= LogLevel::info) {
      say_epoch(last, epochs, sums_of(trainer.state()).seconds / done * (epochs - done));
    }
    if (level >= LogLevel::debug) say_details(last);
    warnings.say_once(advice(last));
  }
  progress.clear();
  if (!last.complete) {
    say("stopped after {} epochs and {} samples of the next{}\n", trainer.epochs_done(),
        last.samples, left_in(folder));
  }
  return !last.complete;
}

// What a checkpoint says of how a training was begun.
std::string begun_with(const RunSettings& settings, const TaskData& data) {
  json text = json::parse(store::to_json(settings));
  text["training_data"] = store::fingerprint(data.train);
  return text.dump();
}

// Processes that read other files, or build another network, would not train one.
void check_same(Team& team, const std::string& begun) {
  Digest digest;
  digest.add("", begun.data(), begun.size());
  saltus::check_same(team, digest, "set of settings or training data");
}

// Launchers bind processes to cores: threads then share them.
std::vector<std::string> bound(int threads) {
  const auto all = static_cast<unsigned>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  const unsigned cores = std::thread::hardware_concurrency();  // of this process
  if (!team() || cores >= (threads > 0 ? std::min(all, static_cast<unsigned>(threads)) : all)) {
    return {};
  }
  return {
      fmt::format("threads is {}, but each process may use {} of {} cores: mpirun --bind-to none",
                  threads, cores, all)};
}

// The network of the task, or that of the checkpoint, with all else of its training.
template <class Real>
Trainer<Real> trainer_of(const RunSettings& s, const Options& options, const TaskData& data) {
  const auto made_of = [&](Network<Real> network) {
    const std::size_t readout = network.index("out");
    TrainHooks<Real> hooks;
    hooks.team = team();
    return Trainer<Real>(std::move(network), built_in_loss<Real>(s.loss, readout), s.t_end, s.train,
                         hooks);
  };
  if (options.resume.empty()) return made_of(build_network<Real>(s, data.train));
  auto saved = store::load_checkpoint<Real>(options.resume);
  const bool within_epoch = saved.state.epoch.minibatches > 0;
  const int begun = saved.state.epochs + (within_epoch ? 1 : 0);
  if (s.train.epochs < begun) {
    throw InvalidInput(fmt::format("epochs is {}, but {} {}; expected {} or more, in all",
                                   s.train.epochs, begun, within_epoch ? "have begun" : "are done",
                                   begun));
  }
  for (const auto& line : store::resumed_with(saved.settings, begun_with(s, data), within_epoch)) {
    say("resumed: {}\n", line);
  }
  if (json::parse(saved.settings).value("lr", s.train.lr) != s.train.lr) {
    saved.state.lr = EpochReport::nan;
  }
  if (!within_epoch && saved.state.epochs >= s.train.epochs) {
    say("resumed: all {} epochs are done; --epochs N with more goes on\n", saved.state.epochs);
  }
  Trainer<Real> trainer = made_of(saved.state.network);
  trainer.resume(std::move(saved.state));
  return trainer;
}

bool is_given(const Options& options, std::string_view name) {
  const auto& names = options.given.names;
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Of options that do nothing beside the others.
std::vector<std::string> without_effect(const RunSettings& settings, const Options& options) {
  std::vector<std::string> found;
  store::for_each_setting(settings, [&](const auto& row, const auto&) {
    const std::string of = moot(settings, row.name);
    if (of.empty() || !is_given(options, option_of(row))) return;
    found.push_back(fmt::format("{} has no effect here: it is of {}", option_of(row), of));
  });
  return found;
}

template <class Real>
int train(RunSettings settings, const Options& options) {
  RunFolder folder(team() && !team()->is_first() ? "" : options.out);
  const TaskData data = load_data(settings);
  if (settings.task == "spikes" && settings.t_end == 0) settings.t_end = usual_t_end(data);
  Trainer<Real> trainer = trainer_of<Real>(settings, options, data);
  const std::string begun = begun_with(settings, data);
  if (team()) check_same(*team(), begun);
  if (!options.json && options.level >= LogLevel::info) {
    if (options.resume.empty() && folder.holds_run()) {
      fmt::print("the run that {} holds is replaced\n", folder.name());
    }
    fmt::print("{}{}", describe(trainer.network()), describe(data, settings.t_end));
  }
  std::fflush(stdout);
  Warnings warnings(options.level >= LogLevel::warning);
  warnings.say_once(without_effect(settings, options));
  if (settings.train_samples > data.train.size()) {
    warnings.say_once({fmt::format("train_samples is {}, but there are {} to train on",
                                   settings.train_samples, data.train.size())});
  }
  warnings.say_once(advice(trainer.network(), data.train, settings.t_end));
  folder.begin(
      settings, begun, trainer.state(),
      options.resume.empty() ? std::filesystem::path() : store::checkpoint_in(options.resume));

  warnings.say_once(bound(settings.train.threads));

  catch_interrupts();
  const bool stopped =
      train_epochs(trainer, data, settings.train.epochs, options.level, folder, warnings);
  if (!stopped) folder.checkpoint(trainer.state());
  const store::TrainedEpochs trained = sums_of(trainer.state());
  const std::optional<Evaluation> test = evaluated(trainer, data.test);
  json result = result_of(settings, settings.train.threads, trained, test);
  result["interrupted"] = stopped || !test;
  result["peak_memory_bytes"] = peak_memory();
  result["version"] = version;
  result["commit"] = git_commit();
  if (data.validation.size() > 0) {
    const auto validation = evaluated(trainer, data.validation);
    result["validation_accuracy"] = validation ? json(validation->accuracy) : json();
  }
  if (test && find_loss(settings.loss.kind).readout_model == Model::lif &&
      2 * test->silent_labels > test->samples) {
    warnings.say_once({fmt::format(
        "the label's output is silent in {} of {} test samples, which teach nothing: try larger "
        "first weights (--hidden-mean, --output-mean) or more hidden neurons",
        test->silent_labels, test->samples)});
  }
  if (options.json) {
    fmt::print("{}\n", result.dump());
  } else {
    fmt::print(
        "{}trained {} epochs in {:.1f} s: {:.1f} us a sample{}\n",
        test      ? fmt::format("test accuracy {:.2f} %, loss {:.4f} ({} samples, {} with a silent "
                                     "label)\n",
                                100 * test->accuracy, test->loss, test->samples, test->silent_labels)
        : stopped ? ""
                  : "stopped in the test, which takes long; `saltus eval` makes it\n",
        trained.epochs, trained.seconds, trained.us_per_sample(),
        test ? fmt::format(", {:.1f} hidden spikes a test sample", test->hidden_spikes_per_sample)
             : "");
    if (folder) fmt::print("model, settings and metrics are in {}\n", folder.name());
  }
  return stopped || !test ? stop_code() : success;
}

// An option that its task does not read is a mistake, as is one that it needs and does not get.
void check_given(const RunSettings& settings, const Options& options) {
  for_each_field(settings, [&](const auto& row, const auto&) {
    const std::string option = option_of(row);
    if (is_given(options, option) && !reads(settings.task, row.name)) {
      throw InvalidInput(fmt::format("task {} has no {}; it is of {}", settings.task, option,
                                     readers_of(row.name)));
    }
    if (is_given(options, option) && !settings.graph.empty() && of_layers(row.name)) {
      throw InvalidInput(fmt::format(
          "{} is of layers, and the settings have [[population]] or [[projection]] in their place",
          option));
    }
  });
  if (settings.task == "mnist" && settings.data.empty()) {
    throw InvalidInput(
        "data is missing: task mnist needs --data DIR, a folder with the IDX files of MNIST or "
        "Fashion-MNIST");
  }
  if (settings.task == "spikes" && settings.train_file.empty()) {
    throw InvalidInput(
        "train_file is missing: task spikes needs --train FILE.h5 and --test FILE.h5");
  }
  if (settings.task == "spikes" && settings.test_file.empty()) {
    throw InvalidInput(
        "test_file is missing: task spikes needs --train FILE.h5 and --test FILE.h5");
  }
}

// Where a training that is resumed goes on writing, unless it is told: where it was.
std::string folder_of(const std::string& place) {
  const std::filesystem::path file = store::checkpoint_in(place);
  return file.has_parent_path() ? file.parent_path().string() : ".";
}

// Those of the checkpoint.
RunSettings resumed_settings(Options& o) {
  const auto file = store::checkpoint_in(o.resume);
  RunSettings settings;
  try {
    const std::string saved = store::load_checkpoint_settings(file);
    json text = json::parse(saved, nullptr, false);
    if (text.is_object()) text.erase("training_data");  // begun_with() adds it
    settings = store::settings_from_json(text.is_object() ? text.dump() : saved);
  } catch (const InvalidInput& e) {
    throw FileError(fmt::format("{}: {}", file.string(), e.what()));
  }
  const auto beside = std::filesystem::path(folder_of(o.resume)) / "settings.json";
  if (std::filesystem::exists(beside)) {
    try {
      store::check_settings_of_model(store::load_settings(beside),
                                     store::settings_of_model(settings));
    } catch (const InvalidInput& e) {
      say("resumed: {} says something else ({}): those of the checkpoint count\n", beside.string(),
          e.what());
    }
  }
  if (o.out.empty()) o.out = folder_of(o.resume);
  return settings;
}

// Those of the file, whose list of layers gives way to the other one on the command line.
RunSettings configured_settings(const store::SettingsFile& file, const Options& o) {
  const bool layers = is_given(o, "--layers"), hidden = is_given(o, "--hidden");
  RunSettings settings = store::settings_of(file, layers);
  if (layers && !hidden) settings.hidden.clear();
  if (hidden && !layers) settings.layers.clear();
  return settings;
}

// What was given on the command line, upon settings from elsewhere.
RunSettings with_options(RunSettings settings, const Options& o) {
  for (const auto& change : o.given.changes) change(settings);
  check_given(settings, o);
  check(settings);
  // So that `saltus eval` finds them from any folder.
  for (std::string* place : {&settings.data, &settings.train_file, &settings.test_file}) {
    if (!place->empty()) *place = std::filesystem::absolute(*place).lexically_normal().string();
  }
  return settings;
}

void check_task(const std::string& given, const RunSettings& settings, const std::string& file) {
  if (given.empty() || given == settings.task) return;
  throw InvalidInput(
      fmt::format("task is {}, but {} is of {}; expected the same", given, file, settings.task));
}

// The settings of the task, of a file or of a checkpoint, with what was given.
RunSettings settings_for(Options& o) {
  if (!o.resume.empty() && !o.config.empty()) {
    throw InvalidInput(fmt::format(
        "--config {} begins a training and --resume {} goes on with one; expected one of them",
        o.config, o.resume));
  }
  if (!o.resume.empty()) {
    const RunSettings saved = resumed_settings(o);
    check_task(o.task, saved, store::checkpoint_in(o.resume).string());
    return with_options(saved, o);
  }
  if (!o.config.empty()) {
    store::SettingsFile file = store::read_settings_file(o.config);
    const RunSettings configured = configured_settings(file, o);
    check_task(o.task, configured, o.config);
    // What an option replaced is not the file's.
    store::for_each_setting(configured, [&](const auto& row, const auto&) {
      if (is_given(o, option_of(row))) file.lines.erase(std::string(row.name));
    });
    try {
      return with_options(configured, o);
    } catch (const InvalidInput& e) {
      throw InvalidInput(file.located(e.what()));
    }
  }
  if (o.task.empty()) {
    throw InvalidInput(
        "task is missing; expected yinyang, mnist or spikes, --config FILE or --resume DIR");
  }
  return with_options(default_settings(o.task, is_given(o, "--layers")), o);
}

}  // namespace

Command add_train(CLI::App& app) {
  auto options = std::make_shared<Options>();
  add_options(app, *options);
  return [options] {
    const RunSettings settings = settings_for(*options);
    return settings.precision == "float64" ? train<double>(settings, *options)
                                           : train<float>(settings, *options);
  };
}

}  // namespace saltus::cli
