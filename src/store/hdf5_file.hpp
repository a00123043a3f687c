// SPDX-License-Identifier: Apache-2.0
// An HDF5 file that Saltus writes and reads whole: groups, data sets of numbers, attributes.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hdf5/handle.hpp"
#include "machine/digest.hpp"
#include "saltus/error.hpp"
#include "saltus/store.hpp"

namespace saltus::store {

using hdf5::Handle;

template <class T>
hid_t native();
template <>
inline hid_t native<float>() {
  return H5T_NATIVE_FLOAT;
}
template <>
inline hid_t native<double>() {
  return H5T_NATIVE_DOUBLE;
}
template <>
inline hid_t native<std::int64_t>() {
  return H5T_NATIVE_INT64;
}
template <>
inline hid_t native<char>() {
  return H5T_NATIVE_CHAR;
}

/// Writes and reads, and adds up a digest of all that it wrote or read, in any order.
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
    digest_.add(name, values.data(), values.size() * sizeof(T));
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
    digest_.add(name, values.data(), values.size() * sizeof(T));
    return values;
  }

  void put(hid_t object, const char* name, std::uint64_t value) const {
    const Handle space = good(H5Screate(H5S_SCALAR), H5Sclose, name);
    const Handle attribute =
        good(H5Acreate2(object, name, H5T_STD_U64LE, space.id(), H5P_DEFAULT, H5P_DEFAULT),
             H5Aclose, name);
    if (H5Awrite(attribute.id(), H5T_NATIVE_UINT64, &value) < 0) fail(name);
    digest_.add(name, &value, sizeof value);
  }
  std::uint64_t number(hid_t object, const char* name) const {
    const Handle attribute = good(H5Aopen(object, name, H5P_DEFAULT), H5Aclose,
                                  fmt::format("has no {}: not a model of Saltus", name));
    check_one(attribute, name);
    std::uint64_t value = 0;
    if (H5Aread(attribute.id(), H5T_NATIVE_UINT64, &value) < 0) fail(name);
    digest_.add(name, &value, sizeof value);
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
    digest_.add(name, text.data(), text.size());
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
    value.resize(std::min(value.find('\0'), size));
    digest_.add(name, value.data(), value.size());
    return value;
  }

  const std::filesystem::path& name() const { return name_; }
  std::uint64_t digest() const { return digest_.value(); }

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
  mutable Digest digest_;
};

/// Lets fill(file, root) write an HDF5 file, and puts it in its place whole.
template <class Fill>
void save_whole(const std::filesystem::path& name, Fill&& fill) {
  std::string image;
  {
    const hdf5::Session session;
    const File file(name);
    // Into memory first: HDF5 does not survive a full disk.
    const Handle memory = file.good(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "no property list");
    if (H5Pset_fapl_core(memory.id(), 1U << 20, false) < 0) file.fail("no file in memory");
    const Handle root = file.good(H5Fcreate(name.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, memory.id()),
                                  H5Fclose, "cannot create");
    fill(file, root.id());
    if (H5Fflush(root.id(), H5F_SCOPE_GLOBAL) < 0) file.fail("cannot write");
    const ssize_t size = H5Fget_file_image(root.id(), nullptr, 0);
    if (size < 0) file.fail("has no image");
    image.resize(static_cast<std::size_t>(size));
    if (H5Fget_file_image(root.id(), image.data(), image.size()) != size) {
      file.fail("has no image");
    }
  }
  write_file(name, image);
}

/// What read(file, root) makes of an HDF5 file. @throws Error  names the file
template <class Read>
auto load_whole(const std::filesystem::path& name, Read&& read) {
  const hdf5::Session session;
  const File file(name);
  if (!std::filesystem::is_regular_file(name)) {
    throw FileError(fmt::format("{}: no such file", name.string()));
  }
  const Handle root = file.good(H5Fopen(name.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose,
                                "cannot be opened as HDF5");
  try {
    return read(file, root.id());
  } catch (const InvalidInput& e) {
    throw InvalidInput(fmt::format("{}: {}", name.string(), e.what()));
  } catch (const std::length_error&) {
    throw FileError(fmt::format("{}: a data set is too large to read", name.string()));
  } catch (const std::bad_alloc&) {
    throw FileError(fmt::format("{}: a data set is too large to read", name.string()));
  }
}

}  // namespace saltus::store
