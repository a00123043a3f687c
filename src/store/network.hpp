// SPDX-License-Identifier: Apache-2.0
// A network in an archive: of models and of checkpoints.
#pragma once

#include <filesystem>

#include "archive/archive.hpp"
#include "saltus/network.hpp"

namespace saltus::store {

template <class Real>
void write_network(const Network<Real>& network, Archive& to);

/// @throws InvalidInput  what is no network, or one without a meaning
template <class Real>
Network<Real> read_network(const Archive& from);

/// @throws InvalidInput  a name of HDF5; FileError
void save_archive(const Archive& archive, const std::filesystem::path& file);
/// @throws FileError  missing, damaged or no file of ours: names the file
Archive load_archive(const std::filesystem::path& file);

/// A model that Saltus 0.1 wrote, as HDF5, turned into what write_network() makes of it.
Archive load_hdf5_model(const std::filesystem::path& file);

}  // namespace saltus::store
