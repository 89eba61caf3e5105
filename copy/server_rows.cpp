#include "copy/server_rows.h"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "copy/row_digest.h"
#include "pg/quote.h"
#include "pg/snapshot.h"
#include "pg/version.h"
#include "pgsluice/error.h"

namespace pgsluice::copy {

namespace {

// TRUNCATE and rewriting ALTERs are seen by a snapshot that is older than they are: the table reads as empty without an
// error. To be called with the locks that the COPYs have taken. The locks of the snapshot's holder prevent this; a
// holder that was lost in mid-run is found here. Returns the first table that is another one.
std::optional<std::size_t> find_changed_storage(pg::Connection& source, std::span<const TableCopy> tables) {
  std::string rows;
  for (const TableCopy& copy : tables) {
    rows += fmt::format("{}({}::pg_catalog.oid, {})", rows.empty() ? "" : ", ", copy.table.oid,
                        pg::quote_literal(copy.table.quoted()));
  }
  // An answer for each table, in their order.
  const pg::Result same =
      source.execute(fmt::format("SELECT coalesce(c.relfilenode = pg_catalog.pg_relation_filenode(c.oid)"
                                 " AND c.oid = pg_catalog.to_regclass(v.name::{})::pg_catalog.oid, false)"
                                 " FROM (SELECT row_number() OVER () AS at, t.* FROM (VALUES {}) AS t(oid, name)) v"
                                 " LEFT JOIN pg_catalog.pg_class c ON c.oid = v.oid ORDER BY v.at",
                                 source.server_version() >= pg::since::kRegclassOfText ? "text" : "cstring", rows));
  for (int i = 0; i < same.size(); ++i) {
    if (!same[i].boolean(0)) return static_cast<std::size_t>(i);
  }
  return std::nullopt;
}

Error storage_changed() {
  return Error(ErrorKind::kState, "truncated, rewritten, renamed or dropped while the copy ran")
      .on(Side::kSource)
      .remedy(Remedy::kStartOver)
      .hint("stop what changes the source's tables, then run again");
}

// The snapshot's holder has a lock on the table. A session that waits for that lock, to truncate or drop the table,
// keeps us waiting behind it, and the server sees no deadlock, since the holder waits in this process: so we do not
// wait.
std::string lock_statement(const schema::Relation& table) {
  return fmt::format("LOCK TABLE ONLY {} IN ACCESS SHARE MODE NOWAIT; ", table.quoted());
}

// Through a root the columns go in the root's order, so that its partitions' rows can be compared with the root's.
std::string copy_out(const TableCopy& copy) {
  schema::Relation in_order = copy.table;
  if (&copy.table != &copy.into) in_order.columns = copy.into.columns;
  return lock_statement(copy.table) + copy_out_statement(in_order, copy.format, copy.range.condition());
}

}  // namespace

RelayResult ServerRows::send(pg::Connection& target, std::span<const RowStream> streams) {
  std::vector<RelayRequest> requests;
  for (const RowStream& stream : streams) {
    requests.push_back({.copy_out = copy_out(stream.copy),
                        .copy_in = stream.copy_in,
                        .flow = stream.copy.flow,
                        .digester = stream.digester});
  }
  return relay_.run(source_, target, requests);
}

std::optional<Objection> ServerRows::find_objection(std::span<const TableCopy> tables) {
  if (const auto changed = find_changed_storage(source_, tables)) return Objection{storage_changed(), *changed};
  pg::require_read_in_time(source_, read_before_);
  return std::nullopt;
}

Digest ServerRows::digest_of_generated_columns(const TableCopy& copy) {
  schema::Relation in_order = copy.table;
  in_order.generated_columns = copy.into.generated_columns;
  std::atomic<std::int64_t> bytes{0};
  const std::array<DigestRequest, 1> request = {
      DigestRequest{.connection = source_,
                    .copy_out = copy.before_generated + generated_columns_statement(in_order, copy.range.condition()),
                    .flow = bytes}};
  const Digest sum = digest_rows(request)[0].sum;
  // Names in what is read next are written out in full.
  source_.execute("SET LOCAL search_path = ''");
  return sum;
}

}  // namespace pgsluice::copy
