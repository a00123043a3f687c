// SPDX-License-Identifier: Apache-2.0
// Neuron models: what each is called and which parameters it has. One table for all that walks over
// parameters: checks, files, gradients, optimisers, Python.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace saltus {

struct Population;

/// Which values a parameter may have; all are finite.
enum class Range { any, not_negative, positive };

/// One parameter of a model.
struct ParameterRow {
  std::string_view name;
  double usual;           ///< its value unless another is given
  Range range;            ///< which values it may have
  double typical;         ///< size of a sensible change, for checks of gradients
  std::string_view unit;  ///< "s", or empty: without dimension
  std::string_view says;  ///< what it is
};

/// What a model is. The mathematics is found by its address: src/neuron/, saltus/extend.hpp.
struct ModelInfo {
  std::string_view name;  ///< as in Python and in files
  std::string_view says;
  std::span<const ParameterRow> parameters;
  bool spikes = false;                         ///< may be the source of a projection
  void (*check)(const Population&) = nullptr;  ///< what parameters must be to each other

  bool has(std::string_view parameter) const;
  /// The place of a parameter in the table. @throws InvalidInput  no such parameter: lists them
  std::size_t index(std::string_view parameter) const;
};

/// A neuron model, by reference.
class Model {
 public:
  static const Model input;  ///< "input": spikes that come from outside
  static const Model lif;    ///< "LIF": leaky integrate-and-fire with an exponential synapse
  static const Model li;     ///< "LI": the same without a spike, a readout

  const ModelInfo& operator*() const { return *info_; }
  const ModelInfo* operator->() const { return info_; }
  bool operator==(const Model&) const = default;

  /// @throws InvalidInput  no such model: lists those that there are
  static Model named(std::string_view name);
  static std::vector<Model> all();
  /// Makes a model known. @param info  must live as long as the process; @throws InvalidInput  a
  /// name that is taken
  static Model add(const ModelInfo& info);

 private:
  constexpr explicit Model(const ModelInfo* info) : info_(info) {}
  const ModelInfo* info_;
};

}  // namespace saltus
