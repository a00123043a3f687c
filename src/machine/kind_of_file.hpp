// SPDX-License-Identifier: Apache-2.0
// What a name leads to, if it is none of those that can be read to an end.
#pragma once

#include <filesystem>
#include <string_view>

namespace saltus {

/// Empty: a file, a folder, nothing, or a pipe without a name, such as `<(command)`. (One with a name
/// is waited for until somebody writes to it: a run that came as an archive may hold one.)
inline std::string_view endless(const std::filesystem::path& file) {
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (std::filesystem::is_character_file(status) || std::filesystem::is_block_file(status)) {
    return "a device";
  }
  if (std::filesystem::is_socket(status)) return "a socket";
  if (std::filesystem::is_fifo(status) &&
      std::filesystem::exists(std::filesystem::canonical(file, error))) {
    return "a named pipe";
  }
  return {};
}

}  // namespace saltus
