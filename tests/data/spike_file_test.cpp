// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>

#include "data_folder.hpp"
#include "machine/sanitized.hpp"
#include "saltus/data.hpp"
#include "saltus/error.hpp"

namespace saltus::data {
namespace {

template <class T>
using Rows = std::vector<std::vector<T>>;

// What to write; the types are those of the file.
struct Content {
  Rows<double> times;
  Rows<std::int64_t> units;
  std::vector<std::int64_t> labels;
  hid_t time_type = H5T_IEEE_F32LE;
  hid_t unit_type = H5T_STD_U16LE;
  hid_t label_type = H5T_STD_U16LE;
  std::string leave_out = {};
};

template <class T>
void write_ragged(hid_t file, const char* name, Rows<T> rows, hid_t memory_type, hid_t file_type) {
  std::vector<hvl_t> pointers;
  for (auto& row : rows) pointers.push_back({row.size(), row.data()});
  const hsize_t n = rows.size();
  const hid_t space = H5Screate_simple(1, &n, nullptr);
  const hid_t type = H5Tvlen_create(file_type);
  const hid_t memory = H5Tvlen_create(memory_type);
  const hid_t data = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  ASSERT_GE(data, 0) << name;
  if (n > 0) {
    ASSERT_GE(H5Dwrite(data, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.data()), 0) << name;
  }
  H5Dclose(data);
  H5Tclose(memory);
  H5Tclose(type);
  H5Sclose(space);
}

void write_plain(hid_t file, const char* name, const std::vector<std::int64_t>& values,
                 hid_t file_type) {
  const hsize_t n = values.size();
  const hid_t space = H5Screate_simple(1, &n, nullptr);
  const hid_t data =
      H5Dcreate2(file, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  ASSERT_GE(data, 0) << name;
  if (n > 0) {
    ASSERT_GE(H5Dwrite(data, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
  }
  H5Dclose(data);
  H5Sclose(space);
}

class SpikeFile : public testing::Test {
 protected:
  std::filesystem::path path() const { return folder_.path() / "spikes.h5"; }

  void write(const Content& c) const {
    const hid_t file = H5Fcreate(path().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    ASSERT_GE(file, 0);
    H5Gclose(H5Gcreate2(file, "spikes", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    if (c.leave_out != "spikes/times") {
      write_ragged(file, "spikes/times", c.times, H5T_NATIVE_DOUBLE, c.time_type);
    }
    if (c.leave_out != "spikes/units") {
      write_ragged(file, "spikes/units", c.units, H5T_NATIVE_INT64, c.unit_type);
    }
    if (c.leave_out != "labels") write_plain(file, "labels", c.labels, c.label_type);
    H5Fclose(file);
  }

  LabelledSpikes read(std::int32_t channels = 0) const { return read_spike_file(path(), channels); }

  // The message, with the file's name instead of its path.
  template <class Exception>
  std::string refusal(std::int32_t channels = 0) const {
    std::string text = test::message_of<Exception>([&] { (void)read(channels); });
    const std::string prefix = folder_.path().string() + "/";
    if (text.starts_with(prefix)) text.erase(0, prefix.size());
    return text;
  }

  template <class Exception>
  std::string refusal(const Content& content, std::int32_t channels = 0) const {
    write(content);
    return refusal<Exception>(channels);
  }

 private:
  test::TemporaryFolder folder_;
};

// Three samples, the middle one empty; every time is a number of single precision.
Content good() {
  return {.times = {{0.0, 0.25, 0.25}, {}, {0.5, 1.5}},
          .units = {{2, 5, 0}, {}, {1, 1}},
          .labels = {1, 0, 3}};
}

void expect_good(const LabelledSpikes& read) {
  EXPECT_EQ(read.spikes.offsets, (std::vector<std::int64_t>{0, 3, 3, 5}));
  EXPECT_EQ(read.spikes.times, (std::vector<double>{0.0, 0.25, 0.25, 0.5, 1.5}));
  EXPECT_EQ(read.spikes.neurons, (std::vector<std::int32_t>{2, 5, 0, 1, 1}));
  EXPECT_EQ(read.labels, (std::vector<std::int32_t>{1, 0, 3}));
  EXPECT_EQ(read.classes, 4);
}

TEST_F(SpikeFile, ReadsTheLayoutOfShd) {
  write(good());
  const LabelledSpikes data = read();
  expect_good(data);
  EXPECT_EQ(data.channels, 6);
  EXPECT_EQ(read(700).channels, 700);
}

// SHD itself stores its times in half precision.
std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_gzipped(const std::filesystem::path& file, const std::string& bytes) {
  gzFile packed = gzopen(file.c_str(), "wb");
  ASSERT_EQ(gzwrite(packed, bytes.data(), static_cast<unsigned>(bytes.size())),
            static_cast<int>(bytes.size()));
  gzclose(packed);
}

TEST_F(SpikeFile, ReadsAFileThatIsGzippedAsAWhole) {
  write(good());
  write_gzipped(path(), bytes_of(path()));
  expect_good(read());
  const std::string packed = bytes_of(path());
  std::ofstream(path(), std::ios::binary) << packed.substr(0, packed.size() / 2);
  EXPECT_EQ(refusal<FileError>(), "spikes.h5: is truncated: the gzip stream stops early");
  write_gzipped(path(), "no HDF5");
  EXPECT_THAT(refusal<FileError>(), testing::StartsWith("spikes.h5: is no gzipped HDF5 file"));
}

TEST_F(SpikeFile, ReadsWhatItSaysOfSamplesBesides) {
  write(good());
  const hid_t file = H5Fopen(path().c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  H5Gclose(H5Gcreate2(file, "extra", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Gclose(H5Gcreate2(file, "extra/meta_info", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  write_plain(file, "extra/speaker", {4, 0, 4}, H5T_STD_U16LE);
  write_plain(file, "extra/duration", {1, 2, 3}, H5T_IEEE_F32LE);
  write_plain(file, "extra/meta_info/age", {30, 40}, H5T_STD_U8LE);
  const hid_t text = H5Tcopy(H5T_C_S1);
  H5Tset_size(text, 4);
  const hsize_t two = 2;
  const hid_t space = H5Screate_simple(1, &two, nullptr);
  const hid_t keys =
      H5Dcreate2(file, "extra/keys", text, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  H5Dwrite(keys, text, H5S_ALL, H5S_ALL, H5P_DEFAULT, "one\0four");
  H5Dclose(keys);
  H5Sclose(space);
  H5Tclose(text);
  H5Fclose(file);
  const LabelledSpikes data = read();
  using Whole = std::vector<std::int64_t>;
  using Texts = std::vector<std::string>;
  EXPECT_EQ(data.extra,
            (std::map<std::string, ExtraColumn>{{"speaker", Whole{4, 0, 4}},
                                                {"duration", std::vector<double>{1, 2, 3}}}));
  EXPECT_EQ(data.tables, (std::map<std::string, ExtraColumn>{{"keys", Texts{"one", "four"}},
                                                             {"meta_info/age", Whole{30, 40}}}));
  const LabelledSpikes part = slice(data, 1, 2);
  EXPECT_EQ(part.extra.at("speaker"), ExtraColumn(Whole{0, 4}));
  EXPECT_EQ(part.tables, data.tables);
}

TEST_F(SpikeFile, ReadsEveryTypeOfFloatAndInteger) {
  const hid_t half = H5Tcopy(H5T_IEEE_F32LE);
  H5Tset_fields(half, 15, 10, 5, 0, 10);
  H5Tset_size(half, 2);
  H5Tset_ebias(half, 15);
  for (const hid_t time : {half, hid_t{H5T_IEEE_F32LE}, hid_t{H5T_IEEE_F32BE},
                           hid_t{H5T_IEEE_F64LE}, hid_t{H5T_IEEE_F64BE}}) {
    for (const hid_t integer : {hid_t{H5T_STD_U8LE}, hid_t{H5T_STD_I8LE}, hid_t{H5T_STD_U16BE},
                                hid_t{H5T_STD_I32LE}, hid_t{H5T_STD_I64BE}, hid_t{H5T_STD_U64LE}}) {
      Content content = good();
      content.time_type = time;
      content.unit_type = content.label_type = integer;
      write(content);
      expect_good(read());
    }
  }
  H5Tclose(half);
}

TEST_F(SpikeFile, DoublePrecisionTimesKeepEveryBit) {
  Content content = good();
  content.times[2] = {0.1, std::nextafter(0.1, 1)};
  content.time_type = H5T_IEEE_F64LE;
  write(content);
  const auto times = read().spikes.times;
  EXPECT_EQ(times[3], 0.1);
  EXPECT_EQ(times[4], std::nextafter(0.1, 1));
}

TEST_F(SpikeFile, SortsByTimeAndKeepsTheFilesOrderAmongTies) {
  write({.times = {{0.5, 0.25, 0.5, 0.0, 0.25}, {1.0, 2.0}},
         .units = {{9, 8, 1, 7, 3}, {0, 0}},
         .labels = {0, 0}});
  const LabelledSpikes data = read();
  EXPECT_EQ(data.spikes.times, (std::vector<double>{0.0, 0.25, 0.25, 0.5, 0.5, 1.0, 2.0}));
  EXPECT_EQ(data.spikes.neurons, (std::vector<std::int32_t>{7, 8, 3, 9, 1, 0, 0}));
  validate(data.spikes, 10, "input");
}

// Long enough that an unstable sort would show.
TEST_F(SpikeFile, SortsManyTiesStably) {
  Content content{.times = {{}}, .units = {{}}, .labels = {0}};
  std::vector<std::int32_t> expected;
  for (int k = 0; k < 300; ++k) {
    content.times[0].push_back(2 - k % 3);
    content.units[0].push_back(k);
  }
  for (const int rest : {2, 1, 0}) {
    for (int k = rest; k < 300; k += 3) expected.push_back(k);
  }
  write(content);
  EXPECT_EQ(read().spikes.neurons, expected);
}

TEST_F(SpikeFile, ReadsMoreSamplesThanOneChunk) {
  Content content;
  Spikes expected;
  for (std::int64_t s = 0; s < 200; ++s) {
    std::vector<double> times;
    std::vector<std::int64_t> units;
    for (std::int64_t k = 0; k < s % 7; ++k) {
      times.push_back(static_cast<double>(s + k));
      units.push_back(s * k % 11);
      expected.times.push_back(times.back());
      expected.neurons.push_back(static_cast<std::int32_t>(units.back()));
    }
    content.times.push_back(times);
    content.units.push_back(units);
    content.labels.push_back(s);
    expected.offsets.push_back(static_cast<std::int64_t>(expected.times.size()));
  }
  write(content);
  const LabelledSpikes data = read();
  EXPECT_EQ(data.spikes, expected);
  EXPECT_EQ(data.labels[199], 199);
}

TEST_F(SpikeFile, RefusesMissingFilesFoldersAndFilesThatAreNotHdf5) {
  EXPECT_EQ(refusal<FileError>(), "spikes.h5: no such file");
  std::filesystem::create_directory(path());
  EXPECT_EQ(refusal<FileError>(), "spikes.h5: is a folder; expected an HDF5 file");
  std::filesystem::remove(path());
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);  // for which nobody would wait
  EXPECT_EQ(refusal<FileError>(), "spikes.h5: is a named pipe; expected an HDF5 file");
  std::filesystem::remove(path());
  std::filesystem::remove(path());
  test::write_bytes(path(), "");
  EXPECT_TRUE(refusal<FileError>().starts_with("spikes.h5: cannot be opened as HDF5: "));
  test::write_bytes(path(), std::string(5000, 'x'));
  EXPECT_EQ(refusal<FileError>(), "spikes.h5: cannot be opened as HDF5: file signature not found");
}

TEST_F(SpikeFile, RefusesEveryTruncation) {
  Content content = good();
  for (int s = 0; s < 100; ++s) {
    content.times.push_back({1.0, 2.0, 3.0});
    content.units.push_back({1, 2, 3});
    content.labels.push_back(1);
  }
  write(content);
  const std::string whole = test::read_bytes(path());
  for (std::size_t length = 0; length < whole.size(); length += 97) {
    test::write_bytes(path(), whole.substr(0, length));
    const std::string text = refusal<FileError>();
    EXPECT_TRUE(text.starts_with("spikes.h5: cannot be opened as HDF5: "))
        << length << ": " << text;
  }
}

// The ragged rows lie in heaps that start with GCOL.
TEST_F(SpikeFile, RefusesDamagedRowsByDataSetAndSamples) {
  write(good());
  std::string bytes = test::read_bytes(path());
  for (auto at = bytes.find("GCOL"); at != std::string::npos; at = bytes.find("GCOL")) {
    bytes[at] = 'X';
  }
  test::write_bytes(path(), bytes);
  EXPECT_EQ(refusal<FileError>(),
            "spikes.h5: data set 'spikes/times' cannot be read in samples 0 to 2: bad global heap "
            "collection signature");
}

TEST_F(SpikeFile, IsQuietOnErrorsAndLeavesTheCallersErrorHandlerInPlace) {
  H5E_auto2_t before = nullptr;
  H5E_auto2_t after = nullptr;
  void* client = nullptr;
  H5Eget_auto2(H5E_DEFAULT, &before, &client);
  test::write_bytes(path(), "not HDF5");
  testing::internal::CaptureStderr();
  (void)refusal<FileError>();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  H5Eget_auto2(H5E_DEFAULT, &after, &client);
  EXPECT_EQ(before, after);
}

TEST_F(SpikeFile, LeavesNoHdf5ObjectOpenAfterErrors) {
  const ssize_t before = H5Fget_obj_count(static_cast<hid_t>(H5F_OBJ_ALL), H5F_OBJ_ALL);
  Content content = good();
  content.times[0][0] = -1;
  (void)refusal<InvalidInput>(content);
  content.leave_out = "labels";
  (void)refusal<FileError>(content);
  EXPECT_EQ(H5Fget_obj_count(static_cast<hid_t>(H5F_OBJ_ALL), H5F_OBJ_ALL), before);
}

constexpr const char* layout =
    "expected SHD's layout: spikes/times (ragged floats), spikes/units (ragged integers) and "
    "labels (integers)";

TEST_F(SpikeFile, RefusesMissingDataSets) {
  for (const char* name : {"spikes/times", "spikes/units", "labels"}) {
    Content content = good();
    content.leave_out = name;
    EXPECT_EQ(refusal<FileError>(content),
              std::string("spikes.h5: has no data set '") + name + "'; " + layout);
  }
}

// A file of HDF5 may ask for the contents of any other file: of a stranger's, none is opened.
TEST_F(SpikeFile, OpensNoOtherFile) {
  const std::string secret = path().string() + ".secret", of_hdf5 = path().string() + ".other";
  test::write_bytes(secret, std::string("\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0", 24));
  write(good());
  std::filesystem::copy_file(path(), of_hdf5);
  const hsize_t n = 3;
  const hid_t space = H5Screate_simple(1, &n, nullptr), made = H5Pcreate(H5P_DATASET_CREATE),
              mapped = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_external(made, secret.c_str(), 0, 24);
  H5Pset_virtual(mapped, space, of_hdf5.c_str(), "labels", space);
  Content content = good();
  content.leave_out = "labels";
  for (const hid_t how : {made, mapped, hid_t{-1}}) {
    write(content);
    const hid_t file = H5Fopen(path().c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    if (how < 0) {
      H5Lcreate_external(of_hdf5.c_str(), "labels", file, "labels", H5P_DEFAULT, H5P_DEFAULT);
    } else {
      H5Dclose(H5Dcreate2(file, "labels", H5T_STD_I64LE, space, H5P_DEFAULT, how, H5P_DEFAULT));
    }
    H5Fclose(file);
    if (sanitized && how < 0) continue;  // the limit on open files, which those builds do not bear
    const std::string said = refusal<FileError>();
    EXPECT_TRUE(said.starts_with(how < 0 ? "spikes.h5: data set 'labels' cannot be opened: "
                                         : "spikes.h5: data set 'labels' cannot be read: its "
                                           "numbers are in other files"))
        << said;
  }
  H5Pclose(mapped);
  H5Pclose(made);
  H5Sclose(space);
}

// As h5py writes it with compression="lzf".
TEST_F(SpikeFile, NamesAFilterThatHdf5DoesNotHave) {
  const hsize_t n = 3;
  Content content = good();
  content.leave_out = "labels";
  write(content);
  const hid_t file = H5Fopen(path().c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(1, &n, nullptr), made = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(made, 1, &n);
  const H5Z_class2_t lzf{H5Z_CLASS_T_VERS,
                         32000,
                         1,
                         0,
                         "lzf",
                         nullptr,
                         nullptr,
                         [](unsigned, std::size_t, const unsigned*, std::size_t bytes, std::size_t*,
                            void**) { return bytes; }};
  ASSERT_GE(H5Zregister(&lzf), 0);
  H5Pset_filter(made, 32000, H5Z_FLAG_MANDATORY, 0, nullptr);
  H5Dclose(H5Dcreate2(file, "labels", H5T_STD_I64LE, space, H5P_DEFAULT, made, H5P_DEFAULT));
  H5Fclose(file);
  H5Pclose(made);
  H5Sclose(space);
  H5Zunregister(32000);
  EXPECT_EQ(refusal<FileError>(),
            "spikes.h5: data set 'labels' cannot be read: it is packed with the filter 'lzf' "
            "(32000), which is not part of HDF5; expected gzip, as h5repack -f GZIP=4 writes it");
}

TEST_F(SpikeFile, RefusesDataSetsOfAnotherType) {
  const auto message = [](const char* name) {
    return std::string("spikes.h5: data set '") + name + "' is of another type; " + layout;
  };
  Content content = good();
  content.time_type = H5T_STD_I32LE;
  EXPECT_EQ(refusal<FileError>(content), message("spikes/times"));
  content = good();
  content.unit_type = H5T_IEEE_F32LE;
  EXPECT_EQ(refusal<FileError>(content), message("spikes/units"));
  content = good();
  content.label_type = H5T_IEEE_F32LE;
  EXPECT_EQ(refusal<FileError>(content), message("labels"));

  content = good();
  content.leave_out = "spikes/times";
  write(content);
  const hid_t file = H5Fopen(path().c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  write_plain(file, "spikes/times", {0, 1, 2}, H5T_IEEE_F32LE);
  H5Fclose(file);
  EXPECT_EQ(refusal<FileError>(), message("spikes/times"));
}

TEST_F(SpikeFile, RefusesDataSetsThatAreNotOneDimensional) {
  for (const bool scalar : {true, false}) {
    Content content = good();
    content.leave_out = "labels";
    write(content);
    const hid_t file = H5Fopen(path().c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    const std::array<hsize_t, 2> sizes{3, 1};
    const hid_t space = scalar ? H5Screate(H5S_SCALAR) : H5Screate_simple(2, sizes.data(), nullptr);
    H5Dclose(
        H5Dcreate2(file, "labels", H5T_STD_U16LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
    H5Fclose(file);
    EXPECT_EQ(refusal<FileError>(),
              std::string("spikes.h5: data set 'labels' is not one-dimensional; ") + layout);
  }
}

TEST_F(SpikeFile, RefusesCountsThatDoNotMatch) {
  Content content = good();
  content.labels.pop_back();
  EXPECT_EQ(
      refusal<FileError>(content),
      "spikes.h5: spikes/times has 3 samples, spikes/units 3 and labels 2; expected as many in "
      "each");
  content = good();
  content.units.push_back({});
  EXPECT_EQ(
      refusal<FileError>(content),
      "spikes.h5: spikes/times has 3 samples, spikes/units 4 and labels 3; expected as many in "
      "each");
  content = good();
  content.units[2].pop_back();
  EXPECT_EQ(refusal<FileError>(content),
            "spikes.h5: sample 2: spikes/times has 2 entries and spikes/units 1; expected as many");
}

TEST_F(SpikeFile, RefusesNoSamples) {
  EXPECT_EQ(refusal<FileError>(Content{}), "spikes.h5: holds no samples; expected at least one");
}

TEST_F(SpikeFile, WithoutSpikesTheNumberOfChannelsMustBeGiven) {
  write({.times = {{}}, .units = {{}}, .labels = {0}});
  EXPECT_EQ(refusal<InvalidInput>(),
            "spikes.h5: channels is 0 and the file holds no spikes; expected the number of units");
  EXPECT_EQ(read(5).spikes.offsets, (std::vector<std::int64_t>{0, 0}));
}

TEST_F(SpikeFile, RefusesNaNInfiniteAndNegativeTimesByFileAndSample) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const auto& [value, text] :
       {std::pair{std::nan(""), "nan"}, {infinity, "inf"}, {-0.5, "-0.5"}}) {
    Content content = good();
    content.times[2][1] = value;
    EXPECT_EQ(refusal<InvalidInput>(content),
              std::string("spikes.h5: sample 2: spikes/times[1] is ") + text +
                  "; expected a finite time of at least 0, in seconds");
  }
}

TEST_F(SpikeFile, RefusesUnitsOutsideTheChannels) {
  EXPECT_EQ(refusal<InvalidInput>(good(), 5),
            "spikes.h5: sample 0: spikes/units[1] is 5; expected a number in [0, 5)");
  Content content = good();
  content.unit_type = H5T_STD_I64LE;
  content.units[2][0] = -1;
  EXPECT_EQ(refusal<InvalidInput>(content, 5),
            "spikes.h5: sample 0: spikes/units[1] is 5; expected a number in [0, 5)");
  EXPECT_EQ(refusal<InvalidInput>(content, 6),
            "spikes.h5: sample 2: spikes/units[0] is -1; expected a number in [0, 6)");
  content.units[2][0] = std::int64_t{1} << 32;
  EXPECT_EQ(refusal<InvalidInput>(content),
            "spikes.h5: sample 2: spikes/units[0] is 4294967296; expected a number in [0, "
            "2147483647)");
  EXPECT_EQ(refusal<InvalidInput>(good(), -1),
            "channels is -1; expected the number of units, or 0 for the largest in the file + 1");
}

TEST_F(SpikeFile, RefusesLabelsThatAreNoClasses) {
  Content content = good();
  content.label_type = H5T_STD_I64LE;
  content.labels[1] = -2;
  EXPECT_EQ(refusal<InvalidInput>(content),
            "spikes.h5: labels[1] is -2; expected a number in [0, 2147483647)");
  content.labels[1] = std::numeric_limits<std::int32_t>::max();
  EXPECT_EQ(refusal<InvalidInput>(content),
            "spikes.h5: labels[1] is 2147483647; expected a number in [0, 2147483647)");
}

std::pair<std::int64_t, std::int64_t> fewest_and_most(const Spikes& spikes) {
  std::pair<std::int64_t, std::int64_t> range{std::numeric_limits<std::int64_t>::max(), 0};
  for (std::size_t s = 0; s < spikes.samples(); ++s) {
    const std::int64_t n = spikes.offsets[s + 1] - spikes.offsets[s];
    range = {std::min(range.first, n), std::max(range.second, n)};
  }
  return range;
}

TEST(SpikeFiles, BrailleIsAsItsReadmeSays) {
  SALTUS_DATA_OR_SKIP(folder, "braille");
  const LabelledSpikes train = read_spike_file(folder / "braille_train.h5", 24);
  const LabelledSpikes test = read_spike_file(folder / "braille_test.h5", 24);
  validate(train.spikes, 24, "input");
  validate(test.spikes, 24, "input");
  EXPECT_EQ(train.size(), 1080U);
  EXPECT_EQ(test.size(), 270U);
  EXPECT_EQ(train.channels, 24);
  EXPECT_EQ(train.classes, 27);
  EXPECT_EQ(test.classes, 27);
  // "Each run of 27 samples holds every letter once."
  for (std::size_t first = 0; first < test.size(); first += 27) {
    std::array<int, 27> count{};
    for (std::size_t s = first; s < first + 27; ++s) {
      ++count.at(static_cast<std::size_t>(test.labels[s]));
    }
    EXPECT_TRUE(std::all_of(count.begin(), count.end(), [](int c) { return c == 1; })) << first;
  }
  // Counted once more from the frames: 180,269 crossings, 133.5 a sample.
  EXPECT_EQ(train.spikes.times.size(), 144133U);
  EXPECT_EQ(test.spikes.times.size(), 36136U);
  EXPECT_EQ(std::min(fewest_and_most(train.spikes), fewest_and_most(test.spikes)).first, 44);
  EXPECT_EQ(std::max(fewest_and_most(train.spikes).second, fewest_and_most(test.spikes).second),
            203);
  // Only four taxels ever cross, the last of them taxel 10: the largest unit is 21, not 23.
  EXPECT_EQ(read_spike_file(folder / "braille_test.h5").channels, 22);
}

TEST(SpikeFiles, SpokenDigitsAreAsTheirReadmeSays) {
  SALTUS_DATA_OR_SKIP(file, "fsdd/fsdd70_test.h5");
  const LabelledSpikes data = read_spike_file(file);
  validate(data.spikes, 70, "input");
  EXPECT_EQ(data.size(), 300U);
  EXPECT_EQ(data.channels, 70);
  EXPECT_EQ(data.classes, 10);
  EXPECT_EQ(data.spikes.times.size(), 166464U);
  EXPECT_EQ(fewest_and_most(data.spikes), (std::pair<std::int64_t, std::int64_t>{181, 1083}));
  EXPECT_TRUE(std::all_of(data.spikes.times.begin(), data.spikes.times.end(),
                          [](double t) { return t * 32768 == std::floor(t * 32768); }));
}

TEST(SpikeFiles, SpokenDigitsOf700UnitsAreReadAsTheyArePublished) {
  SALTUS_DATA_OR_SKIP(file, "fsdd/fsdd700_test.h5.gz");
  const LabelledSpikes data = read_spike_file(file);
  EXPECT_EQ(data.size(), 300U);
  EXPECT_EQ(data.channels, 700);
  EXPECT_EQ(data.spikes.times.size(), 1678984U);
  const auto& speakers = std::get<std::vector<std::int64_t>>(data.extra.at("speaker"));
  EXPECT_EQ(std::ranges::count(speakers, 3), 50);
  EXPECT_EQ(std::get<std::vector<std::string>>(data.tables.at("speaker_names")).at(3), "nicolas");
}

TEST(SpikeFiles, EventCameraRecordingsAreAsTheirReadmeSays) {
  SALTUS_DATA_OR_SKIP(file, "nmnist_small/nmnist_small_test.h5");
  const LabelledSpikes data = read_spike_file(file, 2312);
  validate(data.spikes, 2312, "input");
  EXPECT_EQ(data.spikes.times.size(), 385596U);
  EXPECT_EQ(fewest_and_most(data.spikes), (std::pair<std::int64_t, std::int64_t>{1069, 6326}));
  std::array<int, 10> count{};
  for (const auto label : data.labels) ++count.at(static_cast<std::size_t>(label));
  EXPECT_EQ(count, (std::array{8, 14, 8, 11, 14, 7, 10, 15, 2, 11}));
}

LabelledSpikes small() {
  return {{{0, 3, 3, 5}, {0.0, 0.25, 0.25, 0.5, 1.5}, {2, 5, 0, 1, 1}}, {1, 0, 3}, 6, 4};
}

void expect_equal(const LabelledSpikes& a, const LabelledSpikes& b) {
  EXPECT_EQ(a.spikes, b.spikes);
  EXPECT_EQ(a.labels, b.labels);
  EXPECT_EQ(a.channels, b.channels);
  EXPECT_EQ(a.classes, b.classes);
}

TEST(Slice, TakesSamplesWithOffsetsFromZeroAndKeepsChannelsAndClasses) {
  expect_equal(slice(small(), 1, 2), {{{0, 0, 2}, {0.5, 1.5}, {1, 1}}, {0, 3}, 6, 4});
  expect_equal(slice(small(), 0, 1), {{{0, 3}, {0.0, 0.25, 0.25}, {2, 5, 0}}, {1}, 6, 4});
}

TEST(Slice, OfEverythingIsEverythingAndOfNothingIsEmpty) {
  expect_equal(slice(small(), 0, 3), small());
  expect_equal(slice(small(), 3, 0), {Spikes{}, {}, 6, 4});
}

TEST(Slice, RefusesWhatLiesOutside) {
  const auto refusal = [](std::size_t first, std::size_t count) {
    return test::message_of<InvalidInput>([&] { (void)slice(small(), first, count); });
  };
  EXPECT_EQ(refusal(2, 2), "a slice of 2 samples from 2; expected one within 3 samples");
  EXPECT_EQ(refusal(4, 0), "a slice of 0 samples from 4; expected one within 3 samples");
  EXPECT_EQ(refusal(1, SIZE_MAX),
            "a slice of 18446744073709551615 samples from 1; expected one within 3 samples");
}

TEST(Slice, RefusesSpikesAndLabelsThatDoNotMatch) {
  LabelledSpikes data = small();
  data.labels.pop_back();
  EXPECT_EQ(test::message_of<InvalidInput>([&] { (void)slice(data, 0, 1); }),
            "data has 3 samples and 2 labels; expected as many");
}

}  // namespace
}  // namespace saltus::data
