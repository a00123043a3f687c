// SPDX-License-Identifier: Apache-2.0
// The connections of the library that have a file of their own: a line here and one in
// connection.cpp.
#pragma once

#include "saltus/connection.hpp"

namespace saltus {

extern const ConnectionInfo sparse_info;
extern const ConnectionInfo conv2d_info;
extern const ConnectionInfo pool2d_info;

}  // namespace saltus
