// SPDX-License-Identifier: Apache-2.0
#include "data/packed.hpp"

#include <string>
#include <utility>
#include <vector>

namespace saltus::data {
namespace {

using Columns = std::map<std::string, ExtraColumn>;

// Texts are bytes, in whatever encoding: one after the other, and where each ends.
void put(Archive& to, const std::string& name, const std::vector<std::string>& texts) {
  std::vector<std::uint8_t> bytes;
  std::vector<std::int64_t> ends;
  for (const std::string& text : texts) {
    bytes.insert(bytes.end(), text.begin(), text.end());
    ends.push_back(static_cast<std::int64_t>(bytes.size()));
  }
  to.put(name, std::move(bytes));
  to.put(name + ".ends", std::move(ends));
}
template <class T>
void put(Archive& to, const std::string& name, const std::vector<T>& values) {
  to.put(name, values);
}

std::vector<std::string> texts(const Archive& from, const std::string& name) {
  const auto bytes = from.get<std::uint8_t>(name);
  std::vector<std::string> all;
  auto at = bytes.begin();
  for (const std::int64_t end : from.get<std::int64_t>(name + ".ends")) {
    const auto to = bytes.begin() + end;
    all.emplace_back(std::exchange(at, to), to);
  }
  return all;
}

// Names of columns are bytes too: they are numbered.
void put(Archive& to, const std::string& group, const Columns& columns) {
  std::vector<std::string> names;
  nlohmann::json& kinds = to.about[group] = nlohmann::json::array();
  for (const auto& [name, column] : columns) {
    const std::string place = group + "." + std::to_string(names.size());
    std::visit([&](const auto& values) { put(to, place, values); }, column);
    names.push_back(name);
    kinds.push_back(column.index());
  }
  put(to, group, names);
}

Columns columns(const Archive& from, const std::string& group) {
  Columns all;
  const auto names = texts(from, group);
  for (std::size_t k = 0; k < names.size(); ++k) {
    const std::string place = group + "." + std::to_string(k);
    ExtraColumn& column = all[names[k]];
    switch (from.about.at(group).at(k).get<std::size_t>()) {
      case 0:
        column = from.get<std::int64_t>(place);
        break;
      case 1:
        column = from.get<double>(place);
        break;
      default:
        column = texts(from, place);
    }
  }
  return all;
}

}  // namespace

Archive packed(LabelledSpikes data) {
  Archive to;
  to.about = {{"channels", data.channels}, {"classes", data.classes}, {"grid", data.grid}};
  to.put("offsets", std::move(data.spikes.offsets));
  to.put("times", std::move(data.spikes.times));
  to.put("neurons", std::move(data.spikes.neurons));
  to.put("labels", std::move(data.labels));
  put(to, "extra", data.extra);
  put(to, "tables", data.tables);
  return to;
}

LabelledSpikes unpacked(const Archive& from) {
  LabelledSpikes data;
  from.about.at("channels").get_to(data.channels);
  from.about.at("classes").get_to(data.classes);
  from.about.at("grid").get_to(data.grid);
  data.spikes = {from.get<std::int64_t>("offsets"), from.get<double>("times"),
                 from.get<std::int32_t>("neurons")};
  data.labels = from.get<std::int32_t>("labels");
  data.extra = columns(from, "extra");
  data.tables = columns(from, "tables");
  validate(data.spikes, static_cast<std::size_t>(data.channels), "the file");
  return data;
}

}  // namespace saltus::data
