// SPDX-License-Identifier: Apache-2.0
// A file from front to back, gzipped or plain: zlib's gzread reads both alike.
#pragma once

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "machine/kind_of_file.hpp"
#include "saltus/error.hpp"

namespace saltus::data {

class Unzipped {
 public:
  explicit Unzipped(std::filesystem::path path) : path_(std::move(path)) {
    if (const auto kind = endless(path_); !kind.empty()) {
      fail(fmt::format("is {}; expected a file", kind));
    }
    errno = 0;
    file_.reset(gzopen(path_.c_str(), "rb"));
    if (!file_) fail(fmt::format("cannot be opened: {}", std::strerror(errno ? errno : ENOMEM)));
    gzbuffer(file_.get(), 1U << 17);
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw FileError(fmt::format("{}: {}", path_.string(), what));
  }

  /// Asks for the first bytes, unless some were read.
  bool gzipped() { return gzdirect(file_.get()) == 0; }

  /// Reads until `bytes` is full or the file ends; a checksum that is wrong is an error at the end.
  std::size_t read(std::span<std::uint8_t> bytes) {
    constexpr std::size_t most = 1U << 30;  // gzread counts in int
    std::size_t done = 0;
    while (done < bytes.size()) {
      const auto wanted = static_cast<unsigned>(std::min(bytes.size() - done, most));
      const int got = gzread(file_.get(), bytes.data() + done, wanted);
      int code = Z_OK;
      const char* message = gzerror(file_.get(), &code);
      // A gzip stream that stops early: gzread returns what there is and keeps Z_BUF_ERROR.
      if (code == Z_BUF_ERROR) fail("is truncated: the gzip stream stops early");
      if (got < 0 || code < 0) {
        fail(fmt::format("cannot be read: {}", code == Z_ERRNO ? std::strerror(errno) : message));
      }
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

 private:
  struct Close {
    void operator()(gzFile_s* file) const { gzclose(file); }
  };

  std::filesystem::path path_;
  std::unique_ptr<gzFile_s, Close> file_;
};

}  // namespace saltus::data
