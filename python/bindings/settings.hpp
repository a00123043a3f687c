// SPDX-License-Identifier: Apache-2.0
// Settings as Python gives them: dictionaries whose keys are the names of the C++ fields.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <string_view>
#include <type_traits>

#include "saltus/ghosts.hpp"
#include "saltus/losses.hpp"
#include "saltus/train.hpp"

namespace saltus::python {

namespace nb = nanobind;

inline nb::str key(std::string_view name) { return nb::str(name.data(), name.size()); }

/// Those that are given; the others keep their defaults.
template <class Settings>
Settings settings_of(const nb::dict& given) {
  Settings s;
  for_each_field(s, [&](const auto& field, auto& value) {
    using T = std::remove_reference_t<decltype(value)>;
    const nb::str name = key(field.name);
    if (!given.contains(name)) return;
    if constexpr (std::is_enum_v<T>) {
      value = from_name<T>(nb::cast<std::string>(given[name]));
    } else {
      value = nb::cast<T>(given[name]);
    }
  });
  return s;
}

}  // namespace saltus::python
