// SPDX-License-Identifier: Apache-2.0
// Models: files of safetensors (archive/archive.hpp) with a network, and the settings that it was
// trained with.
//
// `format` in such a file is raised when older readers would misread it. A reader takes every format
// up to its own, and says so of a newer one. Format 1 was HDF5 (store/hdf5_model.cpp).
#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

#include "saltus/error.hpp"
#include "saltus/store.hpp"
#include "store/network.hpp"

namespace saltus::store {
namespace {

constexpr std::uint64_t format_version = 2;
constexpr std::string_view hdf5_signature = "\x89HDF\r\n\x1a\n";

// Other tools go by the name of a file: it must say what it is.
void check_name(const std::filesystem::path& file) {
  if (file.extension() != ".h5" && file.extension() != ".hdf5") return;
  throw InvalidInput(fmt::format(
      "file is {}; models are written as safetensors, and HDF5 is only read: expected {}",
      file.string(), std::filesystem::path(file).replace_extension(".safetensors").string()));
}

std::string numbered(Archive archive) {
  archive.about["format"] = format_version;
  return archive.bytes();
}

Archive parse(std::string bytes) {
  Archive archive = Archive::parse(std::move(bytes));
  const auto version = archive.about.find("format");
  if (version == archive.about.end() || !version->is_number_unsigned()) {
    throw InvalidInput("not a file of Saltus: it says no format");
  }
  if (*version > format_version) {
    throw InvalidInput(
        fmt::format("of format {}, and this version of Saltus reads up to {}; "
                    "expected one of the version that wrote it, or newer",
                    version->get<std::uint64_t>(), format_version));
  }
  return archive;
}

}  // namespace

void save_archive(const Archive& archive, const std::filesystem::path& file) {
  check_name(file);
  write_file(file, numbered(archive));
}

Archive load_archive(const std::filesystem::path& file) {
  std::string bytes = read_file(file);
  if (bytes.starts_with(hdf5_signature)) return load_hdf5_model(file);
  try {
    return parse(std::move(bytes));
  } catch (const InvalidInput& e) {
    throw FileError(fmt::format("{}: {}", file.string(), e.what()));
  }
}

namespace {

template <class Real>
Archive archive_of(const Network<Real>& network) {
  network.check();
  Archive archive;
  write_network(network, archive);
  return archive;
}

}  // namespace

template <class Real>
void save_network(const Network<Real>& network, const std::filesystem::path& file,
                  const std::string& settings) {
  Archive archive = archive_of(network);
  if (!settings.empty()) archive.about["settings"] = settings;
  save_archive(archive, file);
}

template <class Real>
Network<Real> load_network(const std::filesystem::path& file) {
  const Archive archive = load_archive(file);
  try {
    return read_network<Real>(archive);
  } catch (const InvalidInput& e) {
    throw InvalidInput(fmt::format("{}: {}", file.string(), e.what()));
  }
}

std::filesystem::path model_in(const std::filesystem::path& place) {
  if (!std::filesystem::is_directory(place)) return place;
  const auto now = place / "model.safetensors", before = place / "model.h5";
  return std::filesystem::exists(before) && !std::filesystem::exists(now) ? before : now;
}

std::string load_settings_of_model(const std::filesystem::path& file) {
  const Archive archive = load_archive(file);
  const auto settings = archive.about.find("settings");
  if (settings == archive.about.end() || !settings->is_string()) return {};
  return settings->get<std::string>();
}

template <class Real>
std::string to_bytes(const Network<Real>& network) {
  return numbered(archive_of(network));
}

template <class Real>
Network<Real> from_bytes(std::string bytes) {
  return read_network<Real>(parse(std::move(bytes)));
}

template void save_network(const Network<float>&, const std::filesystem::path&, const std::string&);
template void save_network(const Network<double>&, const std::filesystem::path&,
                           const std::string&);
template Network<float> load_network(const std::filesystem::path&);
template Network<double> load_network(const std::filesystem::path&);
template std::string to_bytes(const Network<double>&);
template Network<double> from_bytes(std::string);

}  // namespace saltus::store
