// SPDX-License-Identifier: Apache-2.0
#include "bench/bench.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/bench_cliffs.hpp"
#include "cli/bench_large.hpp"
#include "cli/commands.hpp"
#include "cli/values.hpp"
#include "saltus/error.hpp"
#include "saltus/version.hpp"

namespace saltus::cli {
namespace {

struct Options {
  std::string task = "mnist";
  RunSettings settings;
  double stretch = 1;
  std::vector<std::string> only;
  std::optional<std::size_t> rounds;
  bench::LargeSettings large;
  bool json = false;
};

const std::vector<std::string> tasks = {"mnist",     "yinyang", "spikes", "recurrent",
                                        "synthetic", "cliffs",  "large"};

// What a sample of training consists of, us; together the whole.
std::vector<std::pair<std::string, double>> phases(const EpochReport& r) {
  const double per_second = 1e6 / static_cast<double>(r.samples);
  const double rest = r.seconds - r.gather_seconds - r.forward_seconds - r.loss_seconds -
                      r.backward_seconds - r.step_seconds;
  return {{"gather", r.gather_seconds * per_second}, {"forward", r.forward_seconds * per_second},
          {"loss", r.loss_seconds * per_second},     {"backward", r.backward_seconds * per_second},
          {"step", r.step_seconds * per_second},     {"rest", rest * per_second}};
}

void print(const bench::Report& r, const RunSettings& s) {
  const auto line = [&](std::string_view what, double ns) {
    fmt::print("{:<28}{:>8.3f} ns{:>8.1f} x floor\n", what, ns, ns / r.floor_ns);
  };
  fmt::print(
      "{} samples, {:.1f} input and {:.1f} hidden spikes a sample: {:.0f} synaptic events\n"
      "{}, {}, {} thread(s), minibatch {}\n\nper synaptic event\n",
      r.samples, r.input_spikes, r.hidden_spikes, r.synaptic_events, r.kernel, s.precision,
      s.train.threads, s.train.batch);
  line("  floor: reading the rows", r.floor_ns);
  line("  forward", r.forward_ns);
  line("  backward", r.backward_ns);
  line("  forward, scalar path", r.scalar_forward_ns);
  fmt::print("\nscalar / {}            {:>8.1f} x\n\ntraining, us a sample       {:>8.2f}\n",
             r.kernel, r.scalar_forward_ns / r.forward_ns, r.training.us_per_sample);
  for (const auto& [name, us] : phases(r.training)) fmt::print("  {:<26}{:>8.2f}\n", name, us);
}

// An option that its benchmark does not read is a mistake, as is one that it needs and does not get.
void check_given(const CLI::App& app, const Options& o) {
  std::vector<std::string> with_layers = tasks;
  std::erase(with_layers, "large");
  const std::pair<const char*, std::vector<std::string>> readers[] = {
      {"--data", {"mnist", "cliffs"}},
      {"--train", {"spikes"}},
      {"--test", {"spikes"}},
      {"--t-end", {"spikes", "large"}},
      {"--recurrent", {"spikes"}},
      {"--delay", {"recurrent", "spikes"}},
      {"--stretch", {"synthetic"}},
      {"--only", {"cliffs"}},
      {"--rounds", {"cliffs", "large"}},
      {"--neurons", {"large"}},
      {"--hidden", with_layers},
      {"--batch", with_layers}};
  for (const auto& [name, of] : readers) {
    if (app.count(name) > 0 && std::find(of.begin(), of.end(), o.task) == of.end()) {
      throw InvalidInput(
          fmt::format("benchmark {} has no {}; it is of {}", o.task, name, fmt::join(of, " and ")));
    }
  }
  if (o.task == "mnist" && o.settings.data.empty()) {
    throw InvalidInput("benchmark mnist needs --data DIR, a folder with the IDX files of MNIST");
  }
  if (o.task == "spikes" && o.settings.train_file.empty()) {
    throw InvalidInput("benchmark spikes needs --train FILE.h5, spikes in SHD's layout");
  }
  if (!(o.stretch >= 1 && o.stretch <= 1e6)) {
    throw InvalidInput(fmt::format("--stretch is {}; expected 1 to 1e6", o.stretch));
  }
}

std::size_t usual_batch(const std::string& task) {
  if (task == "yinyang" || task == "spikes") return 32;
  return task == "cliffs" ? 64 : 256;
}

int run_large(const Options& o) {
  bench::LargeSettings s = o.large;
  const RunSettings& given = o.settings;
  if (given.t_end != 0) s.t_end = given.t_end;
  if (o.rounds) s.rounds = *o.rounds;
  s.seed = given.train.seed;
  s.threads = given.train.threads;
  s.kernel = given.train.kernel;
  s.precision = given.precision;
  return bench_large(s, o.json);
}

}  // namespace

Command add_bench(CLI::App& app) {
  auto o = std::make_shared<Options>();
  o->settings.hidden.clear();
  o->settings.train.batch = 0;
  o->settings.t_end = 0;
  app.add_option("task", o->task,
                 "mnist (default), yinyang, spikes, recurrent, synthetic, cliffs or large")
      ->check(CLI::IsMember(tasks));
  add_value<std::string>(app, "--data",
                         "folder with the IDX files of MNIST (cliffs without: spikes at random)",
                         [o](auto v) { o->settings.data = v; });
  add_value<std::string>(app, "--train", "spikes: HDF5 in SHD's layout",
                         [o](auto v) { o->settings.train_file = v; });
  add_value<std::string>(
      app, "--test", "spikes: accepted, as `saltus train spikes` needs it; not read", [](auto) {});
  add_value<double>(app, "--t-end",
                    "end of every sample, s (default: spikes 50 ms after the last, large 1)",
                    [o](auto v) { o->settings.t_end = v; });
  app.add_flag("--recurrent", o->settings.recurrent,
               "spikes: hidden layers project onto themselves");
  add_value<int>(app, "--threads", "0: all cores (default 1)",
                 [o](auto v) { o->settings.train.threads = v; });
  add_value<std::size_t>(app, "--batch",
                         "samples of a minibatch (default 256, yinyang and spikes 32, cliffs 64)",
                         [o](auto v) {
                           if (v == 0) throw InvalidInput("--batch is 0; expected at least 1");
                           o->settings.train.batch = v;
                         });
  add_value<std::string>(app, "--precision", "float32 (default) or float64",
                         [o](auto v) { o->settings.precision = v; });
  add_value<std::vector<std::size_t>>(app, "--hidden", "neurons of each hidden layer",
                                      [o](auto v) { o->settings.hidden = v; });
  add_value<double>(app, "--delay", "of recurrent synapses, s (default 0.001; 0 allowed)",
                    [o](auto v) { o->settings.recurrent_delay = v; });
  add_value<double>(app, "--stretch", "synthetic: simulated time, times this, with the same spikes",
                    [o](auto v) { o->stretch = v; });
  add_value<std::uint64_t>(app, "--seed", "of the first weights (default 0)",
                           [o](auto v) { o->settings.train.seed = v; });
  add_value<std::string>(app, "--kernel", "vector (default) or scalar",
                         [o](auto v) { o->settings.train.kernel = kernel_of(v); });
  add_value<std::vector<std::string>>(app, "--only", "cliffs: these rows, and the fast path",
                                      [o](auto v) { o->only = v; });
  add_value<std::size_t>(app, "--rounds", "turns of each row (default: cliffs 5, large 3)",
                         [o](auto v) { o->rounds = v; });
  add_value<std::vector<std::size_t>>(app, "--neurons",
                                      "large: sizes of the network (default 1000,10000,100000)",
                                      [o](auto v) { o->large.neurons = v; });
  app.add_flag("--json", o->json, "last line on standard output: one JSON object");
  app.footer(
      "Forward (with the loss) and backward are the best of five rounds on each of the first\n"
      "minibatches, with the weights that training starts from; training is one whole epoch.\n"
      "cliffs: neighbours of the fast path (784-350-10), each beside it; the best of all turns.\n"
      "large: a recurrent network, 100 synapses into each neuron, one sample and its adjoint.\n\n"
      "Examples:\n"
      "  saltus bench mnist --data mnist/\n"
      "  saltus bench recurrent --delay 0 --batch 32 --json\n"
      "  saltus bench spikes --train braille_train.h5 --recurrent --hidden 128\n"
      "  saltus bench cliffs --data mnist/ --only refractory,tau-mem-per-neuron\n"
      "  saltus bench large --neurons 1000,10000 --rounds 5");
  return [o, &app] {
    check_given(app, *o);
    if (o->settings.train.batch == 0) o->settings.train.batch = usual_batch(o->task);
    if (o->task == "cliffs") {
      return bench_cliffs(o->settings, o->only, o->rounds.value_or(5), o->json);
    }
    if (o->task == "large") return run_large(*o);
    const bench::Task task = bench::make_task(o->task, o->settings, o->stretch);
    const bench::Report r =
        o->settings.precision == "float64" ? bench::run<double>(task) : bench::run<float>(task);
    if (!o->json) {
      print(r, task.settings);
      return static_cast<int>(success);
    }
    const auto parts = phases(r.training);
    const nlohmann::json result = {
        {"task", o->task},
        {"forward_ns_per_synaptic_event", r.forward_ns},
        {"backward_ns_per_synaptic_event", r.backward_ns},
        {"floor_ns_per_synaptic_event", r.floor_ns},
        {"scalar_forward_ns_per_synaptic_event", r.scalar_forward_ns},
        {"input_spikes_per_sample", r.input_spikes},
        {"hidden_spikes_per_sample", r.hidden_spikes},
        {"synaptic_events_per_sample", r.synaptic_events},
        {"train_us_per_sample", r.training.us_per_sample},
        {"train_phases_us_per_sample", std::map(parts.begin(), parts.end())},
        {"threads", task.settings.train.threads},
        {"batch", task.settings.train.batch},
        {"kernel", r.kernel},
        {"precision", task.settings.precision},
        {"samples", r.samples},
        {"version", version},
        {"commit", git_commit()}};
    fmt::print("{}\n", result.dump());
    return static_cast<int>(success);
  };
}

}  // namespace saltus::cli
