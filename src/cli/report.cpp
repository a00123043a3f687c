// SPDX-License-Identifier: Apache-2.0
// The page about a training is the Python package's; this finds a Python that has it.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/values.hpp"
#include "saltus/error.hpp"
#include "saltus/version.hpp"

namespace saltus::cli {
namespace {

struct Options {
  std::string folder;
  std::vector<std::string> given;  // as they are handed on
};

// As `python -m saltus.report`, but that a Python without the package says what to install.
constexpr const char* program = R"(
import sys
sys.path[:] = filter(None, sys.path)  # not what happens to lie in this folder
try:
    from saltus.report.__main__ import main
except ModuleNotFoundError as error:
    sys.exit(
        f"saltus: the page needs the Python package {error.name}, which {sys.executable} does not "
        f"have: in Saltus's folder say {sys.executable} -m pip install '.[plot]', or set "
        "SALTUS_PYTHON to a Python that has it"
    )
sys.exit(main())
)";

// $SALTUS_PYTHON, the environment beside the command that `make` fills, or that of the shell.
std::string python() {
  if (const char* given = std::getenv("SALTUS_PYTHON"); given != nullptr && *given != '\0') {
    return given;
  }
  std::error_code none;
  const auto command = std::filesystem::read_symlink("/proc/self/exe", none);
  const auto beside = command.parent_path() / "venv" / "bin" / "python";
  return !none && std::filesystem::exists(beside, none) ? beside.string() : "python3";
}

int report(const Options& o) {
  const std::string interpreter = python();
  std::vector<std::string> line{interpreter, "-c", program, "--command",
                                fmt::format("saltus {} ({})", version, git_commit())};
  line.insert(line.end(), o.given.begin(), o.given.end());
  line.insert(line.end(), {"--", o.folder});
  std::vector<char*> arguments;
  for (std::string& argument : line) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  execvp(interpreter.c_str(), arguments.data());
  throw FileError(fmt::format(
      "cannot run {}: {}; the page needs Python 3.11 or later with Saltus's package: install it, "
      "or set SALTUS_PYTHON to one that has it",
      interpreter, std::strerror(errno)));
}

}  // namespace

Command add_report(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("folder", options->folder,
                 "what `saltus train --out` or saltus.fit(checkpoint=...) left")
      ->required();
  const auto text = [&](const char* name, const char* help) {
    add_value<std::string>(app, name, help, [options, name](const std::string& value) {
      options->given.push_back(fmt::format("{}={}", name, value));
    });
  };
  const auto number = [&](const char* name, const char* help) {
    add_value<int>(app, name, help, [options, name](int value) {
      options->given.push_back(fmt::format("{}={}", name, value));
    });
  };
  text("--data", "where the test data are now, if they moved: a folder, or a spike file");
  text("--test", "the same, as `saltus eval` calls the file of test spikes");
  text("--out", "the page (default: report.html in the folder)");
  number("--samples", "test samples to run; 0: all (default: as many as take a second or two)");
  number("--threads", "0: all cores (default)");
  app.footer(
      "One file of HTML that needs no network: learning curves, mistakes, a sample from within,\n"
      "spikes, weights, timing, environment. Needs Python with Saltus's package and matplotlib:\n"
      "$SALTUS_PYTHON, the environment venv/ beside this command, or python3.\n\n"
      "Example:\n  saltus report runs/yinyang");
  return [options] { return report(*options); };
}

}  // namespace saltus::cli
