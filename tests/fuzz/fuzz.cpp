// SPDX-License-Identifier: Apache-2.0
// libFuzzer's door to a reader, that of SALTUS_KIND: the bytes become a file, which is read. An error
// of ours is as good as a result. (scripts/fuzz.sh builds one program for each kind.)
//
// Of "idx" the first two bytes say how long the file of images is; that of labels follows.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>

#include "hostile/readers.hpp"
#include "saltus/error.hpp"

namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path = fs::temp_directory_path() / ("saltus-fuzz." + std::to_string(getpid()));
  Folder() { fs::create_directory(path); }
  ~Folder() { fs::remove_all(path); }
};

void write(const fs::path& file, std::string_view bytes) {
  std::ofstream(file, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Folder folder;
  constexpr std::string_view kind = SALTUS_KIND;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  fs::path file = folder.path / "file";
  if (kind == "idx") {
    if (size < 2) return 0;
    const std::size_t images = std::min<std::size_t>(data[0] + 256U * data[1], size - 2);
    write(folder.path / "train-images-idx3-ubyte", bytes.substr(2, images));
    write(folder.path / "train-labels-idx1-ubyte", bytes.substr(2 + images));
    file = folder.path;
  } else {
    write(file, bytes);
  }
  try {
    saltus::test::read_as(kind, file);
  } catch (const saltus::FileError&) {
  } catch (const saltus::InvalidInput&) {
  }
  return 0;
}
