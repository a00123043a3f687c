// SPDX-License-Identifier: Apache-2.0
#include "saltus/model.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "saltus/error.hpp"
#include "saltus/network.hpp"

namespace saltus {
namespace {

// Section 1 of docs/theory.md; 8: tau_ref.
constexpr ParameterRow tau_mem{"tau_mem", 20e-3, Range::positive,
                               10e-3,     "s",   "membrane time constant"};
constexpr ParameterRow tau_syn{"tau_syn", 5e-3, Range::positive,
                               5e-3,      "s",  "synaptic time constant"};
constexpr ParameterRow bias{"bias", 0, Range::any, 1, "", "constant current"};
constexpr ParameterRow v_initial{"v_initial", 0, Range::any, 1, "", "V(0)"};
constexpr ParameterRow i_initial{"i_initial", 0, Range::any, 1, "", "I(0)"};

constexpr ParameterRow of_lif[] = {
    tau_mem,
    tau_syn,
    {"v_threshold", 1, Range::any, 1, "", "a spike is a crossing of this from below"},
    {"v_reset", 0, Range::any, 1, "", "V just after a spike"},
    bias,
    {"tau_ref", 0, Range::not_negative, 5e-3, "s", "absolute refractory time"},
    v_initial,
    i_initial,
};
constexpr ParameterRow of_li[] = {tau_mem, tau_syn, bias, v_initial, i_initial};

constinit const ModelInfo input_info{"input", "spikes from outside", {}, true};
constinit const ModelInfo lif_info{"LIF", "leaky integrate-and-fire, exponential synapse", of_lif,
                                   true, check_below_threshold};
constinit const ModelInfo li_info{"LI", "leaky integrator, exponential synapse: a readout", of_li};

std::vector<const ModelInfo*>& known() {
  static std::vector<const ModelInfo*> list{&input_info, &lif_info, &li_info};
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
