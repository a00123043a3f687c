// SPDX-License-Identifier: Apache-2.0
// Spikes that were recorded elsewhere (hardware, another simulator), as a file of safetensors:
//
//     <population>.times    [spikes] float64, seconds, ascending within a sample
//     <population>.neurons  [spikes] int32 or int64
//     <population>.offsets  [samples + 1] int64: where the spikes of each sample begin
//     labels                [samples] int32 or int64; may be left out
//     t_end                 [1] or [samples] float64, seconds; may be left out
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "saltus/spikes.hpp"

namespace saltus::store {

struct Recording {
  std::map<std::string, Spikes> spikes;  // by the name of their population; not validated
  std::vector<std::int32_t> labels;
  std::vector<double> t_end;
};

/// @param populations  that a file may name
/// @throws FileError  missing or damaged; InvalidInput  other arrays than these, or of other types:
///         names the file
Recording load_recording(const std::filesystem::path& file,
                         const std::vector<std::string>& populations);

}  // namespace saltus::store
