// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <zlib.h>

#include <array>
#include <numeric>

#include "data_folder.hpp"
#include "saltus/data.hpp"
#include "saltus/error.hpp"

namespace saltus::data {
namespace {

std::string word(std::uint32_t v) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(v >> shift & 0xff);
  return bytes;
}

// Three images of 2 x 2 pixels that hold 0, 1, 2, ...
std::string image_file(std::uint32_t n = 3) {
  std::string bytes = word(0x803) + word(n) + word(2) + word(2);
  for (char p = 0; p < 12; ++p) bytes += p;
  return bytes;
}
std::string label_file() { return word(0x801) + word(3) + std::string("\x05\x00\x09", 3); }

void write_gz(const std::filesystem::path& file, const std::string& bytes) {
  gzFile out = gzopen(file.c_str(), "wb");
  ASSERT_NE(out, nullptr);
  ASSERT_EQ(gzwrite(out, bytes.data(), static_cast<unsigned>(bytes.size())),
            static_cast<int>(bytes.size()));
  ASSERT_EQ(gzclose(out), Z_OK);
}

class Idx : public testing::Test {
 protected:
  std::filesystem::path images() const { return folder_.path() / "train-images-idx3-ubyte"; }
  std::filesystem::path labels() const { return folder_.path() / "train-labels-idx1-ubyte"; }
  static std::filesystem::path gz(std::filesystem::path path) { return path += ".gz"; }
  Images read() const { return read_idx(folder_.path(), "train"); }

  // The message without the folder's name.
  std::string refusal() const {
    std::string text = test::message_of<FileError>([&] { (void)read(); });
    const std::string prefix = folder_.path().string() + "/";
    for (auto at = text.find(prefix); at != std::string::npos; at = text.find(prefix)) {
      text.erase(at, prefix.size());
    }
    return text;
  }

  std::string refusal(const std::string& image_bytes, const std::string& label_bytes) const {
    test::write_bytes(images(), image_bytes);
    test::write_bytes(labels(), label_bytes);
    return refusal();
  }

 private:
  test::TemporaryFolder folder_;
};

void expect_small(const Images& read) {
  std::vector<std::uint8_t> pixels(12);
  std::iota(pixels.begin(), pixels.end(), std::uint8_t{0});
  EXPECT_EQ(read.rows, 2U);
  EXPECT_EQ(read.columns, 2U);
  EXPECT_EQ(read.pixels, pixels);
  EXPECT_EQ(read.labels, (std::vector<std::uint8_t>{5, 0, 9}));
}

TEST_F(Idx, ReadsPlainFiles) {
  test::write_bytes(images(), image_file());
  test::write_bytes(labels(), label_file());
  expect_small(read());
}

TEST_F(Idx, ReadsGzippedFilesAndAMixture) {
  write_gz(gz(images()), image_file());
  write_gz(gz(labels()), label_file());
  expect_small(read());
  std::filesystem::remove(gz(labels()));
  test::write_bytes(labels(), label_file());
  expect_small(read());
}

TEST_F(Idx, RefusesMissingFilesByName) {
  EXPECT_EQ(refusal(), "train-images-idx3-ubyte: no such file, nor with .gz");
  test::write_bytes(images(), image_file());
  EXPECT_EQ(refusal(), "train-labels-idx1-ubyte: no such file, nor with .gz");
}

TEST_F(Idx, RefusesAFolderInPlaceOfAFile) {
  std::filesystem::create_directory(images());
  test::write_bytes(labels(), label_file());
  EXPECT_EQ(refusal(), "train-images-idx3-ubyte: cannot be read: Is a directory");
}

TEST_F(Idx, RefusesEmptyFilesAndShortHeaders) {
  EXPECT_EQ(refusal("", label_file()),
            "train-images-idx3-ubyte: ends in its header; expected a magic number");
  EXPECT_EQ(refusal(image_file().substr(0, 14), label_file()),
            "train-images-idx3-ubyte: ends in its header; expected the number of columns");
  EXPECT_EQ(refusal(image_file(), label_file().substr(0, 7)),
            "train-labels-idx1-ubyte: ends in its header; expected the number of labels");
}

TEST_F(Idx, RefusesWrongMagicNumbers) {
  EXPECT_EQ(refusal(label_file(), label_file()),
            "train-images-idx3-ubyte: starts with the magic number 0x00000801; expected 0x00000803 "
            "(bytes in three dimensions: images)");
  EXPECT_EQ(refusal(image_file(), image_file()),
            "train-labels-idx1-ubyte: starts with the magic number 0x00000803; expected 0x00000801 "
            "(bytes in one dimension: labels)");
}

TEST_F(Idx, RefusesTruncatedPlainFiles) {
  EXPECT_EQ(refusal(image_file().substr(0, 27), label_file()),
            "train-images-idx3-ubyte: ends after 11 bytes of data; its header promises 12");
  EXPECT_EQ(refusal(image_file(), label_file().substr(0, 10)),
            "train-labels-idx1-ubyte: ends after 2 bytes of data; its header promises 3");
}

TEST_F(Idx, RefusesEveryTruncationOfAGzippedFile) {
  write_gz(gz(images()), image_file());
  test::write_bytes(labels(), label_file());
  const std::string whole = test::read_bytes(gz(images()));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    test::write_bytes(gz(images()), whole.substr(0, length));
    const std::string text = refusal();
    EXPECT_TRUE(text.starts_with("train-images-idx3-ubyte.gz: ")) << length << ": " << text;
  }
  test::write_bytes(gz(images()), whole.substr(0, whole.size() - 10));
  EXPECT_EQ(refusal(), "train-images-idx3-ubyte.gz: is truncated: the gzip stream stops early");
}

TEST_F(Idx, RefusesAWrongChecksumEvenInTheLastBytes) {
  write_gz(gz(images()), image_file());
  test::write_bytes(labels(), label_file());
  std::string bytes = test::read_bytes(gz(images()));
  bytes[bytes.size() - 8] = static_cast<char>(bytes[bytes.size() - 8] ^ 1);
  test::write_bytes(gz(images()), bytes);
  const std::string text = refusal();
  EXPECT_TRUE(text.starts_with("train-images-idx3-ubyte.gz: cannot be read: ")) << text;
  EXPECT_NE(text.find("incorrect data check"), std::string::npos) << text;
}

TEST_F(Idx, RefusesBytesAfterTheEnd) {
  EXPECT_EQ(refusal(image_file() + "x", label_file()),
            "train-images-idx3-ubyte: goes on after the 12 bytes its header promises");
  EXPECT_EQ(refusal(image_file(), label_file() + "x"),
            "train-labels-idx1-ubyte: goes on after the 3 bytes its header promises");
}

TEST_F(Idx, RefusesCountsThatDoNotMatch) {
  EXPECT_EQ(refusal(image_file(4), label_file()),
            "train-images-idx3-ubyte: holds 4 images, but train-labels-idx1-ubyte holds 3 labels");
}

TEST_F(Idx, RefusesNoImagesAndImagesWithoutPixels) {
  EXPECT_EQ(
      refusal(word(0x803) + word(0) + word(2) + word(2), word(0x801) + word(0)),
      "train-images-idx3-ubyte: holds 0 images of 2 x 2 pixels; expected at least one of each");
  EXPECT_EQ(
      refusal(word(0x803) + word(3) + word(0) + word(2), label_file()),
      "train-images-idx3-ubyte: holds 3 images of 0 x 2 pixels; expected at least one of each");
}

// The sizes of a damaged header must not become an allocation.
TEST_F(Idx, RefusesHugeSizesWithoutAskingForTheirMemory) {
  EXPECT_EQ(refusal(word(0x803) + word(3) + word(0xffffffff) + word(0xffffffff), label_file()),
            "train-images-idx3-ubyte: holds images of 4294967295 x 4294967295 pixels; expected at "
            "most 2147483647 pixels");
  EXPECT_EQ(refusal(word(0x803) + word(0xffffffff) + word(46340) + word(46340),
                    word(0x801) + word(0xffffffff)),
            "train-labels-idx1-ubyte: ends after 0 bytes of data; its header promises 4294967295");
  EXPECT_EQ(refusal(word(0x803) + word(3) + word(46340) + word(46340), label_file()),
            "train-images-idx3-ubyte: ends after 0 bytes of data; its header promises 6442186800");
}

TEST(IdxFiles, MnistHasItsPublishedSizesClassCountsAndSpikes) {
  SALTUS_DATA_OR_SKIP(folder, "mnist");
  const Images train = read_idx(folder, "train");
  const Images test = read_idx(folder, "t10k");
  EXPECT_EQ(train.labels.size(), 60000U);
  EXPECT_EQ(test.labels.size(), 10000U);
  EXPECT_EQ(test.rows, 28U);
  EXPECT_EQ(test.columns, 28U);
  EXPECT_EQ(train.pixels.size(), 60000U * 784U);
  std::array<int, 10> count{};
  for (const auto label : test.labels) ++count.at(label);
  EXPECT_EQ(count, (std::array{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}));

  const LabelledSpikes code = encode(train);
  EXPECT_EQ(code.channels, 784);
  EXPECT_EQ(code.classes, 10);
  validate(code.spikes, 784, "input");
  EXPECT_EQ(code.spikes.times.size(), 8971260U);
  EXPECT_EQ(encode(test).spikes.times.size(), 1507387U);
}

TEST(IdxFiles, FashionMnistIsReadAndBalanced) {
  SALTUS_DATA_OR_SKIP(folder, "fashion_mnist");
  const Images test = read_idx(folder, "t10k");
  std::array<int, 10> count{};
  for (const auto label : test.labels) ++count.at(label);
  for (const int c : count) EXPECT_EQ(c, 1000);
  validate(encode(test).spikes, 784, "input");
}

}  // namespace
}  // namespace saltus::data
