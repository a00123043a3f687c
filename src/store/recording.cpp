// SPDX-License-Identifier: Apache-2.0
#include "store/recording.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string_view>

#include "archive/archive.hpp"
#include "fields/nearest.hpp"
#include "saltus/error.hpp"
#include "saltus/store.hpp"

namespace saltus::store {
namespace {

Archive parse(const std::filesystem::path& file) {
  try {
    return Archive::parse(read_file(file), false);
  } catch (const InvalidInput& e) {
    throw FileError(fmt::format("{}: {}", file.string(), e.what()));
  }
}

// Of either type of whole numbers: NumPy's are of 64 bits unless one asks.
std::vector<std::int32_t> whole(const Archive& from, const std::string& name) {
  if (from.type_of(name) == "I32") return from.get<std::int32_t>(name);
  std::vector<std::int32_t> out;
  for (const std::int64_t n : from.get<std::int64_t>(name)) {
    if (n < std::numeric_limits<std::int32_t>::min() ||
        n > std::numeric_limits<std::int32_t>::max()) {
      throw InvalidInput(
          fmt::format("{}[{}] is {}; expected a number of 32 bits", name, out.size(), n));
    }
    out.push_back(static_cast<std::int32_t>(n));
  }
  return out;
}

Recording read(const Archive& from, const std::vector<std::string>& populations) {
  std::vector<std::string> known{"labels", "t_end"};
  Recording result;
  for (const std::string& p : populations) {
    const std::string times = p + ".times", neurons = p + ".neurons", offsets = p + ".offsets";
    known.insert(known.end(), {times, neurons, offsets});
    if (!from.holds(times) && !from.holds(neurons) && !from.holds(offsets)) continue;
    result.spikes[p] = {from.get<std::int64_t>(offsets), from.get<double>(times),
                        whole(from, neurons)};
  }
  const std::vector<std::string_view> names(known.begin(), known.end());
  for (const std::string& name : from.names()) {
    if (std::ranges::find(known, name) != known.end()) continue;
    throw InvalidInput(
        fmt::format("no array of a recording is called '{}'{}", name, nearest_name(name, names)));
  }
  if (from.holds("labels")) result.labels = whole(from, "labels");
  if (from.holds("t_end")) result.t_end = from.get<double>("t_end");
  return result;
}

}  // namespace

Recording load_recording(const std::filesystem::path& file,
                         const std::vector<std::string>& populations) {
  const Archive archive = parse(file);
  try {
    return read(archive, populations);
  } catch (const InvalidInput& e) {
    throw InvalidInput(fmt::format("{}: {}", file.string(), e.what()));
  }
}

}  // namespace saltus::store
