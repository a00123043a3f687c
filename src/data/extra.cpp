// SPDX-License-Identifier: Apache-2.0
#include "data/extra.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "hdf5/handle.hpp"
#include "saltus/error.hpp"

namespace saltus::data {
namespace {

using hdf5::Handle;

class Reader {
 public:
  Reader(const std::filesystem::path& file, LabelledSpikes& data) : file_(file), data_(data) {}

  // @param prefix  of names: "" or "meta_info/"
  void group(hid_t parent, const char* name, const std::string& prefix) {
    const Handle group(H5Gopen2(parent, name, H5P_DEFAULT), H5Gclose);
    H5G_info_t info;
    if (!group.valid() || H5Gget_info(group.id(), &info) < 0) fail(prefix);
    for (hsize_t k = 0; k < info.nlinks; ++k) member(group.id(), link(group.id(), k), prefix);
  }

 private:
  [[noreturn]] void fail(const std::string& name) const {
    throw FileError(
        fmt::format("{}: extra/{} cannot be read: {}", file_.string(), name, hdf5::last_error()));
  }

  std::string link(hid_t group, hsize_t k) const {
    const auto name = [&](char* to, std::size_t room) {
      return H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, k, to, room, H5P_DEFAULT);
    };
    const ssize_t size = name(nullptr, 0);
    if (size < 0) fail(fmt::format("[{}]", k));
    std::string text(static_cast<std::size_t>(size) + 1, '\0');
    name(text.data(), text.size());
    text.pop_back();
    return text;
  }

  void member(hid_t parent, const std::string& name, const std::string& prefix) {
    const Handle object(H5Oopen(parent, name.c_str(), H5P_DEFAULT), H5Oclose);
    if (!object.valid()) return;  // a link that leads nowhere
    if (H5Iget_type(object.id()) == H5I_GROUP) group(parent, name.c_str(), prefix + name + "/");
    if (H5Iget_type(object.id()) == H5I_DATASET) data_set(object.id(), prefix + name);
  }

  void data_set(hid_t data, const std::string& name) {
    if (const std::string obstacle = hdf5::obstacle(data); !obstacle.empty()) {
      throw FileError(
          fmt::format("{}: extra/{} cannot be read: {}", file_.string(), name, obstacle));
    }
    const Handle space(H5Dget_space(data), H5Sclose);
    const Handle type(H5Dget_type(data), H5Tclose);
    hsize_t rows = 0;
    if (H5Sget_simple_extent_ndims(space.id()) != 1 ||
        H5Sget_simple_extent_dims(space.id(), &rows, nullptr) != 1) {
      return;
    }
    ExtraColumn column;
    switch (H5Tget_class(type.id())) {
      case H5T_INTEGER:
        column = numbers<std::int64_t>(data, H5T_NATIVE_INT64, rows, name);
        break;
      case H5T_FLOAT:
        column = numbers<double>(data, H5T_NATIVE_DOUBLE, rows, name);
        break;
      case H5T_STRING:
        column = H5Tis_variable_str(type.id()) > 0 ? long_texts(data, type, space, rows, name)
                                                   : short_texts(data, type, rows, name);
        break;
      default:
        return;
    }
    (rows == data_.size() ? data_.extra : data_.tables).emplace(name, std::move(column));
  }

  template <class T>
  std::vector<T> numbers(hid_t data, hid_t type, hsize_t rows, const std::string& name) const {
    std::vector<T> values(rows);
    if (H5Dread(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0) fail(name);
    return values;
  }

  // Of fixed length, filled up with zeros or blanks.
  std::vector<std::string> short_texts(hid_t data, const Handle& type, hsize_t rows,
                                       const std::string& name) const {
    const std::size_t size = H5Tget_size(type.id());
    std::string all(size * rows, '\0');
    if (H5Dread(data, type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, all.data()) < 0) fail(name);
    std::vector<std::string> texts;
    for (hsize_t k = 0; k < rows; ++k) {
      std::string text = all.substr(k * size, size);
      text.resize(std::min(text.find('\0'), text.size()));
      if (H5Tget_strpad(type.id()) == H5T_STR_SPACEPAD) {
        text.resize(text.find_last_not_of(' ') + 1);
      }
      texts.push_back(std::move(text));
    }
    return texts;
  }

  std::vector<std::string> long_texts(hid_t data, const Handle& type, const Handle& space,
                                      hsize_t rows, const std::string& name) const {
    const Handle memory(H5Tcopy(type.id()), H5Tclose);
    std::vector<char*> found(rows, nullptr);
    if (H5Dread(data, memory.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, found.data()) < 0) fail(name);
    std::vector<std::string> texts;
    for (const char* text : found) texts.emplace_back(text == nullptr ? "" : text);
    H5Dvlen_reclaim(memory.id(), space.id(), H5P_DEFAULT, found.data());
    return texts;
  }

  const std::filesystem::path& file_;
  LabelledSpikes& data_;
};

}  // namespace

void read_extra(const std::filesystem::path& file, hid_t root, LabelledSpikes& data) {
  if (H5Lexists(root, "extra", H5P_DEFAULT) > 0) Reader(file, data).group(root, "extra", "");
}

}  // namespace saltus::data
