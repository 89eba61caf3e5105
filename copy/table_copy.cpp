#include "pgsluice/copy/table_copy.h"

#include <fmt/format.h>

#include <array>
#include <string>

#include "pgsluice/base/error.h"
#include "pgsluice/copy/copy_statement.h"
#include "pgsluice/copy/relay.h"
#include "pgsluice/pg/transaction.h"

namespace pgsluice::copy {

namespace {

// TRUNCATE and rewriting ALTERs are seen by a snapshot that is older than they are: the table reads as empty without an
// error. To be called with the lock that the COPY has taken. The locks of the snapshot's holder prevent this; a holder
// that was lost in mid-run is found here.
void check_same_storage(pg::Connection& source, const schema::Relation& table) {
  const std::array<std::string, 2> parameters = {std::to_string(table.oid), table.quoted()};
  const pg::Result same = source.execute(
      "SELECT c.relfilenode = pg_catalog.pg_relation_filenode(c.oid) AND c.oid = pg_catalog.to_regclass($2)::oid"
      " FROM pg_catalog.pg_class c WHERE c.oid = $1::oid",
      parameters);
  if (!same.empty() && !same[0].is_null(0) && same[0].boolean(0)) return;
  throw Error(ErrorKind::kState, "truncated, rewritten, renamed or dropped while the copy ran")
      .on(Side::kSource)
      .hint("stop what changes the source's tables, then run again");
}

}  // namespace

std::int64_t copy_table(pg::Connection& source, pg::Connection& target, const TableCopy& copy) {
  try {
    pg::Transaction transaction(target);
    const RelayOutcome outcome = make_relay(source, target)
                                     ->run(source, target,
                                           {.copy_out = copy_out_statement(copy.table),
                                            .copy_in = copy_in_statement(copy.table, copy.into),
                                            .bytes = copy.bytes});
    if (outcome.source_rows != outcome.target_rows) {
      throw Error(ErrorKind::kMismatch, fmt::format("the source sent {} rows and the target took {}",
                                                    outcome.source_rows, outcome.target_rows))
          .on(Side::kTarget)
          .hint("a trigger or a rule on the target may have taken rows away");
    }
    check_same_storage(source, copy.table);
    transaction.commit();
    return outcome.source_rows;
  } catch (Error& error) {
    error.object("table " + copy.table.display()).step("copying data");
    throw;
  }
}

}  // namespace pgsluice::copy
