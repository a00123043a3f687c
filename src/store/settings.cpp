// SPDX-License-Identifier: Apache-2.0
// Settings as JSON: one list of fields serves both directions.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "saltus/error.hpp"
#include "saltus/store.hpp"

namespace saltus::store {
namespace {

using nlohmann::json;

// visit(name, field) for every field of the settings.
template <class Settings, class Visit>
void for_each_field(Settings& s, Visit&& visit) {
  visit("task", s.task);
  visit("data", s.data);
  visit("train_file", s.train_file);
  visit("test_file", s.test_file);
  visit("precision", s.precision);
  visit("hidden", s.hidden);
  visit("recurrent", s.recurrent);
  visit("recurrent_delay", s.recurrent_delay);
  visit("validation", s.validation);
  visit("train_samples", s.train_samples);
  visit("tau_mem", s.tau_mem);
  visit("tau_syn", s.tau_syn);
  visit("v_threshold", s.v_threshold);
  visit("v_reset", s.v_reset);
  visit("tau_ref", s.tau_ref);
  visit("t_max", s.t_max);
  visit("t_end", s.t_end);
  visit("hidden_mean", s.hidden_mean);
  visit("hidden_std", s.hidden_std);
  visit("deep_mean", s.deep_mean);
  visit("deep_std", s.deep_std);
  visit("output_mean", s.output_mean);
  visit("output_std", s.output_std);
  visit("recurrent_std", s.recurrent_std);
  visit("initial_spikes", s.initial_spikes);
  visit("loss", s.loss.kind);
  visit("tau_0", s.loss.tau_0);
  visit("tau_1", s.loss.tau_1);
  visit("alpha", s.loss.alpha);
  visit("t_missing", s.loss.t_missing);
  visit("silent_pull", s.loss.silent_pull);
  visit("tau_integral", s.loss.tau_integral);
  visit("epochs", s.train.epochs);
  visit("batch", s.train.batch);
  visit("seed", s.train.seed);
  visit("threads", s.train.threads);
  visit("optimizer", s.train.optimizer);
  visit("lr", s.train.lr);
  visit("momentum", s.train.momentum);
  visit("beta_1", s.train.beta_1);
  visit("beta_2", s.train.beta_2);
  visit("epsilon", s.train.epsilon);
  visit("weight_decay", s.train.weight_decay);
  visit("schedule", s.train.schedule);
  visit("decay", s.train.decay);
  visit("lr_final", s.train.lr_final);
  visit("clip_norm", s.train.clip_norm);
  visit("input_dropout", s.train.input_dropout);
  visit("revive", s.train.revive);
  visit("smooth_threshold", s.train.smooth_threshold);
  visit("smooth_decay", s.train.smooth_decay);
  visit("smooth_end", s.train.smooth_end);
  visit("smooth_reading", s.train.smooth_reading);
  visit("step_limit", s.train.step_limit);
  visit("trainable", s.train.trainable);
}

struct Writer {
  json& out;

  void operator()(const char* name, double value) {
    // JSON has no infinity.
    if (std::isinf(value)) {
      out[name] = "infinite";
    } else {
      out[name] = value;
    }
  }
  void operator()(const char* name, LossKind kind) { out[name] = to_string(kind); }
  void operator()(const char* name, OptimizerKind kind) { out[name] = to_string(kind); }
  void operator()(const char* name, ScheduleKind kind) { out[name] = to_string(kind); }
  void operator()(const char* name, ThresholdReading reading) { out[name] = to_string(reading); }
  template <class T>
  void operator()(const char* name, const T& value) {
    out[name] = value;
  }
};

// Whether JSON holds what a field of type T expects, and what to call that.
template <class T>
constexpr bool is_list = false;
template <class T>
constexpr bool is_list<std::vector<T>> = true;

template <class T>
bool fits(const json& value) {
  if constexpr (is_list<T>) {
    return value.is_array() &&
           std::all_of(value.begin(), value.end(), fits<typename T::value_type>);
  } else if constexpr (std::is_same_v<T, bool>) {
    return value.is_boolean();
  } else if constexpr (std::is_unsigned_v<T>) {
    return value.is_number_unsigned();
  } else if constexpr (std::is_integral_v<T>) {
    return value.is_number_integer() &&
           value.get<std::int64_t>() >= std::numeric_limits<T>::min() &&
           value.get<std::int64_t>() <= std::numeric_limits<T>::max();
  } else if constexpr (std::is_floating_point_v<T>) {
    return value.is_number();
  } else {
    return value.is_string();
  }
}

template <class T>
std::string expected() {
  if constexpr (is_list<T>) return "a list, each entry " + expected<typename T::value_type>();
  if constexpr (std::is_same_v<T, bool>) return "true or false";
  if constexpr (std::is_unsigned_v<T>) return "a whole number of at least 0";
  if constexpr (std::is_integral_v<T>) return "a whole number";
  if constexpr (std::is_floating_point_v<T>) return "a number or \"infinite\"";
  return "a text";
}

struct Reader {
  const json& in;

  template <class T>
  void operator()(const char* name, T& value) {
    const auto found = in.find(name);
    if (found == in.end()) return;
    if constexpr (std::is_enum_v<T>) {
      value = kind(read<std::string>(name, *found), value);
    } else {
      value = read<T>(name, *found);
    }
  }

 private:
  template <class T>
  static T read(const char* name, const json& value) {
    if (fits<T>(value)) return value.get<T>();
    if constexpr (std::is_same_v<T, double>) {
      if (value == "infinite") return infinity;
    }
    throw InvalidInput(fmt::format("{} is {:.60}; expected {}", name, value.dump(), expected<T>()));
  }
  static LossKind kind(const std::string& name, LossKind) { return loss_kind(name); }
  static OptimizerKind kind(const std::string& name, OptimizerKind) { return optimizer_kind(name); }
  static ScheduleKind kind(const std::string& name, ScheduleKind) { return schedule_kind(name); }
  static ThresholdReading kind(const std::string& name, ThresholdReading) {
    return threshold_reading(name);
  }
};

}  // namespace

std::string to_json(const RunSettings& settings) {
  json out = json::object();
  for_each_field(settings, Writer{out});
  return out.dump(2) + "\n";
}

RunSettings settings_from_json(const std::string& text) {
  json in;
  try {
    in = json::parse(text);
  } catch (const json::parse_error& e) {
    throw InvalidInput(fmt::format("not JSON from byte {} on", e.byte));
  }
  if (!in.is_object() || !in.contains("task")) {
    throw InvalidInput("holds no task; expected what `saltus train` writes as settings.json");
  }
  std::string task;
  Reader{in}("task", task);
  RunSettings settings = default_settings(task);
  for_each_field(settings, Reader{in});
  check(settings);
  return settings;
}

RunSettings load_settings(const std::filesystem::path& file) {
  const std::string text = read_file(file);
  try {
    return settings_from_json(text);
  } catch (const InvalidInput& e) {
    throw FileError(fmt::format("{}: {}", file.string(), e.what()));
  }
}

}  // namespace saltus::store
