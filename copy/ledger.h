#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "copy/row_ranges.h"
#include "pg/connection.h"
#include "pgsluice/error.h"
#include "schema/archive/archive.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::copy {

/// A run's record of what it has done, in tables of a schema of its own on the target. A row commits with what it
/// stands for, in the same transaction, so what the ledger says is so whatever was lost: an acknowledged commit that a
/// crash has undone is gone with its row. It is made when a run begins, read when one is resumed, and dropped when
/// nothing is missing.
///
/// Rows stand under primary keys and are put in before what they stand for: a backend whose client is gone
/// cannot do the same a second time.
///
///   pgsluice.run            one row: what the run is (a text of the caller's)
///   pgsluice.session        the run's sessions on the target, by pid and start
///   pgsluice.task           the definitions that are made, each by a mark: the digest of its statement
///   pgsluice.part           the parts of tables that are loaded
///   pgsluice.unlogged_part  the same of unlogged tables; unlogged itself: a crash empties both
///   pgsluice.uncrashed      unlogged, with one row: empty when the server has crashed since the run began
inline constexpr std::string_view kLedgerSchema = "pgsluice";

/// True if an archive's entry is the ledger's schema or something in it.
bool belongs_to_ledger(const schema::TocEntry& entry);

/// A part of a table, in terms that outlive a run.
struct LedgerPart {
  schema::Oid relation = 0;  ///< on the source
  schema::Oid file_node = 0;
  RangeBounds bounds;
  /// The digest of what reads all of the table's rows: it says which columns, and under which condition.
  std::string statement;
  bool unlogged = false;
  LoadedRows loaded = {};
};

struct LedgerContents {
  std::string run;
  std::vector<LedgerPart> parts;
  std::set<std::string, std::less<>> tasks;
};

/// A session of the target.
struct Backend {
  int pid = 0;
  std::string started;
};

/// The session of a connection, whether in the ledger or not.
Backend session_of(pg::Connection& target);

/// Makes the schema and what is in it, this session too, on disk when this returns. Throws Error(kState) when there is
/// one already, Error(kServer, 42501) when the user may not.
Backend create_ledger(pg::Connection& target, std::string_view run);
/// Updates the record of the run.
void update_ledger(pg::Connection& target, std::string_view run);
/// Returns nullopt if there is none. Throws ledger_of_another_version() if it lacks these tables.
std::optional<LedgerContents> read_ledger(pg::Connection& target);
/// The error for a ledger whose tables, or whose text about the run, this version cannot read. `details` says in what
/// it differs, if that is known: "it has format 2, and this version reads format 3".
Error ledger_of_another_version(std::string_view details = {});
/// In the transaction of the caller's. The database's event triggers do not see it. Nothing where there is no ledger.
void drop_ledger(pg::Connection& target);
/// Forgets that something was done, which is done again. In the caller's transaction.
void forget_task(pg::Connection& target, std::string_view mark);
/// The statement of forget_task(), for a message that holds other statements too.
std::string forget_task_sql(std::string_view mark);
/// LedgerContents::tasks alone. Throws Error(kServer).
std::set<std::string, std::less<>> read_tasks(pg::Connection& target);
/// Forgets parts, which will be loaded again. In the caller's transaction.
void forget_parts(pg::Connection& target, schema::Oid relation);

/// True if the server has crashed since the ledger was made or update_ledger() was called.
bool has_crashed(pg::Connection& target);

/// Puts a session into the ledger, before its first work.
Backend register_session(pg::Connection& target);
/// The sessions in the ledger.
std::vector<Backend> read_sessions(pg::Connection& target);
/// Ends these, but for this one, and waits until they are gone, so that none of them does anything any more. Touches
/// nothing that they may have locked. Throws Error(kConnection) naming those that do not go within a minute.
void end_sessions(pg::Connection& target, const std::vector<Backend>& sessions);

/// For the transaction that does it, before what it does.
std::string task_done_sql(std::string_view mark);
std::string part_sql(const LedgerPart& part);
/// Puts in what was loaded, right before COMMIT.
std::string loaded_sql(const std::vector<LedgerPart>& parts);

}  // namespace pgsluice::copy
