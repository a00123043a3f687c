// SPDX-License-Identifier: Apache-2.0
#include "train/trainable.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>

#include "saltus/error.hpp"

namespace saltus {
namespace {

// Every parameter of a network, in the order in which they are trained.
template <class Real>
std::vector<Trained> all_of(const Network<Real>& network) {
  std::vector<Trained> all;
  for (std::size_t k = 0; k < network.projections().size(); ++k) {
    all.push_back({Trained::Kind::weight, k});
    if (!network.projections()[k].delay.values.empty()) {
      all.push_back({Trained::Kind::delay, k});
    }
  }
  for (std::size_t p = 0; p < network.populations().size(); ++p) {
    for (std::size_t k = 0; k < network.populations()[p].parameters.size(); ++k) {
      all.push_back({Trained::Kind::neuron, p, k});
    }
  }
  return all;
}

template <class Real>
std::string_view kind_of(const Network<Real>& network, const Trained& what) {
  switch (what.kind) {
    case Trained::Kind::weight:
      return "weights";
    case Trained::Kind::delay:
      return "delays";
    case Trained::Kind::neuron:
      break;
  }
  return network.populations()[what.owner].model->parameters[what.parameter].name;
}

}  // namespace

template <class Real>
std::string name_of(const Network<Real>& network, const Trained& what) {
  switch (what.kind) {
    case Trained::Kind::weight:
      return network.projections()[what.owner].name + ".weight";
    case Trained::Kind::delay:
      return network.projections()[what.owner].name + ".delay";
    case Trained::Kind::neuron:
      break;
  }
  const Population& p = network.populations()[what.owner];
  return fmt::format("{}.{}", p.name, p.model->parameters[what.parameter].name);
}

template <class Real>
std::vector<Trained> trained_of(const Network<Real>& network,
                                const std::vector<std::string>& trainable) {
  const std::vector<Trained> all = all_of(network);
  std::vector<Trained> trained;
  std::vector<bool> fits(trainable.size(), false);
  for (const Trained& what : all) {
    bool wanted = false;
    for (std::size_t k = 0; k < trainable.size(); ++k) {
      if (trainable[k] != kind_of(network, what) && trainable[k] != name_of(network, what))
        continue;
      fits[k] = wanted = true;
    }
    if (wanted) trained.push_back(what);
  }
  for (std::size_t k = 0; k < trainable.size(); ++k) {
    if (fits[k]) continue;
    std::string known;
    for (const Trained& what : all) {
      known += fmt::format("{}{}", known.empty() ? "" : ", ", name_of(network, what));
    }
    throw InvalidInput(fmt::format("trainable names '{}', but the network has none; there are: {}",
                                   trainable[k], known));
  }
  return trained;
}

Rate rate_of(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) return {text, std::nan("")};
  const std::string number = text.substr(equals + 1);
  Rate rate{text.substr(0, equals), std::nan("")};
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), rate.value);
  if (error != std::errc() || end != number.data() + number.size()) rate.value = std::nan("");
  return rate;
}

template <class Real>
double unit_of(const Network<Real>& network, const Trained& what) {
  constexpr double of_delays = 2e-3;
  switch (what.kind) {
    case Trained::Kind::weight:
      return 1;
    case Trained::Kind::delay:
      return of_delays;
    case Trained::Kind::neuron:
      break;
  }
  const ParameterRow& row = network.populations()[what.owner].model->parameters[what.parameter];
  return row.unit.empty() ? 1 : row.typical / 5;
}

template <class Real>
std::vector<double> rates_of(const Network<Real>& network, const std::vector<Trained>& trained,
                             const TrainSettings& settings) {
  std::vector<double> rates;
  for (const Trained& what : trained) rates.push_back(unit_of(network, what));
  if (!settings.lr_of.empty() && !(settings.lr > 0)) {
    throw InvalidInput(fmt::format(
        "lr is {}; expected a number above 0: rates of their own (lr_of) follow its schedule",
        settings.lr));
  }
  std::vector<bool> single(trained.size(), false);
  for (const std::string& text : settings.lr_of) {
    const Rate rate = rate_of(text);
    bool fits = false;
    for (std::size_t k = 0; k < trained.size(); ++k) {
      const bool by_name = rate.name == name_of(network, trained[k]);
      if (!by_name && rate.name != kind_of(network, trained[k])) continue;
      fits = true;
      if (single[k]) continue;
      single[k] = by_name;
      // SGD multiplies by the gradient, which it sees in the parameter's unit.
      const bool sgd = settings.optimizer == OptimizerKind::sgd;
      rates[k] = rate.value / settings.lr / (sgd ? unit_of(network, trained[k]) : 1);
    }
    if (fits) continue;
    throw InvalidInput(
        fmt::format("lr_of names '{}', which is not trained; expected what trainable names: {}",
                    rate.name, fmt::join(settings.trainable, ", ")));
  }
  return rates;
}

template <class Real>
Wanted wanted_for(const Network<Real>& network, const std::vector<Trained>& trained) {
  Wanted wanted = Wanted::weights_only();
  for (const Population& p : network.populations()) {
    wanted.only.emplace_back(p.parameters.size(), false);
  }
  for (const Trained& what : trained) {
    wanted.delays = wanted.delays || what.kind == Trained::Kind::delay;
    if (what.kind != Trained::Kind::neuron) continue;
    wanted.neurons = true;
    wanted.only[what.owner][what.parameter] = true;
  }
  return wanted;
}

void check_count(std::string_view what, std::size_t count, std::size_t expected) {
  if (count == expected) return;
  throw InvalidInput(fmt::format("{}: {} given; expected {}", what, count, expected));
}

template double unit_of(const Network<float>&, const Trained&);
template double unit_of(const Network<double>&, const Trained&);
template std::vector<double> rates_of(const Network<float>&, const std::vector<Trained>&,
                                      const TrainSettings&);
template std::vector<double> rates_of(const Network<double>&, const std::vector<Trained>&,
                                      const TrainSettings&);
template Wanted wanted_for(const Network<float>&, const std::vector<Trained>&);
template Wanted wanted_for(const Network<double>&, const std::vector<Trained>&);
template std::string name_of(const Network<float>&, const Trained&);
template std::string name_of(const Network<double>&, const Trained&);
template std::vector<Trained> trained_of(const Network<float>&, const std::vector<std::string>&);
template std::vector<Trained> trained_of(const Network<double>&, const std::vector<std::string>&);

}  // namespace saltus
