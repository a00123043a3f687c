// SPDX-License-Identifier: Apache-2.0
// Every way in which a write can fail. This program has its own write(), fsync(), close() and rename(),
// which the library, linked into it, then calls: they fail on demand, and else ask the kernel.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <limits>

#include "saltus/error.hpp"
#include "saltus/store.hpp"
#include "support/support.hpp"

namespace {

constexpr std::size_t never = std::numeric_limits<std::size_t>::max();

// What is to fail, and how.
struct Fault {
  int error = 0;                // 0: none
  std::size_t write = never;    // after so many bytes
  std::size_t at_most = never;  // bytes that one write takes: short writes
  bool fsync = false;           // of a file
  bool fsync_folder = false;
  bool close = false;
  bool rename = false;
  bool rewrite = false;  // interrupt every second write
  std::size_t written = 0;
  std::size_t calls = 0;
};
Fault* fault = nullptr;  // of the test that is under way, around what it calls

int failed() {
  errno = fault->error;
  return -1;
}
bool is_folder(int fd) {
  struct stat s {};
  return fstat(fd, &s) == 0 && S_ISDIR(s.st_mode);
}

}  // namespace

extern "C" {
__attribute__((visibility("default"))) ssize_t write(int fd, const void* data, size_t size) {
  if (fault != nullptr && fd > STDERR_FILENO) {
    if (fault->rewrite && fault->calls++ % 2 == 0) {
      errno = EINTR;
      return -1;
    }
    if (fault->written >= fault->write && size > 0) return failed();
    size = std::min({size, fault->at_most, fault->write - fault->written});
    fault->written += size;
  }
  return syscall(SYS_write, fd, data, size);
}
__attribute__((visibility("default"))) int fsync(int fd) {
  if (fault != nullptr && (is_folder(fd) ? fault->fsync_folder : fault->fsync)) return failed();
  return static_cast<int>(syscall(SYS_fsync, fd));
}
__attribute__((visibility("default"))) int close(int fd) {
  const int result = static_cast<int>(syscall(SYS_close, fd));
  return fault != nullptr && fault->close ? failed() : result;
}
__attribute__((visibility("default"))) int rename(const char* from, const char* to) noexcept {
  if (fault != nullptr && fault->rename) return failed();
  return static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
}

namespace saltus {
namespace {

using test::refusal;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class Faults : public testing::Test {
 protected:
  Faults() : folder_(fs::path(testing::TempDir()) / ("faults." + std::to_string(getpid()))) {
    fs::create_directories(folder_);
    store::write_file(file(), old);
  }
  ~Faults() override { fs::remove_all(folder_); }

  fs::path file() const { return folder_ / "run.json"; }
  std::ptrdiff_t files() const {
    return std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  }

  // What went wrong with a write; empty: nothing did.
  std::string with(Fault f, const std::function<void()>& write) {
    fault = &f;
    const std::string said = refusal<FileError>(write);
    fault = nullptr;
    return said;
  }
  std::string written(const Fault& f) {
    return with(f, [&] { store::write_file(file(), fresh); });
  }
  void expect_old_and_said(const Fault& f) {
    const std::string said = written(f);
    EXPECT_THAT(said, HasSubstr(file().string()));
    EXPECT_THAT(said, HasSubstr(std::strerror(f.error)));
    EXPECT_EQ(store::read_file(file()), old);
    EXPECT_EQ(files(), 1);
  }

  const std::string old = "what was there", fresh = std::string(300, 'x') + "\n";
  fs::path folder_;
};

TEST_F(Faults, AtAnyByteLeaveTheOldFileAndNothingAside) {
  for (std::size_t byte = 0; byte < fresh.size(); ++byte) {
    for (const int error : {ENOSPC, EIO, EDQUOT}) {
      SCOPED_TRACE(byte);
      Fault f;
      f.error = error;
      f.write = byte;
      expect_old_and_said(f);
    }
  }
}

TEST_F(Faults, OfSyncCloseAndRenameLeaveTheOldFileAndNothingAside) {
  for (bool Fault::*which : {&Fault::fsync, &Fault::close, &Fault::rename}) {
    for (const int error : {EIO, ENOSPC, EDQUOT}) {
      Fault f;
      f.error = error;
      f.*which = true;
      expect_old_and_said(f);
    }
  }
}

TEST_F(Faults, OfTheFoldersSyncAreSaidAndTheNewFileIsWhole) {
  Fault f;
  f.error = EIO;
  f.fsync_folder = true;
  EXPECT_THAT(written(f), HasSubstr(file().string()));
  EXPECT_EQ(store::read_file(file()), fresh);
  f.error = EINVAL;  // a file system that cannot tell
  EXPECT_EQ(written(f), "");
  EXPECT_EQ(files(), 1);
}

TEST_F(Faults, ShortAndInterruptedWritesGoOn) {
  for (const std::size_t at_most : {1U, 7U, 300U}) {
    store::write_file(file(), old);
    Fault f;
    f.at_most = at_most;
    f.rewrite = true;
    EXPECT_EQ(written(f), "");
    EXPECT_EQ(store::read_file(file()), fresh);
    EXPECT_EQ(files(), 1);
  }
}

TEST_F(Faults, AWriteThatTakesNothingEnds) {
  Fault f;
  f.at_most = 0;
  EXPECT_THAT(written(f), HasSubstr(file().string()));
  EXPECT_EQ(store::read_file(file()), old);
  EXPECT_EQ(files(), 1);
}

TEST_F(Faults, OfModelsAndCheckpointsLeaveTheOldOnes) {
  Network<float> network;
  network.add_input("in", 3);
  const fs::path model = folder_ / "model.safetensors", last = folder_ / "checkpoint.safetensors";
  TrainState<float> state;
  state.network = network;
  store::save_network(network, model);
  store::save_checkpoint(state, "{}", last);
  const std::string was[] = {store::read_file(model), store::read_file(last)};
  state.steps = 7;
  int failures = 0;
  for (std::size_t byte = 0; byte < was[0].size(); byte += 11) {
    Fault f;
    f.error = ENOSPC;
    f.write = byte;
    EXPECT_THAT(with(f, [&] { store::save_network(network, model, "{\"a\":1}"); }),
                HasSubstr("model.safetensors: No space left on device"));
    EXPECT_THAT(with(f, [&] { store::save_checkpoint(state, "{}", last); }),
                HasSubstr("checkpoint.safetensors: No space left on device"));
    EXPECT_EQ(store::read_file(model), was[0]);
    EXPECT_EQ(store::read_file(last), was[1]);
    ++failures;
  }
  EXPECT_GT(failures, 5);
  EXPECT_EQ(files(), 3);
}

TEST_F(Faults, WhatAKilledProcessLeftIsTakenAwayAndNothingElse) {
  const pid_t gone = fork();
  if (gone == 0) _exit(0);
  waitpid(gone, nullptr, 0);
  const std::string dead = std::to_string(gone), alive = std::to_string(getppid());
  const auto touch = [&](const std::string& name) { std::ofstream(folder_ / name) << "half"; };
  const std::string other = "another.json";  // no one has written it yet: it is cleaned once
  touch(other + "." + dead + "-0.tmp");
  touch(other + "." + dead + "-12.tmp");
  const std::vector<std::string> stay{
      other + "." + alive + "-0.tmp", other + "." + dead + "-0.tmp.bak",
      other + "." + dead + ".tmp",    other + "." + dead + "-0x.tmp",
      "run.json." + dead + "-0.tmp",  "x" + other + "." + dead + "-0.tmp"};
  for (const std::string& name : stay) touch(name);
  store::write_file(folder_ / other, fresh);
  for (const std::string& name : stay) EXPECT_TRUE(fs::exists(folder_ / name)) << name;
  EXPECT_EQ(files(), 2 + static_cast<std::ptrdiff_t>(stay.size()));
}

}  // namespace
}  // namespace saltus
