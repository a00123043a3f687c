// SPDX-License-Identifier: Apache-2.0
// Settings as Python gives them: dictionaries whose keys are the names of the C++ fields.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <string>
#include <type_traits>

#include "saltus/ghosts.hpp"
#include "saltus/loss.hpp"
#include "saltus/train.hpp"

namespace saltus::python {

namespace nb = nanobind;

/// Those that are given; the others keep their defaults.
template <class Settings>
Settings settings_of(const nb::dict& given) {
  Settings s;
  for_each_field(s, [&](const auto& field, auto& value) {
    using T = std::remove_reference_t<decltype(value)>;
    const nb::str name(field.name.data(), field.name.size());
    if (!given.contains(name)) return;
    if constexpr (std::is_enum_v<T>) {
      value = from_name<T>(nb::cast<std::string>(given[name]));
    } else {
      value = nb::cast<T>(given[name]);
    }
  });
  return s;
}

// The package has checked the names of the choices.
inline Smoothing smoothing_settings(const nb::dict& given) {
  Smoothing s;
  s.sigma = nb::cast<double>(given["sigma"]);
  s.reach = nb::cast<double>(given["reach"]);
  s.seed = nb::cast<std::uint64_t>(given["seed"]);
  if (nb::cast<std::string>(given["thresholds"]) == "sampled") {
    s.thresholds = ThresholdReading::sampled;
  }
  if (nb::cast<std::string>(given["difference"]) == "exact") {
    s.difference = DifferenceForm::exact;
  }
  return s;
}

}  // namespace saltus::python
