#include "pipeline/run/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/sqlstate.h"
#include "copy/ledger.h"
#include "pg/quote.h"
#include "pg/version.h"
#include "pipeline/plan/options.h"
#include "pipeline/plan/tasks_done.h"
#include "pipeline/prepare/continuation.h"
#include "pipeline/prepare/finished_run.h"
#include "pipeline/prepare/run_folder.h"
#include "schema/catalog/extension_members.h"
#include "schema/catalog/extension_tables.h"

namespace pgsluice::pipeline {

namespace {

using schema::EntryKind;

// On a source that has changed since an earlier run made the object, it may belong to another role by now.
bool has_other_owner(const RunContext& context, pg::Connection& target, const schema::TocEntry& entry) {
  const bool may_have_changed = context.continues && context.options.not_consistent && context.plan.restore.owners;
  const bool is_given = !context.plan.restore.out_of_reach.contains(entry.owner) &&
                        schema::is_restored(entry, context.plan.restore) && !schema::owner_sql(entry).empty();
  if (!may_have_changed || !is_given || entry.schema.value_or("").empty()) return false;
  // "DROP FUNCTION public.f(integer);" has the name as such a question takes it.
  const std::size_t name = entry.drop_statement.find(*entry.schema + ".");
  const bool is_routine = entry.kind.is_one_of({EntryKind::kFunction, EntryKind::kProcedure, EntryKind::kAggregate});
  if (is_routine && name == std::string::npos) return false;
  const std::array<std::string, 2> names = {
      is_routine ? entry.drop_statement.substr(name, entry.drop_statement.find(';') - name)
                 : pg::quote_qualified(*entry.schema, entry.tag),
      entry.owner};
  const std::string sql = is_routine ? "SELECT FROM pg_catalog.pg_proc WHERE oid = pg_catalog.to_regprocedure($1)"
                                       " AND pg_catalog.pg_get_userbyid(proowner) <> $2"
                          : entry.kind.is_one_of({EntryKind::kType, EntryKind::kDomain})
                              ? "SELECT FROM pg_catalog.pg_type WHERE oid = pg_catalog.to_regtype($1)"
                                " AND pg_catalog.pg_get_userbyid(typowner) <> $2"
                              : "SELECT FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass($1)"
                                " AND pg_catalog.pg_get_userbyid(relowner) <> $2";
  try {
    return !target.execute(sql, names).empty();
  } catch (const Error& error) {
    if (error.poisons_connection()) throw;
    return false;  // a name that is none for this question
  }
}

// In the archive's order. An earlier run may have left some, or a worker that was not told that it had made one.
std::vector<const schema::TocEntry*> without_owner(const RunContext& context, pg::Connection& target) {
  const std::set<const schema::TocEntry*> made = context.owners.all();
  std::set<std::string, std::less<>> marks;
  if (context.options.ledger) marks = copy::read_tasks(target);
  std::vector<const schema::TocEntry*> entries;
  for (const schema::TocEntry& entry : context.plan.archive.entries) {
    const bool is_noted = !marks.empty() && !entry.owner.empty() && marks.contains(mark_of_owner(entry));
    if (is_noted || made.contains(&entry) || has_other_owner(context, target, entry)) entries.push_back(&entry);
  }
  return entries;
}

// An owner needs CREATE in the schema, which a superuser who made the object its own on the source did not ask for. It
// is granted for the length of the transaction.
void give_owner(pg::Connection& target, const schema::TocEntry& entry, const std::string& sql,
                const std::string& forget) {
  try {
    target.execute(sql + forget);
  } catch (const Error& refused) {
    const std::string schema = entry.schema.value_or("");
    if (refused.sqlstate() != sqlstate::kInsufficientPrivilege || schema.empty()) throw;
    const std::string privilege = fmt::format("CREATE ON SCHEMA {}", pg::quote_identifier(schema));
    const std::string owner = pg::quote_identifier(entry.owner);
    try {
      target.execute(fmt::format("GRANT {0} TO {1};\n{2}REVOKE {0} FROM {1};\n{3}", privilege, owner, sql, forget));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kServer || error.poisons_connection()) throw;
      throw Error(refused);
    }
  }
}

}  // namespace

// Objects that could not be given to their owners at first: the owners' privileges in a schema may have come since.
void give_owners(RunContext& context, pg::Connection& target) {
  for (const schema::TocEntry* entry : without_owner(context, target)) {
    const std::string sql = schema::owner_sql(*entry, target.server_version());
    const std::string forget = context.options.ledger ? copy::forget_task_sql(mark_of_owner(*entry)) : "";
    try {
      give_owner(target, *entry, sql, forget);
      context.owners.remove(*entry);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kServer || error.poisons_connection()) throw;
      const std::string text =
          fmt::format("owner {} of {}: it stays the target user's ({}); GRANT CREATE ON SCHEMA {} TO {}; {}",
                      pg::display_name("", entry->owner), entry->describe(), error.what(),
                      pg::quote_identifier(entry->schema.value_or("public")), pg::quote_identifier(entry->owner),
                      sql.substr(0, sql.find(';')));
      context.progress.add_skipped(text);
      context.log.warning(text);
    }
  }
}

namespace {

// Changes of users to extensions, which CREATE EXTENSION does not make.
void complete_extension_members(RunContext& context, pg::Connection& target) {
  const auto name = [&](const std::string& text) {
    context.progress.add_skipped(text);
    context.log.warning(text);
  };
  for (const schema::BeyondDifference& difference :
       schema::compare_extension_members(context.plan.catalog.extension_members, target)) {
    if (difference.target.empty()) {
      name(fmt::format(
          "{}: it was added to the extension on the source, and comes with no copy: make it, with its rows, "
          "and add it (ALTER EXTENSION … ADD)",
          difference.object));
      continue;
    }
    const std::string sql = difference.source.substr(0, difference.source.size() - 1);
    try {
      target.execute(sql);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kServer || error.poisons_connection()) throw;
      name(fmt::format("{}: it was altered on the source, and here it is {} ({}); {}", difference.object,
                       difference.target.substr(0, difference.target.size() - 1), error.what(), sql));
    }
  }
}

}  // namespace

// Objects of users on tables of extensions: no archive has them.
void complete_extension_tables(RunContext& context, pg::Connection& target) {
  const std::vector<schema::ExtensionTableObject>& objects = context.plan.catalog.extension_table_objects;
  if (!context.options.steps.contains(Step::kPostData)) return;
  complete_extension_members(context, target);
  if (objects.empty()) return;
  std::set<std::string> there;
  target.execute("SET quote_all_identifiers = off");  // names are written as on the source
  for (const schema::ExtensionTableObject& object : schema::read_extension_table_objects(target)) {
    there.insert(object.identity);
  }
  const std::set<std::string> versions = schema::read_extension_versions(target);
  for (const schema::ExtensionTableObject& object : objects) {
    if (there.contains(object.identity)) continue;
    if (!versions.contains(object.extension)) {
      const std::string text = fmt::format(
          "{}, on a table of the extension {}, of which the target has another version: if users have made it, {}",
          object.identity, object.extension, object.statement);
      context.progress.add_skipped(text);
      context.log.warning(text);
      continue;
    }
    try {
      target.execute(object.statement);
      context.log.info(fmt::format("{}, which users have put on a table of an extension, is made", object.identity));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kServer || error.poisons_connection()) throw;
      const std::string text =
          fmt::format("{}, on a table of an extension: {}; {}", object.identity, error.what(), object.statement);
      context.progress.add_skipped(text);
      context.log.warning(text);
    }
  }
}

namespace {

void report_check(RunContext& context, const std::string& name, const Error& refused) {
  const std::string_view why = refused.sqlstate() == sqlstate::kCheckViolation
                                   ? "the rows of its table are there and do not pass"
                                   : "it cannot be validated";
  const Error error = Error(ErrorKind::kServer, fmt::format("{}, so that it stays NOT VALID: {}", why, refused.what()))
                          .on(Side::kTarget)
                          .sqlstate(refused.sqlstate())
                          .object(name)
                          .hint("mend the rows on the target, or the constraint; or mend them on the source")
                          .remedy(Remedy::kResume)
                          .remedy(Remedy::kResumeInconsistent);
  context.log.error(error);
  context.progress.add_failed({name, error});
}

}  // namespace

// The archive has an entry of its own for each constraint that is NOT VALID on the source; those stay NOT VALID.
bool validate_checks(RunContext& context, pg::Connection& target) {
  if (!context.options.steps.contains(Step::kPreData) || !reads_rows(context.options.steps)) return true;
  std::set<std::string> left_as_they_are;
  for (const schema::TocEntry& entry : context.plan.archive.entries) {
    if (entry.kind == EntryKind::kCheckConstraint) left_as_they_are.insert(entry.schema.value_or("") + " " + entry.tag);
  }
  std::set<std::string> loaded;
  for (TaskId id = 0; id < context.plan.graph.size(); ++id) {
    const Task& task = context.plan.graph[id];
    if (task.copies_rows()) loaded.insert(task.table->into->quoted());
  }
  bool all_hold = true;
  for (const pg::Row row : target.execute(fmt::format(
           "SELECT n.nspname, c.relname, k.conname FROM pg_catalog.pg_constraint k"
           " JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
           " WHERE k.contype = 'c' AND NOT k.convalidated AND k.conislocal {} ORDER BY 1, 2, 3",
           target.server_version() < pg::since::kNotEnforced ? "" : "AND k.conenforced"))) {
    const std::string table = pg::quote_qualified(row.text(0), row.text(1));
    if (!loaded.contains(table)) continue;
    if (left_as_they_are.contains(fmt::format("{} {} {}", row.text(0), row.text(1), row.text(2)))) continue;
    try {
      target.execute(fmt::format("ALTER TABLE {} VALIDATE CONSTRAINT {}", table, pg::quote_identifier(row.text(2))));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kServer || error.poisons_connection()) throw;
      all_hold = false;
      report_check(context,
                   fmt::format("check constraint {} of {}", pg::display_name("", row.text(2)),
                               pg::display_name(row.text(0), row.text(1))),
                   error);
    }
  }
  return all_hold;
}

bool compare_counts(RunContext& context) {
  std::map<schema::Oid, const schema::Relation*> tables;
  for (const TablePlan& table : context.plan.tables) tables.emplace(table.into->oid, table.into);
  bool all_are_there = true;
  for (const auto& [oid, into] : tables) {
    const std::int64_t expected = context.verification.should_be(*into).rows;
    const std::int64_t sent = context.verification.sent(*into).rows;
    // Rows of parts that have failed are missing, and those parts are named.
    const bool may_be_incomplete = sent < expected && !context.scheduler.nothing_failed();
    if (sent == expected || may_be_incomplete) continue;
    all_are_there = false;
    const std::string name = "table " + into->display();
    const Error error =
        Error(ErrorKind::kMismatch,
              fmt::format("{} rows came, and the archive's manifest says that it has {}", sent, expected))
            .on(Side::kSource)
            .object(name)
            .hint("verify the archive, which tells whether it is as it was written; if it is, report this")
            .remedy(Remedy::kStartOver);
    context.log.error(error);
    context.progress.add_failed({name, error});
  }
  return all_are_there;
}

// An index that the server has left invalid is used by no query, and no error would tell.
std::optional<Error> find_invalid_indexes(const RunContext& context, pg::Connection& target) {
  // The filter of this command, or of an earlier one of the stepwise copy.
  const schema::FilterRules filters = schema::parse_filter_rules(context.record.filters, "the filter of the run");
  if (filters.has(schema::FilterSection::kExcludeIndex)) return std::nullopt;
  std::set<std::string> wanted;
  for (const schema::Index& index : context.plan.catalog.indexes) {
    if (index.valid && index.complete && !context.plan.indexes_left_invalid.contains(index.oid))
      wanted.insert(index.display());
  }
  std::vector<std::string> invalid;
  for (const pg::Row row : target.execute(
           "SELECT n.nspname, c.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
           " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE NOT i.indisvalid ORDER BY 1, 2")) {
    std::string name = pg::display_name(row.text(0), row.text(1));
    if (wanted.contains(name)) invalid.push_back(std::move(name));
  }
  if (invalid.empty()) return std::nullopt;
  return Error(ErrorKind::kServer, "the server has left it invalid")
      .on(Side::kTarget)
      .object(fmt::format("index {}", fmt::join(invalid, ", ")))
      .hint("REINDEX INDEX; that of a partitioned table: ALTER INDEX … ATTACH PARTITION once more");
}

void record_that_all_was_tried(const RunContext& context, pg::Connection& target) {
  RunRecord record = context.record;
  record.was_all_tried = true;
  copy::update_ledger(target, record.to_text());
}

void mark_finished(const RunContext& context, pg::Connection& target) {
  const std::filesystem::path& folder = context.options.work_folder;
  if (const std::optional<copy::LedgerContents> ledger = copy::read_ledger(target)) {
    keep_finished_run(folder, {.record = context.record, .ledger = *ledger});
  }
  RunFolder(folder).mark_finished(finished_mark(context.record, target));
}

}  // namespace pgsluice::pipeline
