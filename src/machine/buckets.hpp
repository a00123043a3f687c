// SPDX-License-Identifier: Apache-2.0
// Numbers 0, 1, ... by the key that each has: counted, not compared.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace saltus {

/// The first key from j on that has anything, by offsets [key + 1]; their number if none has.
inline std::size_t next_with_any(const std::vector<std::size_t>& first, std::size_t j) {
  while (j + 1 < first.size() && first[j] == first[j + 1]) ++j;
  return j;
}

/// Memory is kept.
class Buckets {
 public:
  /// @param keys  [number], below `count`
  template <class Key>
  void sort(std::span<const Key> keys, std::size_t count) {
    first_.assign(count + 1, 0);
    for (const Key key : keys) ++first_[static_cast<std::size_t>(key) + 1];
    for (std::size_t j = 0; j < count; ++j) first_[j + 1] += first_[j];
    order_.resize(keys.size());
    cursor_.assign(first_.begin(), first_.end() - 1);
    for (std::size_t k = 0; k < keys.size(); ++k) {
      order_[cursor_[static_cast<std::size_t>(keys[k])]++] = k;
    }
  }
  /// The numbers of a key, ascending.
  std::span<const std::size_t> of(std::size_t key) const {
    return {order_.data() + first_[key], first_[key + 1] - first_[key]};
  }
  /// The first key from j on that has numbers; the number of keys if there is none.
  std::size_t next(std::size_t j) const { return next_with_any(first_, j); }

 private:
  std::vector<std::size_t> first_, order_, cursor_;
};

}  // namespace saltus
