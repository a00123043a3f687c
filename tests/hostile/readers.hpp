// SPDX-License-Identifier: Apache-2.0
// Every reader of files, by the kind of file, for drivers that feed it with damaged ones.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "machine/digest.hpp"
#include "saltus/data.hpp"
#include "saltus/store.hpp"
#include "store/recording.hpp"

namespace saltus::test {

class Seen {
 public:
  template <class T>
  void add(const std::vector<T>& values) {
    add(std::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)));
  }
  void add(std::string_view bytes) {
    digest_.add(std::to_string(++count_), bytes.data(), bytes.size());
  }
  std::uint64_t value() const { return digest_.value(); }

 private:
  Digest digest_;
  int count_ = 0;
};

/// A number for all that a reader made of a file: the same twice, and another one for another content.
/// @param file  or a folder: of `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, for "idx"
inline std::uint64_t read_as(std::string_view kind, const std::filesystem::path& file) {
  Seen seen;
  if (kind == "idx") {
    const data::Images images = data::read_idx(file, "train");
    seen.add(std::vector{images.rows, images.columns});
    seen.add(images.pixels);
    seen.add(images.labels);
  } else if (kind == "spikes") {
    const data::LabelledSpikes found = data::read_spike_file(file);
    seen.add(store::fingerprint(found));
    seen.add(found.labels);
    for (const auto* columns : {&found.extra, &found.tables}) {
      for (const auto& [name, column] : *columns) {
        seen.add(name);
        std::visit(
            [&](const auto& values) {
              if constexpr (std::is_same_v<std::decay_t<decltype(values)>,
                                           std::vector<std::string>>) {
                for (const std::string& text : values) seen.add(text);
              } else {
                seen.add(values);
              }
            },
            column);
      }
    }
  } else if (kind == "model") {
    seen.add(store::to_bytes(store::load_network<double>(file)));
    seen.add(store::load_settings_of_model(file));
  } else if (kind == "checkpoint") {
    const auto saved = store::load_checkpoint<float>(file);
    seen.add(saved.settings);
    seen.add(store::load_checkpoint_settings(file));
    for (const EpochReport& report : saved.state.history) seen.add(store::metrics_line(report));
    for (const auto* moments : {&saved.state.first, &saved.state.second}) {
      for (const auto& weights : moments->weights) seen.add(weights);
    }
    seen.add(std::vector{saved.state.steps, std::int64_t{saved.state.epochs}});
    for (const auto& p : saved.state.network.projections()) seen.add(p.weight);
  } else if (kind == "settings") {
    seen.add(store::to_json(store::load_settings(file)));
  } else if (kind == "toml") {
    const store::SettingsFile read = store::read_settings_file(file);
    const RunSettings settings = store::settings_of(read);
    try {
      check(settings);
    } catch (const InvalidInput& e) {  // `saltus train` says where, if it knows the line
      throw InvalidInput(read.path.string() + ": " + read.located(e.what()));
    }
    seen.add(store::to_json(settings));
  } else if (kind == "recording") {
    const store::Recording recording = store::load_recording(file, {"in", "hidden", "out"});
    for (const auto& [name, spikes] : recording.spikes) {
      seen.add(name);
      seen.add(spikes.offsets);
      seen.add(spikes.times);
      seen.add(spikes.neurons);
    }
    seen.add(recording.labels);
    seen.add(recording.t_end);
  } else if (kind == "metrics") {
    const store::TrainedEpochs t = store::add_up(store::read_metrics(file).epochs);
    seen.add(std::vector{t.seconds, static_cast<double>(t.samples), static_cast<double>(t.epochs)});
  } else {
    throw std::invalid_argument("kind is " + std::string(kind) +
                                "; expected idx, spikes, model, checkpoint, settings, toml, "
                                "recording or metrics");
  }
  return seen.value();
}

}  // namespace saltus::test
