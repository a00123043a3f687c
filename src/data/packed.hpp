// SPDX-License-Identifier: Apache-2.0
// Labelled spikes as an archive: how a child process hands them over.
#pragma once

#include "archive/archive.hpp"
#include "saltus/data.hpp"

namespace saltus::data {

Archive packed(LabelledSpikes data);
/// @throws InvalidInput  spikes that are none
LabelledSpikes unpacked(const Archive& archive);

}  // namespace saltus::data
