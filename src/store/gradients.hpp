// SPDX-License-Identifier: Apache-2.0
// Gradients in an archive: each by the name, and in the shape, of the array of a model that it is
// of (store/network.cpp); those of input spikes are <population>.times.
#pragma once

#include "archive/archive.hpp"
#include "saltus/adjoint.hpp"

namespace saltus::store {

template <class Real>
void write_gradients(const Network<Real>& network, const Gradients<Real>& gradients, Archive& to);

}  // namespace saltus::store
