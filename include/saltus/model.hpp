// SPDX-License-Identifier: Apache-2.0
/// @file
/// Neuron models: what each is called and which parameters it has. One table for all that walks over
/// parameters: checks, files, gradients, optimisers, Python.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace saltus {

struct Population;
struct LinearModel;

/// Which values a parameter may have; all are finite.
enum class Range { any, not_negative, positive };

/// One parameter of a model.
struct ParameterRow {
  std::string_view name;  ///< as in files and in Python
  double usual;           ///< its value unless another is given
  Range range;            ///< which values it may have
  double typical;         ///< size of a sensible change, for checks of gradients
  std::string_view unit;  ///< "s", "Hz", or empty: without dimension
  std::string_view says;  ///< what it is
};

/// Rows that many models share (docs/theory.md, section 1; tau_ref: 8).
namespace rows {
/// A row of the table of many models.
/// @{
inline constexpr ParameterRow tau_mem{"tau_mem", 20e-3, Range::positive,
                                      10e-3,     "s",   "membrane time constant"};
inline constexpr ParameterRow tau_syn{"tau_syn", 5e-3, Range::positive,
                                      5e-3,      "s",  "synaptic time constant"};
inline constexpr ParameterRow v_threshold{
    "v_threshold", 1, Range::any, 1, "", "a spike is a crossing of this from below"};
inline constexpr ParameterRow v_reset{"v_reset", 0, Range::any, 1, "", "V just after a spike"};
inline constexpr ParameterRow bias{"bias", 0, Range::any, 1, "", "constant current"};
inline constexpr ParameterRow tau_ref{"tau_ref", 0,   Range::not_negative,
                                      5e-3,      "s", "absolute refractory time"};
inline constexpr ParameterRow v_initial{"v_initial", 0, Range::any, 1, "", "V(0)"};
inline constexpr ParameterRow i_initial{"i_initial", 0, Range::any, 1, "", "I(0)"};
/// @}
}  // namespace rows

/// What a model is. LIF and LI have mathematics of their own (src/neuron/lif.hpp); all others are
/// linear between events, and theirs is one function (saltus/linear.hpp).
struct ModelInfo {
  std::string_view name;                       ///< as in Python and in files
  std::string_view says;                       ///< what it is, in a few words
  std::span<const ParameterRow> parameters;    ///< in the order of Population::parameters
  bool spikes = false;                         ///< may be the source of a projection
  void (*check)(const Population&) = nullptr;  ///< what parameters must be to each other
  const LinearModel* linear = nullptr;         ///< its mathematics; none of LIF and LI

  /// Does the table name it?
  bool has(std::string_view parameter) const;
  /// Their names; empty if there is one, without a name.
  std::span<const std::string_view> receptors() const;
  /// Of a number; empty if there is one, without a name.
  std::string_view receptor_name(std::size_t number) const;
  /// The number of a receptor. @throws InvalidInput  no such receptor, or none named of several
  std::size_t receptor(std::string_view receptor) const;
  /// The place of a parameter in the table. @throws InvalidInput  no such parameter: lists them
  std::size_t index(std::string_view parameter) const;
};

/// A neuron model, by reference.
class Model {
 public:
  static const Model input;  ///< "input": spikes that come from outside
  static const Model lif;    ///< "LIF": leaky integrate-and-fire with an exponential synapse
  static const Model li;     ///< "LI": the same without a spike, a readout
  static const Model alif;   ///< "ALIF": LIF whose threshold rises at its spikes

  const ModelInfo& operator*() const { return *info_; }  ///< what it is
  const ModelInfo* operator->() const { return info_; }  ///< what it is
  bool operator==(const Model&) const = default;         ///< the same one?

  /// @throws InvalidInput  no such model: lists those that there are
  static Model named(std::string_view name);
  /// All that are known.
  static std::vector<Model> all();
  /// Makes a model known. @param info  must live as long as the process; @throws InvalidInput  a
  /// name that is taken
  static Model add(const ModelInfo& info);

 private:
  constexpr explicit Model(const ModelInfo* info) : info_(info) {}
  const ModelInfo* info_;
};

}  // namespace saltus
