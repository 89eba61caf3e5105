#include "pgsluice/pipeline/schema_comparison.h"

#include <fmt/format.h>

#include <future>
#include <map>
#include <utility>

#include "pgsluice/base/file_descriptor.h"
#include "pgsluice/copy/ledger.h"
#include "pgsluice/pg/snapshot.h"
#include "pgsluice/pipeline/sessions.h"
#include "pgsluice/schema/ddl_restore.h"
#include "pgsluice/schema/entry_sql.h"
#include "pgsluice/schema/pg_dump.h"

namespace pgsluice::pipeline {

namespace {

pg::Connection open(const std::string& conninfo, Side side, const Log& log, const CancelToken& cancel) {
  return open_reader(parse_conninfo(conninfo, side), "compare", "", log, cancel);
}

// In one encoding on both sides, or the same name would be two.
schema::Archive dump(pg::Connection& session, const schema::ClientProgram& program, const std::string& encoding,
                     const Log& log, const CancelToken& cancel) {
  const pg::SnapshotIdentity snapshot = pg::export_snapshot(session);
  const schema::Dump dump = schema::run_pg_dump(
      {.program = program, .source = session.pinned_conninfo(), .snapshot = snapshot.name, .encoding = encoding}, log,
      cancel);
  return schema::parse_archive(dump.archive, "pg_dump's archive");
}

// By what they are about; several entries of one name (COMMENTs of functions that differ in their arguments have
// different tags) are one text.
struct Text {
  std::string sql;
  bool secret = false;

  std::string shown() const { return secret ? "(not shown, it may hold a password)\n" : sql; }
};
using Texts = std::map<std::string, Text>;

Texts texts_of(const schema::Archive& archive) {
  Texts texts;
  for (const schema::TocEntry& entry : archive.entries) {
    if (!schema::is_restored(entry, {})) continue;
    const bool of_ledger = entry.schema == std::string(copy::kLedgerSchema) || entry.tag == copy::kLedgerSchema ||
                           entry.tag == fmt::format("SCHEMA {}", copy::kLedgerSchema);
    if (of_ledger) continue;
    Text& text = texts[entry.describe()];
    text.sql += schema::entry_sql(archive, entry, {}, entry.definition);
    text.secret = text.secret || schema::may_hold_secret(entry.kind);
  }
  return texts;
}

}  // namespace

std::vector<SchemaDifference> compare_schemas(const CompareSchemaOptions& options, const Log& log,
                                              const CancelToken& cancel) {
  pg::Connection source = open(options.source, Side::kSource, log, cancel);
  pg::Connection target = open(options.target, Side::kTarget, log, cancel);
  const schema::ClientProgram program = schema::find_client_program(
      options.pg_bindir, std::max(source.server_version(), target.server_version()), cancel);
  const std::string encoding = server_encoding(source);
  CancelSource other(cancel);
  std::future<schema::Archive> there = std::async(
      std::launch::async, [&, token = other.token()] { return dump(target, program, encoding, log, token); });
  Texts here;
  try {
    here = texts_of(dump(source, program, encoding, log, cancel));
  } catch (...) {
    other.cancel();  // or the future would wait for a pg_dump that nobody needs
    throw;
  }
  Texts others = texts_of(there.get());
  std::vector<SchemaDifference> differences;
  for (const auto& [object, text] : here) {
    const auto found = others.find(object);
    if (found == others.end()) {
      differences.push_back({.object = object, .source = text.shown(), .target = ""});
      continue;
    }
    if (found->second.sql != text.sql) {
      differences.push_back({.object = object, .source = text.shown(), .target = found->second.shown()});
    }
    others.erase(found);
  }
  for (const auto& [object, text] : others) {
    differences.push_back({.object = object, .source = "", .target = text.shown()});
  }
  return differences;
}

}  // namespace pgsluice::pipeline
