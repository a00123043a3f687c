// SPDX-License-Identifier: Apache-2.0
// The command `saltus`: arguments in, calls, text out. No logic.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <new>

#include "cli/commands.hpp"
#include "saltus/error.hpp"
#include "saltus/version.hpp"

namespace saltus::cli {
namespace {

std::atomic<bool> stop{false};

void on_interrupt(int signal) {
  if (stop.exchange(true)) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
}

int run(int argc, char** argv) {
  CLI::App app{"Saltus trains spiking neural networks with exact gradients (EventProp)."};
  app.set_version_flag("--version", fmt::format("saltus {} ({})", version, git_commit()));
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 success, 1 failure (a check failed, a file cannot be read or written),\n"
      "2 wrong arguments or input, 130 stopped by Ctrl-C.\n\n"
      "Examples:\n"
      "  saltus train yinyang                 the EventProp paper's Yin-Yang run\n"
      "  saltus train --help                  all tasks and options, with examples\n"
      "  saltus gradcheck --networks 500      gradients against differences and an oracle");
  Command command;
  const auto choose = [&](Command c) {
    return [&command, c = std::move(c)] { command = c; };
  };
  CLI::App* train = app.add_subcommand("train", "Train a network on a task");
  train->final_callback(choose(add_train(*train)));
  CLI::App* eval = app.add_subcommand("eval", "Evaluate a saved model on its test data");
  eval->final_callback(choose(add_eval(*eval)));
  CLI::App* check = app.add_subcommand(
      "gradcheck", "Compare gradients of random networks with differences and an oracle");
  check->final_callback(choose(add_gradcheck(*check)));
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    fmt::print(stderr, "saltus: {}\nRun with --help for what there is.\n", e.what());
    return usage;
  }

  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  return command();
}

}  // namespace

const std::atomic<bool>& stop_requested() { return stop; }

}  // namespace saltus::cli

int main(int argc, char** argv) {
  try {
    return saltus::cli::run(argc, argv);
  } catch (const saltus::InvalidInput& e) {
    fmt::print(stderr, "saltus: {}\n", e.what());
    return saltus::cli::usage;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "saltus: out of memory; try a smaller --batch\n");
  } catch (const std::exception& e) {
    fmt::print(stderr, "saltus: {}\n", e.what());
  }
  return saltus::cli::failure;
}
