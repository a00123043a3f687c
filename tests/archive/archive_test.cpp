// SPDX-License-Identifier: Apache-2.0
#include "archive/archive.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "archive/json.hpp"
#include "random/random.hpp"
#include "saltus/error.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using test::refusal;
using ::testing::HasSubstr;

Archive everything() {
  Archive a;
  a.about = {{"text", "\"digest\":\"0000000000000000\""}, {"number", 0.1}};
  a.put("doubles", std::vector<double>{0.1, -0.0, std::numeric_limits<double>::denorm_min()});
  a.put("floats", std::vector<float>{0.1F, 2, 3, 4, 5, 6}, {2, 3});
  a.put("whole", std::vector<std::int64_t>{-1, std::numeric_limits<std::int64_t>::max()});
  a.put("short", std::vector<std::int32_t>{7});
  a.put("bytes", std::vector<std::uint8_t>{0, 255, 34});
  a.put("none", std::vector<double>{});
  a.put("no rows", std::vector<double>{}, {0, 3});
  a.put("scalar", std::vector<double>{4}, {});
  a.put("\u00e4 \"name\"\n", std::vector<double>{1});
  return a;
}

// As another program would write it: no digest.
std::string file_of(const std::string& header, const std::string& data = "") {
  const std::uint64_t size = header.size();
  std::string file(sizeof size, '\0');
  std::memcpy(file.data(), &size, sizeof size);
  return file + header + data;
}

std::string refused(const std::string& file, bool sealed = false) {
  return refusal([&] { Archive::parse(file, sealed); });
}

TEST(Archive, comes_back_to_the_bit) {
  const Archive a = everything(), b = Archive::parse(a.bytes());
  EXPECT_EQ(a.names(), b.names());
  EXPECT_EQ(a.about, b.about);
  for (const std::string& name : a.names()) EXPECT_EQ(a.shape(name), b.shape(name)) << name;
  EXPECT_TRUE(test::same_bits(a.get<double>("doubles"), b.get<double>("doubles")));
  EXPECT_EQ(a.get<float>("floats"), b.get<float>("floats"));
  EXPECT_EQ(a.get<std::int64_t>("whole"), b.get<std::int64_t>("whole"));
  EXPECT_EQ(a.get<std::int32_t>("short"), b.get<std::int32_t>("short"));
  EXPECT_EQ(a.get<std::uint8_t>("bytes"), b.get<std::uint8_t>("bytes"));
  EXPECT_EQ(b.shape("scalar"), Archive::Extents{});
  EXPECT_EQ(b.shape("no rows"), (Archive::Extents{0, 3}));
  EXPECT_EQ(a.bytes(), b.bytes());
}

TEST(Archive, gives_floating_point_numbers_as_either_type_and_whole_ones_as_their_own) {
  const Archive a = everything();
  EXPECT_EQ(a.get<float>("doubles")[0], 0.1F);
  EXPECT_EQ(a.get<double>("floats")[0], static_cast<double>(0.1F));
  EXPECT_EQ(refusal([&] { a.get<std::int32_t>("whole"); }), "'whole' is of type I64; expected I32");
  EXPECT_EQ(refusal([&] { a.get<double>("short"); }), "'short' is of type I32; expected F64");
  EXPECT_EQ(refusal([&] { a.get<double>("nothing"); }), "holds no 'nothing'");
}

TEST(Archive, refuses_a_name_twice) {
  Archive a = everything();
  EXPECT_THAT(refusal([&] { a.put("none", std::vector<float>{1}); }),
              HasSubstr("two arrays are called 'none'"));
  EXPECT_NE(refusal([&] { a.put("__metadata__", std::vector<float>{1}); }), "");
}

TEST(Archive, of_what_is_not_utf8_is_not_written) {
  Archive a = everything();
  a.about["text"] = "\xff";
  EXPECT_THAT(refusal([&] { a.bytes(); }), HasSubstr("not UTF-8"));
}

TEST(Archive, of_another_program_is_read_without_a_digest_if_asked) {
  const std::string file = file_of(
      R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"__metadata__":{"format":"pt"}})",
      std::string("\0\0\x80\x3f", 4));
  EXPECT_EQ(Archive::parse(file, false).get<double>("x"), std::vector<double>{1});
  EXPECT_THAT(refused(file, true), HasSubstr("it has no digest"));
}

TEST(Archive, with_any_byte_flipped_or_cut_off_is_refused) {
  const std::string whole = everything().bytes();
  ASSERT_GT(whole.size(), 700u);
  std::size_t flipped = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      ASSERT_NE(refused(bytes, true), "") << at << " " << bit;
      ++flipped;
    }
    ASSERT_NE(refused(whole.substr(0, at), true), "") << at;
    ASSERT_NE(refused(whole + whole.substr(0, at + 1), true), "") << at;
  }
  EXPECT_EQ(flipped, 8 * whole.size());
}

// Whatever is said of the arrays: an error, and no memory that the file does not have.
TEST(Archive, that_says_what_is_not_so_is_refused) {
  const auto array = [](const std::string& text) {
    return file_of("{\"x\":" + text + "}", "12345678");
  };
  EXPECT_EQ(refused(array(R"({"dtype":"F64","shape":[1],"data_offsets":[0,8]})")), "");
  for (const char* text : {
           R"(1)",
           R"({})",
           R"({"dtype":"F64","shape":[1]})",
           R"({"dtype":"F64","data_offsets":[0,8]})",
           R"({"shape":[1],"data_offsets":[0,8]})",
           R"({"dtype":"F65","shape":[1],"data_offsets":[0,8]})",
           R"({"dtype":8,"shape":[1],"data_offsets":[0,8]})",
           R"({"dtype":"F64","shape":1,"data_offsets":[0,8]})",
           R"({"dtype":"F64","shape":[1.0],"data_offsets":[0,8]})",
           R"({"dtype":"F64","shape":[-1],"data_offsets":[0,8]})",
           R"({"dtype":"F64","shape":[2],"data_offsets":[0,8]})",
           R"({"dtype":"F64","shape":[0],"data_offsets":[0,8]})",
           R"({"dtype":"F64","shape":[2305843009213693953],"data_offsets":[0,8]})",
           R"({"dtype":"F64","shape":[4294967296,4294967296,1],"data_offsets":[0,8]})",
           R"({"dtype":"F64","shape":[1],"data_offsets":[0,8,8]})",
           R"({"dtype":"F64","shape":[1],"data_offsets":[0]})",
           R"({"dtype":"F64","shape":[1],"data_offsets":[1,9]})",
           R"({"dtype":"F64","shape":[1],"data_offsets":[8,0]})",
           R"({"dtype":"F64","shape":[1],"data_offsets":[18446744073709551608,0]})",
           R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})",
           R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})",
       }) {
    EXPECT_THAT(refused(array(text)), HasSubstr("damaged: ")) << text;
  }
  const std::string one = R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  EXPECT_NE(refused(file_of("{\"x\":" + one + ",\"x\":" + one + "}", "1234")), "");
  EXPECT_NE(refused(file_of("{\"x\":" + one + ",\"y\":" + one + "}", "1234")), "");
  EXPECT_NE(refused(file_of("[]")), "");
  EXPECT_NE(refused(file_of("")), "");
  EXPECT_NE(refused("\xff\xff\xff\xff\xff\xff\xff\xff{}"), "");
  EXPECT_NE(refused(file_of(R"({"__metadata__":{"saltus":"[]"}})")), "");
  EXPECT_NE(refused(file_of(R"({"__metadata__":{"saltus":"{"}})")), "");
  EXPECT_EQ(refused(file_of(R"({"__metadata__":{"saltus":1}})")), "");
}

TEST(Json, nested_deep_given_twice_or_beyond_double_is_refused) {
  EXPECT_EQ(parse_json("{\"a\": [1, {\"a\": 2}], \"b\": {\"a\": 3}}")["b"]["a"], 3);
  for (const char open : {'[', '{'}) {
    std::string deep;
    for (int k = 0; k < 200000; ++k) deep += open == '[' ? "[" : "{\"a\":";
    EXPECT_EQ(refusal([&] { parse_json(deep); }), "lists and objects are nested deeper than 64");
  }
  EXPECT_EQ(refusal([] { parse_json("{\"a\": {\"b\": 1, \"b\": 2}}"); }),
            "\"b\" is given twice; expected it once");
  EXPECT_THAT(refusal([] { parse_json("[1e999]"); }),
              HasSubstr("holds a number beyond 1.8e+308; expected"));
  EXPECT_THAT(refusal([] { parse_json("[1,]"); }), HasSubstr("not JSON from byte 4 on"));
  EXPECT_THAT(refusal([] { parse_json("\"\xff\""); }), HasSubstr("not JSON"));
}

}  // namespace
}  // namespace saltus
