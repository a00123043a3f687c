// SPDX-License-Identifier: Apache-2.0
#include "saltus/connection.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "network/connections.hpp"
#include "saltus/error.hpp"

namespace saltus {
namespace {

constinit const ConnectionInfo dense{"dense", "all to all", {}, nullptr};

std::vector<const ConnectionInfo*>& known() {
  static std::vector<const ConnectionInfo*> list{&dense, &sparse_info, &conv2d_info, &pool2d_info};
  return list;
}

}  // namespace

const std::vector<std::int64_t>& Shape::operator[](std::string_view name) const {
  for (const Row& row : rows_) {
    if (row.first == name) return row.second;
  }
  throw InvalidInput(fmt::format("the shape of a connection has no '{}'", name));
}

SynapseList::SynapseList(const std::vector<Synapse>& synapses, std::size_t pre, std::size_t post,
                         std::size_t weights)
    : into_(post + 1, 0), from_(pre + 1, 0), weights_(weights) {
  if (synapses.empty() || synapses.size() > INT32_MAX) {
    throw InvalidInput(fmt::format("{} synapses; expected 1 to {}", synapses.size(), INT32_MAX));
  }
  for (std::size_t k = 0; k < synapses.size(); ++k) {
    const Synapse& s = synapses[k];
    const auto source = static_cast<std::size_t>(s.pre), target = static_cast<std::size_t>(s.post);
    if (s.pre < 0 || s.post < 0 || source >= pre || target >= post || s.weight < 0) {
      throw InvalidInput(fmt::format(
          "synapse {} leads from neuron {} to neuron {} with weight {}; expected at least 0, below "
          "{} and below {}",
          k, s.pre, s.post, s.weight, pre, post));
    }
    ++from_[source + 1];
    ++into_[target + 1];
    weights_ = std::max(weights_, static_cast<std::size_t>(s.weight) + 1);
  }
  std::partial_sum(into_.begin(), into_.end(), into_.begin());
  std::partial_sum(from_.begin(), from_.end(), from_.begin());
  entries_.resize(synapses.size());
  auto next = into_;
  for (std::size_t k = 0; k < synapses.size(); ++k) {
    entries_[next[static_cast<std::size_t>(synapses[k].post)]++] = {synapses[k],
                                                                    static_cast<std::int32_t>(k)};
  }
  next = from_;
  reached_.resize(synapses.size());
  for (std::size_t place = 0; place < entries_.size(); ++place) {
    const Entry& e = entries_[place];
    reached_[next[static_cast<std::size_t>(e.pre)]++] = {e.post, static_cast<std::int32_t>(place),
                                                         e.weight, e.number};
  }
}

Connection::Connection() : kind_(&dense) {}

Connection::Connection(std::string_view kind, Shape shape)
    : kind_(&info(kind)), shape_(std::move(shape)) {
  std::vector<std::string_view> names;
  for (const Shape::Row& row : shape_.rows()) names.emplace_back(row.first);
  if (!std::equal(names.begin(), names.end(), kind_->shape.begin(), kind_->shape.end())) {
    throw InvalidInput(fmt::format("a {} connection has a shape of [{}]; expected [{}]",
                                   kind_->name, fmt::join(names, ", "),
                                   fmt::join(kind_->shape, ", ")));
  }
}

void Connection::list(std::size_t pre, std::size_t post) {
  if (fits(pre, post)) return;
  std::size_t weights = 0;
  if (kind_->weights) {
    const auto shape = kind_->weights(shape_);
    weights = std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
  }
  synapses_ =
      std::make_shared<const SynapseList>(kind_->synapses(shape_, pre, post), pre, post, weights);
}

std::vector<std::size_t> Connection::weight_shape(std::size_t pre, std::size_t post) const {
  if (all_to_all()) return {pre, post};
  return kind_->weights ? kind_->weights(shape_) : std::vector{synapses_->weights()};
}

void Connection::add(const ConnectionInfo& info) {
  for (const ConnectionInfo* other : known()) {
    if (other == &info) return;
    if (other->name == info.name) {
      throw InvalidInput(
          fmt::format("a connection '{}' exists already; give another name", info.name));
    }
  }
  known().push_back(&info);
}

std::vector<const ConnectionInfo*> Connection::kinds() { return known(); }

const ConnectionInfo& Connection::info(std::string_view kind) {
  std::vector<std::string_view> names;
  for (const ConnectionInfo* info : known()) {
    if (info->name == kind) return *info;
    names.push_back(info->name);
  }
  throw InvalidInput(
      fmt::format("no connection is called '{}'; there are: {}", kind, fmt::join(names, ", ")));
}

}  // namespace saltus
