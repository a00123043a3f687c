// SPDX-License-Identifier: Apache-2.0
// Richardson central differences whose step shrinks until halving it no longer moves the estimate.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "gradcheck/gradcheck.hpp"
#include "gradcheck/tensors.hpp"

namespace saltus::gradcheck {
namespace {

struct Probe {
  double value = 0;
  bool same_branch = false;
};

struct Estimate {
  enum class State { good, other_branch, unresolved } state = State::other_branch;
  double value = 0;
  double scale = 0;  // what its error is relative to
};

constexpr int levels = 18;
constexpr double absolute_limit = 30;

// The derivative at 0 of value(h), from a table of extrapolated central differences; `step` is the
// first and largest. `scale` is what errors will be relative to.
template <class Value>
Estimate differentiate(Value&& value, double step, double scale, double rounding) {
  Estimate best;
  double best_quality = std::numeric_limits<double>::infinity();
  std::array<double, 4> last{};  // extrapolations of order 2, 4, 6, 8 at the last step
  double last_change = std::numeric_limits<double>::infinity();
  int known = 0;
  for (int level = 0; level < levels; ++level, step /= 2) {
    const Probe above = value(step), below = value(-step);
    if (!above.same_branch || !below.same_branch) {
      known = 0;  // too far: try nearer
      last_change = std::numeric_limits<double>::infinity();
      continue;
    }
    std::array<double, 4> now{};
    now[0] = (above.value - below.value) / (2 * step);
    double factor = 4;
    const int orders = std::min(known + 1, 4);
    for (int k = 1; k < orders; ++k, factor *= 4) {
      now[k] = now[k - 1] + (now[k - 1] - last[k - 1]) / (factor - 1);
    }
    if (known > 0) {
      const double change = std::fabs(now[orders - 1] - last[std::min(known, 4) - 1]);
      // What rounding at this step cannot tell apart is compared with that, not with the tensor.
      const double relative_to = std::max(scale, 1e6 * rounding / step);
      // The larger of the last two changes: a single one may be small by chance.
      const double quality = std::max(change, last_change) / relative_to;
      last_change = change;
      if (relative_to > absolute_limit * scale) break;  // would prove nothing
      if (quality < best_quality) {
        best_quality = quality;
        best = {
            quality < 0.1 * difference_bar ? Estimate::State::good : Estimate::State::unresolved,
            now[orders - 1], relative_to};
      }
      if (best_quality < 0.001 * difference_bar ||
          (best.state == Estimate::State::good && quality > 4 * best_quality)) {
        return best;
      }
    }
    last = now;
    known = std::min(known + 1, 4);
  }
  return best;
}

}  // namespace

void compare_with_differences(const Case& c, const Evaluation& base, std::uint64_t branch,
                              const Gradients<double>& gradients, const std::string& label,
                              Report& report) {
  Case moved = c;
  const auto probe = [&]() -> Probe {
    // A step may leave the region where the network has a meaning: that is another branch.
    try {
      const Evaluation e = evaluate(c, moved.network, moved.inputs);
      return {e.value, topology(c, moved.network, moved.inputs, e) == branch};
    } catch (const std::exception&) {
      return {};
    }
  };
  const double rounding = std::numeric_limits<double>::epsilon() * base.magnitude;

  const auto compare = [&](const std::string& name, std::vector<double>& values,
                           const std::vector<double>& gradient, double typical, bool bounded) {
    double largest = 0;
    for (const double g : gradient) largest = std::max(largest, std::fabs(g));
    const double first_step = 0.02 * typical;
    // What rounding allows to be told apart at the largest step.
    const double scale = std::max(largest, 1e6 * rounding / first_step);
    for (std::size_t k = 0; k < values.size(); ++k) {
      const double centre = values[k];
      if (bounded && centre == 0) continue;  // one-sided: the oracle's
      const double step = bounded ? std::min(first_step, centre / 2) : first_step;
      const Estimate estimate = differentiate(
          [&](double h) {
            values[k] = centre + h;
            const Probe result = probe();
            values[k] = centre;
            return result;
          },
          step, scale, rounding);
      ++report.parameters;
      if (estimate.state == Estimate::State::other_branch) ++report.void_order;
      if (estimate.state == Estimate::State::unresolved) ++report.void_unresolved;
      if (estimate.state != Estimate::State::good) continue;
      report.compared_absolutely += estimate.scale > largest;
      const double error = std::fabs(gradient[k] - estimate.value);
      report.differences.meet(error == 0 ? 0 : error / estimate.scale, label + " " + name);
    }
  };
  for (const Tensor& t : tensors(moved.network, gradients)) {
    compare(t.name, *t.values, *t.gradient, t.typical, t.bounded_below);
  }
  compare("in.times", moved.inputs[0].times, gradients.times[0], 1e-3, true);
}

}  // namespace saltus::gradcheck
