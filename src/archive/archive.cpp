// SPDX-License-Identifier: Apache-2.0
#include "archive/archive.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "archive/json.hpp"
#include "machine/digest.hpp"
#include "saltus/error.hpp"

namespace saltus {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "safetensors are little endian");

namespace {

constexpr std::array<std::pair<std::string_view, std::size_t>, 5> sizes{
    {{"F32", 4}, {"F64", 8}, {"I32", 4}, {"I64", 8}, {"U8", 1}}};

constexpr std::size_t word = 8;
constexpr std::size_t longest_header = 100'000'000;  // as the library of safetensors has it
constexpr std::string_view metadata = "__metadata__";
constexpr std::string_view no_digest = "0000000000000000";

[[noreturn]] void fail(const std::string& what) { throw InvalidInput("damaged: " + what); }
[[noreturn]] void fail_at_once(const std::string& what) {
  throw InvalidInput("damaged, or no safetensors: " + what);
}

// Where the digits of the digest stand in the beginning of a file; npos: nowhere.
std::size_t digest_place(std::string_view beginning, std::string_view digest) {
  const std::string written = fmt::format("\"digest\":\"{}\"", digest);
  const std::size_t at = beginning.find(written);
  return at == beginning.npos ? at : at + written.size() - 1 - digest.size();
}

std::string utf8(const json& said) {
  try {
    return said.dump();
  } catch (const json::type_error&) {
    throw InvalidInput("holds a name or a text that is not UTF-8; expected UTF-8");
  }
}

template <class T, class From>
std::vector<T> numbers(std::string_view bytes) {
  std::vector<From> values(bytes.size() / sizeof(From));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  if constexpr (std::is_same_v<T, From>) {
    return values;
  } else {
    return {values.begin(), values.end()};
  }
}

}  // namespace

template <>
const char* Archive::type<float>() {
  return "F32";
}
template <>
const char* Archive::type<double>() {
  return "F64";
}
template <>
const char* Archive::type<std::int32_t>() {
  return "I32";
}
template <>
const char* Archive::type<std::int64_t>() {
  return "I64";
}
template <>
const char* Archive::type<std::uint8_t>() {
  return "U8";
}

void Archive::add(const std::string& name, Array array) {
  if (name == metadata || !arrays_.emplace(name, std::move(array)).second) {
    throw InvalidInput(fmt::format("two arrays are called '{}'; expected one of each name", name));
  }
}

const Archive::Array& Archive::array(const std::string& name) const {
  const auto found = arrays_.find(name);
  if (found == arrays_.end()) throw InvalidInput(fmt::format("holds no '{}'", name));
  return found->second;
}

template <class T>
std::vector<T> Archive::get(const std::string& name) const {
  const Array& a = array(name);
  if (a.type == type<T>()) return numbers<T, T>(a.bytes);
  if constexpr (std::is_same_v<T, float>) {
    if (a.type == "F64") return numbers<T, double>(a.bytes);
  } else if constexpr (std::is_same_v<T, double>) {
    if (a.type == "F32") return numbers<T, float>(a.bytes);
  }
  throw InvalidInput(fmt::format("'{}' is of type {}; expected {}", name, a.type, type<T>()));
}

std::vector<std::string> Archive::names() const {
  std::vector<std::string> all;
  for (const auto& [name, array] : arrays_) all.push_back(name);
  return all;
}

std::string Archive::digest(std::string_view beginning) const {
  Digest digest;
  digest.add("", beginning.data(), beginning.size());
  for (const auto& [name, a] : arrays_) digest.add(name, a.bytes.data(), a.bytes.size());
  return fmt::format("{:016x}", digest.value());
}

void Archive::write(const std::function<void(std::string_view)>& piece) const {
  json header = json::object();
  header[metadata] = {{"digest", no_digest}, {"saltus", utf8(about)}};
  std::size_t end = 0;
  for (const auto& [name, a] : arrays_) {
    const std::size_t begin = std::exchange(end, end + a.bytes.size());
    header[name] = {{"dtype", a.type}, {"shape", a.shape}, {"data_offsets", {begin, end}}};
  }
  std::string text = utf8(header);
  text.resize((text.size() + word - 1) / word * word, ' ');  // numbers start at whole words
  const std::uint64_t size = text.size();
  text.insert(0, reinterpret_cast<const char*>(&size), word);
  text.replace(digest_place(text, no_digest), no_digest.size(), digest(text));
  piece(text);
  for (const auto& [name, a] : arrays_) piece(a.bytes);
}

std::string Archive::bytes() const {
  std::string file;
  write([&](std::string_view piece) { file += piece; });
  return file;
}

namespace {

struct Entry {
  std::string name;
  std::string type;
  Archive::Extents shape;
  std::size_t begin, end;
};

Entry entry_of(const std::string& name, const json& in) {
  const auto field = [&](const char* called) -> const json& {
    const auto found = in.find(called);
    if (found == in.end()) fail(fmt::format("'{}' has no {}", name, called));
    return *found;
  };
  if (!in.is_object()) fail(fmt::format("'{}' is no object", name));
  const json &type = field("dtype"), &shape = field("shape"), &place = field("data_offsets");
  const auto whole = [](const json& list) {
    return list.is_array() && std::all_of(list.begin(), list.end(),
                                          [](const json& n) { return n.is_number_unsigned(); });
  };
  if (!type.is_string() || !whole(shape) || !whole(place) || place.size() != 2) {
    fail(fmt::format("'{}' is not described as an array", name));
  }
  return {name, type, shape, place[0], place[1]};
}

// Does an array of that shape and type take as many bytes? Never overflows.
bool takes(const Archive::Extents& shape, std::size_t size, std::size_t bytes) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return bytes == 0;
  for (const std::size_t n : shape) {
    if (n > bytes / size) return false;
    size *= n;
  }
  return size == bytes;
}

}  // namespace

Archive Archive::parse(std::string given, bool sealed) {
  const auto held = std::make_shared<const std::string>(std::move(given));
  const std::string_view file = *held;
  std::uint64_t size = 0;
  if (file.size() < word) fail_at_once(fmt::format("only {} bytes", file.size()));
  std::memcpy(&size, file.data(), word);
  if (size > file.size() - word || size > longest_header) {
    if (file[0] == '{') fail_at_once("text of settings or metrics (their folder names a run)");
    fail_at_once(fmt::format("a header of {} bytes in a file of {}", size, file.size()));
  }
  json header;
  try {
    header = parse_json(file.substr(word, size));
  } catch (const InvalidInput& e) {
    fail(fmt::format("its header is {}", e.what()));
  }
  if (!header.is_object()) fail("its header is no object");

  Archive result;
  std::string written;
  if (const auto found = header.find(metadata); found != header.end()) {
    const json& said = *found;
    if (said.contains("digest") && said["digest"].is_string()) written = said["digest"];
    if (said.contains("saltus") && said["saltus"].is_string()) {
      result.about = parse_json(said["saltus"].get_ref<const std::string&>());
    }
    if (!result.about.is_object()) fail("what is said of it is no object");
    header.erase(found);
  }

  std::vector<Entry> entries;
  for (const auto& [name, in] : header.items()) entries.push_back(entry_of(name, in));
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  const std::string_view data = file.substr(word + size);
  std::size_t next = 0;
  for (const Entry& e : entries) {
    const auto* const type = std::find_if(sizes.begin(), sizes.end(),
                                          [&](const auto& row) { return row.first == e.type; });
    if (type == sizes.end())
      fail(fmt::format("'{}' is of the unknown type {:.20}", e.name, e.type));
    if (e.begin != next || e.end < e.begin || e.end > data.size() ||
        !takes(e.shape, type->second, e.end - e.begin)) {
      fail(fmt::format("'{}' is not where and as large as it is said to be", e.name));
    }
    next = e.end;
    result.add(e.name, {e.type, e.shape, data.substr(e.begin, e.end - e.begin), held});
  }
  if (next != data.size()) fail(fmt::format("{} bytes too many", data.size() - next));

  if (!sealed && written.empty()) return result;
  std::string beginning(file.substr(0, word + size));
  const std::size_t at =
      written.size() == no_digest.size() ? digest_place(beginning, written) : beginning.npos;
  if (at == beginning.npos) fail("it has no digest");
  beginning.replace(at, no_digest.size(), no_digest);
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION  // which is to come to what lies behind
  if (result.digest(beginning) != written) fail("its digest is not that of what it holds");
#endif
  return result;
}

template std::vector<float> Archive::get(const std::string&) const;
template std::vector<double> Archive::get(const std::string&) const;
template std::vector<std::int32_t> Archive::get(const std::string&) const;
template std::vector<std::int64_t> Archive::get(const std::string&) const;
template std::vector<std::uint8_t> Archive::get(const std::string&) const;

}  // namespace saltus
