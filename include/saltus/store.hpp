// SPDX-License-Identifier: Apache-2.0
/// @file
/// Models and settings on disk. Every file is written aside and then renamed, so that a full disk or
/// a killed run leaves the old one whole.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "saltus/network.hpp"
#include "saltus/task.hpp"

/// Models, checkpoints and settings on disk.
namespace saltus::store {

/// Writes a network as safetensors: arrays by the names of their tensors, and a checksum of the whole.
/// @param settings  a text that it keeps: settings_of_model()
/// @throws FileError  cannot be written; InvalidInput  a name that ends in .h5, or a network without
///         a meaning, which could not be read again
template <class Real>
void save_network(const Network<Real>& network, const std::filesystem::path& file,
                  const std::string& settings = "");

/// Reads it back, to the last bit if the type is the same.
/// Models of earlier versions, which were HDF5, are read too.
/// @throws FileError  missing, damaged or not a model; InvalidInput  a network without a meaning
template <class Real>
Network<Real> load_network(const std::filesystem::path& file);

/// Where the model is: of the folder of a run its `model.safetensors` (earlier versions wrote
/// `model.h5`); a file is itself.
std::filesystem::path model_in(const std::filesystem::path& place);

/// What save_network() writes into a file, without settings. @throws InvalidInput  as save_network()
template <class Real>
std::string to_bytes(const Network<Real>& network);
/// Reads it back. @throws InvalidInput  damaged, not a model, or a network without a meaning
template <class Real>
Network<Real> from_bytes(std::string bytes);

/// The text that the file of a network keeps; empty if it has none. @throws FileError
std::string load_settings_of_model(const std::filesystem::path& file);

/// A training as it was saved, and what it was begun with.
template <class Real>
struct Checkpoint {
  TrainState<Real> state;  ///< all that it had come to
  std::string settings;    ///< JSON text: one object
};

/// Writes a training whole: a model that load_network() reads, and all else of its state.
/// @throws FileError  cannot be written
template <class Real>
void save_checkpoint(const TrainState<Real>& state, const std::string& settings,
                     const std::filesystem::path& file);

/// Reads it back, to the last bit. @param file  or its folder: then `checkpoint.safetensors` there
/// @throws FileError  missing, damaged, no checkpoint, or one in the other precision
template <class Real>
Checkpoint<Real> load_checkpoint(const std::filesystem::path& file);
/// Its settings alone.
std::string load_checkpoint_settings(const std::filesystem::path& file);

/// Where a checkpoint is: a file, or `checkpoint.safetensors` of a folder.
std::filesystem::path checkpoint_in(const std::filesystem::path& place);

/// Settings with which a training goes on, against those of its checkpoint. How many epochs and threads
/// may differ in silence, and where the data are; what steps and losses are made of is told, a line each.
/// @param was, now      JSON text: one object each; what is in both is compared
/// @param within_epoch  is one under way?
/// @throws InvalidInput  another seed, optimiser, network, ...: names it, and both values
std::vector<std::string> resumed_with(const std::string& was, const std::string& now,
                                      bool within_epoch);

/// A number of data by which resumed_with() knows them again.
std::string fingerprint(const data::LabelledSpikes& data);

/// Settings as JSON text.
std::string to_json(const RunSettings& settings);
/// And back. @throws InvalidInput  a field of a wrong kind
RunSettings settings_from_json(const std::string& text);

/// A file of `saltus train --config`: settings as TOML in sections (docs/guide.md), or a settings.json.
struct SettingsFile {
  std::filesystem::path path;        ///< of the file
  std::string json;                  ///< its settings, one object
  std::map<std::string, int> lines;  ///< of each setting, counted from 1; 0: of JSON

  /// A message about a setting of the file, by whose name it begins, with the file and the line.
  std::string located(const std::string& message) const;
};
/// @param file  or the folder of a run: then its settings.json
/// @throws FileError  cannot be read; InvalidInput  neither TOML nor JSON, nested deeper than 64, a name
///         that is given twice, stands in another section or is none (says the nearest): with the line
SettingsFile read_settings_file(const std::filesystem::path& file);
/// Its settings, and the defaults of its task for the others; not yet checked with check().
/// @param layers  the defaults of a network of RunSettings::layers, whether the file names them or not
/// @throws InvalidInput  a value of another kind: with file and line
RunSettings settings_of(const SettingsFile& file, bool layers = false);
/// Such a file as TOML, with what each setting that the task reads is about.
std::string to_toml(const RunSettings& settings);

/// What of the settings belongs to a model: all but where the data are, and threads.
std::string settings_of_model(const RunSettings& settings);
/// @throws InvalidInput  settings that are not those that a model was trained with: names the first
void check_settings_of_model(const RunSettings& settings, const std::string& of_model);
/// @throws FileError  cannot be read, or holds no settings
RunSettings load_settings(const std::filesystem::path& file);

/// An epoch as a line of metrics.jsonl.
/// @param peak_memory  bytes that the process had held at most when it was over; 0: not known
std::string metrics_line(const EpochReport& report, std::size_t peak_memory = 0);

/// What epochs add up to.
struct TrainedEpochs {
  double seconds = 0;           ///< of training
  double gather_seconds = 0;    ///< of these, as in EpochReport
  double forward_seconds = 0;   ///< the same
  double loss_seconds = 0;      ///< the same
  double backward_seconds = 0;  ///< the same
  double step_seconds = 0;      ///< the same
  std::size_t samples = 0;      ///< seen
  int epochs = 0;               ///< complete ones

  /// Microseconds a sample.
  double us_per_sample() const {
    return samples > 0 ? 1e6 * seconds / static_cast<double>(samples) : 0.0;
  }
};
/// Adds up epochs, complete or not.
TrainedEpochs add_up(std::span<const EpochReport> epochs);
/// Those of a training that are done, and after them the one under way, which is not complete.
template <class Real>
std::vector<EpochReport> epochs_of(const TrainState<Real>& state);

/// What metrics.jsonl holds.
struct Metrics {
  std::vector<EpochReport> epochs;       ///< [line]; the last may not be complete
  std::vector<std::size_t> peak_memory;  ///< [line] bytes, as of metrics_line()
};
/// Reads metrics.jsonl; nothing if there is none. @throws FileError  it holds something else
Metrics read_metrics(const std::filesystem::path& file);

/// A folder that one run writes, while it lives: the file `lock` there, which says whose it is. A
/// process that dies lets go of it.
class FolderLock {
 public:
  FolderLock() = default;  ///< holds nothing
  /// @throws FileError  another run holds it: says which; it cannot be written
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();                                       ///< lets go
  FolderLock(FolderLock&& other) noexcept;             ///< what moved away holds nothing
  FolderLock& operator=(FolderLock&& other) noexcept;  ///< the same; lets go of what it held
  /// Lets go; does nothing the second time.
  void release();

 private:
  std::filesystem::path file_;
  int fd_ = -1;
};

/// Writes text aside, then renames. @throws FileError
void write_file(const std::filesystem::path& file, const std::string& text);
/// @throws FileError
std::string read_file(const std::filesystem::path& file);

}  // namespace saltus::store
