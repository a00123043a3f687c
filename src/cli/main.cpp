// SPDX-License-Identifier: Apache-2.0
// The command `saltus`: arguments in, calls, text out. No logic.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "cli/team.hpp"
#include "fields/nearest.hpp"
#include "machine/sanitized.hpp"
#include "saltus/error.hpp"
#include "saltus/version.hpp"

namespace saltus::cli {
namespace {

std::atomic<bool> stop{false};
std::atomic<bool> overdue{false};
std::atomic<int> stopped_by{SIGINT};
constexpr unsigned patience = 5;  // s

void on_interrupt(int signal) {
  stopped_by = signal;
  if (stop.exchange(true)) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  alarm(patience);
}
void on_alarm(int) { overdue = true; }

// A file opened later must not get the number of a closed standard stream: it would hold messages.
void open_standard_streams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
      [[maybe_unused]] const int same = open("/dev/null", O_RDONLY);  // writing to it is an error
    }
  }
}

// Weights that make neurons spike without end fill the memory: better an exception than a machine
// that swaps.
void limit_memory() {
  if (sanitized) return;
  const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  rlimit limit{};
  if (pages <= 0 || page <= 0 || getrlimit(RLIMIT_DATA, &limit) != 0) return;
  const rlim_t memory = static_cast<rlim_t>(pages) * static_cast<rlim_t>(page);
  if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > memory) {
    limit.rlim_cur = memory / 10 * 9;
    setrlimit(RLIMIT_DATA, &limit);
  }
}

// The first of the arguments that is an option and none of the command's; nothing if there is none.
std::string unknown_option(const CLI::App& command, int argc, char** argv) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  for (int k = 2; k < argc; ++k) {
    const std::string_view given =
        std::string_view(argv[k]).substr(0, std::string_view(argv[k]).find('='));
    if (given == "--") break;
    if (!given.starts_with("--") || std::ranges::find(names, given) != names.end()) continue;
    return fmt::format("{} has no option {}{}", command.get_name(), given,
                       nearest_name(given, {names.begin(), names.end()}));
  }
  return {};
}

int run(int argc, char** argv) {
  CLI::App app{"Saltus trains spiking neural networks with exact gradients (EventProp).", "saltus"};
  app.set_version_flag("--version", fmt::format("saltus {} ({})", version, git_commit()));
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 success, 1 failure (a check failed, a file cannot be read or written),\n"
      "2 wrong arguments or input, 130 stopped by Ctrl-C, 143 by SIGTERM.\n\n"
      "Examples:\n"
      "  saltus train yinyang                 the EventProp paper's Yin-Yang run\n"
      "  saltus train --help                  all tasks and options, with examples\n"
      "  saltus init mnist                    a commented file of settings for train --config\n"
      "  saltus gradcheck --networks 500      gradients against differences and an oracle");
  Command command;
  const auto choose = [&](Command c) { return [&command, c = std::move(c)] { command = c; }; };
  CLI::App* train = app.add_subcommand("train", "Train a network on a task");
  train->final_callback(choose(add_train(*train)));
  CLI::App* init = app.add_subcommand("init", "Write a commented file of a task's settings");
  init->final_callback(choose(add_init(*init)));
  CLI::App* eval = app.add_subcommand("eval", "Evaluate a saved model on its test data");
  eval->final_callback(choose(add_eval(*eval)));
  CLI::App* info = app.add_subcommand("info", "Say what a run, a model or a checkpoint is");
  info->final_callback(choose(add_info(*info)));
  CLI::App* predict =
      app.add_subcommand("predict", "Say which class a saved model takes each test sample for");
  predict->final_callback(choose(add_predict(*predict)));
  CLI::App* adjoint = app.add_subcommand(
      "adjoint", "Gradients of a saved model from spikes that were recorded elsewhere");
  adjoint->final_callback(choose(add_adjoint(*adjoint)));
  CLI::App* report = app.add_subcommand("report", "Write a page with pictures about a training");
  report->final_callback(choose(add_report(*report)));
  CLI::App* check = app.add_subcommand(
      "gradcheck", "Compare gradients of random networks with differences and an oracle");
  check->final_callback(choose(add_gradcheck(*check)));
  CLI::App* bench = app.add_subcommand("bench", "Measure what a synaptic event costs");
  bench->final_callback(choose(add_bench(*bench)));
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    std::string what = e.what();
    if (const auto twice = what.find(": At Most 1 required"); twice != what.npos) {
      what.replace(twice, what.npos, " is given more than once; expected one value");
    }
    if (const auto chosen = app.get_subcommands(); !chosen.empty()) {
      const std::string unknown = unknown_option(*chosen[0], argc, argv);
      if (!unknown.empty()) what = unknown;
    } else if (argc > 1 && argv[1][0] != '-') {
      what = fmt::format(
          "no command is called '{}'; there are: train, init, eval, info, predict, adjoint, "
          "report, gradcheck, bench",
          argv[1]);
    }
    say("saltus: {}\nRun with --help for what there is.\n", what);
    return usage;
  }
  return command();
}

int report_errors(int argc, char** argv) {
  try {
    // Other commands are each process's own.
    if (argc > 1 && (std::string_view(argv[1]) == "train" || std::string_view(argv[1]) == "eval")) {
      join_team();
    }
    return leave_team(run(argc, argv));
  } catch (const InvalidInput& e) {
    return leave_team(usage, e.what());
  } catch (const std::bad_alloc&) {
    return leave_team(
        failure,
        "out of memory: a large network, or neurons that spike very often; try smaller weights, a "
        "smaller --lr, --hidden or --batch");
  } catch (const std::exception& e) {
    std::string what = e.what();
    constexpr std::string_view of_fmt = "cannot write to file";  // which knows no name for it
    if (what.starts_with(of_fmt)) what.replace(0, of_fmt.size(), "cannot write to standard output");
    return leave_team(failure, what);
  }
}

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = on_alarm;
  sigaction(SIGALRM, &action, nullptr);
}

const std::atomic<bool>& stop_requested() { return stop; }
const std::atomic<bool>& stop_overdue() { return overdue; }

Exit stop_code() { return stopped_by == SIGTERM ? terminated : interrupted; }

}  // namespace saltus::cli

int main(int argc, char** argv) {
  saltus::cli::open_standard_streams();
  saltus::cli::limit_memory();
  std::signal(SIGXFSZ, SIG_IGN);  // a file that grows beyond `ulimit -f` is a write that fails
  const int code = saltus::cli::report_errors(argc, argv);
  errno = 0;
  if ((std::fflush(stdout) != 0 || std::ferror(stdout) != 0) && code == saltus::cli::success) {
    saltus::cli::say("saltus: cannot write to standard output: {}\n",
                     std::strerror(errno != 0 ? errno : EIO));
    return saltus::cli::failure;
  }
  return code;
}
