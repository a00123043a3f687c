// SPDX-License-Identifier: Apache-2.0
#include "network/graph.hpp"

#include <algorithm>

namespace saltus {
namespace {

// Tarjan's algorithm; components come out targets first.
template <class Real>
class Tarjan {
 public:
  explicit Tarjan(const Network<Real>& network)
      : network_(network),
        number_(network.populations().size(), -1),
        low_(number_),
        on_stack_(number_.size(), false) {
    for (std::size_t v = 0; v < number_.size(); ++v) {
      if (number_[v] < 0) visit(v);
    }
    std::reverse(found.begin(), found.end());
  }
  std::vector<std::vector<std::size_t>> found;

 private:
  void visit(std::size_t v) {
    number_[v] = low_[v] = next_++;
    stack_.push_back(v);
    on_stack_[v] = true;
    for (const auto& p : network_.projections()) {
      if (p.source != v) continue;
      if (number_[p.target] < 0) {
        visit(p.target);
        low_[v] = std::min(low_[v], low_[p.target]);
      } else if (on_stack_[p.target]) {
        low_[v] = std::min(low_[v], number_[p.target]);
      }
    }
    if (low_[v] != number_[v]) return;
    std::vector<std::size_t> members;
    for (std::size_t w = stack_.size(); members.empty() || members.back() != v;) {
      members.push_back(stack_[--w]);
    }
    for (const std::size_t m : members) on_stack_[m] = false;
    stack_.resize(stack_.size() - members.size());
    std::sort(members.begin(), members.end());
    found.push_back(std::move(members));
  }

  const Network<Real>& network_;
  std::vector<int> number_, low_;
  std::vector<bool> on_stack_;
  std::vector<std::size_t> stack_;
  int next_ = 0;
};

}  // namespace

template <class Real>
std::vector<Component> components(const Network<Real>& network) {
  std::vector<Component> result;
  for (auto& members : Tarjan<Real>(network).found) {
    if (network.populations()[members[0]].model == Model::input) continue;
    Component component{std::move(members), false, infinity};
    const auto inside = [&](std::size_t population) {
      return std::binary_search(component.populations.begin(), component.populations.end(),
                                population);
    };
    for (const auto& p : network.projections()) {
      if (!inside(p.source) || !inside(p.target)) continue;
      component.cyclic = true;
      const auto& d = p.delay.values;
      const double shortest = d.empty() ? 0 : *std::min_element(d.begin(), d.end());
      component.shortest_delay = std::min(component.shortest_delay, shortest);
    }
    result.push_back(std::move(component));
  }
  return result;
}
template std::vector<Component> components(const Network<float>&);
template std::vector<Component> components(const Network<double>&);

}  // namespace saltus
