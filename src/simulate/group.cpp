// SPDX-License-Identifier: Apache-2.0
#include "simulate/group.hpp"

#include "simulate/lif_group.hpp"
#include "simulate/linear_group.hpp"

namespace saltus {

template <class Real>
std::unique_ptr<Group<Real>> make_group(SampleRun<Real>& run, std::size_t population, Steps steps) {
  if (run.plan.populations[population].is_linear()) {
    return std::make_unique<LinearGroup<Real>>(run, population, steps);
  }
  return std::make_unique<LifGroup<Real>>(run, population, steps);
}

template std::unique_ptr<Group<float>> make_group(SampleRun<float>&, std::size_t, Steps);
template std::unique_ptr<Group<double>> make_group(SampleRun<double>&, std::size_t, Steps);

}  // namespace saltus
