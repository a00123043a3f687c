// SPDX-License-Identifier: Apache-2.0
// The models of the library that have a file of their own: a line here and one in models.cpp.
#pragma once

#include "saltus/model.hpp"

namespace saltus {

extern const ModelInfo alif_info;

}  // namespace saltus
