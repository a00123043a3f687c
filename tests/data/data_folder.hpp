// SPDX-License-Identifier: Apache-2.0
// Where the tests find real data, and a folder of their own for files they make.
#pragma once

#include <stdlib.h>  // mkdtemp

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>

namespace saltus::test {

/// `name` in the folder of data sets: $SALTUS_DATA, else shared/data beside the source tree.
/// Nothing if it is not there; the test then skips.
inline std::optional<std::filesystem::path> find_data(const std::string& name) {
  std::filesystem::path folder;
  if (const char* given = std::getenv("SALTUS_DATA")) {
    folder = given;
  } else {
#ifdef SALTUS_SOURCE_DIR
    folder = std::filesystem::path(SALTUS_SOURCE_DIR) / ".." / "shared" / "data";
#else
    folder = std::filesystem::path("..") / "shared" / "data";
#endif
  }
  std::error_code ignored;
  if (!std::filesystem::exists(folder / name, ignored)) return std::nullopt;
  return folder / name;
}

/// A new folder, removed at the end of the scope.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "saltus-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed: " + name);
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::string read_bytes(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_bytes(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream out(file, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!out.flush()) throw std::runtime_error("cannot write " + file.string());
}

/// Runs `call`, which must throw an Exception, and returns the message.
template <class Exception, class Call>
std::string message_of(Call call) {
  try {
    call();
  } catch (const Exception& e) {
    return e.what();
  } catch (const std::exception& e) {
    return std::string("another exception: ") + e.what();
  }
  return "no exception";
}

}  // namespace saltus::test

/// Declares `variable`, the path of the data set `name`, or skips the test.
#define SALTUS_DATA_OR_SKIP(variable, name)                                                   \
  const auto variable##_found = saltus::test::find_data(name);                                \
  if (!variable##_found) GTEST_SKIP() << name << " not found; set SALTUS_DATA to its folder"; \
  const std::filesystem::path variable = *variable##_found
