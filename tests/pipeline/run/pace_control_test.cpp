// How many copy at once with a pace, and who learns of another one.
#include "pipeline/run/pace_control.h"

#include <gtest/gtest.h>

#include <vector>

#include "pgsluice/error.h"

namespace pgsluice::pipeline {
namespace {

TEST(PaceControl, SessionsOfTheSourceDecideHowManyCopy) {
  struct Case {
    int sessions, jobs, runs, copying;
  };
  for (const auto& [sessions, jobs, runs, copying] : std::vector<Case>{
           {0, 4, 1, 4},  // no limit
           {3, 4, 1, 1},  // the snapshot, a stalled run's look, one that copies
           {6, 4, 1, 4},  // all that the jobs take
           {100, 4, 1, 4},
           {6, 4, 2, 2},  // two snapshots, and the next one's definitions
           {3, 4, 8, 1},  // one copies whatever happens
       }) {
    EXPECT_EQ(copying_at_once({.max_source_sessions = sessions}, jobs, runs), copying)
        << sessions << " sessions, " << jobs << " jobs, " << runs << " runs";
  }
}

TEST(PaceControl, FollowersLearnOfEachChange) {
  PaceControl control({.max_rate = {5}});
  std::vector<Pace> seen;
  {
    const PaceControl::Follower follower(control, [&](const Pace& pace) { seen.push_back(pace); });
    control.set({.paused = true});
  }
  control.set({});
  EXPECT_EQ(seen, (std::vector<Pace>{{.max_rate = {5}}, {.paused = true}}));
}

TEST(PaceControl, APauseLastsFromItsBegin) {
  PaceControl control({});
  EXPECT_FALSE(control.paused_for());
  control.set({.paused = true});
  const auto first = control.paused_for();
  control.set({.max_rate = {1}, .paused = true});
  ASSERT_TRUE(first && control.paused_for());
  EXPECT_GE(*control.paused_for(), *first);
  control.set({.max_rate = {1}});
  EXPECT_FALSE(control.paused_for());
}

TEST(PaceControl, WhatCannotBeMeantIsRefused) {
  EXPECT_THROW(PaceControl({.max_source_sessions = 2}), Error);
  PaceControl control({});
  EXPECT_THROW(control.set({.max_rate = {-1}}), Error);
  EXPECT_THROW(control.set({.max_source_sessions = -1}), Error);
  EXPECT_EQ(control.pace(), Pace());
}

TEST(PaceControl, IsDescribedForPeople) {
  EXPECT_EQ(describe(Pace()), "at full speed");
  EXPECT_EQ(describe(Pace{.max_rate = {50 * 1024 * 1024}, .max_source_sessions = 5, .paused = true}),
            "paused; at most 50 MB a second; at most 5 sessions of the source");
}

}  // namespace
}  // namespace pgsluice::pipeline
