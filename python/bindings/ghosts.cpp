// SPDX-License-Identifier: Apache-2.0
// Ghosts32 and Ghosts64: the spikes that nearly exist or nearly do not, and their differences.
#include "saltus/ghosts.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "bind.hpp"
#include "loss/evaluate.hpp"
#include "plan/plan.hpp"
#include "record.hpp"
#include "settings.hpp"

namespace saltus::python {
namespace {

using LossOnLabels = std::tuple<nb::dict, std::size_t, In<std::int32_t>>;  // settings, readout

// `losses`: each says what a ghost of its readout is worth by itself.
template <class Real>
std::unique_ptr<Ghosts<Real>> find(const Run<Real>& run, const Net* other,
                                   const nb::dict& smoothing,
                                   const std::vector<LossOnLabels>& losses, int threads) {
  const std::shared_ptr<const Network<Real>> network = run.network_or(other);
  const Smoothing settings = settings_of<Smoothing>(smoothing);
  std::vector<LossSettings> of_losses;
  for (const LossOnLabels& loss : losses) {
    of_losses.push_back(settings_of<LossSettings>(std::get<0>(loss)));
  }
  const Released released;
  run.check_unchanged();
  Options options;
  options.threads = threads;
  auto ghosts = std::make_unique<Ghosts<Real>>(
      find_ghosts(*network, run.inputs, run.record, settings, options));
  for (std::size_t k = 0; k < losses.size(); ++k) {
    const auto& [given, readout, labels] = losses[k];
    add_direct_differences(of_losses[k], Plan<Real>(*network, {}, false), run.inputs, run.record,
                           readout, span_of(labels), *ghosts);
  }
  return ghosts;
}

// `loss`: from a record to a number.
template <class Real>
void measure(Ghosts<Real>& ghosts, const Run<Real>& run, const Net* other, const nb::callable& loss,
             int threads) {
  const std::shared_ptr<const Network<Real>> network = run.network_or(other);
  const LossOfRecord<Real> value = [&](const Record<Real>& record) {
    const nb::gil_scoped_acquire acquire;
    return nb::cast<double>(loss(std::make_unique<Run<Real>>(run, network, record)));
  };
  const Released released;
  run.check_unchanged();
  Options options;
  options.threads = threads;
  measure_differences(*network, run.inputs, value, ghosts, options);
}

// The ghosts of a population, sample by sample: one array for each field.
template <class Real>
nb::dict columns(const Ghosts<Real>& ghosts, std::size_t population) {
  nb::dict result;
  const auto put = [&](const char* name, auto&& of) {
    using Value = decltype(of(std::int32_t{}, std::declval<const Ghost<Real>&>()));
    std::vector<Value> values;
    std::int32_t sample = 0;
    for (const auto& list : ghosts.populations.at(population)) {
      for (const Ghost<Real>& g : list) values.push_back(of(sample, g));
      ++sample;
    }
    result[name] = give(std::move(values));
  };
  using G = const Ghost<Real>&;
  put("sample", [](std::int32_t sample, G) { return sample; });
  put("neuron", [](std::int32_t, G g) { return g.neuron; });
  put("segment", [](std::int32_t, G g) { return g.segment; });
  put("time", [](std::int32_t, G g) { return g.time; });
  put("place", [](std::int32_t, G g) { return static_cast<std::uint8_t>(g.place); });
  put("height", [](std::int32_t, G g) { return g.height; });
  put("current", [](std::int32_t, G g) { return g.current; });
  put("density", [](std::int32_t, G g) { return g.density; });
  put("behind", [](std::int32_t, G g) { return g.behind; });
  put("later", [](std::int32_t, G g) { return g.later; });
  put("direct", [](std::int32_t, G g) { return g.direct; });
  put("difference", [](std::int32_t, G g) { return g.difference; });
  return result;
}

template <class Real>
void bind(nb::module_& module, const char* name) {
  nb::class_<Ghosts<Real>>(module, name)
      .def_prop_ro("count", &Ghosts<Real>::count)
      .def("columns", &columns<Real>)
      .def("measure", &measure<Real>, nb::arg(), nb::arg().none(), nb::arg(), nb::arg());
  module.def("find_ghosts", &find<Real>, nb::arg(), nb::arg().none(), nb::arg(), nb::arg(),
             nb::arg());
}

}  // namespace

void bind_ghosts(nb::module_& module) {
  bind<float>(module, "Ghosts32");
  bind<double>(module, "Ghosts64");
}

}  // namespace saltus::python
