// SPDX-License-Identifier: Apache-2.0
// A network within an HDF5 file: of models and of checkpoints.
#pragma once

#include "saltus/network.hpp"
#include "store/hdf5_file.hpp"

namespace saltus::store {

template <class Real>
void write_network(const Network<Real>& network, const File& file, hid_t root);

/// @throws FileError  a file of another format
template <class Real>
Network<Real> read_network(const File& file, hid_t root);

}  // namespace saltus::store
