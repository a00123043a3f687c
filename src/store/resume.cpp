// SPDX-License-Identifier: Apache-2.0
// Which settings may differ between a training and the one that goes on with it.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>

#include "machine/digest.hpp"
#include "saltus/error.hpp"
#include "saltus/store.hpp"
#include "store/free_settings.hpp"

namespace saltus::store {
namespace {

using nlohmann::json;

// What the state is about: streams of random numbers, moments. (And all of RunSettings, of which the
// network and the data were made.)
constexpr std::string_view fixed_settings[] = {"seed", "optimizer", "trainable", "population",
                                               "projection"};

// Where within an epoch the training stands depends on them.
constexpr std::string_view fixed_within_epoch[] = {"batch", "training_data"};

template <class Names>
bool among(const Names& names, std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

bool is_fixed(std::string_view name, bool within_epoch) {
  bool made_of = false;
  const RunSettings run;
  for_each_field(run, [&](const auto& row, const auto&) { made_of = made_of || row.name == name; });
  return made_of || among(fixed_settings, name) ||
         (within_epoch && among(fixed_within_epoch, name));
}

std::string shown(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

std::vector<std::string> resumed_with(const std::string& was_text, const std::string& now_text,
                                      bool within_epoch) {
  const json was = json::parse(was_text), now = json::parse(now_text);
  std::vector<std::string> told;
  for (const auto& [name, value] : now.items()) {
    const auto before = was.find(name);
    if (before == was.end() || *before == value || among(free_settings, name)) continue;
    const bool data = name == "training_data";
    if (is_fixed(name, within_epoch)) {
      throw InvalidInput(fmt::format(
          "{} is {}, but the training was begun with {}, and cannot go on with another{}; expected "
          "the same, or a training of its own, from the beginning",
          data ? "the training data's fingerprint" : name, shown(value), shown(*before),
          among(fixed_within_epoch, name) ? " within an epoch" : ""));
    }
    told.push_back(
        data ? std::string("the training data are others than before")
             : fmt::format("{} is {} from here on; it was {}", name, shown(value), shown(*before)));
  }
  return told;
}

std::string fingerprint(const data::LabelledSpikes& data) {
  Digest digest;
  const auto add = [&](std::string_view name, const auto& values) {
    digest.add(name, values.data(), values.size() * sizeof(values[0]));
  };
  add("offsets", data.spikes.offsets);
  add("times", data.spikes.times);
  add("neurons", data.spikes.neurons);
  add("labels", data.labels);
  return fmt::format("{:016x}", digest.value());
}

}  // namespace saltus::store
