// SPDX-License-Identifier: Apache-2.0
// Everything that a run leaves in its folder: from before the first epoch a model that `saltus eval`
// can read and a checkpoint that `saltus train --resume` goes on from, so that a killed run leaves those
// of its last epoch.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "machine/peak_memory.hpp"
#include "saltus/error.hpp"
#include "saltus/store.hpp"
#include "saltus/task.hpp"

namespace saltus::cli {

class RunFolder {
 public:
  /// @param folder  made if it is not there; empty: nothing is written
  explicit RunFolder(const std::string& folder) : folder_(folder) {
    if (folder.empty()) return;
    std::error_code error;
    std::filesystem::create_directories(folder_, error);
    if (error || !std::filesystem::is_directory(folder_, error)) {
      throw FileError(fmt::format("cannot create the folder {}: {}", folder,
                                  error ? error.message() : "a file of that name exists"));
    }
    lock_ = store::FolderLock(folder_);
    holds_run_ = std::filesystem::exists(folder_ / "metrics.jsonl", error);
  }
  /// Was there a run in it already?
  bool holds_run() const { return holds_run_; }

  /// @param checkpoint_settings  JSON: what a checkpoint says of how the training was begun
  /// @param resumed              from this checkpoint; empty: a new training
  template <class Real>
  void begin(const RunSettings& s, std::string checkpoint_settings, const TrainState<Real>& state,
             const std::filesystem::path& resumed) {
    if (folder_.empty()) return;
    checkpoint_settings_ = std::move(checkpoint_settings);
    model_settings_ = store::settings_of_model(s);
    minutes_ = s.checkpoint_minutes;
    model(state.network);
    // What the processes before this one held.
    if (!resumed.empty()) {
      peak_memory_ = store::read_metrics(resumed.parent_path() / "metrics.jsonl").peak_memory;
    }
    metrics(state);
    store::write_file(folder_ / "settings.json", store::to_json(s));
    best(state, resumed);
    checkpoint(state);
  }

  /// After an epoch, or the part of one until the run was stopped.
  template <class Real>
  void epoch(const TrainState<Real>& state, const EpochReport& report) {
    if (folder_.empty()) return;
    model(state.network);
    peak_memory_.resize(static_cast<std::size_t>(report.epoch));
    peak_memory_.back() = peak_memory();
    metrics(state, report.complete ? "" : line(report));
    // The best before the last: what a run that is killed in between does again is the same.
    if (report.complete && best_epoch(state.history) == state.epochs) {
      store::save_checkpoint(state, checkpoint_settings_, folder_ / "best.safetensors");
    }
    if (minutes_ == 0 || !report.complete || due()) checkpoint(state);
  }

  /// Within an epoch.
  bool due() const {
    const std::chrono::duration<double> passed = Clock::now() - written_;
    return !folder_.empty() && minutes_ > 0 && passed.count() >= 60 * minutes_;
  }
  template <class Real>
  void checkpoint(const TrainState<Real>& state) {
    if (folder_.empty()) return;
    store::save_checkpoint(state, checkpoint_settings_, folder_ / "checkpoint.safetensors");
    written_ = Clock::now();
  }

  explicit operator bool() const { return !folder_.empty(); }
  std::string name() const { return folder_.string(); }

 private:
  using Clock = std::chrono::steady_clock;
  std::filesystem::path folder_;
  store::FolderLock
      lock_;  // two runs in one folder would leave the model of one and the rest of the other
  bool holds_run_ = false;
  std::string checkpoint_settings_, model_settings_;
  std::vector<std::size_t> peak_memory_;  // [epoch]
  double minutes_ = 0;
  Clock::time_point written_ = Clock::now();

  // What was the best so far: the state itself, or what lies beside its checkpoint.
  template <class Real>
  void best(const TrainState<Real>& state, const std::filesystem::path& resumed) const {
    const auto file = folder_ / "best.safetensors";
    const int number = best_epoch(state.history);
    if (number > 0 && number == state.epochs && state.epoch.minibatches == 0) {
      store::save_checkpoint(state, checkpoint_settings_, file);
      return;
    }
    std::error_code none;  // there need not be one
    const auto before = resumed.parent_path() / "best.safetensors";
    if (number > 0 && std::filesystem::equivalent(before, file, none)) return;
    if (number > 0 && std::filesystem::exists(before, none)) {
      store::write_file(file, store::read_file(before));
    } else {
      std::filesystem::remove(file, none);
    }
  }
  template <class Real>
  void model(const Network<Real>& network) const {
    store::save_network(network, folder_ / "model.safetensors", model_settings_);
  }
  template <class Real>
  void metrics(const TrainState<Real>& state, const std::string& stopped = "") const {
    std::string lines;
    for (const EpochReport& report : state.history) lines += line(report);
    store::write_file(folder_ / "metrics.jsonl", lines + stopped);
  }
  std::string line(const EpochReport& report) const {
    const auto k = static_cast<std::size_t>(report.epoch) - 1;
    return store::metrics_line(report, k < peak_memory_.size() ? peak_memory_[k] : 0);
  }
};

}  // namespace saltus::cli
