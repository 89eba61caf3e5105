#include "pipeline/plan/task_graph.h"

#include <gtest/gtest.h>

#include "pgsluice/error.h"

namespace pgsluice::pipeline {
namespace {

Task task(const char* name, double cost) { return {.kind = TaskKind::kPostData, .name = name, .cost = cost}; }

TEST(TaskGraph, TheRemainingCostIsThatOfTheLongestPath) {
  TaskGraph graph;
  const TaskId a = graph.add(task("a", 1));
  const TaskId b = graph.add(task("b", 10));
  const TaskId c = graph.add(task("c", 2));
  const TaskId d = graph.add(task("d", 3));
  graph.require(b, a);
  graph.after(c, a);
  graph.after(d, c);
  EXPECT_EQ(graph.remaining_costs(), (std::vector<double>{11, 10, 5, 3}));
}

TEST(TaskGraph, ACircleIsADefectThatIsNamed) {
  TaskGraph graph;
  const TaskId a = graph.add(task("first", 1));
  const TaskId b = graph.add(task("second", 1));
  graph.require(b, a);
  graph.require(a, b);
  try {
    graph.remaining_costs();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInternal);
    EXPECT_NE(error.describe().find("first, second"), std::string::npos);
  }
}

TEST(TaskGraph, ATaskDoesNotWaitForItself) {
  TaskGraph graph;
  const TaskId a = graph.add(task("a", 1));
  graph.require(a, a);
  EXPECT_EQ(graph.waits_for(a), 0U);
}

TEST(TaskGraph, IsNotBuiltToItsEndAfterACancellation) {
  CancelSource cancel;
  TaskGraph graph(cancel.token());
  const TaskId first = graph.add(task("first", 1));
  cancel.cancel();
  const auto build = [&] {
    for (int i = 0; i < 10'000; ++i) graph.require(graph.add(task("next", 1)), first);
  };
  EXPECT_THROW(build(), Error);
  EXPECT_LT(graph.size(), 5'000U);
}

}  // namespace
}  // namespace pgsluice::pipeline
