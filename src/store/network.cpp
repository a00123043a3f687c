// SPDX-License-Identifier: Apache-2.0
// A network as HDF5:
//
//     populations/<k>   attributes name, model ("input", "LIF", "LI"), size; data sets tau_mem, ...
//     projections/<k>   attributes name, source, target (numbers), delay_kind, receptor (of several);
//                       data sets weight [pre, post], delay
#include <fmt/format.h>

#include <cstdint>
#include <new>
#include <stdexcept>
#include <vector>

#include "hdf5/handle.hpp"
#include "saltus/error.hpp"
#include "saltus/store.hpp"

namespace saltus::store {
namespace {

using hdf5::Handle;

constexpr std::uint64_t format_version = 1;

template <class T>
hid_t native();
template <>
hid_t native<float>() {
  return H5T_NATIVE_FLOAT;
}
template <>
hid_t native<double>() {
  return H5T_NATIVE_DOUBLE;
}
template <>
hid_t native<std::int64_t>() {
  return H5T_NATIVE_INT64;
}

class File {
 public:
  explicit File(std::filesystem::path name) : name_(std::move(name)) {}

  [[noreturn]] void fail(std::string_view what) const {
    throw FileError(fmt::format("{}: {} ({})", name_.string(), what, hdf5::last_error()));
  }
  Handle good(hid_t id, Handle::Close close, std::string_view what) const {
    Handle handle(id, close);
    if (!handle.valid()) fail(what);
    return handle;
  }

  Handle group(hid_t parent, const std::string& name, bool create) const {
    return good(create ? H5Gcreate2(parent, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)
                       : H5Gopen2(parent, name.c_str(), H5P_DEFAULT),
                H5Gclose, "group " + name);
  }

  template <class T>
  void write(hid_t group, const char* name, const std::vector<T>& values, hsize_t rows) const {
    const hsize_t columns = rows > 0 ? values.size() / rows : 0;
    const hsize_t shape[] = {rows, columns};
    const Handle space = good(H5Screate_simple(2, shape, nullptr), H5Sclose, name);
    // Without a time of its own the same network gives the same bytes.
    const Handle timeless = good(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, name);
    H5Pset_obj_track_times(timeless.id(), false);
    const Handle data = good(
        H5Dcreate2(group, name, native<T>(), space.id(), H5P_DEFAULT, timeless.id(), H5P_DEFAULT),
        H5Dclose, name);
    if (H5Dwrite(data.id(), native<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0) {
      fail(fmt::format("cannot write {}", name));
    }
  }

  template <class T>
  std::vector<T> read(hid_t group, const char* name) const {
    const Handle data = good(H5Dopen2(group, name, H5P_DEFAULT), H5Dclose,
                             fmt::format("has no data set {}: not a model of Saltus", name));
    const Handle space = good(H5Dget_space(data.id()), H5Sclose, name);
    const hssize_t count = H5Sget_simple_extent_npoints(space.id());
    if (count < 0) fail(fmt::format("data set {} has no size", name));
    check_room(data, static_cast<hsize_t>(count), name);
    std::vector<T> values(static_cast<std::size_t>(count));
    if (H5Dread(data.id(), native<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0) {
      fail(fmt::format("cannot read {}", name));
    }
    return values;
  }

  void put(hid_t object, const char* name, std::uint64_t value) const {
    const Handle space = good(H5Screate(H5S_SCALAR), H5Sclose, name);
    const Handle attribute =
        good(H5Acreate2(object, name, H5T_STD_U64LE, space.id(), H5P_DEFAULT, H5P_DEFAULT),
             H5Aclose, name);
    if (H5Awrite(attribute.id(), H5T_NATIVE_UINT64, &value) < 0) fail(name);
  }
  std::uint64_t number(hid_t object, const char* name) const {
    const Handle attribute = good(H5Aopen(object, name, H5P_DEFAULT), H5Aclose,
                                  fmt::format("has no {}: not a model of Saltus", name));
    check_one(attribute, name);
    std::uint64_t value = 0;
    if (H5Aread(attribute.id(), H5T_NATIVE_UINT64, &value) < 0) fail(name);
    return value;
  }

  void put(hid_t object, const char* name, const std::string& text) const {
    const Handle type = good(H5Tcopy(H5T_C_S1), H5Tclose, name);
    H5Tset_size(type.id(), text.size() + 1);
    H5Tset_cset(type.id(), H5T_CSET_UTF8);
    const Handle space = good(H5Screate(H5S_SCALAR), H5Sclose, name);
    const Handle attribute = good(
        H5Acreate2(object, name, type.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose, name);
    if (H5Awrite(attribute.id(), type.id(), text.c_str()) < 0) fail(name);
  }
  std::string text(hid_t object, const char* name) const {
    const Handle attribute = good(H5Aopen(object, name, H5P_DEFAULT), H5Aclose,
                                  fmt::format("has no {}: not a model of Saltus", name));
    check_one(attribute, name);
    const Handle type = good(H5Aget_type(attribute.id()), H5Tclose, name);
    const std::size_t size = H5Tget_size(type.id());
    if (H5Tget_class(type.id()) != H5T_STRING || H5Tis_variable_str(type.id()) != 0 || size == 0 ||
        size > 65536) {
      fail(fmt::format("{} is no text of fixed length", name));
    }
    std::string value(size, '\0');
    if (H5Aread(attribute.id(), type.id(), value.data()) < 0) fail(name);
    return value.substr(0, value.find('\0'));
  }

 private:
  // Before memory is asked for: a damaged size may be any number.
  void check_room(const Handle& data, hsize_t count, const char* name) const {
    const Handle layout = good(H5Dget_create_plist(data.id()), H5Pclose, name);
    if (H5Pget_layout(layout.id()) != H5D_CONTIGUOUS) return;  // repacked by someone else
    const Handle type = good(H5Dget_type(data.id()), H5Tclose, name);
    const hsize_t size = H5Tget_size(type.id());
    const hsize_t room = size > 0 ? H5Dget_storage_size(data.id()) / size : 0;
    if (count > room) {
      fail(fmt::format("data set {} claims {} numbers, but the file has room for {}: damaged", name,
                       count, room));
    }
  }
  // An attribute is read into room for one value.
  void check_one(const Handle& attribute, const char* name) const {
    const Handle space = good(H5Aget_space(attribute.id()), H5Sclose, name);
    if (H5Sget_simple_extent_npoints(space.id()) != 1) {
      fail(fmt::format("{} is not one value", name));
    }
  }

  std::filesystem::path name_;
};

template <class Real>
void write(const Network<Real>& network, const File& file, hid_t root) {
  file.put(root, "saltus_format", format_version);
  file.put(root, "populations", network.populations().size());
  file.put(root, "projections", network.projections().size());
  const Handle populations = file.group(root, "populations", true);
  const Handle projections = file.group(root, "projections", true);
  for (std::size_t k = 0; k < network.populations().size(); ++k) {
    const Population& p = network.populations()[k];
    const Handle group = file.group(populations.id(), std::to_string(k), true);
    file.put(group.id(), "name", p.name);
    file.put(group.id(), "model", std::string(p.model->name));
    file.put(group.id(), "size", p.size);
    for (std::size_t q = 0; q < p.parameters.size(); ++q) {
      const auto& values = p.parameters[q].values();
      file.write(group.id(), std::string(p.model->parameters[q].name).c_str(), values,
                 values.size());
    }
  }
  for (std::size_t k = 0; k < network.projections().size(); ++k) {
    const Projection<Real>& p = network.projections()[k];
    const Handle group = file.group(projections.id(), std::to_string(k), true);
    file.put(group.id(), "name", p.name);
    file.put(group.id(), "source", p.source);
    file.put(group.id(), "target", p.target);
    file.put(group.id(), "delay_kind", static_cast<std::uint64_t>(p.delay.kind));
    const auto receptor = network.populations()[p.target].model->receptor_name(p.receptor);
    if (!receptor.empty()) file.put(group.id(), "receptor", std::string(receptor));
    const bool dense = p.connection.all_to_all();
    file.write(group.id(), "weight", p.weight,
               dense ? network.populations()[p.source].size : p.weight.size());
    file.write(group.id(), "delay", p.delay.values, p.delay.values.size());
    if (dense) continue;
    file.put(group.id(), "connection", std::string(p.connection.kind().name));
    for (const auto& [name, numbers] : p.connection.shape().rows()) {
      file.write(group.id(), ("shape_" + name).c_str(), numbers, numbers.size());
    }
  }
}

}  // namespace

template <class Real>
void save_network(const Network<Real>& network, const std::filesystem::path& name,
                  const std::string& settings) {
  network.check();
  const hdf5::Session session;
  const File file(name);
  // Into memory first: HDF5 does not survive a full disk.
  const Handle memory = file.good(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "no property list");
  if (H5Pset_fapl_core(memory.id(), 1U << 20, false) < 0) file.fail("no file in memory");
  const Handle root = file.good(H5Fcreate(name.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, memory.id()),
                                H5Fclose, "cannot create");
  write(network, file, root.id());
  if (!settings.empty()) file.put(root.id(), "settings", settings);
  if (H5Fflush(root.id(), H5F_SCOPE_GLOBAL) < 0) file.fail("cannot write");
  const ssize_t size = H5Fget_file_image(root.id(), nullptr, 0);
  if (size < 0) file.fail("has no image");
  std::string image(static_cast<std::size_t>(size), '\0');
  if (H5Fget_file_image(root.id(), image.data(), image.size()) != size) file.fail("has no image");
  write_file(name, image);
}

namespace {

Connection read_connection(const File& file, hid_t group) {
  if (H5Aexists(group, "connection") <= 0) return {};  // all to all
  const std::string kind = file.text(group, "connection");
  std::vector<Shape::Row> rows;
  for (const std::string_view name : Connection::info(kind).shape) {
    const std::string row(name);
    rows.emplace_back(row, file.read<std::int64_t>(group, ("shape_" + row).c_str()));
  }
  return Connection(kind, Shape(std::move(rows)));
}

template <class Real>
Network<Real> read_network(const File& file, hid_t root, const std::filesystem::path& name) {
  const std::uint64_t population_count = file.number(root, "populations");
  const std::uint64_t projection_count = file.number(root, "projections");
  const Handle populations = file.group(root, "populations", false);
  const Handle projections = file.group(root, "projections", false);
  Network<Real> network;
  for (std::uint64_t k = 0; k < population_count; ++k) {
    const Handle group = file.group(populations.id(), std::to_string(k), false);
    Population p;
    p.name = file.text(group.id(), "name");
    p.size = file.number(group.id(), "size");
    const std::string model = file.text(group.id(), "model");
    try {
      p.model = Model::named(model);
    } catch (const InvalidInput& e) {
      throw FileError(fmt::format("{}: population '{}': {}", name.string(), p.name, e.what()));
    }
    for (const ParameterRow& row : p.model->parameters) {
      p[row.name] = Parameter(file.read<double>(group.id(), std::string(row.name).c_str()));
    }
    network.add_population(std::move(p));
  }
  for (std::uint64_t k = 0; k < projection_count; ++k) {
    const Handle group = file.group(projections.id(), std::to_string(k), false);
    const std::uint64_t source = file.number(group.id(), "source");
    const std::uint64_t target = file.number(group.id(), "target");
    const std::uint64_t kind = file.number(group.id(), "delay_kind");
    if (source >= population_count || target >= population_count || kind > 3) {
      throw FileError(fmt::format("{}: projection {} leads nowhere", name.string(), k));
    }
    network.connect(network.populations()[source].name, network.populations()[target].name,
                    file.read<Real>(group.id(), "weight"),
                    {static_cast<Delay::Kind>(kind), file.read<double>(group.id(), "delay")},
                    file.text(group.id(), "name"), read_connection(file, group.id()),
                    H5Aexists(group.id(), "receptor") > 0 ? file.text(group.id(), "receptor") : "");
  }
  return network;
}

}  // namespace

namespace {

Handle open(const File& file, const std::filesystem::path& name) {
  if (!std::filesystem::is_regular_file(name)) {
    throw FileError(fmt::format("{}: no such file", name.string()));
  }
  return file.good(H5Fopen(name.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose,
                   "cannot be opened as HDF5");
}

}  // namespace

std::string load_settings_of_model(const std::filesystem::path& name) {
  const hdf5::Session session;
  const File file(name);
  const Handle root = open(file, name);
  return H5Aexists(root.id(), "settings") > 0 ? file.text(root.id(), "settings") : "";
}

template <class Real>
Network<Real> load_network(const std::filesystem::path& name) {
  const hdf5::Session session;
  const File file(name);
  const Handle root = open(file, name);
  if (file.number(root.id(), "saltus_format") != format_version) {
    throw FileError(fmt::format("{}: a model of another format; expected version {}", name.string(),
                                format_version));
  }
  try {
    return read_network<Real>(file, root.id(), name);
  } catch (const InvalidInput& e) {
    throw InvalidInput(fmt::format("{}: {}", name.string(), e.what()));
  } catch (const std::length_error&) {
    throw FileError(fmt::format("{}: a data set is too large to read", name.string()));
  } catch (const std::bad_alloc&) {
    throw FileError(fmt::format("{}: a data set is too large to read", name.string()));
  }
}

template void save_network(const Network<float>&, const std::filesystem::path&, const std::string&);
template void save_network(const Network<double>&, const std::filesystem::path&,
                           const std::string&);
template Network<float> load_network(const std::filesystem::path&);
template Network<double> load_network(const std::filesystem::path&);

}  // namespace saltus::store
