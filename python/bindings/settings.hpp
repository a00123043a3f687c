// SPDX-License-Identifier: Apache-2.0
// Settings as Python gives them: dictionaries whose keys are the names of the C++ fields.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>

#include "saltus/ghosts.hpp"
#include "saltus/loss.hpp"
#include "saltus/train.hpp"

namespace saltus::python {

namespace nb = nanobind;

template <class T>
void read(const nb::dict& given, const char* name, T& field) {
  if (given.contains(name)) field = nb::cast<T>(given[name]);
}

inline LossSettings loss_settings(const nb::dict& given) {
  LossSettings s;
  s.kind = loss_kind(nb::cast<std::string>(given["kind"]));
  read(given, "tau_0", s.tau_0);
  read(given, "tau_1", s.tau_1);
  read(given, "alpha", s.alpha);
  read(given, "t_missing", s.t_missing);
  read(given, "silent_pull", s.silent_pull);
  read(given, "tau_integral", s.tau_integral);
  return s;
}

// The package has checked the names of the choices.
inline Smoothing smoothing_settings(const nb::dict& given) {
  Smoothing s;
  read(given, "sigma", s.sigma);
  read(given, "reach", s.reach);
  read(given, "seed", s.seed);
  if (nb::cast<std::string>(given["thresholds"]) == "sampled") {
    s.thresholds = ThresholdReading::sampled;
  }
  return s;
}

inline TrainSettings train_settings(const nb::dict& given) {
  TrainSettings s;
  if (given.contains("optimizer")) {
    s.optimizer = optimizer_kind(nb::cast<std::string>(given["optimizer"]));
  }
  if (given.contains("schedule")) {
    s.schedule = schedule_kind(nb::cast<std::string>(given["schedule"]));
  }
  read(given, "epochs", s.epochs);
  read(given, "batch", s.batch);
  read(given, "seed", s.seed);
  read(given, "threads", s.threads);
  read(given, "lr", s.lr);
  read(given, "momentum", s.momentum);
  read(given, "beta_1", s.beta_1);
  read(given, "beta_2", s.beta_2);
  read(given, "epsilon", s.epsilon);
  read(given, "weight_decay", s.weight_decay);
  read(given, "decay", s.decay);
  read(given, "lr_final", s.lr_final);
  read(given, "clip_norm", s.clip_norm);
  read(given, "input_dropout", s.input_dropout);
  read(given, "revive", s.revive);
  read(given, "smooth_threshold", s.smooth_threshold);
  read(given, "smooth_decay", s.smooth_decay);
  read(given, "smooth_end", s.smooth_end);
  if (given.contains("smooth_reading")) {
    s.smooth_reading = threshold_reading(nb::cast<std::string>(given["smooth_reading"]));
  }
  read(given, "step_limit", s.step_limit);
  read(given, "trainable", s.trainable);
  return s;
}

}  // namespace saltus::python
