// SPDX-License-Identifier: Apache-2.0
// Models and settings on disk. Every file is written aside and then renamed, so that a full disk or
// a killed run leaves the old one whole.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "saltus/network.hpp"
#include "saltus/task.hpp"

namespace saltus::store {

/// Writes a network as HDF5.
/// @param settings  a text that it keeps: settings_of_model()
/// @throws FileError  cannot be written; InvalidInput  a network without a meaning, which could not
///         be read again
template <class Real>
void save_network(const Network<Real>& network, const std::filesystem::path& file,
                  const std::string& settings = "");

/// Reads it back, to the last bit if the type is the same.
/// @throws FileError  missing, truncated or not a model; InvalidInput  a network without a meaning
template <class Real>
Network<Real> load_network(const std::filesystem::path& file);

/// The text that the file of a network keeps; empty if it has none. @throws FileError
std::string load_settings_of_model(const std::filesystem::path& file);

/// Settings as JSON text, and back. @throws InvalidInput  a field of a wrong kind
std::string to_json(const RunSettings& settings);
RunSettings settings_from_json(const std::string& text);
/// What of the settings belongs to a model: all but where the data are, and threads.
std::string settings_of_model(const RunSettings& settings);
/// @throws InvalidInput  settings that are not those that a model was trained with: names the first
void check_settings_of_model(const RunSettings& settings, const std::string& of_model);
/// @throws FileError  cannot be read, or holds no settings
RunSettings load_settings(const std::filesystem::path& file);

/// An epoch as a line of metrics.jsonl.
std::string metrics_line(const EpochReport& report, const std::optional<Evaluation>& validation);

/// What the epochs of a run add up to.
struct TrainedEpochs {
  double seconds = 0;
  std::size_t samples = 0;
  int epochs = 0;  ///< complete ones

  double us_per_sample() const {
    return samples > 0 ? 1e6 * seconds / static_cast<double>(samples) : 0.0;
  }
};
/// Reads metrics.jsonl; all zero if there is none. @throws FileError  it holds something else
TrainedEpochs read_metrics(const std::filesystem::path& file);

/// Writes text aside, then renames. @throws FileError
void write_file(const std::filesystem::path& file, const std::string& text);
/// @throws FileError
std::string read_file(const std::filesystem::path& file);

}  // namespace saltus::store
