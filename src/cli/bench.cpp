// SPDX-License-Identifier: Apache-2.0
#include "bench/bench.hpp"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

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
  Kernel kernel = Kernel::vector;
  bool json = false;
};

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
  fmt::print(
      "\nscalar / {}            {:>8.1f} x\ntraining                    {:>8.2f} us a sample\n",
      r.kernel, r.scalar_forward_ns / r.forward_ns, r.train_us);
}

}  // namespace

Command add_bench(CLI::App& app) {
  auto o = std::make_shared<Options>();
  o->settings.hidden.clear();
  o->settings.train.batch = 0;
  app.add_option("task", o->task, "mnist (default), yinyang, recurrent or synthetic")
      ->check(CLI::IsMember({"mnist", "yinyang", "recurrent", "synthetic"}));
  add_value<std::string>(app, "--data", "folder with the IDX files of MNIST",
                         [o](auto v) { o->settings.data = v; });
  add_value<int>(app, "--threads", "0: all cores (default 1)",
                 [o](auto v) { o->settings.train.threads = v; });
  add_value<std::size_t>(app, "--batch", "samples of a minibatch (default 256, yinyang 32)",
                         [o](auto v) {
                           if (v == 0) throw InvalidInput("--batch is 0; expected at least 1");
                           o->settings.train.batch = v;
                         });
  add_value<std::string>(app, "--precision", "float32 (default) or float64",
                         [o](auto v) { o->settings.precision = v; });
  add_value<std::vector<std::size_t>>(app, "--hidden", "neurons of each hidden layer",
                                      [o](auto v) { o->settings.hidden = v; });
  add_value<double>(app, "--delay", "recurrent: of its synapses, s (default 0.001; 0 allowed)",
                    [o](auto v) { o->settings.recurrent_delay = v; });
  add_value<double>(app, "--stretch", "synthetic: simulated time, times this, with the same spikes",
                    [o](auto v) { o->stretch = v; });
  add_value<std::uint64_t>(app, "--seed", "of the first weights (default 0)",
                           [o](auto v) { o->settings.train.seed = v; });
  add_value<std::string>(app, "--kernel", "vector (default) or scalar",
                         [o](auto v) { o->kernel = kernel_of(v); });
  app.add_flag("--json", o->json, "last line on standard output: one JSON object");
  app.footer(
      "Forward (with the loss) and backward are the best of five rounds on each of the first\n"
      "minibatches, with the weights that training starts from; training is one whole epoch.\n\n"
      "Examples:\n"
      "  saltus bench mnist --data mnist/\n"
      "  saltus bench recurrent --delay 0 --batch 32 --json");
  return [o] {
    if (o->task == "mnist" && o->settings.data.empty()) {
      throw InvalidInput("benchmark mnist needs --data DIR, a folder with the IDX files of MNIST");
    }
    if (!(o->stretch >= 1 && o->stretch <= 1e6)) {
      throw InvalidInput(fmt::format("--stretch is {}; expected 1 to 1e6", o->stretch));
    }
    if (o->settings.train.batch == 0) o->settings.train.batch = o->task == "yinyang" ? 32 : 256;
    const bench::Task task = bench::make_task(o->task, o->settings, o->stretch);
    const bench::Report r = o->settings.precision == "float64" ? bench::run<double>(task, o->kernel)
                                                               : bench::run<float>(task, o->kernel);
    if (!o->json) {
      print(r, task.settings);
      return static_cast<int>(success);
    }
    const nlohmann::json result = {{"task", o->task},
                                   {"forward_ns_per_synaptic_event", r.forward_ns},
                                   {"backward_ns_per_synaptic_event", r.backward_ns},
                                   {"floor_ns_per_synaptic_event", r.floor_ns},
                                   {"scalar_forward_ns_per_synaptic_event", r.scalar_forward_ns},
                                   {"input_spikes_per_sample", r.input_spikes},
                                   {"hidden_spikes_per_sample", r.hidden_spikes},
                                   {"synaptic_events_per_sample", r.synaptic_events},
                                   {"train_us_per_sample", r.train_us},
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
