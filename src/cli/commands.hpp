// SPDX-License-Identifier: Apache-2.0
// The commands: each adds its options to the parser and returns what to run once they are parsed.
#pragma once

#include <CLI/CLI.hpp>

#include <atomic>
#include <functional>

namespace saltus::cli {

/// Exit codes, also in --help.
enum Exit : int { success = 0, failure = 1, usage = 2, interrupted = 130, terminated = 143 };

using Command = std::function<int()>;

Command add_train(CLI::App& app);
Command add_init(CLI::App& app);
Command add_info(CLI::App& app);
Command add_eval(CLI::App& app);
Command add_predict(CLI::App& app);
Command add_adjoint(CLI::App& app);
Command add_report(CLI::App& app);
Command add_gradcheck(CLI::App& app);
Command add_bench(CLI::App& app);

/// From here on Ctrl-C (or SIGTERM) only asks to stop; a second one ends the program at once.
void catch_interrupts();
const std::atomic<bool>& stop_requested();
/// 5 s later: what is nearly done was done, what runs away has to end.
const std::atomic<bool>& stop_overdue();
/// The exit code of what was stopped: 128 and the number of the signal, as shells have it.
Exit stop_code();

}  // namespace saltus::cli
