// SPDX-License-Identifier: Apache-2.0
#include "adjoint/linear_tangent.hpp"

#include <algorithm>

namespace saltus {
namespace {

using Row = TangentShape::Row;
using linear::dimension;

constexpr std::size_t most_by = 1 + Dual::width;
// By the row's `by`, then its component.
using Flags = std::array<std::array<bool, dimension>, most_by>;

double part(const Dual& value, std::size_t by) {
  return by == 0 ? value.value : value.slopes[by - 1];
}

// What is not 0 of any neuron.
struct Parts {
  Flags driven{}, initial{}, reset_to{};
  std::array<Flags, most_receptors> received{};
  std::array<std::array<std::array<bool, dimension>, dimension>, most_by>
      reset{};  // [by][to][from]
  std::vector<linear::SlopedEntry> entries;

  Parts(std::span<const linear::Motion<Dual>> motions,
        std::span<const linear::System<Dual>* const> systems, std::size_t rows) {
    for (const auto& n : motions) {
      for (std::size_t by = 0; by < most_by; ++by) {
        for (std::size_t k = 0; k < dimension; ++k) {
          driven[by][k] |= part(n.free.constant()[k], by) != 0;
          initial[by][k] |= part(n.initial[k], by) != 0;
          reset_to[by][k] |= part(n.reset_to[k], by) != 0;
          for (std::size_t r = 0; r < most_receptors; ++r) {
            received[r][by][k] |= part(n.receptors[r][k], by) != 0;
          }
          for (std::size_t l = 0; l < dimension; ++l) {
            reset[by][k][l] |= part(n.reset[k][l], by) != 0;
          }
        }
      }
    }
    for (const auto* system : systems) {
      linear::for_each_slope(*system, rows,
                             [&](const linear::SlopedEntry& e, unsigned, double, int) {
                               if (std::ranges::find(entries, e) == entries.end())
                                 entries.push_back(e);
                             });
    }
  }
};

// Calls visit(which number, from which row) for what a row is the sum of after a time.
template <class Visit>
void for_each_term(const Parts& parts, Row to, Visit&& visit) {
  for (const auto& e : parts.entries) {
    if (e.entry.to != to.component || (e.by != 0 && e.by != to.by)) continue;
    visit(e, Row{e.entry.from, e.by == 0 ? to.by : 0, e.entry.of_constant});
  }
}

}  // namespace

TangentShape::TangentShape(std::span<const linear::Motion<Dual>> motions,
                           std::span<const linear::System<Dual>* const> systems, std::size_t rows) {
  const Parts parts(motions, systems, rows);
  // Of s what can be other than 0; of x what that depends on.
  Flags there{};
  const auto exists = [&](const Row& row) {
    if (row.constant) return parts.driven[row.by][row.component];
    return row.by == 0 || there[row.by][row.component];
  };
  for (bool grew = true; grew;) {
    grew = false;
    for (std::size_t by = 1; by < most_by; ++by) {
      for (std::size_t k = 0; k < dimension; ++k) {
        bool any = parts.initial[by][k] || parts.reset_to[by][k];
        for (std::size_t r = 0; r < most_receptors; ++r) any = any || parts.received[r][by][k];
        for (std::size_t l = 0; l < dimension; ++l) any = any || parts.reset[by][k][l];
        for_each_term(parts, {k, by, false},
                      [&](const auto&, const Row& from) { any = any || exists(from); });
        grew = grew || (any && !there[by][k]);
        there[by][k] = there[by][k] || any;
      }
    }
  }
  for (bool grew = true; grew;) {
    grew = false;
    const auto need = [&](std::size_t component) {
      grew = grew || !there[0][component];
      there[0][component] = true;
    };
    for (std::size_t by = 0; by < most_by; ++by) {
      for (std::size_t k = 0; k < dimension; ++k) {
        if (!there[by][k]) continue;
        for_each_term(parts, {k, by, false}, [&](const auto&, const Row& from) {
          if (from.by == 0 && !from.constant) need(from.component);
        });
        for (std::size_t l = 0; l < dimension; ++l) {
          if (parts.reset[by][k][l]) need(l);
        }
      }
    }
  }

  // s before x, and of both the integral first: nothing that is still to be read has moved.
  std::vector<std::size_t> order{linear::integral_of_v};
  for (std::size_t k = 0; k < most_components; ++k) order.push_back(k);
  for (std::size_t n = 0; n < most_by; ++n) {
    const std::size_t by = (n + 1) % most_by;
    for (const std::size_t k : order) {
      if (there[by][k]) rows_.push_back({k, by, false});
    }
  }
  const std::size_t moving = rows_.size();
  const auto place = [&](const Row& row) {
    const std::size_t known = this->row(row);
    if (known != nobody) return known;
    rows_.push_back(row);
    return rows_.size() - 1;
  };
  const auto number = [&](const linear::SlopedEntry& e) {
    const int known = number_of(e);
    if (known >= 0) return static_cast<std::size_t>(known);
    numbers_.push_back(e);
    return numbers_.size() - 1;
  };
  for (std::size_t to = 0; to < moving; ++to) {
    const std::size_t first = terms_.size();
    const Row row_to = rows_[to];
    for_each_term(parts, row_to, [&](const linear::SlopedEntry& e, const Row& from) {
      if (!exists(from)) return;
      const std::size_t row = place(from);
      in_order_ = in_order_ && row >= to;
      terms_.push_back({number(e), row});
    });
    updates_.push_back({to, first, terms_.size()});
    const auto [component, by, constant] = row_to;
    for (std::size_t r = 0; r < most_receptors; ++r) {
      if (parts.received[r][by][component]) receivers_.push_back({r, to});
    }
    if (parts.reset_to[by][component]) resets_.push_back({to, nobody, component, by});
    for (std::size_t l = 0; l < dimension; ++l) {
      if (parts.reset[by][component][l]) {
        resets_.push_back({to, place({l, 0, false}), component, by});
      }
    }
  }
}

std::size_t TangentShape::row(const Row& row) const {
  const auto known = std::ranges::find(rows_, row);
  return known == rows_.end() ? nobody : static_cast<std::size_t>(known - rows_.begin());
}

int TangentShape::number_of(const linear::SlopedEntry& e) const {
  const auto known = std::ranges::find(numbers_, e);
  return known == numbers_.end() ? -1 : static_cast<int>(known - numbers_.begin());
}

double TangentShape::initial(const linear::Motion<Dual>& n, const Row& row) {
  return part((row.constant ? n.free.constant() : n.initial)[row.component], row.by);
}

double TangentShape::factor(const linear::Motion<Dual>& n, const Receiver& r) const {
  const Row& row = rows_[r.row];
  return part(n.receptors[r.receptor][row.component], row.by);
}

double TangentShape::reset(const linear::Motion<Dual>& n, const Reset& r,
                           std::span<const Row> rows) {
  if (r.from == nobody) return part(n.reset_to[r.component], r.by);
  return part(n.reset[r.component][rows[r.from].component], r.by);
}

}  // namespace saltus
