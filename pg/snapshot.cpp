#include "pgsluice/pg/snapshot.h"

#include <fmt/format.h>

#include "pgsluice/base/error.h"
#include "pgsluice/pg/quote.h"

namespace pgsluice::pg {

namespace {

constexpr std::string_view kBegin = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";

SnapshotIdentity read_identity(Connection& connection, std::string name) {
  const Row row = connection.execute(
      "SELECT pg_catalog.txid_current_snapshot()::text, pg_catalog.pg_postmaster_start_time()::text")[0];
  return {.name = std::move(name),
          .text = std::string(row.text(0)),
          .system_identifier = system_identifier(connection),
          .server_started = std::string(row.text(1))};
}

}  // namespace

std::string system_identifier(Connection& connection) {
  const Row may = connection.execute(
      "SELECT coalesce(pg_catalog.has_function_privilege(pg_catalog.to_regprocedure('pg_catalog.pg_control_system()'),"
      " 'EXECUTE'), false)")[0];
  if (!may.boolean(0)) return "";
  return std::string(
      connection.execute("SELECT system_identifier::text FROM pg_catalog.pg_control_system()")[0].text(0));
}

SnapshotIdentity export_snapshot(Connection& connection) {
  connection.execute(kBegin);
  const Result exported = connection.execute("SELECT pg_catalog.pg_export_snapshot()");
  return read_identity(connection, std::string(exported[0].text(0)));
}

void import_snapshot(Connection& connection, const SnapshotIdentity& snapshot) {
  connection.execute(kBegin);
  connection.execute(fmt::format("SET TRANSACTION SNAPSHOT {}", quote_literal(snapshot.name)));
  if (read_identity(connection, snapshot.name) != snapshot) {
    connection.execute("ROLLBACK");
    throw Error(ErrorKind::kState,
                fmt::format("the snapshot {} on the server is not the one of this run", snapshot.name))
        .on(connection.side())
        .hint("the server was restarted, or the connection led to another server; run again");
  }
}

}  // namespace pgsluice::pg
