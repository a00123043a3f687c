// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace saltus {

/// A number that tells of a flipped bit in what was added, whatever the order: a sum over the pieces
/// of a hash of each (multiply and fold, 64 bits at a time).
class Digest {
 public:
  void add(std::string_view name, const void* data, std::size_t bytes) {
    std::uint64_t hash = fold(fold(start, name.data(), name.size()), data, bytes);
    hash = step(hash, bytes);
    sum_ += hash;
  }
  std::uint64_t value() const { return sum_; }

 private:
  static constexpr std::uint64_t start = 0x9E3779B97F4A7C15u, factor = 0xFF51AFD7ED558CCDu;
  std::uint64_t sum_ = 0;

  static std::uint64_t step(std::uint64_t hash, std::uint64_t word) {
    hash = (hash ^ word) * factor;
    return hash ^ (hash >> 32);
  }
  static std::uint64_t fold(std::uint64_t hash, const void* data, std::size_t bytes) {
    const auto* at = static_cast<const char*>(data);
    for (; bytes > 0;) {
      const std::size_t size = std::min(bytes, sizeof(std::uint64_t));
      std::uint64_t word = 0;
      std::memcpy(&word, at, size);
      hash = step(hash, word);
      at += size;
      bytes -= size;
    }
    return hash;
  }
};

}  // namespace saltus
