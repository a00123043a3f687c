// SPDX-License-Identifier: Apache-2.0
// HDF5's library crashes, loops and asks for any amount of memory where a file is damaged (1.10: 20 of
// 609 files with a few bytes changed crashed, 19 did not end). So files are read in a process of its
// own, with bounds, which hands over plain arrays: a crash is one clear error.
#pragma once

#include <filesystem>
#include <functional>

#include "archive/archive.hpp"

namespace saltus::hdf5 {

/// What reading a file may take.
struct Bounds {
  double bytes;    ///< of memory, beyond what the process has
  double seconds;  ///< of processor time; ten times that by the clock

  /// Enough for any whole file of that size.
  static Bounds of(const std::filesystem::path& file);
};

/// What read() makes of a file, in a process of its own.
/// @throws InvalidInput, FileError  as read() throws them; FileError  it crashed or took too much
Archive in_child(const std::filesystem::path& file, const Bounds& bounds,
                 const std::function<Archive()>& read);

/// From here on the child can open nothing: a file of HDF5 may ask for the contents of any other file
/// (external links, external and virtual data sets), and for code to be loaded (plugins of filters).
void open_no_more();

}  // namespace saltus::hdf5
