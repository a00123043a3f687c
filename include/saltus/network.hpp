// SPDX-License-Identifier: Apache-2.0
/// @file
/// A network: populations of neurons and the projections between them. A value: it can be copied,
/// compared and saved. It holds no numerics.
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "saltus/connection.hpp"
#include "saltus/model.hpp"

namespace saltus {

/// A neuron parameter: one number for the whole population, or one per neuron.
class Parameter {
 public:
  /// One value for all.
  Parameter(double value) : values_{value} {}  // NOLINT(google-explicit-constructor)
  /// [1] or [size].
  explicit Parameter(std::vector<double> values) : values_(std::move(values)) {}

  bool shared() const { return values_.size() == 1; }  ///< one value for all neurons?
  /// Of a neuron.
  double operator[](std::size_t neuron) const { return values_[shared() ? 0 : neuron]; }
  /// [1] or [size].
  /// @{
  std::vector<double>& values() { return values_; }
  const std::vector<double>& values() const { return values_; }
  /// @}
  bool operator==(const Parameter&) const = default;  ///< by value

 private:
  std::vector<double> values_;
};

/// Neurons of one kind. Of LIF and LI (docs/theory.md, section 1; Wunderlich & Pehle 2021,
/// equations 1 and 2):
///
///     tau_mem dV/dt = -V + I + bias      tau_syn dI/dt = -I
///     V reaches v_threshold from below: a spike, V <- v_reset, held there for tau_ref
///
/// Times in seconds; voltages and currents without dimension. Which parameters there are, their
/// usual values and what they mean: Model::parameters.
struct Population {
  std::string name;          ///< unique in a network
  Model model = Model::lif;  ///< what its neurons do
  std::size_t size = 0;      ///< neurons

  /// A parameter of the model by its name; its usual value unless it was set.
  /// @throws InvalidInput  the model has no such parameter
  Parameter& operator[](std::string_view parameter);
  const Parameter& operator[](std::string_view parameter) const;  ///< the same

  /// Makes it one of another model; what both have stays, the rest gets its usual values.
  void become(Model other);

  /// Do its neurons spike by themselves?
  bool fires() const { return model->spikes && model != Model::input; }
  /// Has every parameter one value for all neurons?
  bool all_shared() const;

  /// All of them, in the order of the model's table: once set, or after Network::add_population.
  std::vector<Parameter> parameters;

  bool operator==(const Population&) const = default;  ///< by value
};

/// V starts and restarts below the threshold, or there is no crossing from below to wait for.
/// @throws InvalidInput  v_reset or v_initial not below v_threshold
void check_below_threshold(const Population& population);

/// The time that a spike takes to arrive, in seconds.
struct Delay {
  /// How many delays there are.
  enum class Kind {
    none,         ///< zero
    common,       ///< one for the projection: values [1]
    per_source,   ///< values [pre]
    per_synapse,  ///< values [pre, post], or in the order in which the connection lists synapses
  };
  Kind kind = Kind::none;      ///< how many
  std::vector<double> values;  ///< s; as the kind says

  static Delay none() { return {}; }  ///< no parameter: spikes arrive at once
  static Delay common(double delay) { return {Kind::common, {delay}}; }  ///< s
  /// [pre] s.
  static Delay per_source(std::vector<double> d) { return {Kind::per_source, std::move(d)}; }
  /// One for each synapse, s.
  static Delay per_synapse(std::vector<double> d) { return {Kind::per_synapse, std::move(d)}; }

  /// The place in `values` that holds the delay of a synapse (no meaning for Kind::none).
  /// @param synapse  its number: pre * size of the target + post where all connect to all
  std::size_t index(std::size_t pre, std::size_t synapse) const {
    switch (kind) {
      case Kind::per_source:
        return pre;
      case Kind::per_synapse:
        return synapse;
      default:
        return 0;
    }
  }
  /// The delay of a synapse, s.
  double operator()(std::size_t pre, std::size_t synapse) const {
    return kind == Kind::none ? 0.0 : values[index(pre, synapse)];
  }
  bool operator==(const Delay&) const = default;  ///< by value
};

/// Synapses from one population (or input) to another: a spike of neuron n that arrives at neuron j
/// adds the weight of the synapse to I_j.
template <class Real>
struct Projection {
  std::string name;          ///< "source->target" unless given
  std::size_t source = 0;    ///< number of a population
  std::size_t target = 0;    ///< the same
  std::vector<Real> weight;  ///< [pre, post], row by row, or as the connection says
  Delay delay;               ///< from spike to arrival
  Connection connection;     ///< which synapses there are
  std::size_t receptor = 0;  ///< that it drives, of those of the target's model

  bool operator==(const Projection&) const = default;  ///< by value
};

/// Populations and projections. `Real` is the type of weights, states and gradients: double for
/// checks, float for training. Times and neuron parameters are double in both.
template <class Real>
class Network {
 public:
  /// Adds spikes from outside, on `size` channels. Returns the population's number.
  /// @throws InvalidInput  empty or used name, size 0
  std::size_t add_input(std::string name, std::size_t size);

  /// Adds neurons. Returns the population's number.
  /// @throws InvalidInput  see check()
  std::size_t add_population(Population population);

  /// Adds synapses. Returns the projection's number.
  /// @param weight  [pre, post], row by row, or as the connection says
  /// @param connection  which synapses there are; all to all unless given
  /// @param name  "source->target" unless given; must be new
  /// @param receptor  that it drives, where the target's model has several
  /// @throws InvalidInput  unknown population or receptor, wrong length, a value that is not finite, a
  ///         negative delay, a target that is an input, a source that never spikes (LI)
  std::size_t connect(std::string_view source, std::string_view target, std::vector<Real> weight,
                      Delay delay = {}, std::string name = "", Connection connection = {},
                      std::string_view receptor = "");

  /// Checks every parameter again, as after a step of an optimiser: time constants positive,
  /// tau_ref >= 0, delays >= 0, v_reset and v_initial below v_threshold, everything finite.
  /// @throws InvalidInput  names population, parameter, neuron, value and what was expected
  void check() const;

  /// The number of a population. @throws InvalidInput  no such name
  std::size_t index(std::string_view name) const;

  /// In the order in which they were added. What is written there is checked by check().
  /// @{
  const std::vector<Population>& populations() const { return populations_; }
  const std::vector<Projection<Real>>& projections() const { return projections_; }
  std::vector<Population>& populations() { return populations_; }
  std::vector<Projection<Real>>& projections() { return projections_; }
  /// @}

  /// The numbers of the inputs, in the order in which they were added.
  std::vector<std::size_t> inputs() const;

  bool operator==(const Network&) const = default;  ///< by value

 private:
  std::vector<Population> populations_;
  std::vector<Projection<Real>> projections_;
};

extern template class Network<float>;
extern template class Network<double>;

/// The same network with weights of another type.
template <class To, class From>
Network<To> convert(const Network<From>& network);

/// A table of populations and projections, for people.
template <class Real>
std::string describe(const Network<Real>& network);

/// A time or an end that never comes.
inline constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace saltus
