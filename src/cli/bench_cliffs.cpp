// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_cliffs.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "bench/bench.hpp"
#include "bench/cliffs.hpp"
#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "saltus/version.hpp"

namespace saltus::cli {
namespace {

void print(const std::vector<bench::Cliff>& rows, const RunSettings& s) {
  fmt::print(
      "{} hidden neurons, {}, {}, {} thread(s), minibatch {}; us a sample, and times the fast "
      "path\n\n"
      "{:<30}{:>7}{:>18}{:>18}{:>18}\n",
      s.hidden[0], bench::kernel_in_use(s.train.kernel), s.precision, s.train.threads,
      s.train.batch, "", "spikes", "forward", "backward", "training");
  for (const bench::Cliff& c : rows) {
    const auto cell = [](double us, double ratio) {
      return fmt::format("{:>9.1f}{:>7.1f} x", us, ratio);
    };
    fmt::print("{:<30}{:>7.0f}{}{}{}  {}\n", c.row->name, c.spikes,
               cell(c.us.forward, c.ratio.forward), cell(c.us.backward, c.ratio.backward),
               cell(c.us.train, c.ratio.train), c.row->says);
  }
}

void print_json(const std::vector<bench::Cliff>& rows, const RunSettings& s) {
  nlohmann::json result = {{"rows", nlohmann::json::array()},
                           {"kernel", bench::kernel_in_use(s.train.kernel)},
                           {"version", version},
                           {"commit", git_commit()}};
  for (const bench::Cliff& c : rows) {
    result["rows"].push_back({{"name", c.row->name},
                              {"description", c.row->says},
                              {"spikes", c.spikes},
                              {"forward_us", c.us.forward},
                              {"backward_us", c.us.backward},
                              {"train_us", c.us.train},
                              {"forward_ratio", c.ratio.forward},
                              {"backward_ratio", c.ratio.backward},
                              {"train_ratio", c.ratio.train}});
  }
  fmt::print("{}\n", result.dump());
}

}  // namespace

int bench_cliffs(const RunSettings& given, const std::vector<std::string>& only, std::size_t rounds,
                 bool json) {
  const RunSettings settings = bench::fast_path(given);
  std::optional<Progress> progress;
  const auto rows = bench::cliffs(settings, only, rounds,
                                  [&](std::size_t done, std::size_t all, std::string_view name) {
                                    if (!progress) progress.emplace(all, "turns", false);
                                    progress->show(done, std::string(name));
                                  });
  progress.reset();
  json ? print_json(rows, settings) : print(rows, settings);
  return success;
}

}  // namespace saltus::cli
