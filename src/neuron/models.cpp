// SPDX-License-Identifier: Apache-2.0
// The list of neuron models.
#include "neuron/models.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "saltus/error.hpp"
#include "saltus/linear.hpp"
#include "saltus/network.hpp"

namespace saltus {
namespace {

constexpr ParameterRow of_lif[] = {rows::tau_mem,   rows::tau_syn,  rows::v_threshold,
                                   rows::v_reset,   rows::bias,     rows::tau_ref,
                                   rows::v_initial, rows::i_initial};
constexpr ParameterRow of_li[] = {rows::tau_mem, rows::tau_syn, rows::bias, rows::v_initial,
                                  rows::i_initial};

constinit const ModelInfo input_info{"input", "spikes from outside", {}, true};
constinit const ModelInfo lif_info{"LIF", "leaky integrate-and-fire, exponential synapse", of_lif,
                                   true, check_below_threshold};
constinit const ModelInfo li_info{"LI", "leaky integrator, exponential synapse: a readout", of_li};

std::vector<const ModelInfo*>& known() {
  static std::vector<const ModelInfo*> list = [] {
    std::vector<const ModelInfo*> all{&input_info, &lif_info, &li_info};
    const auto append = [&all](const auto& models) {
      for (const ModelInfo& model : models) all.push_back(&model);
    };
    append(alif_models);
    append(if_models);
    append(lif_models);
    append(li_models);
    append(rf_models);
    return all;
  }();
  return list;
}

template <class List, class Name>
std::string listed(const List& list, Name&& name) {
  std::string text;
  for (const auto& item : list) text += (text.empty() ? "" : ", ") + std::string(name(item));
  return text;
}

}  // namespace

constinit const Model Model::input(&input_info);
constinit const Model Model::lif(&lif_info);
constinit const Model Model::li(&li_info);
constinit const Model Model::alif(&alif_models[0]);

bool ModelInfo::has(std::string_view parameter) const {
  return std::any_of(parameters.begin(), parameters.end(),
                     [&](const ParameterRow& row) { return row.name == parameter; });
}

std::size_t ModelInfo::index(std::string_view parameter) const {
  for (std::size_t k = 0; k < parameters.size(); ++k) {
    if (parameters[k].name == parameter) return k;
  }
  throw InvalidInput(
      fmt::format("{} has no parameter '{}'; expected one of: {}", name, parameter,
                  listed(parameters, [](const ParameterRow& row) { return row.name; })));
}

std::span<const std::string_view> ModelInfo::receptors() const {
  return linear ? linear->receptors : std::span<const std::string_view>();
}

std::string_view ModelInfo::receptor_name(std::size_t number) const {
  return receptors().empty() ? std::string_view() : receptors()[number];
}

std::size_t ModelInfo::receptor(std::string_view receptor) const {
  const auto all = receptors();
  if (all.empty() && receptor.empty()) return 0;
  const auto found = std::ranges::find(all, receptor);
  if (found != all.end()) return static_cast<std::size_t>(found - all.begin());
  if (all.empty()) {
    throw InvalidInput(
        fmt::format("receptor is '{}', but {} has one only, without a name", receptor, name));
  }
  if (receptor.empty()) {
    throw InvalidInput(fmt::format("no receptor is given, and {} has several; expected one of: {}",
                                   name, fmt::join(all, ", ")));
  }
  throw InvalidInput(fmt::format("receptor is '{}'; {} has: {}", receptor, name,
                                 listed(all, [](std::string_view r) { return r; })));
}

Model Model::named(std::string_view name) {
  for (const ModelInfo* info : known()) {
    if (info->name == name) return Model(info);
  }
  throw InvalidInput(
      fmt::format("no neuron model is called '{}'; there are: {}", name,
                  listed(known(), [](const ModelInfo* info) { return info->name; })));
}

std::vector<Model> Model::all() {
  std::vector<Model> result;
  for (const ModelInfo* info : known()) result.push_back(Model(info));
  return result;
}

Model Model::add(const ModelInfo& info) {
  for (const ModelInfo* other : known()) {
    if (other == &info) return Model(&info);
    if (other->name == info.name) {
      throw InvalidInput(
          fmt::format("a neuron model '{}' exists already; give another name", info.name));
    }
  }
  known().push_back(&info);
  return Model(&info);
}

}  // namespace saltus
