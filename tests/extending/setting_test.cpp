// SPDX-License-Identifier: Apache-2.0
// What a setting costs: a member and its row. Check, JSON and command line follow from the row.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cli/fields.hpp"
#include "saltus/fields.hpp"
#include "store/json.hpp"
#include "support/support.hpp"

namespace saltus {
namespace toy {

enum class Mood { calm, wild };

struct Settings {
  double patience = 0.5;
  int tries = 3;
  Mood mood = Mood::calm;
  bool loud = false;
  std::vector<std::size_t> sizes = {1, 2};
  double inner = 1;

  static constexpr auto fields();
};

constexpr auto Settings::fields() {
  using S = Settings;
  return std::tuple{
      Field{"patience", &S::patience, bounds::fraction, heading::run, "how long to wait"},
      Field{"tries", &S::tries, anything, heading::run, "how often", "--max-tries"},
      Field{"mood", &S::mood, anything, heading::run, "calm or wild"},
      Field{"loud", &S::loud, anything, heading::run, "with a bang"},
      Field{"sizes", &S::sizes, anything, heading::run, "how many"},
      Field{"inner", &S::inner, bounds::finite}};  // no option
}

}  // namespace toy

template <>
struct Names<toy::Mood> {
  static constexpr std::string_view what = "mood";
  static constexpr std::pair<toy::Mood, std::string_view> all[] = {{toy::Mood::calm, "calm"},
                                                                   {toy::Mood::wild, "wild"}};
};

namespace {

using test::refusal;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ToySetting, is_checked_by_its_row) {
  toy::Settings s;
  check_fields(s);
  s.patience = 1;
  EXPECT_EQ(refusal([&] { check_fields(s); }), "patience is 1; expected a number in [0, 1)");
}

TEST(ToySetting, is_stored_by_its_row) {
  toy::Settings s;
  s.mood = toy::Mood::wild;
  s.inner = std::numeric_limits<double>::infinity();
  nlohmann::json json;
  store::write_fields(json, s);
  EXPECT_EQ(json.dump(),
            R"({"inner":"infinite","loud":false,"mood":"wild","patience":0.5,"sizes":[1,2],)"
            R"("tries":3})");
  toy::Settings read;
  store::read_fields(json, read);
  EXPECT_EQ(read.mood, toy::Mood::wild);
  EXPECT_EQ(read.inner, s.inner);
  json["mood"] = "sad";
  EXPECT_EQ(refusal([&] { store::read_fields(json, read); }),
            "no mood is called 'sad'; there are: calm, wild");
  json["mood"] = 3;
  EXPECT_EQ(refusal([&] { store::read_fields(json, read); }), "mood is 3; expected a text");
}

TEST(ToySetting, is_an_option_by_its_row) {
  CLI::App app;
  cli::Given<toy::Settings> given;
  cli::add_fields<toy::Settings>(app, given, heading::run,
                                 [](toy::Settings& s) -> toy::Settings& { return s; });
  const std::string help = app.help();
  for (const char* word : {"--patience X", "how long to wait", "--max-tries N", "--mood TEXT",
                           "--loud", "--sizes N,N,..."}) {
    EXPECT_THAT(help, HasSubstr(word));
  }
  EXPECT_THAT(help, Not(HasSubstr("inner")));
  app.parse("--max-tries 7 --mood wild --loud --sizes 5,6", false);
  toy::Settings s;
  for (const auto& change : given.changes) change(s);
  EXPECT_EQ(s.tries, 7);
  EXPECT_EQ(s.mood, toy::Mood::wild);
  EXPECT_TRUE(s.loud);
  EXPECT_THAT(s.sizes, ElementsAre(5, 6));
  EXPECT_EQ(s.patience, 0.5);
  EXPECT_THAT(given.names, ElementsAre("--max-tries", "--mood", "--loud", "--sizes"));
  app.parse("--no-loud", false);
  for (const auto& change : given.changes) change(s);
  EXPECT_FALSE(s.loud);
}

}  // namespace
}  // namespace saltus
