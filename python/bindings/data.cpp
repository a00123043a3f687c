// SPDX-License-Identifier: Apache-2.0
// Data sets: labelled spikes from arrays or from the readers of the library, and back to arrays.
#include "saltus/data.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "arrays.hpp"
#include "bind.hpp"
#include "interrupt.hpp"

namespace saltus::python {
namespace {

using data::LabelledSpikes;

LabelledSpikes labelled(const In<double>& times, const In<std::int32_t>& neurons,
                        const In<std::int64_t>& offsets, const In<std::int32_t>& labels,
                        std::int32_t channels, std::int32_t classes,
                        const std::optional<In<double>>& t_end) {
  LabelledSpikes d;
  d.spikes = {vector_of(offsets), vector_of(times), vector_of(neurons)};
  d.labels = vector_of(labels);
  d.channels = channels;
  d.classes = classes;
  if (t_end) d.t_end = vector_of(*t_end);
  validate(d.spikes.view(), static_cast<std::size_t>(channels), "spikes");
  return d;
}

nb::dict columns_of(std::map<std::string, data::ExtraColumn> columns) {
  nb::dict result;
  for (auto& [name, column] : columns) {
    result[name.c_str()] = std::visit(
        [](auto& values) -> nb::object {
          using T = std::remove_cvref_t<decltype(values[0])>;
          if constexpr (std::is_same_v<T, std::string>) {
            return nb::cast(values);
          } else {
            return nb::cast(give(std::move(values)));
          }
        },
        column);
  }
  return result;
}

// times, neurons, offsets, labels, channels, classes, grid or none, extra, tables
nb::tuple arrays(LabelledSpikes d) {
  nb::object grid = nb::none();
  if (d.grid[0] > 0) grid = nb::make_tuple(d.grid[0], d.grid[1], d.grid[2]);
  return nb::make_tuple(give(std::move(d.spikes.times)), give(std::move(d.spikes.neurons)),
                        give(std::move(d.spikes.offsets)), give(std::move(d.labels)), d.channels,
                        d.classes, grid, columns_of(std::move(d.extra)),
                        columns_of(std::move(d.tables)));
}

}  // namespace

void bind_data(nb::module_& module) {
  nb::class_<LabelledSpikes>(module, "Data")
      .def_static("of", &labelled, nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(),
                  nb::arg().none())
      .def_prop_ro("size", &LabelledSpikes::size);
  module.def("yin_yang", [](std::size_t n, std::uint32_t seed) {
    data::YinYang points = data::yin_yang(n, seed);
    return nb::make_tuple(give(std::move(points.samples)), give(std::move(points.labels)));
  });
  module.def("encode_yin_yang", [](const In<double>& samples, const In<std::int64_t>& labels,
                                   double t_max, double t_bias) {
    return arrays(
        data::encode(data::YinYang{vector_of(samples), vector_of(labels)}, t_max, t_bias));
  });
  module.def("read_idx", [](const std::string& folder, const std::string& prefix) {
    data::Images images = data::read_idx(folder, prefix);
    const std::size_t rows = images.rows, columns = images.columns;
    return nb::make_tuple(give(std::move(images.pixels)), give(std::move(images.labels)), rows,
                          columns);
  });
  module.def("encode_images", [](const In<std::uint8_t>& pixels, const In<std::uint8_t>& labels,
                                 std::size_t rows, std::size_t columns, double t_max) {
    return arrays(
        data::encode(data::Images{rows, columns, vector_of(pixels), vector_of(labels)}, t_max));
  });
  module.def("read_spike_file", [](const std::string& file, std::int32_t channels,
                                   std::int64_t most_channels, std::int64_t most_classes,
                                   std::int64_t most_spikes) {
    LabelledSpikes d;
    {
      const Released released;
      d = data::read_spike_file(file, channels, {most_channels, most_classes, most_spikes});
    }
    return arrays(std::move(d));
  });
}

}  // namespace saltus::python
