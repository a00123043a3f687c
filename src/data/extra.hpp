// SPDX-License-Identifier: Apache-2.0
// What a spike file says of its samples besides: the group `extra` of SHD's layout.
#pragma once

#include <hdf5.h>

#include <filesystem>

#include "saltus/data.hpp"

namespace saltus::data {

/// Reads every one-dimensional data set under `extra` of whole numbers, numbers or texts: into
/// `extra` where it has a row for each sample, else into `tables`. Others are left out.
/// @param root  of an open HDF5 file; @throws FileError  one that cannot be read
void read_extra(const std::filesystem::path& file, hid_t root, LabelledSpikes& data);

}  // namespace saltus::data
