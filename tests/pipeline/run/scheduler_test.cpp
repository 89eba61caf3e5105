#include "pipeline/run/scheduler.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <set>
#include <thread>

namespace pgsluice::pipeline {
namespace {

using index::LockMode;

Task task(const char* name, Lane lane, double cost = 1, std::vector<index::LockClaim> claims = {}) {
  return {.kind = TaskKind::kPostData, .lane = lane, .name = name, .cost = cost, .claims = std::move(claims)};
}

TEST(Scheduler, GivesTheHeaviestRemainingPathFirst) {
  TaskGraph graph;
  const TaskId light = graph.add(task("light", Lane::kBuild, 5));
  const TaskId first_of_chain = graph.add(task("first", Lane::kBuild, 1));
  const TaskId rest_of_chain = graph.add(task("rest", Lane::kBuild, 100));
  graph.require(rest_of_chain, first_of_chain);
  Scheduler scheduler(graph, FailurePolicy::kGoOn);
  EXPECT_EQ(scheduler.next(Lane::kBuild), first_of_chain);
  scheduler.succeeded(first_of_chain);
  EXPECT_EQ(scheduler.next(Lane::kBuild), rest_of_chain);
  EXPECT_EQ(scheduler.next(Lane::kBuild), light);
}

TEST(Scheduler, KeepsTheOrderOfTheArchiveInTheMainLane) {
  TaskGraph graph;
  const TaskId a = graph.add(task("a", Lane::kMain, 1));
  const TaskId b = graph.add(task("b", Lane::kMain, 1000));
  Scheduler scheduler(graph, FailurePolicy::kGoOn);
  EXPECT_EQ(scheduler.next(Lane::kMain), a);
  EXPECT_EQ(scheduler.next(Lane::kMain), b);
}

TEST(Scheduler, AFailureIsPassedOnToWhatRequiresItAndNotToWhatOnlyFollows) {
  TaskGraph graph;
  const TaskId fails = graph.add(task("fails", Lane::kBuild));
  const TaskId barrier = graph.add({.kind = TaskKind::kBarrier, .name = "barrier"});
  const TaskId follows = graph.add(task("follows", Lane::kBuild));
  const TaskId requires_it = graph.add(task("requires it", Lane::kBuild));
  const TaskId requires_that = graph.add(task("requires that", Lane::kMain));
  graph.after(barrier, fails);
  graph.after(follows, barrier);
  graph.require(requires_it, fails);
  graph.require(requires_that, requires_it);
  Scheduler scheduler(graph, FailurePolicy::kGoOn);
  ASSERT_EQ(scheduler.next(Lane::kBuild), fails);
  scheduler.failed(fails, Error(ErrorKind::kServer, "no"));
  ASSERT_EQ(scheduler.next(Lane::kBuild), follows);
  scheduler.succeeded(follows);
  EXPECT_EQ(scheduler.next(Lane::kBuild), std::nullopt);
  EXPECT_EQ(scheduler.next(Lane::kMain), std::nullopt);
  EXPECT_TRUE(scheduler.finished());
  ASSERT_EQ(scheduler.failures().size(), 1U);
  ASSERT_EQ(scheduler.left_out().size(), 2U);
  for (const TaskLeftOut& left_out : scheduler.left_out()) EXPECT_EQ(left_out.because_of, fails);
  EXPECT_FALSE(scheduler.fatal());
}

TEST(Scheduler, GivesWhatFollowsInOrderBeforeItsDependencyHasEnded) {
  TaskGraph graph;
  const TaskId table = graph.add(task("table", Lane::kMain));
  const TaskId view = graph.add(task("view", Lane::kMain));
  const TaskId comment = graph.add(task("comment", Lane::kMain));
  const TaskId index = graph.add(task("index", Lane::kBuild));
  graph.require_in_order(view, table);
  graph.require_in_order(comment, view);
  graph.require(index, view);
  Scheduler scheduler(graph, FailurePolicy::kGoOn);
  EXPECT_EQ(scheduler.next(Lane::kMain), table);
  EXPECT_EQ(scheduler.next_ready(Lane::kMain, 1), view);
  EXPECT_EQ(scheduler.next_ready(Lane::kMain, 1), comment);
  EXPECT_EQ(scheduler.next_ready(Lane::kMain, 1), std::nullopt);
  EXPECT_EQ(scheduler.next_ready(Lane::kBuild, 1), std::nullopt);
  scheduler.succeeded(table);
  scheduler.succeeded(view);
  EXPECT_EQ(scheduler.next_ready(Lane::kBuild, 1), index);
  scheduler.succeeded(comment);
  scheduler.succeeded(index);
  EXPECT_TRUE(scheduler.finished());
}

TEST(Scheduler, WhatWasSentBehindAFailureAndFailsForItIsLeftOut) {
  TaskGraph graph;
  const TaskId table = graph.add(task("table", Lane::kMain));
  const TaskId view = graph.add(task("view", Lane::kMain));
  const TaskId on_view = graph.add(task("comment on the view", Lane::kMain));
  const TaskId other = graph.add(task("needs nothing of it", Lane::kMain));
  const TaskId late = graph.add(task("not sent yet", Lane::kMain));
  const TaskId later = graph.add(task("after that", Lane::kMain));
  graph.require_in_order(view, table);
  graph.require_in_order(on_view, view);
  graph.require_in_order(late, table);
  graph.require_in_order(later, late);
  Scheduler scheduler(graph, FailurePolicy::kGoOn);
  for (const TaskId expected : {table, view, on_view, other}) EXPECT_EQ(scheduler.next_ready(Lane::kMain, 1), expected);
  const Error error(ErrorKind::kServer, "no");
  EXPECT_EQ(scheduler.failed(table, error), FailureOutcome::kFailed);
  EXPECT_EQ(scheduler.failed(view, error), FailureOutcome::kSkipped);
  EXPECT_EQ(scheduler.failed(on_view, error), FailureOutcome::kSkipped);
  scheduler.succeeded(other);
  EXPECT_EQ(scheduler.next(Lane::kMain), std::nullopt);
  EXPECT_TRUE(scheduler.finished());
  ASSERT_EQ(scheduler.failures().size(), 1U);
  EXPECT_EQ(scheduler.failures()[0].task, table);
  std::set<TaskId> left_out;
  for (const TaskLeftOut& each : scheduler.left_out()) {
    left_out.insert(each.task);
    EXPECT_EQ(each.because_of, table);
  }
  EXPECT_EQ(left_out, (std::set<TaskId>{view, on_view, late, later}));
}

TEST(Scheduler, WhatWasSentBehindAFailureAndSucceedsIsNamed) {
  TaskGraph graph;
  const TaskId function = graph.add(task("function", Lane::kMain));
  const TaskId view = graph.add(task("view", Lane::kMain));
  const TaskId on_view = graph.add(task("index of the view", Lane::kBuild));
  graph.require_in_order(view, function);
  graph.require(on_view, view);
  Scheduler scheduler(graph, FailurePolicy::kGoOn);
  EXPECT_EQ(scheduler.next_ready(Lane::kMain, 1), function);
  EXPECT_EQ(scheduler.next_ready(Lane::kMain, 1), view);
  EXPECT_EQ(scheduler.failed(function, Error(ErrorKind::kServer, "no")), FailureOutcome::kFailed);
  scheduler.succeeded(view);
  ASSERT_EQ(scheduler.made_without().size(), 1U);
  EXPECT_EQ(scheduler.made_without()[0].task, view);
  EXPECT_EQ(scheduler.made_without()[0].because_of, function);
  EXPECT_EQ(scheduler.next_ready(Lane::kBuild, 1), on_view);
  scheduler.succeeded(on_view);
  EXPECT_TRUE(scheduler.finished());
}

TEST(Scheduler, GivesNothingBehindOthersThatCostsMoreThanItMay) {
  TaskGraph graph;
  const TaskId heavy = graph.add(task("heavy", Lane::kBuild, 100));
  const TaskId light = graph.add(task("light", Lane::kBuild, 1));
  Scheduler scheduler(graph, FailurePolicy::kGoOn);
  EXPECT_EQ(scheduler.next_ready(Lane::kBuild, 10), std::nullopt) << "the light one must not overtake the heavy one";
  EXPECT_EQ(scheduler.next(Lane::kBuild), heavy);
  EXPECT_EQ(scheduler.next_ready(Lane::kBuild, 10), light);
}

TEST(Scheduler, SmallTablesWaitForCompanyWhileThereMayBeMore) {
  TaskGraph graph;
  const TaskId definition = graph.add({.kind = TaskKind::kPreData, .lane = Lane::kMain, .name = "definition"});
  const TaskId large = graph.add({.kind = TaskKind::kTableData, .lane = Lane::kCopy, .cost = kMaxCostTogether});
  const TaskId first = graph.add({.kind = TaskKind::kTableData, .lane = Lane::kCopy, .name = "first", .cost = 2});
  for (std::size_t i = 0; i < 2; ++i) graph.add({.kind = TaskKind::kTableData, .lane = Lane::kCopy, .cost = 1});
  for (std::size_t i = 0; i < Scheduler::kMinimumBatch; ++i) {
    graph.require(graph.add({.kind = TaskKind::kTableData, .lane = Lane::kCopy, .cost = 1}), definition);
  }
  Scheduler scheduler(graph, FailurePolicy::kGoOn);
  EXPECT_EQ(scheduler.next(Lane::kCopy), large) << "a large one waits for nobody";
  EXPECT_EQ(scheduler.next(Lane::kMain), definition);
  std::optional<TaskId> taken;
  std::jthread worker([&] { taken = scheduler.next(Lane::kCopy); });
  scheduler.succeeded(definition);  // many are ready at once now
  worker.join();
  EXPECT_EQ(taken, first);
  EXPECT_TRUE(scheduler.next_to_join(Lane::kCopy, 10, TaskKind::kTableData)) << "who has some may take more along";
}

TEST(Scheduler, FewSmallTablesGoWhenTheLastDefinitionIsMade) {
  TaskGraph graph;
  const TaskId definition = graph.add({.kind = TaskKind::kPreData, .lane = Lane::kMain, .name = "definition"});
  const TaskId small = graph.add({.kind = TaskKind::kTableData, .lane = Lane::kCopy, .cost = 1});
  Scheduler scheduler(graph, FailurePolicy::kGoOn);
  EXPECT_EQ(scheduler.next(Lane::kMain), definition);
  std::optional<TaskId> taken;
  std::jthread worker([&] { taken = scheduler.next(Lane::kCopy); });
  scheduler.succeeded(definition);
  worker.join();
  EXPECT_EQ(taken, small);
}

// A view waits for its table, which is tried again when nothing else runs: rows that are ready may be what that takes.
TEST(Scheduler, FewSmallTablesGoWhenNoDefinitionCanBeMadeBeforeThem) {
  TaskGraph graph;
  const TaskId table = graph.add({.kind = TaskKind::kPreData, .lane = Lane::kBuild, .name = "table"});
  const TaskId view = graph.add({.kind = TaskKind::kPreData, .lane = Lane::kMain, .name = "view"});
  const TaskId rows = graph.add({.kind = TaskKind::kTableData, .lane = Lane::kCopy, .cost = 1});
  graph.require(view, table);
  Scheduler scheduler(graph, FailurePolicy::kGoOn);
  ASSERT_EQ(scheduler.next(Lane::kBuild), table);
  const Error error = Error(ErrorKind::kServer, "not there").on(Side::kTarget).sqlstate("42883");
  ASSERT_EQ(scheduler.failed(table, error), FailureOutcome::kPostponed);
  ASSERT_EQ(scheduler.next_ready(Lane::kCopy, kMaxCostTogether), rows);
  scheduler.succeeded(rows);
  ASSERT_EQ(scheduler.next_ready(Lane::kBuild, kMaxCostTogether), table);
  scheduler.succeeded(table);
  EXPECT_EQ(scheduler.next_ready(Lane::kMain, kMaxCostTogether), view);
}

TEST(Scheduler, DefinitionsOnSeveralSessionsComeBeforeBuilds) {
  TaskGraph graph;
  const TaskId build = graph.add(task("build", Lane::kBuild, 100 * kMaxCostTogether));
  const auto add_definition = [&](double cost_of_rows) {
    const TaskId definition = graph.add({.kind = TaskKind::kPreData, .lane = Lane::kBuild, .cost = kStatementCost});
    graph.require(graph.add({.kind = TaskKind::kTableData, .lane = Lane::kCopy, .cost = cost_of_rows}), definition);
    return definition;
  };
  const TaskId first = add_definition(1);
  const TaskId second = add_definition(kStatementCost);
  const TaskId large = add_definition(2 * kMaxCostTogether);
  Scheduler scheduler(graph, FailurePolicy::kGoOn);
  EXPECT_EQ(scheduler.next(Lane::kBuild), large) << "its rows take longest";
  EXPECT_EQ(scheduler.next(Lane::kBuild), first) << "the small ones keep their order";
  EXPECT_EQ(scheduler.next(Lane::kBuild), second);
  EXPECT_EQ(scheduler.next(Lane::kBuild), build);
}

// All builders may be at work for an hour, or wait for their turn among the databases of a server.
TEST(Scheduler, TheMainLaneMakesDefinitionsThatNoBuilderIsThereFor) {
  TaskGraph graph;
  const TaskId build = graph.add(task("build", Lane::kBuild, 100 * kMaxCostTogether));
  const TaskId another_build = graph.add(task("another build", Lane::kBuild, kMaxCostTogether));
  const TaskId type = graph.add({.kind = TaskKind::kPreData, .lane = Lane::kMain, .cost = kStatementCost});
  const TaskId table = graph.add({.kind = TaskKind::kPreData, .lane = Lane::kBuild, .cost = kStatementCost});
  graph.require(table, type);
  Scheduler scheduler(graph, FailurePolicy::kGoOn);
  ASSERT_EQ(scheduler.next(Lane::kBuild), build);
  ASSERT_EQ(scheduler.next(Lane::kMain), type);
  EXPECT_EQ(scheduler.next_ready(Lane::kMain, kMaxCostTogether), std::nullopt) << "builds are none of its business";
  scheduler.succeeded(type);
  EXPECT_EQ(scheduler.next_ready(Lane::kMain, kMaxCostTogether), table);
  EXPECT_EQ(scheduler.next_ready(Lane::kBuild, kMaxCostTogether), another_build);

  Scheduler in_main(graph, FailurePolicy::kGoOn, {build}, Scheduler::Definitions::kInMain);
  ASSERT_EQ(in_main.next(Lane::kMain), type);
  in_main.succeeded(type);
  EXPECT_EQ(in_main.next_ready(Lane::kBuild, kMaxCostTogether), another_build);
  EXPECT_EQ(in_main.next_ready(Lane::kBuild, kMaxCostTogether), std::nullopt);
  EXPECT_EQ(in_main.next(Lane::kMain), table);
}

TEST(Scheduler, ADefinitionThatHasMetAnotherIsTriedAgain) {
  TaskGraph graph;
  const TaskId table = graph.add({.kind = TaskKind::kPreData, .lane = Lane::kBuild, .name = "table"});
  const TaskId another = graph.add({.kind = TaskKind::kPreData, .lane = Lane::kBuild, .name = "another"});
  const TaskId index = graph.add(task("index", Lane::kBuild));
  Scheduler scheduler(graph, FailurePolicy::kGoOn);
  ASSERT_EQ(scheduler.next(Lane::kBuild), table);
  ASSERT_EQ(scheduler.next(Lane::kBuild), another);
  const Error taken = Error(ErrorKind::kServer, "duplicate key").on(Side::kTarget).sqlstate("23505");
  EXPECT_EQ(scheduler.failed(table, taken), FailureOutcome::kPostponed);
  scheduler.succeeded(another);
  ASSERT_EQ(scheduler.next(Lane::kBuild), table);
  scheduler.succeeded(table);
  ASSERT_EQ(scheduler.next(Lane::kBuild), index);
  EXPECT_EQ(scheduler.failed(index, taken), FailureOutcome::kFailed) << "its rows are not unique";
}

// A worker that waits for a long task must not keep the snapshot meanwhile.
TEST(Scheduler, ALaneWithoutRowsLeftLetsTheSnapshotGo) {
  TaskGraph graph;
  const TaskId rows = graph.add({.kind = TaskKind::kTableData, .lane = Lane::kCopy, .cost = kMaxCostTogether});
  const TaskId more = graph.add({.kind = TaskKind::kTableData, .lane = Lane::kCopy, .cost = 2 * kMaxCostTogether});
  const TaskId index = graph.add({.kind = TaskKind::kIndexBuild, .lane = Lane::kBuild});
  const TaskId statistics = graph.add({.kind = TaskKind::kCarriedStatistics, .lane = Lane::kCopy});
  graph.after(index, rows);
  graph.after(statistics, index);
  Scheduler scheduler(graph, FailurePolicy::kGoOn);
  EXPECT_EQ(scheduler.next_in_snapshot(Lane::kCopy), more);
  EXPECT_EQ(scheduler.next_in_snapshot(Lane::kCopy), rows);
  scheduler.succeeded(rows);
  EXPECT_EQ(scheduler.next(Lane::kBuild), index);
  std::optional<TaskId> taken = rows;
  std::jthread worker([&] { taken = scheduler.next_in_snapshot(Lane::kCopy); });
  scheduler.succeeded(more);  // the last task that needs it: waiting workers wake
  worker.join();
  EXPECT_EQ(taken, std::nullopt);
  scheduler.succeeded(index);
  EXPECT_EQ(scheduler.next(Lane::kCopy), statistics);
}

// The end of a run came while an index was being built that had been tried again: its ledger was gone then, and it
// ended as failed with an index missing.
TEST(Scheduler, TheLastChanceWaitsForWhatIsBeingTriedAgain) {
  TaskGraph graph;
  const TaskId index = graph.add(task("index", Lane::kBuild));
  const TaskId indexes_done = graph.add({.kind = TaskKind::kBarrier});
  graph.after(indexes_done, index);
  const TaskId first = graph.add(task("first view", Lane::kBuild));
  const TaskId second = graph.add(task("second view", Lane::kBuild));
  const TaskId views_done = graph.add({.kind = TaskKind::kBarrier});
  graph[views_done].is_last_chance = true;
  for (const TaskId view : {first, second}) {
    graph.after(view, indexes_done);
    graph.after(views_done, view);
  }
  const TaskId end = graph.add(task("end", Lane::kMain));
  graph.after(end, views_done);
  Scheduler scheduler(graph, FailurePolicy::kGoOn);
  const Error error = Error(ErrorKind::kServer, "not populated").on(Side::kTarget).sqlstate("55000");
  ASSERT_EQ(scheduler.next(Lane::kBuild), index);
  ASSERT_EQ(scheduler.failed(index, error), FailureOutcome::kPostponed);
  // Nothing else can run: the views come without it. One of them makes a second try worth while.
  ASSERT_EQ(scheduler.next(Lane::kBuild), first);
  ASSERT_EQ(scheduler.next(Lane::kBuild), second);
  ASSERT_EQ(scheduler.failed(first, error), FailureOutcome::kPostponed);
  scheduler.succeeded(second);
  ASSERT_EQ(scheduler.next(Lane::kBuild), index);
  ASSERT_EQ(scheduler.next(Lane::kBuild), first);
  scheduler.succeeded(first);
  EXPECT_EQ(scheduler.next_ready(Lane::kMain, kMaxCostTogether), std::nullopt) << "the index is still being built";
  scheduler.succeeded(index);
  EXPECT_EQ(scheduler.next(Lane::kMain), end);
}

TEST(Scheduler, BeginsNothingWhilePaused) {
  TaskGraph graph;
  const TaskId first = graph.add(task("first", Lane::kBuild));
  const TaskId second = graph.add(task("second", Lane::kBuild));
  graph.require(second, first);
  Scheduler scheduler(graph, FailurePolicy::kGoOn);
  EXPECT_EQ(scheduler.next(Lane::kBuild), first);
  scheduler.set_paused(true);
  scheduler.succeeded(first);
  EXPECT_EQ(scheduler.next_ready(Lane::kBuild, kMaxCostTogether), std::nullopt);
  bool was_asked = false;
  EXPECT_EQ(scheduler.next_unless(Lane::kBuild, [&] { return was_asked = true; }), std::nullopt);
  EXPECT_TRUE(was_asked);
  std::optional<TaskId> taken;
  std::jthread worker([&] { taken = scheduler.next(Lane::kBuild); });
  scheduler.set_paused(false);
  worker.join();
  EXPECT_EQ(taken, second);
}

// Each by a call of the one before overflowed the stack at 12,000.
TEST(Scheduler, GivesUpVeryManyThatFailAgain) {
  constexpr int kTasks = 60'000;
  TaskGraph graph;
  for (int i = 0; i < kTasks; ++i) graph.add(task("function", Lane::kMain));
  Scheduler scheduler(graph, FailurePolicy::kGoOn);
  const Error error = Error(ErrorKind::kServer, "no such type").on(Side::kTarget).sqlstate("42704");
  while (const std::optional<TaskId> next = scheduler.next(Lane::kMain)) scheduler.failed(*next, error);
  EXPECT_TRUE(scheduler.finished());
  EXPECT_EQ(scheduler.failures().size(), kTasks);
}

TEST(Scheduler, StopsAtTheFirstFailureWhenAsked) {
  TaskGraph graph;
  const TaskId fails = graph.add(task("fails", Lane::kBuild));
  graph.add(task("other", Lane::kBuild));
  Scheduler scheduler(graph, FailurePolicy::kStopAtFirst);
  ASSERT_EQ(scheduler.next(Lane::kBuild), fails);
  scheduler.failed(fails, Error(ErrorKind::kServer, "first"));
  EXPECT_EQ(scheduler.next(Lane::kBuild), std::nullopt);
  ASSERT_TRUE(scheduler.fatal());
  EXPECT_STREQ(scheduler.fatal()->what(), "first");
}

TEST(Scheduler, TasksWhoseLocksConflictDoNotRunAtOnce) {
  TaskGraph graph;
  const TaskId index_a = graph.add(task("index a", Lane::kBuild, 30, {{1, LockMode::kShare}}));
  const TaskId key = graph.add(task("key", Lane::kBuild, 20, {{1, LockMode::kAccessExclusive}}));
  const TaskId index_b = graph.add(task("index b", Lane::kBuild, 10, {{1, LockMode::kShare}}));
  const TaskId other = graph.add(task("other table", Lane::kBuild, 5, {{2, LockMode::kAccessExclusive}}));
  Scheduler scheduler(graph, FailurePolicy::kGoOn);
  EXPECT_EQ(scheduler.next(Lane::kBuild), index_a);
  EXPECT_EQ(scheduler.next(Lane::kBuild), index_b) << "the key waits for index a; index b shares the table with it";
  EXPECT_EQ(scheduler.next(Lane::kBuild), other);
  scheduler.succeeded(index_a);
  scheduler.succeeded(index_b);
  EXPECT_EQ(scheduler.next(Lane::kBuild), key);
}

TEST(Scheduler, AWaitingWorkerIsWokenByStop) {
  TaskGraph graph;
  const TaskId a = graph.add(task("a", Lane::kMain));
  const TaskId b = graph.add(task("b", Lane::kBuild));
  graph.require(b, a);
  Scheduler scheduler(graph, FailurePolicy::kGoOn);
  std::thread waiter([&] { EXPECT_EQ(scheduler.next(Lane::kBuild), std::nullopt); });
  scheduler.stop(std::nullopt);
  waiter.join();
  EXPECT_FALSE(scheduler.finished());
  EXPECT_FALSE(scheduler.fatal());
}

TEST(Scheduler, ManyThreadsRunARandomGraphOnceAndInOrder) {
  for (const unsigned seed : {1U, 2U, 3U}) {
    std::mt19937 random(seed);
    TaskGraph graph;
    constexpr std::size_t kTasks = 2000;
    std::vector<std::vector<TaskId>> before(kTasks);
    for (TaskId id = 0; id < kTasks; ++id) {
      const auto lane = static_cast<Lane>(random() % kLanes);
      graph.add(task("t", lane, 1,
                     {{static_cast<schema::Oid>(random() % 50),
                       random() % 2 == 0 ? LockMode::kShare : LockMode::kAccessExclusive}}));
      for (std::size_t i = 0; id > 0 && i < random() % 4; ++i) {
        before[id].push_back(random() % id);
        graph.require(id, before[id].back());
      }
    }
    // Of the last seed some were done before, also after tasks that are done again.
    std::set<TaskId> done_before;
    for (TaskId id = 0; seed == 3U && id < kTasks; id += 1 + random() % 4) done_before.insert(id);
    Scheduler scheduler(graph, FailurePolicy::kGoOn, done_before);
    std::vector<std::atomic<int>> done(kTasks);
    for (const TaskId id : done_before) done[id] = 1;
    std::vector<std::thread> threads;
    std::atomic<int> out_of_order{0};
    for (std::size_t worker = 0; worker < 6; ++worker) {
      threads.emplace_back([&, lane = static_cast<Lane>(worker % kLanes)] {
        while (const std::optional<TaskId> id = scheduler.next(lane)) {
          for (const TaskId needed : before[*id]) out_of_order += done[needed] == 1 ? 0 : 1;
          ++done[*id];
          scheduler.succeeded(*id);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(out_of_order, 0) << "seed " << seed;
    for (const auto& count : done) EXPECT_EQ(count, 1) << "seed " << seed;
    EXPECT_TRUE(scheduler.finished());
  }
}

}  // namespace
}  // namespace pgsluice::pipeline
