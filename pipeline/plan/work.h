#pragma once

#include <span>
#include <string>
#include <variant>
#include <vector>

#include "pg/query_pipeline.h"
#include "pipeline/plan/plan.h"

namespace pgsluice::pipeline {

// The work of a task, as a value. A new kind of task is a row in task_kind.cpp, a line in work_of() and, unless
// it is statements, a struct here and an executor (run/). Statements that Task::sql holds are sent as they are; those
// of an archive entry are its definition.

/// A barrier: the scheduler passes it by itself.
struct Nothing {};

/// Statements on the target and nothing else: definitions, privileges, statistics, properties. Many such tasks are on
/// their way at once (run/statement_queue.h).
struct Statements {
  std::vector<pg::Statement> list;
};

/// Rows of a table, or of a part of it: Task::table and Task::range.
struct CopyRows {};
struct CopyLargeObjects {};
struct SetSequences {
  std::span<const schema::Sequence> sequences;
};
/// The source's statistics of Task::relation; Task::sql, which gathers them, where the source's cannot be used.
struct CarryStatistics {};
/// The rows of Task::relation as the target has them, against what was sent.
struct VerifyRows {};
struct ReleaseSnapshot {};
/// The end of a run: owners, what is left of it, and everything on the target's disk.
struct Finish {};

using Work = std::variant<Nothing, Statements, CopyRows, CopyLargeObjects, SetSequences, CarryStatistics, VerifyRows,
                          ReleaseSnapshot, Finish>;

/// Reads plan and task, and nothing else: no server is asked.
Work work_of(const Plan& plan, const Task& task);

/// The text that a task of an archive's entry makes it by, without what goes around it: owner, tablespace, settings.
std::string definition_of(const Plan& plan, const Task& task);
/// The statement that carries an entry out by that text, under the settings that the text depends on.
pg::Statement definition_statement(const Plan& plan, const schema::TocEntry& entry, const std::string& definition);

}  // namespace pgsluice::pipeline
