// SPDX-License-Identifier: Apache-2.0
/// @file
/// A kind of connection in one file: which synapses lead from one population to another, and which
/// of a projection's weights each of them has. Weights may be shared. Engine, gradients, delays,
/// files and checks follow from that list.
///
///     struct Ring { // somewhere in a .cpp
///       static constexpr std::string_view name = "ring", says = "...";
///       static constexpr std::string_view shape[] = {"reach"};  // whole numbers that it is made of
///       static std::vector<Synapse> synapses(const Shape& shape, std::size_t pre,
///                                            std::size_t post) {
///         const std::int64_t reach = shape["reach"].at(0);
///         ...
///       }
///     };
///     constexpr ConnectionInfo ring = connection_kind<Ring>();
///     Connection::add(ring);
///     network.connect("a", "b", kernel, Delay::none(), "", Connection("ring", {{"reach", {2}}}));
///
/// tests/extending/toy_connection.cpp is one.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace saltus {

/// A synapse, as a kind of connection lists it.
struct Synapse {
  std::int32_t pre;     ///< the neuron that spikes
  std::int32_t post;    ///< the neuron that it reaches
  std::int32_t weight;  ///< its place in Projection::weight; several may have the same

  bool operator==(const Synapse&) const = default;  ///< by value
};

/// The whole numbers that a connection is made of, by their names.
class Shape {
 public:
  /// A name and its numbers.
  using Row = std::pair<std::string, std::vector<std::int64_t>>;

  Shape() = default;
  Shape(std::initializer_list<Row> rows) : rows_(rows) {}            ///< rows by their names
  explicit Shape(std::vector<Row> rows) : rows_(std::move(rows)) {}  ///< the same

  /// @throws InvalidInput  no such row
  const std::vector<std::int64_t>& operator[](std::string_view name) const;
  /// All of them.
  const std::vector<Row>& rows() const { return rows_; }
  bool operator==(const Shape&) const = default;  ///< by value

 private:
  std::vector<Row> rows_;
};

/// A kind of connection: what Connection::add takes.
struct ConnectionInfo {
  std::string_view name;                    ///< as in Python and in files
  std::string_view says;                    ///< what it is, in a few words
  std::span<const std::string_view> shape;  ///< the names of its rows
  /// Lists the synapses between populations of these sizes; null: all to all.
  /// @throws InvalidInput  a shape that does not fit
  std::vector<Synapse> (*synapses)(const Shape&, std::size_t pre, std::size_t post) = nullptr;
  /// The shape of the weights, if there are more than synapses name, or in more dimensions than one.
  std::vector<std::size_t> (*weights)(const Shape&) = nullptr;
};

/// What Connection::add takes. Keep it as long as the process lives.
template <class C>
constexpr ConnectionInfo connection_kind() {
  ConnectionInfo info{C::name, C::says, C::shape, &C::synapses};
  if constexpr (requires { &C::weights; }) info.weights = &C::weights;
  return info;
}

/// The synapses of a projection as the loops walk them: by target, and of each source.
class SynapseList {
 public:
  /// A synapse, and where it was listed.
  struct Entry : Synapse {
    std::int32_t number;  ///< in the order in which the kind listed them: that of Delay::values
  };

  /// @param weights  how many there are at least
  /// @throws InvalidInput  a synapse between neurons that there are not, a negative weight's place
  SynapseList(const std::vector<Synapse>& synapses, std::size_t pre, std::size_t post,
              std::size_t weights = 0);

  std::size_t size() const { return entries_.size(); }      ///< synapses
  std::size_t weights() const { return weights_; }          ///< how many there are
  std::size_t sources() const { return from_.size() - 1; }  ///< neurons of the source
  std::size_t targets() const { return into_.size() - 1; }  ///< neurons of the target
  /// By its place in the order of targets.
  const Entry& operator[](std::integral auto place) const {
    return entries_[static_cast<std::size_t>(place)];
  }
  /// Where those of a target begin; targets(): the end of all.
  std::size_t first_into(std::size_t post) const { return into_[post]; }
  /// What is asked of one that leaves a source.
  struct Reached {
    std::int32_t post;    ///< the target neuron
    std::int32_t place;   ///< in the order of targets
    std::int32_t weight;  ///< its place in Projection::weight
    std::int32_t number;  ///< as Entry::number
  };
  /// Those that leave a source: targets ascend.
  std::span<const Reached> from(std::size_t pre) const {
    return {reached_.data() + from_[pre], from_[pre + 1] - from_[pre]};
  }

 private:
  std::vector<Entry> entries_;
  std::vector<std::size_t> into_;  // [post + 1]
  std::vector<Reached> reached_;   // source by source
  std::vector<std::size_t> from_;  // [pre + 1]
  std::size_t weights_;
};

/// How a projection connects: all to all, or as a kind says. A value.
class Connection {
 public:
  Connection();  ///< all to all: weight [pre, post]
  /// @throws InvalidInput  no such kind (lists those that there are), or other rows than it has
  explicit Connection(std::string_view kind, Shape shape = {});

  const ConnectionInfo& kind() const { return *kind_; }  ///< how it connects
  const Shape& shape() const { return shape_; }          ///< what it is made of
  bool all_to_all() const { return !kind_->synapses; }   ///< every neuron to every neuron?

  /// Lists the synapses between populations of these sizes. Network::connect does it.
  /// @throws InvalidInput  the shape does not fit them
  void list(std::size_t pre, std::size_t post);
  /// Has that been done?
  bool fits(std::size_t pre, std::size_t post) const {
    return all_to_all() ||
           (synapses_ && synapses_->sources() == pre && synapses_->targets() == post);
  }
  /// Of one that is not all to all.
  const SynapseList& synapses() const { return *synapses_; }
  /// The shape of the weights between populations of these sizes, how many that is, and how many
  /// synapses there are.
  std::vector<std::size_t> weight_shape(std::size_t pre, std::size_t post) const;
  /// How many weights there are between populations of these sizes.
  std::size_t weights(std::size_t pre, std::size_t post) const {
    return all_to_all() ? pre * post : synapses_->weights();
  }
  /// How many synapses there are.
  std::size_t count(std::size_t pre, std::size_t post) const {
    return all_to_all() ? pre * post : synapses_->size();
  }

  /// The same kind and shape?
  bool operator==(const Connection& other) const {
    return kind_ == other.kind_ && shape_ == other.shape_;
  }

  /// Makes a kind known. @param info  must live as long as the process
  /// @throws InvalidInput  a name that is taken
  static void add(const ConnectionInfo& info);
  /// All that are known.
  static std::vector<const ConnectionInfo*> kinds();
  /// @throws InvalidInput  no such kind: lists those that there are
  static const ConnectionInfo& info(std::string_view kind);

 private:
  const ConnectionInfo* kind_;
  Shape shape_;
  std::shared_ptr<const SynapseList> synapses_;  // never changed: copies share it
};

}  // namespace saltus
