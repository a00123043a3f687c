// SPDX-License-Identifier: Apache-2.0
// Models of format 1, which were HDF5:
//
//     attributes        saltus_format, populations, projections (how many), settings (a text, maybe)
//     populations/<k>   attributes name, model ("input", "LIF", "LI"), size; data sets tau_mem, ...
//     projections/<k>   attributes name, source, target (numbers), delay_kind, receptor (of several);
//                       data sets weight [pre, post], delay; connection and shape_<row> unless dense
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hdf5/child.hpp"
#include "hdf5/handle.hpp"
#include "saltus/error.hpp"
#include "store/network.hpp"

namespace saltus::store {
namespace {

using hdf5::Handle;
using nlohmann::json;

// An open file, or group of it.
class Group {
 public:
  Group(const std::filesystem::path& file, Handle handle)
      : file_(file), handle_(std::move(handle)) {}

  [[noreturn]] void fail(std::string_view what) const {
    throw FileError(fmt::format("{}: {} ({})", file_.string(), what, hdf5::last_error()));
  }

  Group group(const std::string& name) const {
    return {file_, good(H5Gopen2(id(), name.c_str(), H5P_DEFAULT), H5Gclose, "group " + name)};
  }
  bool holds(const char* attribute) const { return H5Aexists(id(), attribute) > 0; }

  template <class T>
  std::vector<T> read(const std::string& name, hid_t type) const {
    const Handle data = good(H5Dopen2(id(), name.c_str(), H5P_DEFAULT), H5Dclose,
                             fmt::format("has no data set {}: not a model of Saltus", name));
    const Handle space = good(H5Dget_space(data.id()), H5Sclose, name);
    const hssize_t count = H5Sget_simple_extent_npoints(space.id());
    if (count < 0) fail(fmt::format("data set {} has no size", name));
    std::vector<T> values(static_cast<std::size_t>(count));
    if (H5Dread(data.id(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0) {
      fail(fmt::format("cannot read {}", name));
    }
    return values;
  }

  std::uint64_t number(const char* name) const {
    const Handle attribute = open(name);
    std::uint64_t value = 0;
    if (H5Aread(attribute.id(), H5T_NATIVE_UINT64, &value) < 0) fail(name);
    return value;
  }

  std::string text(const char* name) const {
    const Handle attribute = open(name);
    const Handle type = good(H5Aget_type(attribute.id()), H5Tclose, name);
    const std::size_t size = H5Tget_size(type.id());
    if (H5Tget_class(type.id()) != H5T_STRING || H5Tis_variable_str(type.id()) != 0 || size == 0 ||
        size > 65536) {
      fail(fmt::format("{} is no text of fixed length", name));
    }
    std::string value(size, '\0');
    if (H5Aread(attribute.id(), type.id(), value.data()) < 0) fail(name);
    value.resize(std::min(value.find('\0'), size));
    return value;
  }

  hid_t id() const { return handle_.id(); }

 private:
  const std::filesystem::path& file_;
  Handle handle_;

  Handle good(hid_t id, Handle::Close close, std::string_view what) const {
    Handle handle(id, close);
    if (!handle.valid()) fail(what);
    return handle;
  }
  // An attribute is read into room for one value.
  Handle open(const char* name) const {
    Handle attribute = good(H5Aopen(id(), name, H5P_DEFAULT), H5Aclose,
                            fmt::format("has no {}: not a model of Saltus", name));
    const Handle space = good(H5Aget_space(attribute.id()), H5Sclose, name);
    if (H5Sget_simple_extent_npoints(space.id()) != 1)
      fail(fmt::format("{} is not one value", name));
    return attribute;
  }
};

void read_population(const Group& in, Archive& to) {
  const std::string name = in.text("name"), model = in.text("model");
  to.about["network"]["populations"].push_back(
      {{"name", name}, {"model", model}, {"size", in.number("size")}});
  for (const ParameterRow& row : Model::named(model)->parameters) {
    const std::string called(row.name);
    to.put(name + "." + called, in.read<double>(called, H5T_NATIVE_DOUBLE));
  }
}

void read_projection(const Group& in, Archive& to) {
  const std::string name = in.text("name");
  constexpr std::array delays{"none", "common", "per_source", "per_synapse"};
  const std::uint64_t kind = in.number("delay_kind");
  if (kind >= delays.size()) in.fail(fmt::format("projection {} has no kind of delay", name));
  json row = {{"name", name},
              {"source", in.number("source")},
              {"target", in.number("target")},
              {"delay", delays[kind]}};
  to.put(name + ".weight", in.read<double>("weight", H5T_NATIVE_DOUBLE));
  if (kind > 0) to.put(name + ".delay", in.read<double>("delay", H5T_NATIVE_DOUBLE));
  if (in.holds("receptor")) row["receptor"] = in.text("receptor");
  if (in.holds("connection")) {
    const std::string called = in.text("connection");
    row["connection"] = called;
    for (const std::string_view shape : Connection::info(called).shape) {
      to.put(fmt::format("{}.shape.{}", name, shape),
             in.read<std::int64_t>(fmt::format("shape_{}", shape), H5T_NATIVE_INT64));
    }
  }
  to.about["network"]["projections"].push_back(std::move(row));
}

Archive read_model(const std::filesystem::path& file) {
  const hdf5::QuietErrors quiet;
  Handle opened(H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  const bool valid = opened.valid();
  hdf5::open_no_more();
  const Group root(file, std::move(opened));
  if (!valid) root.fail("cannot be opened as HDF5");
  if (root.number("saltus_format") != 1) root.fail("a model of another format; expected version 1");
  Archive to;
  to.about["network"] = {{"populations", json::array()}, {"projections", json::array()}};
  const auto each = [&](const char* name, auto&& read) {
    const Group all = root.group(name);
    const std::uint64_t count = root.number(name);
    for (std::uint64_t k = 0; k < count; ++k) read(all.group(std::to_string(k)), to);
  };
  try {
    each("populations", &read_population);
    each("projections", &read_projection);
  } catch (const InvalidInput& e) {
    throw InvalidInput(fmt::format("{}: {}", file.string(), e.what()));
  }
  if (root.holds("settings")) to.about["settings"] = root.text("settings");
  return to;
}

}  // namespace

Archive load_hdf5_model(const std::filesystem::path& file) {
  return hdf5::in_child(file, hdf5::Bounds::of(file), [&] { return read_model(file); });
}

}  // namespace saltus::store
