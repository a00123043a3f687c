// SPDX-License-Identifier: Apache-2.0
// The proof (docs/ghosts.md): exact gradients plus ghosts with exact differences are the gradient
// of the loss averaged over noisy thresholds: by quadrature over one threshold, and by sampling
// all.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <numbers>

#include "gradcheck/tensors.hpp"
#include "problem.hpp"
#include "saltus/ghosts.hpp"
#include "thresholds/noise.hpp"

namespace saltus::test {
namespace {

double scale() {
  const char* s = std::getenv("SALTUS_TEST_SCALE");
  return s ? std::atof(s) : 1;
}

// Nodes and weights of Gauss and Legendre on [0, 1], by Newton's method.
std::vector<std::pair<double, double>> gauss(int n) {
  std::vector<std::pair<double, double>> result;
  for (int k = 1; k <= n; ++k) {
    double x = std::cos(std::numbers::pi * (k - 0.25) / (n + 0.5)), slope = 1;
    for (int i = 0; i < 50; ++i) {
      double p0 = 1, p1 = x;
      for (int m = 2; m <= n; ++m) {
        const double p2 = ((2 * m - 1) * x * p1 - (m - 1) * p0) / m;
        p0 = p1;
        p1 = p2;
      }
      slope = n * (x * p1 - p0) / (x * x - 1);
      x -= p1 / slope;
    }
    result.emplace_back((1 - x) / 2, 1 / ((1 - x * x) * slope * slope));
  }
  return result;
}

// The loss averaged over the threshold that neuron 0 of the last layer has at first, all others
// drawn once. Between two free peaks, each higher than those before it, it is smooth but for a root
// at the upper one: u = b - (b - a) s^2.
class OverOneThreshold {
 public:
  OverOneThreshold(const Problem& problem, const Smoothing& smoothing)
      : problem_(problem), smoothing_(smoothing), noise_(smoothing) {}

  std::size_t peaks = 0, followed = 0;  // met; those after which V is as high again
  std::uint64_t branch = 0;             // how many spikes there are, interval by interval
  bool smooth = true;                   // their number is the same all over each interval

  double value(const Network<double>& net) {
    double sum = 0;
    over_nodes(net, [&](const Record<double>& record, double weight) {
      sum += weight * problem_.loss(net, record, false).value;
    });
    return sum;
  }
  Gradients<double> gradient(const Network<double>& net) {
    Gradients<double> sum;
    over_nodes(net, [&](const Record<double>& record, double weight) {
      const auto at = problem_.loss(net, record, false);
      add(sum, backward(net, problem_.inputs(), record, at.errors), weight);
    });
    const Record<double> record = at(net, infinity);
    Ghosts<double> ghosts = first_peaks(net, record);
    measure_differences<double>(
        net, problem_.inputs(),
        [&](const Record<double>& r) { return problem_.loss(net, r, false).value; }, ghosts);
    add(sum,
        backward(net, problem_.inputs(), record, Errors<double>(net.populations().size()), ghosts),
        1);
    for (const auto& g : ghosts.populations[problem_.last][0]) {
      ++peaks;
      followed += g.later < infinity;
    }
    return sum;
  }

 private:
  const Problem& problem_;
  Smoothing smoothing_;
  ThresholdNoise noise_;

  Record<double> at(const Network<double>& net, double threshold) const {
    const ThresholdOverride set[] = {{problem_.last, 0, 0, 0, threshold}};
    return simulate(net, problem_.inputs(), smoothing_, set);
  }
  Ghosts<double> first_peaks(const Network<double>& net, const Record<double>& record) const {
    auto ghosts = find_ghosts(net, problem_.inputs(), record, smoothing_);
    const double mean = net.populations()[problem_.last]["v_threshold"][0];
    for (std::size_t p = 0; p < ghosts.populations.size(); ++p) {
      for (auto& list : ghosts.populations[p]) {
        std::erase_if(list, [&](const auto& g) {
          return p != problem_.last || g.neuron != 0 || g.segment != 0;
        });
        for (auto& g : list) g.density = noise_.density(g.height - mean);  // not the hazard
      }
    }
    return ghosts;
  }
  // V of the neuron, where something arrives and V was never as high before: there the time of a
  // crossing has a kink as a function of its height.
  std::vector<double> heights_at_arrivals(const Network<double>& net,
                                          const Record<double>& record) const {
    std::vector<double> times;
    for (const auto& p : net.projections()) {
      if (p.target != problem_.last) continue;
      const Spikes& sent = p.source == 0 ? problem_.in : record.populations[p.source].spikes;
      for (std::size_t k = 0; k < sent.times.size(); ++k) {
        times.push_back(sent.times[k] + p.delay(static_cast<std::size_t>(sent.neurons[k]),
                                                2 * static_cast<std::size_t>(sent.neurons[k])));
      }
    }
    std::sort(times.begin(), times.end());
    std::erase_if(times, [&](double t) { return t > problem_.end[0]; });
    const auto v = voltages(net, problem_.inputs(), record, problem_.last, times);
    std::vector<double> result;
    for (std::size_t k = 0; k < times.size(); ++k) {
      if (result.empty() || v[2 * k] > result.back()) result.push_back(v[2 * k]);
    }
    return result;
  }
  template <class Visit>
  void over_nodes(const Network<double>& net, Visit&& visit) {
    static const auto nodes = gauss(24);
    const double mean = net.populations()[problem_.last]["v_threshold"][0];
    const Record<double> free = at(net, infinity);
    std::vector<double> borders{mean - smoothing_.range(), mean + smoothing_.range()};
    const Ghosts<double> peaks_of_one = first_peaks(net, free);
    for (const auto& g : peaks_of_one.populations[problem_.last][0]) borders.push_back(g.height);
    for (const double v : heights_at_arrivals(net, free)) {
      if (v > borders[0] && v < borders[1]) borders.push_back(v);
    }
    std::sort(borders.begin(), borders.end());
    branch = 0;
    smooth = true;
    for (std::size_t k = 0; k + 1 < borders.size(); ++k) {
      const double a = borders[k], b = borders[k + 1];
      std::uint64_t counts = 0;
      for (const auto& [s, w] : nodes) {
        const double u = b - (b - a) * s * s;
        const Record<double> record = at(net, u);
        std::uint64_t here = 1;
        for (const auto& p : record.populations) here = 100 * here + p.currents.size();
        smooth = smooth && (counts == 0 || counts == here);
        counts = here;
        visit(record, w * 2 * s * (b - a) * noise_.density(u - mean));
      }
      branch = (branch ^ counts) * 0x100000001B3u;
    }
  }
};

TEST(Average, over_one_threshold_matches_quadrature) {
  constexpr double bar = 1e-3;
  Smoothing smoothing;
  smoothing.sigma = 0.1;
  smoothing.thresholds = ThresholdReading::sampled;
  std::size_t networks = 0, compared = 0, voided = 0, peaks = 0, followed = 0;
  double worst = 0, exact_alone = 0;
  std::string where;
  const auto wanted = static_cast<std::size_t>(12 * scale()) + 1;
  for (std::uint64_t seed = 1; networks < wanted || followed < wanted / 3; ++seed) {
    const Problem problem(seed, 1 + seed % 3, seed % 2 == 0, seed % 4 < 2);
    smoothing.seed = seed;
    OverOneThreshold average(problem, smoothing);
    const Gradients<double> gradient = average.gradient(problem.network);
    // Another neuron's spike that comes and goes with this threshold is another threshold's ghost.
    if (average.peaks == 0 || !average.smooth) continue;
    ++networks;
    peaks += average.peaks;
    followed += average.followed;
    average.value(problem.network);
    const std::uint64_t branch = average.branch;
    Network<double> moved = problem.network;
    for (const auto& t : gradcheck::tensors(moved, gradient)) {
      double largest = 1e-2 / t.typical;
      for (const double g : *t.gradient) largest = std::max(largest, std::fabs(g));
      for (std::size_t k = 0; k < t.values->size(); ++k) {
        const double centre = (*t.values)[k], step = 2e-4 * t.typical;
        if (t.bounded_below && centre < step) continue;
        bool same = true;
        const auto value = [&](double h) {
          (*t.values)[k] = centre + h;
          const double v = average.value(moved);
          same = same && average.smooth && average.branch == branch;
          (*t.values)[k] = centre;
          return v;
        };
        const double wide = (value(step) - value(-step)) / (2 * step);
        const double near = (value(step / 2) - value(-step / 2)) / step;
        const double found = near + (near - wide) / 3;
        if (!same || std::fabs(found - near) > bar / 4 * largest) {
          ++voided;
          continue;
        }
        ++compared;
        const double error = std::fabs((*t.gradient)[k] - found) / largest;
        if (!(error <= worst)) {
          worst = std::isnan(error) ? infinity : error;
          where = "network " + std::to_string(seed) + " " + t.name;
        }
      }
    }
    const auto record = simulate(problem.network, problem.inputs());
    const auto at = problem.loss(problem.network, record, false);
    const auto exact = backward(problem.network, problem.inputs(), record, at.errors);
    double difference = 0, size = 0;
    for (std::size_t k = 0; k < gradient.weights[0].size(); ++k) {
      difference += std::pow(exact.weights[0][k] - gradient.weights[0][k], 2);
      size += std::pow(gradient.weights[0][k], 2);
    }
    exact_alone = std::max(exact_alone, std::sqrt(difference / size));
  }
  std::cout << networks << " networks, " << compared << " differences (" << voided
            << " void), worst " << worst << " in " << where << "; " << peaks << " peaks, "
            << followed << " with a later spike; the exact gradient alone is up to "
            << 100 * exact_alone << " % off in the first weights\n";
  EXPECT_LE(worst, bar) << where;
  EXPECT_GT(compared, 15 * networks);
  EXPECT_LE(voided, compared / 2);
  EXPECT_GT(exact_alone, 0.1);
}

// Mean and standard error of numbers that are told one by one.
struct Mean {
  double n = 0, sum = 0, squares = 0;
  void add(double x) {
    ++n;
    sum += x;
    squares += x * x;
  }
  double mean() const { return sum / n; }
  double error() const { return std::sqrt(std::max(0.0, squares / n - mean() * mean()) / (n - 1)); }
};

// All thresholds at once, along one direction in the space of all parameters: that of the gradient.
TEST(Average, over_all_thresholds_matches_the_mean_over_draws) {
  struct Kind {
    std::size_t layers;
    bool recurrent, delayed;
  };
  std::uint64_t seed = 0;
  for (const auto& [layers, recurrent, delayed] :
       {Kind{1, false, false}, {2, false, true}, {2, true, false}, {3, true, true}}) {
    // The next network whose ghosts matter: at least a tenth of its gradient, in a few draws.
    for (double share = 0; share < 0.1;)
      share = share_of_ghosts(Problem(++seed, layers, recurrent, delayed));
    const Problem problem(seed, layers, recurrent, delayed);
    Smoothing smoothing;
    smoothing.sigma = 0.1;
    smoothing.thresholds = ThresholdReading::sampled;
    const auto estimate = [&](std::uint64_t draw) {
      smoothing.seed = draw;
      const auto& net = problem.network;
      const auto record = simulate(net, problem.inputs(), smoothing);
      auto ghosts = find_ghosts(net, problem.inputs(), record, smoothing);
      measure_differences<double>(
          net, problem.inputs(),
          [&](const Record<double>& r) { return problem.loss(net, r).value; }, ghosts);
      return backward(net, problem.inputs(), record, problem.loss(net, record).errors, ghosts);
    };
    // The direction, from draws of their own.
    Gradients<double> pilot;
    for (std::uint64_t k = 0; k < 300; ++k) add(pilot, estimate(1000000000 + k), 1.0 / 300);
    Network<double> net = problem.network;
    std::vector<std::vector<double>> direction;  // per tensor, in units of its typical change
    double norm = 0;
    for (const auto& t : gradcheck::tensors(net, pilot)) {
      direction.emplace_back();
      for (const double g : *t.gradient) {
        direction.back().push_back(
            t.bounded_below && t.name.find("delay") == std::string::npos ? 0 : g * t.typical);
        norm += std::pow(direction.back().back(), 2);
      }
    }
    norm = std::sqrt(norm);

    Mean analytic, exact_alone;
    // Until the standard error is a hundredth of the gradient (with the whole scale of the tests).
    const auto least = static_cast<std::uint64_t>(5000 * scale()) + 100;
    std::uint64_t draws = 0;
    for (; draws < least || (scale() >= 1 && draws < 100 * least &&
                             analytic.error() > 0.009 * std::fabs(analytic.mean()));
         ++draws) {
      const auto g = estimate(draws);
      double along = 0;
      std::size_t i = 0;
      for (const auto& t : gradcheck::tensors(net, g)) {
        for (std::size_t m = 0; m < t.gradient->size(); ++m) {
          along += direction[i][m] / norm * (*t.gradient)[m] * t.typical;
        }
        ++i;
      }
      analytic.add(along);
    }
    {
      const auto record = simulate(net, problem.inputs());
      const auto g = backward(net, problem.inputs(), record, problem.loss(net, record).errors);
      double along = 0;
      std::size_t i = 0;
      for (const auto& t : gradcheck::tensors(net, g)) {
        for (std::size_t m = 0; m < t.gradient->size(); ++m) {
          along += direction[i][m] / norm * (*t.gradient)[m] * t.typical;
        }
        ++i;
      }
      exact_alone.add(along);
    }
    // Central differences of the average, extrapolated from two steps, at common draws.
    const auto at = [&](double h) {
      Network<double> there = problem.network;
      std::size_t i = 0;
      for (const auto& t : gradcheck::tensors(there, pilot)) {
        for (std::size_t m = 0; m < t.values->size(); ++m) {
          (*t.values)[m] += h * direction[i][m] / norm * t.typical;
        }
        ++i;
      }
      return there;
    };
    constexpr double step = 0.06;
    const Network<double> nets[] = {at(step), at(-step), at(step / 2), at(-step / 2)};
    Mean differences;
    for (std::uint64_t k = 0; k < 10 * least; ++k) {
      smoothing.seed = 5000000000 + k;
      double v[4];
      for (int m = 0; m < 4; ++m) {
        v[m] = problem.loss(nets[m], simulate(nets[m], problem.inputs(), smoothing)).value;
      }
      const double wide = (v[0] - v[1]) / (2 * step), near = (v[2] - v[3]) / step;
      differences.add(near + (near - wide) / 3);
    }
    const double error = std::hypot(analytic.error(), differences.error());
    std::cout << layers << " layers" << (recurrent ? ", recurrent" : "")
              << (delayed ? ", delayed" : "") << ": mean over " << draws << " draws "
              << analytic.mean() << " +- " << analytic.error() << ", differences "
              << differences.mean() << " +- " << differences.error() << ", apart by "
              << std::fabs(analytic.mean() - differences.mean()) / error
              << " standard errors; the exact gradient alone: " << exact_alone.mean() << "\n";
    EXPECT_LE(std::fabs(analytic.mean() - differences.mean()), 3 * error);
    if (scale() >= 1) {
      EXPECT_LE(analytic.error(), 0.01 * std::fabs(analytic.mean()));
      EXPECT_LE(differences.error(), 0.01 * std::fabs(analytic.mean()));
    }
    EXPECT_GT(std::fabs(exact_alone.mean() - differences.mean()), 3 * error);
  }
}

}  // namespace
}  // namespace saltus::test
