// SPDX-License-Identifier: Apache-2.0
#include "train/step.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "adjoint/shape.hpp"
#include "machine/team.hpp"
#include "saltus/error.hpp"
#include "saltus/margin.hpp"
#include "train/optimizer.hpp"
#include "train/ranges.hpp"

namespace saltus {

template <class Real>
double norm_of(const std::vector<Trained>& trained, const Network<Real>& network,
               const Gradients<Real>& gradients, int threads) {
  double sum = 0;
  std::size_t tensor = 0;
  for_each_trained(trained, network, gradients, [&](auto, auto gradient) {
    const double unit = unit_of(network, trained[tensor++]);
    sum += unit * unit * sum_of_squares(gradient, threads);
  });
  return std::sqrt(sum);
}

template <class Real>
auto Step<Real>::take(TrainState<Real>& state, Gradients<Real>& gradients, double norm, double lr,
                      const Inputs& inputs) const -> Taken {
  std::optional<Network<Real>> before;
  if (settings.step_limit > 0) before = state.network;
  // Weights have no range, and are checked at the end of an epoch.
  const bool weights_alone = std::all_of(trained.begin(), trained.end(), [](const Trained& t) {
    return t.kind == Trained::Kind::weight;
  });
  std::optional<Ranged> ranged;
  if (!weights_alone || hooks.optimizer) ranged.emplace(state.network);
  move(state, gradients, norm, lr);
  Taken taken{false, ranged ? clamp(state.network, *ranged) : 0};
  taken.limited = before && hold_back(*before, state.network, gradients, inputs);
  if (!ranged) return taken;
  try {
    state.network.check();
  } catch (const InvalidInput& e) {
    ranged->put_back(state.network);
    throw InvalidInput(
        fmt::format("{}, but a step of training led there; try a smaller lr", e.what()));
  }
  return taken;
}

template <class Real>
void Step<Real>::move(TrainState<Real>& state, const Gradients<Real>& gradients, double norm,
                      double lr) const {
  const double clip = settings.clip_norm;
  const double scale = clip > 0 && norm > clip ? clip / norm : 1.0;
  Network<Real>& network = state.network;
  ++state.steps;
  if (hooks.optimizer) {
    hooks.optimizer->step(network, gradients, lr, scale);
    return;
  }
  for (Gradients<Real>* moments : {&state.first, &state.second}) {
    shape_after(network, Wanted(), *moments);
  }
  for (std::size_t k = 0; k < trained.size(); ++k) {
    const double unit = unit_of(network, trained[k]);
    visit_trained(
        trained[k], network,
        [&](auto& values, auto& gradient, auto& first, auto& second) {
          optimizer_step(settings, lr * rates[k], state.steps, scale * unit, std::span(values),
                         std::span(gradient), first, second,
                         trained[k].kind == Trained::Kind::weight);
        },
        gradients, state.first, state.second);
  }
}

// Back towards `before`, if the step went further than the limit allows.
template <class Real>
bool Step<Real>::hold_back(const Network<Real>& before, Network<Real>& network,
                           Gradients<Real>& along, const Inputs& inputs) const {
  std::vector<std::vector<double>> old;
  for_each_trained(trained, before, along,
                   [&](auto values, auto) { old.emplace_back(values.begin(), values.end()); });
  const auto visit = [&](auto&& change) {
    std::size_t tensor = 0;
    for_each_trained(trained, network, along, [&](auto values, auto gradient) {
      const auto& from = old[tensor++];
      for (std::size_t k = 0; k < from.size(); ++k) change(values[k], gradient[k], from[k]);
    });
  };
  visit([](auto& value, auto& gradient, double from) {
    gradient = static_cast<std::remove_reference_t<decltype(gradient)>>(from - value);
  });
  Options options;
  options.threads = settings.threads;
  options.limits = limits_of(settings);
  constexpr double everywhere = 1e6;  // the range of V in which peaks are looked at
  const Margin m = margin(before, inputs, along, settings.trainable, everywhere, options);
  const double share = settings.step_limit * (hooks.team ? hooks.team->least(m.step) : m.step);
  if (!(share < 1)) return false;
  visit([share](auto& value, auto&, double from) {
    value = static_cast<std::remove_reference_t<decltype(value)>>(from + share * (value - from));
  });
  return true;
}

template struct Step<float>;
template struct Step<double>;
template double norm_of(const std::vector<Trained>&, const Network<float>&, const Gradients<float>&,
                        int);
template double norm_of(const std::vector<Trained>&, const Network<double>&,
                        const Gradients<double>&, int);

}  // namespace saltus
