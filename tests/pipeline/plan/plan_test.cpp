#include "pipeline/plan/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>

#include "pgsluice/clone.h"

namespace pgsluice::pipeline {
namespace {

using schema::EntryKind;
using schema::Section;
using schema::TocEntry;

TocEntry entry(int dump_id, const char* kind, const char* tag, schema::CatalogId id, Section section,
               std::vector<int> dependencies = {}) {
  TocEntry result;
  result.dump_id = dump_id;
  result.kind = schema::EntryKind(kind);
  result.tag = tag;
  result.catalog_id = id;
  result.section = section;
  result.dependencies = std::move(dependencies);
  return result;
}

// Two tables; a has a key that b refers to.
PlanInput input() {
  PlanInput result;
  result.archive.entries = {
      entry(1, "TABLE", "a", {1259, 100}, Section::kPreData),
      entry(2, "TABLE", "b", {1259, 200}, Section::kPreData),
      entry(3, "CONSTRAINT", "a a_pkey", {2606, 500}, Section::kPostData, {1}),
      entry(4, "FK CONSTRAINT", "b fk", {2606, 400}, Section::kPostData, {1, 2, 3}),
      entry(5, "TRIGGER", "b g", {2620, 600}, Section::kPostData, {2}),
      entry(6, "ACL", "TABLE a", {0, 0}, Section::kPostData, {1}),
      entry(7, "MATERIALIZED VIEW DATA", "m", {0, 0}, Section::kPostData),
      entry(8, "EVENT TRIGGER", "e", {3466, 1}, Section::kPostData),
  };
  for (const auto& [oid, name] : {std::pair{100U, "a"}, {200U, "b"}}) {
    schema::Relation relation;
    relation.oid = oid;
    relation.schema = "public";
    relation.name = name;
    result.catalog.relations.push_back(relation);
  }
  result.catalog.indexes = {{.oid = 300,
                             .table = 100,
                             .schema = "public",
                             .name = "a_pkey",
                             .definition = "CREATE UNIQUE INDEX a_pkey ON a",
                             .constraint = 500,
                             .constraint_name = "a_pkey",
                             .constraint_type = 'p'}};
  result.catalog.foreign_keys = {{.oid = 400, .name = "fk", .child = 200, .parent = 100}};
  result.catalog.sequences = {{.oid = 700, .schema = "public", .name = "s"}};
  result.catalog.large_objects = 3;
  result.properties = {{"owner of the database", "ALTER DATABASE x OWNER TO y"}};
  return result;
}

class PlanGraph : public ::testing::Test {
 protected:
  PlanGraph() : plan_(make_plan(input(), {})) {}

  TaskId find(TaskKind kind, const std::string& name) const {
    for (TaskId id = 0; id < plan_->graph.size(); ++id) {
      if (plan_->graph[id].kind == kind && plan_->graph[id].name.find(name) != std::string::npos) return id;
    }
    throw std::runtime_error("no task " + name);
  }

  // Whether `later` waits for `earlier`, over whatever tasks between.
  bool waits(TaskId later, TaskId earlier) const {
    for (const TaskGraph::Edge& edge : plan_->graph.followers(earlier)) {
      if (edge.to == later || waits(later, edge.to)) return true;
    }
    return false;
  }

  std::unique_ptr<const Plan> plan_;
};

TEST_F(PlanGraph, RowsComeAfterTheDefinitionsThatTouchTheirTableAndNoOthers) {
  EXPECT_TRUE(waits(find(TaskKind::kTableData, "public.a"), find(TaskKind::kPreData, "table a")));
  EXPECT_FALSE(waits(find(TaskKind::kTableData, "public.a"), find(TaskKind::kPreData, "table b")));
}

TEST_F(PlanGraph, AKeyIsAnIndexBuiltOnTheDataAndAConstraintOnTheIndex) {
  const TaskId build = find(TaskKind::kIndexBuild, "a_pkey");
  const TaskId constraint = find(TaskKind::kPostData, "a a_pkey");
  EXPECT_TRUE(waits(build, find(TaskKind::kTableData, "public.a")));
  EXPECT_FALSE(waits(build, find(TaskKind::kTableData, "public.b"))) << "b's rows are no business of a's index";
  EXPECT_TRUE(waits(constraint, build));
  EXPECT_NE(plan_->graph[constraint].sql.find("USING INDEX"), std::string::npos);
}

TEST_F(PlanGraph, AForeignKeyWaitsForTheKeyTheRowsAndTheStatisticsOfBothEnds) {
  const TaskId key = find(TaskKind::kPostData, "b fk");
  for (const TaskId earlier : {find(TaskKind::kPostData, "a a_pkey"), find(TaskKind::kTableData, "public.a"),
                               find(TaskKind::kTableData, "public.b"), find(TaskKind::kStatistics, "public.a"),
                               find(TaskKind::kStatistics, "public.b")}) {
    EXPECT_TRUE(waits(key, earlier)) << plan_->graph[earlier].name;
  }
}

TEST_F(PlanGraph, TriggersComeAfterTheRows) {
  EXPECT_TRUE(waits(find(TaskKind::kPostData, "b g"), find(TaskKind::kTableData, "public.b")));
}

TEST_F(PlanGraph, SequencesAreReadLastAndThenTheSnapshotIsReleased) {
  const TaskId sequences = find(TaskKind::kSequences, "");
  const TaskId release = find(TaskKind::kReleaseSnapshot, "");
  EXPECT_TRUE(waits(sequences, find(TaskKind::kTableData, "public.a")));
  EXPECT_TRUE(waits(sequences, find(TaskKind::kLargeObjects, "")));
  EXPECT_TRUE(waits(release, sequences));
  EXPECT_FALSE(waits(release, find(TaskKind::kIndexBuild, "a_pkey"))) << "the snapshot does not wait for indexes";
}

TEST_F(PlanGraph, TheLastThingsHaveTheirOrder) {
  const std::vector<TaskId> order = {find(TaskKind::kPostData, "b fk"),          find(TaskKind::kAcl, "a"),
                                     find(TaskKind::kMaterializedView, "m"),     find(TaskKind::kEventTrigger, "e"),
                                     find(TaskKind::kDatabaseProperty, "owner"), find(TaskKind::kDurability, "")};
  for (std::size_t i = 1; i < order.size(); ++i)
    EXPECT_TRUE(waits(order[i], order[i - 1])) << plan_->graph[order[i]].name;
}

// One session each would leave the others idle at the end.
TEST(Plan, VeryManySequencesAndPrivilegesAreSharedBySessions) {
  PlanInput in = input();
  for (schema::Oid i = 0; i < 4500; ++i)
    in.catalog.sequences.push_back({.oid = 10'000 + i, .schema = "s", .name = "s"});
  for (int i = 0; i < 600; ++i)
    in.archive.entries.push_back(entry(100 + i, "ACL", "TABLE a", {0, 0}, Section::kPostData, {1}));
  in.archive.entries.push_back(entry(9000, "ACL", "SCHEMA s", {0, 0}, Section::kPostData));
  const std::unique_ptr<const Plan> plan = make_plan(std::move(in), {});
  std::vector<std::size_t> sequences;
  std::size_t privileges = 0;
  TaskId of_schema = 0;
  for (TaskId id = 0; id < plan->graph.size(); ++id) {
    const Task& task = plan->graph[id];
    if (task.kind == TaskKind::kSequences) sequences.push_back(task.sequences.size());
    if (task.kind == TaskKind::kAcl && task.lane == Lane::kBuild) ++privileges;
    if (task.kind == TaskKind::kAcl && task.lane == Lane::kMain) of_schema = id;
  }
  // Who grants on a table may need USAGE of its schema, which another one has granted.
  const std::vector<TaskGraph::Edge>& after_schema = plan->graph.followers(of_schema);
  ASSERT_TRUE(std::any_of(after_schema.begin(), after_schema.end(), [&](const TaskGraph::Edge& edge) {
    return plan->graph.followers(edge.to).size() >= privileges;
  }));
  EXPECT_EQ(sequences, (std::vector<std::size_t>{2000, 2000, 501}));
  EXPECT_EQ(privileges, 601U);
}

// A view of a view of a table, and a default, which pg_dump puts at the end.
TEST(Plan, RowsWaitForWhatIsMadeOfTheirTableAndDefaultsDoNotKeepThemWaiting) {
  PlanInput in;
  in.archive.entries = {entry(1, "TABLE", "a", {1259, 100}, Section::kPreData),
                        entry(2, "TABLE", "b", {1259, 200}, Section::kPreData),
                        entry(3, "VIEW", "v", {1259, 300}, Section::kPreData, {1}),
                        entry(4, "VIEW", "w", {1259, 400}, Section::kPreData, {3}),
                        entry(5, "DEFAULT", "b i", {2604, 500}, Section::kPreData, {2}),
                        entry(6, "POLICY", "b p", {3256, 600}, Section::kPostData, {2, 4})};
  for (const auto& [oid, name] : {std::pair{100U, "a"}, {200U, "b"}}) {
    in.catalog.relations.push_back({.oid = oid, .schema = "public", .name = name});
  }
  const std::unique_ptr<const Plan> plan = make_plan(std::move(in), {});
  std::map<std::string, TaskId> tasks;
  for (TaskId id = 0; id < plan->graph.size(); ++id) tasks[plan->graph[id].name] = id;
  const auto follows = [&](const std::string& later, const std::string& earlier) {
    const auto& edges = plan->graph.followers(tasks.at(earlier));
    return std::any_of(edges.begin(), edges.end(), [&](const TaskGraph::Edge& e) { return e.to == tasks.at(later); });
  };
  EXPECT_TRUE(follows("rows of table public.a", "view v"));
  EXPECT_TRUE(follows("rows of table public.a", "view w"));
  EXPECT_FALSE(follows("rows of table public.b", "view w"));
  EXPECT_LT(tasks.at("default b i"), tasks.at("view v")) << "sent right after its table";
  EXPECT_TRUE(follows("policy b p", "view w")) << "a definition that locks what the policy locks is on its way";
}

// Tables and their sequences and defaults on the sessions that build later, all else on one, in the archive's order.
TEST(Plan, TablesAreMadeOnSeveralSessionsBesideWhatNeedsTheOrder) {
  PlanInput in;
  in.archive.entries = {entry(1, "SCHEMA", "s", {2615, 10}, Section::kPreData),
                        entry(2, "FUNCTION", "f", {1255, 20}, Section::kPreData, {1}),
                        entry(3, "TABLE", "t", {1259, 100}, Section::kPreData, {1, 2}),
                        entry(4, "SEQUENCE", "t_i_seq", {1259, 200}, Section::kPreData, {1, 3}),
                        entry(5, "DEFAULT", "t i", {2604, 500}, Section::kPreData, {3, 4}),
                        entry(6, "VIEW", "v", {1259, 300}, Section::kPreData, {3}),
                        entry(7, "CAST", "c", {2605, 700}, Section::kPreData, {2}),
                        entry(8, "TABLE", "behind the cast", {1259, 800}, Section::kPreData, {1})};
  in.catalog.relations.push_back({.oid = 100, .schema = "s", .name = "t"});
  const std::unique_ptr<const Plan> plan = make_plan(std::move(in), {});
  std::map<std::string, TaskId> tasks;
  for (TaskId id = 0; id < plan->graph.size(); ++id) tasks[plan->graph[id].name] = id;
  for (const char* beside : {"table t", "sequence t_i_seq", "default t i"}) {
    EXPECT_EQ(plan->graph[tasks.at(beside)].lane, Lane::kBuild) << beside;
  }
  for (const char* in_order : {"schema s", "function f", "view v"}) {
    EXPECT_EQ(plan->graph[tasks.at(in_order)].lane, Lane::kMain) << in_order;
  }
  const auto is_in_order = [&](const std::string& later, const std::string& earlier) {
    for (const TaskGraph::Edge& edge : plan->graph.followers(tasks.at(earlier))) {
      if (edge.to == tasks.at(later)) return edge.in_order;
    }
    throw std::runtime_error(later + " does not wait for " + earlier);
  };
  EXPECT_TRUE(is_in_order("function f", "schema s"));
  EXPECT_FALSE(is_in_order("table t", "schema s")) << "another session does not see it before its end";
  EXPECT_FALSE(is_in_order("default t i", "table t")) << "any session may take the second";
  EXPECT_FALSE(is_in_order("view v", "table t"));
  EXPECT_FALSE(is_in_order("table behind the cast", "cast c")) << "which a default may need, and nothing names that";
}

TEST(Plan, RowsOfAnExtensionsTableWaitForTheExtension) {
  PlanInput in;
  in.archive.entries = {entry(1, "EXTENSION", "e", {3079, 50}, Section::kPreData)};
  in.catalog.relations = {{.oid = 100, .schema = "public", .name = "conf", .extension_condition = ""}};
  const std::unique_ptr<const Plan> plan = make_plan(std::move(in), {});
  for (TaskId id = 0; id < plan->graph.size(); ++id) {
    if (plan->graph[id].kind != TaskKind::kTableData) continue;
    EXPECT_EQ(plan->graph.waits_for(id), 1U);
  }
}

TEST(Plan, RowsOfAPartitionWaitForTheAttachOfItsSiblings) {
  PlanInput in;
  in.archive.entries = {entry(1, "TABLE", "root", {1259, 10}, Section::kPreData),
                        entry(2, "TABLE", "a_default", {1259, 11}, Section::kPreData),
                        entry(3, "TABLE", "b", {1259, 12}, Section::kPreData),
                        entry(4, "TABLE ATTACH", "a_default", {0, 0}, Section::kPreData, {1, 2}),
                        entry(5, "TABLE ATTACH", "b", {0, 0}, Section::kPreData, {1, 3})};
  in.catalog.relations = {{.oid = 10, .name = "root", .kind = schema::RelationKind::kPartitionedTable},
                          {.oid = 11, .name = "a_default"},
                          {.oid = 12, .name = "b"}};
  in.catalog.inheritance = {{11, 10}, {12, 10}};
  const std::unique_ptr<const Plan> plan = make_plan(std::move(in), {});
  std::optional<TaskId> rows;
  std::optional<TaskId> attach;
  for (TaskId id = 0; id < plan->graph.size(); ++id) {
    if (plan->graph[id].name.find("rows of table") == 0 && plan->graph[id].relation->oid == 11) rows = id;
    if (plan->graph[id].name == "table attach b") attach = id;
  }
  ASSERT_TRUE(rows && attach);
  const auto& edges = plan->graph.followers(*attach);
  EXPECT_TRUE(std::any_of(edges.begin(), edges.end(), [&](const TaskGraph::Edge& e) { return e.to == *rows; }));
}

TEST(Plan, AForeignKeyIsMadeNotValidAndValidatedApart) {
  PlanInput in = input();
  in.catalog.foreign_keys[0].validated_apart = true;
  in.catalog.foreign_keys[0].child_columns = {"x"};
  in.catalog.foreign_keys[0].parent_columns = {"y"};
  in.catalog.foreign_keys[0].equalities = {"OPERATOR(pg_catalog.=)"};
  for (TocEntry& of : in.archive.entries) {
    if (of.kind == EntryKind::kFkConstraint)
      of.definition = "ALTER TABLE ONLY b ADD CONSTRAINT fk FOREIGN KEY (x) REFERENCES a(y);\n";
  }
  const std::unique_ptr<const Plan> plan = make_plan(std::move(in), {});
  std::optional<TaskId> made;
  std::optional<TaskId> validated;
  for (TaskId id = 0; id < plan->graph.size(); ++id) {
    if (plan->graph[id].kind == TaskKind::kValidation) validated = id;
    if (plan->graph[id].sql.find("NOT VALID") != std::string::npos) made = id;
  }
  ASSERT_TRUE(made && validated);
  EXPECT_EQ(plan->graph[*made].sql,
            "ALTER TABLE ONLY b ADD CONSTRAINT fk FOREIGN KEY (x) REFERENCES a(y) NOT VALID;\n");
  EXPECT_EQ(plan->graph[*validated].sql, "ALTER TABLE \"public\".\"b\" VALIDATE CONSTRAINT \"fk\"");
  const auto& edges = plan->graph.followers(*made);
  EXPECT_TRUE(std::any_of(edges.begin(), edges.end(),
                          [&](const TaskGraph::Edge& e) { return e.to == *validated && e.required; }));
}

TEST(Plan, RowsThatGoThroughTheRootAreWaitedForByEveryPartition) {
  PlanInput in;
  in.archive.entries = {entry(1, "TABLE", "root", {1259, 10}, Section::kPreData),
                        entry(2, "TABLE", "l1", {1259, 11}, Section::kPreData),
                        entry(3, "TABLE", "l2", {1259, 12}, Section::kPreData),
                        entry(4, "TRIGGER", "l2 g", {2620, 1}, Section::kPostData, {3})};
  for (const schema::Oid oid : {10U, 11U, 12U}) {
    schema::Relation relation;
    relation.oid = oid;
    relation.name = oid == 10 ? "root" : oid == 11 ? "l1" : "l2";
    relation.kind = oid == 10 ? schema::RelationKind::kPartitionedTable : schema::RelationKind::kTable;
    relation.load_via_root = oid == 10 ? 0 : 10;
    in.catalog.relations.push_back(relation);
  }
  in.catalog.inheritance = {{11, 10}, {12, 10}};
  const std::unique_ptr<const Plan> plan = make_plan(std::move(in), {});
  std::size_t waited_for = 0;
  for (TaskId id = 0; id < plan->graph.size(); ++id) {
    if (plan->graph[id].kind != TaskKind::kTableData) continue;
    for (const TaskGraph::Edge& edge : plan->graph.followers(id)) {
      if (plan->graph[edge.to].name.find("l2 g") != std::string::npos && edge.required) ++waited_for;
    }
  }
  EXPECT_GE(waited_for, 2U);
}

TEST(Plan, IndexesAreAttachedFromTheBottom) {
  PlanInput wanted;
  const auto index = [](int dump_id, const char* name, schema::Oid oid, int table) {
    return entry(dump_id, "INDEX", name, {1259, oid}, Section::kPostData, {table});
  };
  const auto attach = [](int dump_id, const char* name, int below, int above) {
    return entry(dump_id, "INDEX ATTACH", name, {0, 0}, Section::kPostData, {below, above});
  };
  wanted.archive.entries = {entry(1, "TABLE", "root", {1259, 100}, Section::kPreData),
                            entry(2, "TABLE", "middle", {1259, 200}, Section::kPreData),
                            entry(3, "TABLE", "leaf", {1259, 300}, Section::kPreData),
                            index(4, "root_i", 400, 1),
                            index(5, "middle_i", 500, 2),
                            index(6, "leaf_i", 600, 3),
                            attach(7, "middle_i", 5, 4),
                            attach(8, "leaf_i", 6, 5)};
  for (const auto& [oid, kind] : {std::pair{100U, schema::RelationKind::kPartitionedTable},
                                  {200U, schema::RelationKind::kPartitionedTable},
                                  {300U, schema::RelationKind::kTable}}) {
    schema::Relation relation;
    relation.oid = oid;
    relation.kind = kind;
    wanted.catalog.relations.push_back(relation);
  }
  for (const auto& [oid, table] : {std::pair{400U, 100U}, {500U, 200U}, {600U, 300U}}) {
    wanted.catalog.indexes.push_back({.oid = oid, .table = table});
  }
  wanted.catalog.inheritance = {{.child = 200, .parent = 100}, {.child = 300, .parent = 200}};
  const std::unique_ptr<const Plan> plan = make_plan(std::move(wanted), {});
  std::map<std::string, TaskId> attaches;
  for (TaskId id = 0; id < plan->graph.size(); ++id) {
    const TocEntry* of = plan->graph[id].entry;
    if (of != nullptr && of->kind == EntryKind::kIndexAttach) attaches[of->tag] = id;
  }
  ASSERT_EQ(attaches.size(), 2U);
  const auto& after = plan->graph.followers(attaches["leaf_i"]);
  EXPECT_TRUE(std::any_of(after.begin(), after.end(),
                          [&](const TaskGraph::Edge& edge) { return edge.to == attaches["middle_i"]; }));
}

TEST(Plan, TimescaleIsToldWhenItIsMadeAndWhenAllIsDone) {
  PlanInput wanted = input();
  wanted.catalog.extensions = {{"timescaledb", "public"}};
  wanted.archive.entries.insert(wanted.archive.entries.begin(),
                                entry(10, "EXTENSION", "timescaledb", {3079, 1000}, Section::kPreData));
  const std::unique_ptr<const Plan> plan = make_plan(std::move(wanted), {});
  std::vector<std::string> statements;
  for (TaskId id = 0; id < plan->graph.size(); ++id) {
    const Task& task = plan->graph[id];
    if (task.kind == TaskKind::kPreData || task.repeated) statements.push_back(task.name);
    EXPECT_TRUE(task.kind != TaskKind::kPreData || task.lane == Lane::kMain) << task.name << " is made in its turn";
    EXPECT_TRUE(!task.repeated || plan->task_marks[id].empty()) << "done again when a run goes on";
  }
  ASSERT_EQ(statements.size(), 5U);
  EXPECT_NE(statements[0].find("timescaledb"), std::string::npos);
  EXPECT_EQ(statements[1], "timescaledb_pre_restore()");
  EXPECT_EQ(statements[4], "timescaledb_post_restore()");
}

TEST(Plan, WhatMayTakeLongIsSentByItself) {
  PlanInput in;
  in.archive.entries = {entry(1, "TABLE", "root", {1259, 10}, Section::kPreData),
                        entry(2, "TABLE", "leaf", {1259, 11}, Section::kPreData),
                        entry(3, "MATERIALIZED VIEW", "view", {1259, 12}, Section::kPreData),
                        entry(4, "MATERIALIZED VIEW DATA", "view", {0, 0}, Section::kPostData, {3}),
                        entry(5, "FK CONSTRAINT", "root fk", {2606, 13}, Section::kPostData, {1})};
  schema::Relation root{.oid = 10, .schema = "public", .name = "root"};
  root.kind = schema::RelationKind::kPartitionedTable;
  const schema::Relation leaf{.oid = 11, .schema = "public", .name = "leaf", .heap_size = {1 << 30}};
  in.catalog.relations = {root, leaf};
  in.catalog.inheritance = {{11, 10}};
  in.catalog.foreign_keys = {{.oid = 13, .name = "fk", .child = 10, .parent = 10}};
  const std::unique_ptr<const Plan> plan = make_plan(std::move(in), {});
  // The partitioned table itself has no bytes: what counts is what lies below it.
  int alone = 0;
  for (const Task& task : plan->graph.tasks()) {
    const bool of_root = task.name.find("root") != std::string::npos;
    const bool looked_at = task.kind == TaskKind::kMaterializedView ||
                           (task.kind == TaskKind::kStatistics && of_root) ||
                           (task.kind == TaskKind::kPostData && of_root);
    if (!looked_at) continue;
    EXPECT_GE(task.cost, kMaxCostTogether) << task.name;
    ++alone;
  }
  EXPECT_EQ(alone, 3);
}

}  // namespace
}  // namespace pgsluice::pipeline
