// SPDX-License-Identifier: Apache-2.0
#include "saltus/margin.hpp"

#include <algorithm>
#include <cmath>

#include "saltus/ghosts.hpp"
#include "train/ranges.hpp"
#include "train/trainable.hpp"

namespace saltus {
namespace {

// The largest change of a parameter in the step that heights are differentiated by.
constexpr double small_change = 1e-6;

template <class Real>
Gradients<double> widened(const Gradients<Real>& g) {
  Gradients<double> result;
  for (const auto& w : g.weights) result.weights.emplace_back(w.begin(), w.end());
  result.delays = g.delays;
  result.times = g.times;
  result.neurons = g.neurons;
  return result;
}

// How far a ghost's peak is from the threshold, on the side where it is.
double gap(const Population& p, const Ghost<double>& g) {
  const double below = p["v_threshold"][static_cast<std::size_t>(g.neuron)] - g.height;
  return g.behind < 0 ? below : -below;
}

bool same(const Ghost<double>& a, const Ghost<double>& b) {
  return a.neuron == b.neuron && a.segment == b.segment && a.behind == b.behind &&
         a.place == b.place;
}

}  // namespace

template <class Real>
Margin margin(const Network<Real>& network, const Inputs& inputs, const Gradients<Real>& gradients,
              const std::vector<std::string>& trainable, double range, const Options& options) {
  Network<double> here = convert<double>(network);
  const Gradients<double> along = widened(gradients);
  const std::vector<Trained> trained = trained_of(network, trainable);
  double largest = 0;
  for_each_trained(trained, here, along, [&](auto, auto gradient) {
    for (const double g : gradient) largest = std::max(largest, std::fabs(g));
  });
  Smoothing near;
  near.sigma = range;
  near.reach = 1;
  const auto ghosts_of = [&](const Network<double>& n) {
    return find_ghosts(n, inputs, simulate(n, inputs, options), near, options);
  };
  const Ghosts<double> ghosts = ghosts_of(here);
  Margin result;
  result.near_peaks = ghosts.count();
  if (largest == 0) return result;
  Network<double> there = here;
  const double step = small_change / largest;
  for_each_trained(trained, there, along, [&](auto values, auto gradient) {
    for (std::size_t k = 0; k < values.size(); ++k) values[k] -= step * gradient[k];
  });
  clamp(there, Ranged(here));  // as after a step of an optimiser
  const Ghosts<double> moved = ghosts_of(there);
  for (std::size_t p = 0; p < ghosts.populations.size(); ++p) {
    for (std::size_t s = 0; s < ghosts.populations[p].size(); ++s) {
      // Both lists are in the same order; a peak may enter or leave the range.
      const auto &a = ghosts.populations[p][s], &b = moved.populations[p][s];
      auto other = b.begin();
      for (const Ghost<double>& g : a) {
        const auto found = std::find_if(other, b.end(), [&](const auto& m) { return same(g, m); });
        if (found == b.end()) continue;
        other = found + 1;
        const double now = gap(here.populations()[p], g);
        const double speed = (now - gap(there.populations()[p], *found)) / step;
        if (now >= 0 && speed > 0) result.step = std::min(result.step, now / speed);
      }
    }
  }
  return result;
}

template Margin margin(const Network<float>&, const Inputs&, const Gradients<float>&,
                       const std::vector<std::string>&, double, const Options&);
template Margin margin(const Network<double>&, const Inputs&, const Gradients<double>&,
                       const std::vector<std::string>&, double, const Options&);

}  // namespace saltus
