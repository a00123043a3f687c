// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "saltus/connection.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using test::refusal;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<Synapse> of(const Connection& c) {
  std::vector<Synapse> result(c.synapses().size());
  for (std::size_t place = 0; place < result.size(); ++place) {
    result[static_cast<std::size_t>(c.synapses()[place].number)] = c.synapses()[place];
  }
  return result;
}

TEST(Connection, lists_synapses_by_source_and_by_target) {
  Connection c("sparse", {{"pre", {2, 0, 2}}, {"post", {1, 1, 0}}, {"place", {1, 0, 1}}});
  EXPECT_FALSE(c.fits(3, 2));
  c.list(3, 2);
  EXPECT_TRUE(c.fits(3, 2));
  EXPECT_FALSE(c.fits(3, 4));
  EXPECT_EQ(c.weights(3, 2), 2u);
  EXPECT_EQ(c.count(3, 2), 3u);
  EXPECT_THAT(of(c), ElementsAre(Synapse{2, 1, 1}, Synapse{0, 1, 0}, Synapse{2, 0, 1}));
  const SynapseList& list = c.synapses();
  EXPECT_EQ(list.first_into(1), 1u);
  EXPECT_EQ(list[0], (Synapse{2, 0, 1}));
  EXPECT_THAT(list.from(1), ::testing::IsEmpty());
  const auto place = [](int p) { return ::testing::Field(&SynapseList::Reached::place, p); };
  EXPECT_THAT(list.from(2), ElementsAre(place(0), place(1)));
}

TEST(Connection, may_have_weights_that_no_synapse_has) {
  // A kernel of 3 x 3 upon one pixel: only its middle is ever upon it.
  Connection c("conv2d", {{"input", {1, 1, 1}},
                          {"kernel", {1, 1, 3, 3}},
                          {"stride", {1, 1}},
                          {"padding", {1, 1}},
                          {"dilation", {1, 1}}});
  c.list(1, 1);
  EXPECT_EQ(c.weights(1, 1), 9u);
  EXPECT_THAT(c.weight_shape(1, 1), ElementsAre(1, 1, 3, 3));
  EXPECT_THAT(of(c), ElementsAre(Synapse{0, 0, 4}));
}

TEST(Connection, pools_channel_by_channel) {
  Connection c("pool2d", {{"input", {2, 1, 3}}, {"size", {1, 2}}, {"stride", {1, 1}}});
  c.list(6, 4);
  EXPECT_THAT(of(c),
              ElementsAre(Synapse{0, 0, 0}, Synapse{1, 0, 0}, Synapse{1, 1, 0}, Synapse{2, 1, 0},
                          Synapse{3, 2, 0}, Synapse{4, 2, 0}, Synapse{4, 3, 0}, Synapse{5, 3, 0}));
  EXPECT_EQ(c.weights(6, 4), 1u);
}

TEST(Connection, all_to_all_lists_nothing) {
  const Connection c;
  EXPECT_TRUE(c.all_to_all());
  EXPECT_TRUE(c.fits(3, 7));
  EXPECT_EQ(c.weights(3, 7), 21u);
  EXPECT_EQ(c, Connection("dense"));
  EXPECT_NE(c, Connection("pool2d", {{"input", {1, 1, 1}}, {"size", {1, 1}}, {"stride", {1, 1}}}));
}

TEST(Connection, with_numbers_out_of_range_is_refused) {
  const std::int64_t large = std::int64_t{1} << 40;
  const auto pool = [](std::vector<std::int64_t> input, std::vector<std::int64_t> window) {
    return refusal([&] {
      Connection("pool2d", {{"input", input}, {"size", window}, {"stride", {1, 1}}}).list(4, 4);
    });
  };
  EXPECT_THAT(pool({1, 2}, {1, 1}), HasSubstr("input has 2 numbers; expected 3"));
  EXPECT_THAT(pool({1, large, 2}, {1, 1}), HasSubstr("input[1] is 1099511627776; expected 1 to"));
  EXPECT_THAT(pool({1, 2147483647, 2147483647}, {1, 1}), HasSubstr("the source has 4 neurons"));
  EXPECT_THAT(pool({1, 2, 2}, {3, 1}),
              HasSubstr("the window (kernel 3 x 1) is larger than the source's 2 x 2"));
  EXPECT_THAT(refusal([&] {
                Connection("sparse", {{"pre", {large}}, {"post", {0}}, {"place", {}}}).list(4, 4);
              }),
              HasSubstr("pre[0] is 1099511627776"));
}

}  // namespace
}  // namespace saltus
