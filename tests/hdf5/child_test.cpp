// SPDX-License-Identifier: Apache-2.0
#include "hdf5/child.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "machine/sanitized.hpp"
#include "saltus/error.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using hdf5::in_child;
using test::refusal;
using ::testing::HasSubstr;

constexpr hdf5::Bounds bounds{200e6, 1};

std::string refused(const std::function<void()>& read) {
  return refusal<FileError>([&] {
    in_child("some.h5", bounds, [&] {
      read();
      return Archive();
    });
  });
}

TEST(InChild, hands_over_what_was_read) {
  std::vector<double> values(3000000);
  std::iota(values.begin(), values.end(), 0.5);
  const Archive got = in_child("some.h5", bounds, [&] {
    Archive a;
    a.about["n"] = 3;
    a.put("values", values);
    return a;
  });
  EXPECT_EQ(got.about["n"], 3);
  EXPECT_EQ(got.get<double>("values"), values);
}

TEST(InChild, throws_what_was_thrown) {
  EXPECT_EQ(refused([] { throw FileError("some.h5: is cut"); }), "some.h5: is cut");
  EXPECT_EQ(refusal<InvalidInput>([] {
              in_child("some.h5", bounds, []() -> Archive { throw InvalidInput("some.h5: NaN"); });
            }),
            "some.h5: NaN");
  EXPECT_EQ(refused([] { throw std::runtime_error("odd"); }), "odd");
}

// JSON can hold UTF-8 alone: what a file has in place of it must not throw the child into a second life
// as the caller.
TEST(InChild, never_goes_on_as_the_caller) {
  const pid_t here = getpid();
  const auto said = [&](const std::function<Archive()>& read) {
    const std::string text = refusal<FileError>([&] { in_child("some.h5", bounds, read); });
    if (getpid() != here) _exit(1);
    return text;
  };
  EXPECT_EQ(said([] {
              Archive a;
              a.about["name"] = "\xff";
              return a;
            }),
            "some.h5: holds a name or a text that is not UTF-8; expected UTF-8");
  EXPECT_EQ(said([] {
              Archive a;
              a.put("\xff", std::vector<double>{1});
              return a;
            }),
            "some.h5: holds a name or a text that is not UTF-8; expected UTF-8");
  EXPECT_EQ(said([]() -> Archive { throw FileError("some.h5: '\xff' is no name"); }),
            "some.h5: '\xef\xbf\xbd' is no name");
  EXPECT_THAT(said([]() -> Archive { throw 1; }), HasSubstr("some.h5: HDF5 broke down over it"));
}

TEST(InChild, makes_an_error_of_a_crash) {
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL}) {
    EXPECT_THAT(refused([&] { std::raise(signal); }),
                HasSubstr("some.h5: HDF5 broke down over it ("));
  }
  EXPECT_THAT(refused([] { _exit(3); }), HasSubstr("HDF5 broke down"));
}

TEST(InChild, ends_what_takes_too_long) {
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(refused([] {
              const std::atomic<bool> never{false};
              while (!never) {
              }
            }),
            "some.h5: cannot be read in 1 s, far longer than a file of its size takes: damaged");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(9));
}

TEST(InChild, ends_what_takes_too_much_memory) {
  if (sanitized) GTEST_SKIP() << "there is no limit under a sanitizer";
  EXPECT_THAT(refused([] {
                std::vector<char> all(1000000000);
                if (all[getpid() % 1000] != 0) std::abort();
              }),
              HasSubstr("some.h5: asks for more than 200 MB of memory"));
}

TEST(InChild, works_beside_threads_that_allocate) {
  std::atomic<bool> stop{false};
  std::vector<std::jthread> others;
  for (int k = 0; k < 3; ++k) {
    others.emplace_back([&] {
      while (!stop) std::vector<std::vector<int>>(100, std::vector<int>(50));
    });
  }
  for (int k = 0; k < 50; ++k) {
    const Archive got = in_child("some.h5", bounds, [&] {
      Archive a;
      a.about["k"] = k;
      a.put("values", std::vector<double>(1000, k));
      return a;
    });
    EXPECT_EQ(got.about["k"], k);
  }
  stop = true;
}

}  // namespace
}  // namespace saltus
