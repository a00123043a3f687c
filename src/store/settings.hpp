// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "saltus/task.hpp"

namespace saltus::store {

/// visit(row, value) for every setting of a run: its own, those of its loss and of its training.
template <class Settings, class Visit>
void for_each_setting(Settings& settings, Visit&& visit) {
  for_each_field(settings, visit);
  for_each_field(settings.loss, visit);
  for_each_field(settings.train, visit);
}

/// As settings_from_json(), but without check().
/// @param layers  the defaults of a network of RunSettings::layers
RunSettings unchecked_settings(const std::string& json, bool layers = false);

}  // namespace saltus::store
