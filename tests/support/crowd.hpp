// SPDX-License-Identifier: Apache-2.0
// Threads that act as the processes of a team: what is proven of them needs no MPI.
#pragma once

#include <barrier>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "machine/team.hpp"

namespace saltus::test {

class Crowd {
 public:
  explicit Crowd(std::size_t size)
      : size_(size), said_(size), all_here_(static_cast<std::ptrdiff_t>(size)) {}

  /// Calls what(team) as each of them, at once.
  template <class What>
  void run(What&& what) {
    std::vector<std::jthread> threads;
    for (std::size_t rank = 0; rank < size_; ++rank) {
      threads.emplace_back([this, rank, &what] {
        Member member(*this, rank);
        what(member);
      });
    }
  }

 private:
  using Bytes = std::vector<std::byte>;
  std::size_t size_;
  std::vector<Bytes> said_;  // [process]
  std::barrier<> all_here_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::map<std::pair<std::size_t, int>, std::deque<Bytes>> under_way_;  // to whom, number

  class Member final : public Team {
   public:
    Member(Crowd& crowd, std::size_t rank) : crowd_(crowd), rank_(rank) {}
    std::size_t rank() const override { return rank_; }
    std::size_t size() const override { return crowd_.size_; }

    void take(std::span<std::byte> message, int number) override {
      std::unique_lock lock(crowd_.mutex_);
      auto& waiting = crowd_.under_way_[{rank_, number}];
      crowd_.arrived_.wait(lock, [&] { return !waiting.empty(); });
      if (waiting.front().size() != message.size()) std::abort();
      std::copy(waiting.front().begin(), waiting.front().end(), message.begin());
      waiting.pop_front();
    }
    void hand_on(std::vector<std::byte> message, int number) override {
      const std::lock_guard lock(crowd_.mutex_);
      crowd_.under_way_[{rank_ + 1, number}].push_back(std::move(message));
      crowd_.arrived_.notify_all();
    }
    void go_on() override {}
    void from_last(std::span<std::byte> values) override {
      say(values);
      if (!is_last()) std::ranges::copy(crowd_.said_.back(), values.begin());
      crowd_.all_here_.arrive_and_wait();
    }
    std::vector<double> gather(std::span<const double> own) override {
      say(std::as_bytes(own));
      std::vector<double> all;
      for (const Bytes& said : crowd_.said_) {
        const std::size_t before = all.size();
        all.resize(before + said.size() / sizeof(double));
        if (!said.empty()) std::memcpy(all.data() + before, said.data(), said.size());
      }
      crowd_.all_here_.arrive_and_wait();
      return all;
    }
    void sum(std::span<std::uint64_t> counts) override {
      say(std::as_bytes(counts));
      for (std::size_t k = 0; k < counts.size(); ++k) {
        counts[k] = 0;
        for (const Bytes& said : crowd_.said_) {
          std::uint64_t count = 0;
          std::memcpy(&count, said.data() + k * sizeof(count), sizeof(count));
          counts[k] += count;
        }
      }
      crowd_.all_here_.arrive_and_wait();
    }

   private:
    Crowd& crowd_;
    std::size_t rank_;

    void say(std::span<const std::byte> own) {
      crowd_.said_[rank_].assign(own.begin(), own.end());
      crowd_.all_here_.arrive_and_wait();
    }
  };
};

}  // namespace saltus::test
