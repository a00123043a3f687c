// SPDX-License-Identifier: Apache-2.0
// Settings as JSON: one list of fields serves both directions.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

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
  template <class T>
  void operator()(const char* name, const T& value) {
    out[name] = value;
  }
};

struct Reader {
  const json& in;

  void operator()(const char* name, double& value) {
    const auto found = in.find(name);
    if (found == in.end()) return;
    if (found->is_string() && *found == "infinite") {
      value = infinity;
    } else {
      found->get_to(value);
    }
  }
  void operator()(const char* name, LossKind& kind) {
    if (in.contains(name)) kind = loss_kind(in.at(name).get<std::string>());
  }
  void operator()(const char* name, OptimizerKind& kind) {
    if (in.contains(name)) kind = optimizer_kind(in.at(name).get<std::string>());
  }
  void operator()(const char* name, ScheduleKind& kind) {
    if (in.contains(name)) kind = schedule_kind(in.at(name).get<std::string>());
  }
  template <class T>
  void operator()(const char* name, T& value) {
    if (in.contains(name)) in.at(name).get_to(value);
  }
};

}  // namespace

std::string to_json(const RunSettings& settings) {
  json out = json::object();
  for_each_field(settings, Writer{out});
  return out.dump(2) + "\n";
}

RunSettings settings_from_json(const std::string& text) {
  try {
    const json in = json::parse(text);
    RunSettings settings = default_settings(in.at("task").get<std::string>());
    for_each_field(settings, Reader{in});
    return settings;
  } catch (const json::exception& e) {
    throw InvalidInput(fmt::format("settings are not valid: {}", e.what()));
  }
}

}  // namespace saltus::store
