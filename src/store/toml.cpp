// SPDX-License-Identifier: Apache-2.0
#include "store/toml.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fields/nearest.hpp"

// One file includes it, so it is compiled here, as a header.
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#define TOML_MAX_NESTED_VALUES 64
// What toml++ takes for granted of a text, some texts do not hold: `[ .a]` ended the program, and where
// NDEBUG is defined the compiler was told that it cannot be.
#define TOML_ASSERT(expected) ((expected) ? void() : saltus::store::not_expected())
namespace saltus::store {
struct NotExpected {};
[[noreturn]] inline void not_expected() { throw NotExpected(); }
}  // namespace saltus::store
#include <toml++/impl/preprocessor.h>
#undef TOML_ASSERT_ASSUME
#define TOML_ASSERT_ASSUME(expected) TOML_ASSERT(expected)
#include <toml++/toml.h>

namespace saltus::store {
namespace {

using nlohmann::json;

int line_of(const toml::source_region& place) { return static_cast<int>(place.begin.line); }

// As it is written in quotes, on one line.
std::string quoted(std::string_view name) {
  return fmt::format("{:.60}", json(std::string(name)).dump());
}

// A key of n dots is a table in n tables, and toml++ 3.3 bounds only the nesting of brackets: it
// would take the stack apart.
void check_depth(std::string_view text) {
  constexpr int deepest = 64;
  int dots = 0, line = 1;
  char before = '.';
  for (const char c : text) {
    if (c == '\n') ++line;
    if (c == '.' && before != '.') ++dots;  // a row of dots is a comment's
    if (std::string_view("\n=,[]{}").find(c) != std::string_view::npos) dots = 0;
    before = c;
    if (dots > deepest) {
      throw WrongLine(line, fmt::format("a name has more than {} dots", deepest));
    }
  }
}

json as_json(const toml::node& node, std::string_view name) {
  if (const auto* table = node.as_table()) {
    json out = json::object();
    for (const auto& [key, value] : *table) out[std::string(key)] = as_json(value, name);
    return out;
  }
  if (const auto* array = node.as_array()) {
    json out = json::array();
    for (const auto& value : *array) out.push_back(as_json(value, name));
    return out;
  }
  if (const auto text = node.value_exact<std::string>()) return *text;
  if (const auto truth = node.value_exact<bool>()) return *truth;
  if (const auto whole = node.value_exact<std::int64_t>()) {
    return *whole < 0 ? json(*whole) : json(static_cast<std::uint64_t>(*whole));
  }
  const auto number = node.value_exact<double>();
  if (!number) {
    throw WrongLine(
        line_of(node.source()),
        fmt::format("{} is a date or a time of day; expected a number, a text in quotes, "
                    "true, false or a list",
                    name));
  }
  if (std::isfinite(*number)) return *number;
  if (std::isinf(*number) && *number > 0) return "infinite";  // as in settings.json
  throw WrongLine(line_of(node.source()),
                  fmt::format("{} is {}; expected a number, or inf", name, *number));
}

bool among(const std::vector<std::string_view>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Which place a name has, where it has one.
std::string place_of(std::string_view name, const std::vector<std::string_view>& outside,
                     const std::vector<Section>& sections) {
  if (among(outside, name)) return "before the first section";
  for (const Section& s : sections) {
    if (among(s.keys, name)) return fmt::format("below [{}]", s.name);
  }
  return "";
}

class Reader {
 public:
  Reader(const std::vector<std::string_view>& outside, const std::vector<Section>& sections,
         const std::vector<std::string_view>& lists)
      : outside_(outside), sections_(sections), lists_(lists) {
    for (const Section& s : sections) {
      names_.emplace_back(s.name);
      keys_.insert(keys_.end(), s.keys.begin(), s.keys.end());
    }
    keys_.insert(keys_.end(), outside.begin(), outside.end());
    for (auto* names : {&names_, &keys_}) names->insert(names->end(), lists.begin(), lists.end());
  }

  ReadToml read(const toml::table& file) {
    for (const auto& [key, value] : file) {
      const std::string_view name = key.str();
      const auto* const table = value.as_table();
      const auto section = std::find_if(sections_.begin(), sections_.end(),
                                        [&](const Section& s) { return s.name == name; });
      if (among(outside_, name)) {
        take(key, value);
      } else if (among(lists_, name)) {
        take_list(key, value);
      } else if (section != sections_.end() && table != nullptr) {
        for (const auto& [inner, setting] : *table) {
          if (!among(section->keys, inner.str())) misplaced(inner, section->name);
          take(inner, setting);
        }
      } else if (table != nullptr) {
        throw WrongLine(line_of(key.source()),
                        fmt::format("no section is called {}{}; there are: [{}]", quoted(name),
                                    nearest_name(name, names_), fmt::join(names_, "], [")));
      } else {
        misplaced(key, "");
      }
    }
    return std::move(result_);
  }

 private:
  const std::vector<std::string_view>& outside_;
  const std::vector<Section>& sections_;
  const std::vector<std::string_view>& lists_;
  std::vector<std::string_view> names_, keys_;  // of sections; in all of them
  ReadToml result_;

  void take(const toml::key& key, const toml::node& value) {
    const std::string name(key.str());
    result_.values[name] = as_json(value, name);
    result_.lines[name] = line_of(key.source());
  }

  void take_list(const toml::key& key, const toml::node& value) {
    const std::string name(key.str());
    const auto* const list = value.as_array();
    if (list == nullptr) {
      throw WrongLine(
          line_of(key.source()),
          fmt::format("{} is no list of tables; expected [[{}]], once for each", name, name));
    }
    result_.lines[name] = line_of(key.source());
    nlohmann::json& rows = result_.values[name] = json::array();
    for (const toml::node& one : *list) {
      const std::string here = fmt::format("{}[{}]", name, rows.size());
      const auto* const table = one.as_table();
      if (table == nullptr) {
        throw WrongLine(line_of(one.source()),
                        fmt::format("{} is no table; expected [[{}]], once for each", here, name));
      }
      result_.lines[here] = line_of(one.source());
      json& row = rows.emplace_back(json::object());
      for (const auto& [inner, setting] : *table) {
        const std::string called = fmt::format("{}.{}", here, inner.str());
        row[std::string(inner.str())] = as_json(setting, called);
        result_.lines[called] = line_of(inner.source());
      }
    }
  }

  [[noreturn]] void misplaced(const toml::key& key, std::string_view section) const {
    const std::string_view name = key.str();
    const std::string place = place_of(name, outside_, sections_);
    const std::string here = section.empty() ? std::string("before the first section")
                                             : fmt::format("below [{}]", section);
    throw WrongLine(line_of(key.source()),
                    place.empty() ? fmt::format("no setting is called {}{}", quoted(name),
                                                nearest_name(name, keys_))
                                  : fmt::format("{} stands {}; expected it {}", name, here, place));
  }
};

}  // namespace

ReadToml read_toml(std::string_view text, const std::vector<std::string_view>& outside,
                   const std::vector<Section>& sections,
                   const std::vector<std::string_view>& lists) {
  check_depth(text);
  try {
    return Reader(outside, sections, lists).read(toml::parse(text));
  } catch (const NotExpected&) {
    throw WrongLine(0,
                    "not TOML: the name of a section begins with what no name begins with; "
                    "expected a letter or a quote");
  } catch (const toml::parse_error& e) {
    std::string says(e.description());
    std::replace_if(
        says.begin(), says.end(), [](unsigned char c) { return c < ' ' || c > '~'; }, ' ');
    throw WrongLine(line_of(e.source()), fmt::format("not TOML: {:.200}", says));
  }
}

std::string comment(std::string_view text) {
  constexpr std::size_t width = 96;
  std::string lines, line = "#";
  for (std::size_t first = 0; first < text.size();) {
    const std::size_t end = std::min(text.find(' ', first), text.size());
    if (line.size() + 1 + end - first > width) {
      lines += line + "\n";
      line = "#";
    }
    line += fmt::format(" {}", text.substr(first, end - first));
    first = end + 1;
  }
  return lines + line + "\n";
}

}  // namespace saltus::store
