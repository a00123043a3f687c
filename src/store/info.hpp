// SPDX-License-Identifier: Apache-2.0
// What the folder of a run, a model or a checkpoint is.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace saltus::store {

struct Info {
  std::string network;  ///< as describe() says it
  /// One object. Always: `kind` (run, model or checkpoint), `populations`, `projections`, `files`.
  /// Where it is known of a run: `task`, `settings`, `changed` (those that are not the defaults of
  /// the task: value and default), `training`.
  nlohmann::json said;
};

/// @param place  the folder of a run, or one file of it
/// @throws FileError  cannot be read, is neither; InvalidInput  a network without a meaning
Info info_of(const std::filesystem::path& place);

}  // namespace saltus::store
