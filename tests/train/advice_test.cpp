// SPDX-License-Identifier: Apache-2.0
#include "saltus/advice.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "saltus/task.hpp"
#include "support/support.hpp"

namespace saltus {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A hidden layer and what it is trained on.
struct Case {
  data::LabelledSpikes data = data::encode(data::yin_yang(50, 42));
  Network<double> network = build_network<double>(default_settings("yinyang"), data);
  double t_end = infinity;

  Case& times(double factor, double shift = 0) {
    for (double& t : data.spikes.times) t = t * factor + shift;
    return *this;
  }
  Case& end(double t) {
    t_end = t;
    return *this;
  }
  std::vector<std::string> advice() const { return saltus::advice(network, data, t_end); }
};

TEST(Advice, IsNoneWhereAllIsWell) {
  EXPECT_THAT(Case().advice(), IsEmpty());
  EXPECT_THAT(Case().end(0.05).advice(), IsEmpty());
  EXPECT_THAT(Case().times(20).advice(), IsEmpty());  // 0.6 s
}

TEST(Advice, NamesTimesThatLookLikeMilliOrMicroseconds) {
  EXPECT_THAT(Case().times(1e3).advice(), ElementsAre(HasSubstr("look like milliseconds")));
  EXPECT_THAT(Case().times(1e6).advice(), ElementsAre(HasSubstr("look like microseconds")));
}

TEST(Advice, IsNoneOfALongRecordingFullOfSpikes) {
  Case c;
  c.data.spikes = {{0}, {}, {}};
  for (std::size_t s = 0; s < c.data.size(); ++s) {
    for (int k = 0; k < 4000; ++k) {
      c.data.spikes.times.push_back(k * 1e-2);
      c.data.spikes.neurons.push_back(k % 5);
    }
    c.data.spikes.offsets.push_back(static_cast<std::int64_t>(c.data.spikes.times.size()));
  }
  EXPECT_THAT(c.advice(), IsEmpty());
}

TEST(Advice, NamesInputThatLiesAfterTheEnd) {
  EXPECT_THAT(
      Case().times(1, 40).end(0.1).advice(),
      ElementsAre(AllOf(
          HasSubstr(
              "none of the 250 input spikes comes before t_end = 0.1 s (the first at 40 s, the "
              "last at 40.0"),
          HasSubstr("the network sees nothing; all times are in seconds: see whether the data have "
                    "another unit or origin, or give a later t_end"))));
  EXPECT_THAT(Case().end(5e-3).advice(),
              ElementsAre(HasSubstr("% of the input spikes do not come")));
  Case own;
  own.data.t_end.assign(own.data.size(), 0.0);
  EXPECT_THAT(own.advice(), ElementsAre(HasSubstr("comes before the end of its sample")));
}

TEST(Advice, NamesATimeConstantThatLooksLikeMilliseconds) {
  Case c;
  c.network.populations()[1]["tau_mem"] = 20.0;
  EXPECT_THAT(
      c.end(0.05).advice(),
      ElementsAre("hidden.tau_mem is 20 s, 400 times as long as the longest sample (0.05 s); "
                  "expected seconds: if milliseconds are meant, 0.02"));
  c.times(1e3).end(50);  // all in one unit: nothing is wrong with it
  c.network.populations()[1]["tau_syn"] = 5.0;
  EXPECT_THAT(c.advice(), IsEmpty());
}

TEST(Advice, OfAnEpochNamesTheCauseAlone) {
  EpochReport r;
  r.samples = r.silent_samples = 10;
  EXPECT_THAT(advice(r), ElementsAre(HasSubstr("nothing reaches the readout")));
  r.silent_populations = {"hidden", "out"};
  EXPECT_THAT(advice(r), ElementsAre(HasSubstr("no neuron of 'hidden' spiked")));
  r.smoothing_sigma = 0.1;
  EXPECT_THAT(advice(r), IsEmpty());
  r = {};
  r.samples = 10;
  r.silent_samples = 9;
  EXPECT_THAT(advice(r), IsEmpty());
}

}  // namespace
}  // namespace saltus
