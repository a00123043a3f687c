// SPDX-License-Identifier: Apache-2.0
// What every reader of HDF5 needs: identifiers that close themselves, and silence. It has one thread:
// each file is read in a process of its own (hdf5/child.hpp).
#pragma once

#include <hdf5.h>

#include <string>
#include <utility>

namespace saltus::hdf5 {

// Stops HDF5 from printing its errors: they are in the exception.
class QuietErrors {
 public:
  QuietErrors() {
    H5Eget_auto2(H5E_DEFAULT, &function_, &client_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~QuietErrors() { H5Eset_auto2(H5E_DEFAULT, function_, client_); }
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;

 private:
  H5E_auto2_t function_ = nullptr;
  void* client_ = nullptr;
};

// The innermost entry of HDF5's error stack, which says most.
inline std::string last_error() {
  std::string text;
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_UPWARD,
      [](unsigned, const H5E_error2_t* entry, void* out) -> herr_t {
        if (entry->desc != nullptr) *static_cast<std::string*>(out) = entry->desc;
        return 1;
      },
      &text);
  if (text.empty()) return "unknown HDF5 error";
  if (text.find("version") == text.npos && text.find("unknown datatype class") == text.npos)
    return text;
  return text + " (perhaps of a newer HDF5 than this one, " + std::to_string(H5_VERS_MAJOR) + "." +
         std::to_string(H5_VERS_MINOR) + ")";
}

// An HDF5 identifier, closed at the end of its scope.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  bool valid() const { return id_ >= 0; }
  hid_t id() const { return id_; }

 private:
  hid_t id_;
  Close close_;
};

// Why a data set cannot be read from its file alone; empty: it can.
inline std::string obstacle(hid_t data) {
  const Handle made(H5Dget_create_plist(data), H5Pclose);
  if (!made.valid()) return last_error();
  if (H5Pget_layout(made.id()) == H5D_VIRTUAL || H5Pget_external_count(made.id()) > 0) {
    return "its numbers are in other files, which are not opened; expected all in one file, as "
           "h5repack writes it";
  }
  for (int k = 0, n = H5Pget_nfilters(made.id()); k < n; ++k) {
    unsigned flags = 0;
    std::size_t numbers = 0;
    char name[64] = "";
    const H5Z_filter_t filter = H5Pget_filter2(made.id(), static_cast<unsigned>(k), &flags,
                                               &numbers, nullptr, sizeof name, name, nullptr);
    if (filter < 0 || H5Zfilter_avail(filter) > 0) continue;
    return "it is packed with the filter '" + std::string(name) + "' (" + std::to_string(filter) +
           "), which is not part of HDF5; expected gzip, as h5repack -f GZIP=4 writes it";
  }
  return "";
}

// Is there a link of that name, whatever it leads to? @param name  such as "spikes/times"
inline bool linked(hid_t file, const std::string& name) {
  for (std::size_t end = name.find('/'); end != name.npos; end = name.find('/', end + 1)) {
    if (H5Lexists(file, name.substr(0, end).c_str(), H5P_DEFAULT) <= 0) return false;
  }
  return H5Lexists(file, name.c_str(), H5P_DEFAULT) > 0;
}

}  // namespace saltus::hdf5
