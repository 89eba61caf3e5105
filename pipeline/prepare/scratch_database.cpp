#include "pipeline/prepare/scratch_database.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "copy/ledger.h"
#include "pg/quote.h"
#include "pg/session_proof.h"
#include "pg/version.h"
#include "pgsluice/error.h"
#include "schema/archive/entry_sql.h"
#include "schema/archive/internal_options.h"
#include "schema/catalog/database_properties.h"
#include "schema/catalog/databases.h"

namespace pgsluice::pipeline {

namespace {

// The name says which session has made it, so that one that is left over can be told from one in use.
constexpr std::string_view kPrefix = "pgsluice_scratch_";
constexpr std::string_view kOwnName =
    "SELECT 'pgsluice_scratch_' || pid || '_' || coalesce((extract(epoch FROM backend_start) * 1000)::bigint, 0)"
    " FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()";
constexpr std::string_view kLeftOver =
    "SELECT d.datname FROM pg_catalog.pg_database d WHERE d.datname LIKE 'pgsluice\\_scratch\\_%'"
    " AND pg_catalog.pg_has_role(d.datdba, 'USAGE')"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE d.datname ="
    " 'pgsluice_scratch_' || a.pid || '_' || coalesce((extract(epoch FROM a.backend_start) * 1000)::bigint, 0))";

std::string drop_statement(pg::Connection& server, const std::string& name) {
  return fmt::format("DROP DATABASE IF EXISTS {}{}", pg::quote_identifier(name),
                     server.server_version() >= pg::since::kDropDatabaseForce ? " WITH (FORCE)" : "");
}

void drop_left_over(pg::Connection& server) {
  for (const pg::Row row : server.execute(kLeftOver)) {
    try {
      server.execute(drop_statement(server, std::string(row.text(0))));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kServer) throw;
      server.log().notice(
          fmt::format("the database {} was left by an earlier comparison: {}", row.text(0), error.what()));
    }
  }
}

constexpr std::array<std::string_view, 13> kDecisiveSettings = {"standard_conforming_strings",
                                                                "backslash_quote",
                                                                "quote_all_identifiers",
                                                                "array_nulls",
                                                                "transform_null_equals",
                                                                "DateStyle",
                                                                "IntervalStyle",
                                                                "TimeZone",
                                                                "bytea_output",
                                                                "extra_float_digits",
                                                                "lc_monetary",
                                                                "xmlbinary",
                                                                "xmloption"};

// An event trigger of the login event would fire for pg_dump, and a subscription would connect.
bool is_left_out(const schema::TocEntry& entry) {
  using schema::EntryKind;
  return entry.kind.is_one_of({EntryKind::kEventTrigger, EntryKind::kMaterializedViewData, EntryKind::kSubscription});
}

// As the role that has made the database, whatever one its sessions are set to.
pg::Connection open_writer(const pg::ConnInfo& conninfo, const Log& log, const CancelToken& cancel) {
  pg::Connection session = pg::Connection::open(conninfo, "scratch", log, cancel);
  session.identify();
  pg::act_as_login_role(session);
  session.execute("SET default_transaction_read_only = off");
  return session;
}

bool carry_out(pg::Connection& session, const std::string& sql, const Log& log) {
  if (sql.find_first_not_of("-\n ") == std::string::npos) return true;
  try {
    session.execute_unlogged(sql, "an entry of the source's definitions");
    return true;
  } catch (const Error& error) {
    if (error.poisons_connection() || error.kind() != ErrorKind::kServer) throw;
    log.debug(fmt::format("scratch database: {}", error.what()));
    return false;
  }
}

}  // namespace

ScratchDatabase::ScratchDatabase(pg::Connection& beside) : beside_(beside) {
  drop_left_over(beside_);
  name_ = beside_.execute(kOwnName)[0].text(0);
  schema::Database database = schema::read_own_database(beside_);
  database.name = name_;
  beside_.execute("SET default_transaction_read_only = off");
  try {
    beside_.execute(schema::create_sql(database, beside_.server_version(), false));
    adopt_settings();
  } catch (const Error& error) {
    // After a refusal there is no database. After a lost or cancelled connection there may be one.
    if (error.kind() != ErrorKind::kServer || error.poisons_connection()) drop();
    throw;
  }
}

// Copies the settings that change how a server parses and prints definitions. Skips any that this user may not set.
void ScratchDatabase::adopt_settings() {
  for (const schema::DatabaseProperty& property : schema::read_database_properties(beside_, name_, {})) {
    const bool counts = std::any_of(kDecisiveSettings.begin(), kDecisiveSettings.end(), [&](std::string_view name) {
      return property.description == fmt::format("setting {} of the database", name);
    });
    if (!counts) continue;
    try {
      beside_.execute(property.statement);
    } catch (const Error& error) {
      if (error.poisons_connection() || error.kind() != ErrorKind::kServer) throw;
      beside_.log().debug(fmt::format("scratch database: {}", error.what()));
    }
  }
}

ScratchDatabase::~ScratchDatabase() { drop(); }

void ScratchDatabase::drop() noexcept {
  try {
    // After a cancellation the session is only good for being closed.
    pg::Connection session = open_writer(beside_.pinned_conninfo(), beside_.log(), CancelToken());
    session.execute(drop_statement(session, name_));
  } catch (const std::exception& error) {
    beside_.log().warning(fmt::format("the database {} is left on the target: {}; DROP DATABASE {}", name_,
                                      error.what(), pg::quote_identifier(name_)));
  }
}

pg::ConnInfo ScratchDatabase::conninfo() const { return beside_.pinned_conninfo().with("dbname", name_); }

ScratchContents ScratchDatabase::restore(const schema::Archive& archive,
                                         const std::map<std::string, std::string>& replacements, const Log& log,
                                         const CancelToken& cancel) {
  pg::Connection session = open_writer(conninfo(), log, cancel);
  // Bodies are looked at no more than by pg_restore: what they name may come later.
  session.execute("SET synchronous_commit = off; SET check_function_bodies = off");
  session.execute_unlogged(schema::session_sql(archive), "the settings of the source's definitions");
  ScratchContents contents;
  std::set<int> without_owner;
  const auto make = [&](const schema::TocEntry& entry) {
    const std::string object = entry.describe();
    if (is_left_out(entry)) {
      contents.missing.insert(object);
      return;
    }
    const auto other = replacements.find(object);
    const std::string definition =
        other == replacements.end() ? schema::without_internal_options(entry.definition, entry.kind) : other->second;
    if (!carry_out(session, schema::entry_sql(archive, entry, {.owners = false}, definition), log))
      contents.missing.insert(object);
    if (!carry_out(session, schema::owner_sql(entry, session.server_version()), log))
      without_owner.insert(entry.dump_id);
    // A server does not print what an owner has got from himself.
    const bool is_of_another_owner = std::any_of(entry.dependencies.begin(), entry.dependencies.end(),
                                                 [&](int id) { return without_owner.contains(id); });
    if (entry.kind == schema::EntryKind::kAcl && is_of_another_owner) contents.other_owner.insert(object);
  };
  for (const schema::RestorePass pass :
       {schema::RestorePass::kMain, schema::RestorePass::kAcl, schema::RestorePass::kPostAcl}) {
    for (const schema::TocEntry& entry : archive.entries) {
      if (entry.pass() == pass && schema::is_restored(entry, {}) && !copy::belongs_to_ledger(entry)) make(entry);
    }
  }
  return contents;
}

}  // namespace pgsluice::pipeline
