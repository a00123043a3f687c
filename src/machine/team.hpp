// SPDX-License-Identifier: Apache-2.0
// Processes that train together. Each holds a part of the samples of every minibatch, in their order;
// what adds up over samples is handed from process to process, so that every sum is taken in the order
// in which one process would take it, and has its bits (docs/scaling.md).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

namespace saltus {

/// All processes call the same functions in the same order, but for take(), hand_on() and go_on(),
/// which any thread may call.
class Team {
 public:
  Team() = default;
  virtual ~Team() = default;
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  virtual std::size_t rank() const = 0;  ///< of this process, from 0
  virtual std::size_t size() const = 0;  ///< how many there are
  bool is_first() const { return rank() == 0; }
  bool is_last() const { return rank() + 1 == size(); }

  /// Waits for what the process before this one has handed on under this number.
  virtual void take(std::span<std::byte> message, int number) = 0;
  /// To the process after this one; does not wait for it.
  virtual void hand_on(std::vector<std::byte> message, int number) = 0;
  /// Lets messages that are under way get on. To be called now and then between two of the others.
  virtual void go_on() = 0;

  /// The values of the last process, for all.
  virtual void from_last(std::span<std::byte> values) = 0;
  /// What each process says, one after the other; each may say as much as it likes.
  virtual std::vector<double> gather(std::span<const double> own) = 0;
  /// Sums over the processes.
  virtual void sum(std::span<std::uint64_t> counts) = 0;

  /// Where the part of a process begins, of so many things; that of the next is its end.
  std::size_t begin(std::size_t things, std::size_t process) const {
    return things * process / size();
  }
  /// Does any of them say so?
  bool any(bool here) {
    std::uint64_t count = here;
    sum({&count, 1});
    return count > 0;
  }
  double least(double own) {
    const std::vector<double> all = gather({&own, 1});
    return *std::min_element(all.begin(), all.end());
  }
};

/// This process's part of so many things. @param team  null: all of them
struct Part {
  std::size_t begin, end;

  Part(const Team* team, std::size_t things)
      : begin(team ? team->begin(things, team->rank()) : 0),
        end(team ? team->begin(things, team->rank() + 1) : things) {}
  std::size_t size() const { return end - begin; }
};

/// Sums go on from where the process before this one has left them.
/// @param for_each  calls what it is given with a span of each piece of them
/// @param number    of the message
template <class ForEach>
void take_over(Team& team, int number, ForEach&& for_each) {
  if (team.is_first()) return;
  std::size_t bytes = 0;
  for_each([&](auto values) { bytes += values.size_bytes(); });
  std::vector<std::byte> message(bytes);
  team.take(message, number);
  const std::byte* from = message.data();
  for_each([&](auto values) {
    if (!values.empty()) std::memcpy(values.data(), from, values.size_bytes());
    from += values.size_bytes();
  });
}

/// The other way: the next process goes on with them.
template <class ForEach>
void hand_on(Team& team, int number, ForEach&& for_each) {
  if (team.is_last()) return;
  std::vector<std::byte> message;
  for_each([&](auto values) {
    const auto bytes = std::as_bytes(values);
    message.insert(message.end(), bytes.begin(), bytes.end());
  });
  team.hand_on(std::move(message), number);
}

/// All get what they have come to with the last process.
template <class ForEach>
void from_last(Team& team, ForEach&& for_each) {
  for_each([&](auto values) { team.from_last(std::as_writable_bytes(values)); });
}

}  // namespace saltus
