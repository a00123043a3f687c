// SPDX-License-Identifier: Apache-2.0
// The parts of the module saltus._core.
#pragma once

#include <nanobind/nanobind.h>

namespace saltus::python {

void bind_network(nanobind::module_& module);
void bind_record(nanobind::module_& module);
void bind_ghosts(nanobind::module_& module);
void bind_train(nanobind::module_& module);
void bind_data(nanobind::module_& module);

}  // namespace saltus::python
