#include "pgsluice/schema_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <map>
#include <set>
#include <utility>

#include "base/counted.h"
#include "base/sqlstate.h"
#include "copy/ledger.h"
#include "pg/server_identity.h"
#include "pg/snapshot.h"
#include "pg/version.h"
#include "pgsluice/error.h"
#include "pipeline/prepare/scratch_database.h"
#include "pipeline/prepare/sessions.h"
#include "schema/archive/ddl_restore.h"
#include "schema/archive/entry_sql.h"
#include "schema/archive/internal_options.h"
#include "schema/archive/pg_dump.h"
#include "schema/archive/printed_definition.h"
#include "schema/catalog/beyond_pg_dump.h"
#include "schema/catalog/column_order.h"
#include "schema/catalog/database_comparison.h"
#include "schema/catalog/role_comparison.h"

namespace pgsluice::pipeline {

namespace {

using schema::EntryKind;

constexpr int kMajor = 10000;

// By what they are about; several entries of one name (COMMENTs of functions that differ in their arguments have
// different tags) are one text.
struct Text {
  std::string sql;
  /// Apart from the definition: the user that makes it in a scratch database may not be able to give it to its owner. A
  /// role's name alone, since the statement has the arguments of functions, which releases write in different words.
  std::string owner;
  std::string owner_sql;
  bool secret = false;

  std::string shown() const { return secret ? "(not shown, it may hold a password)\n" : sql + owner_sql; }
};
using Texts = std::map<std::string, Text>;

// True if two texts hold the same lines in any order.
bool are_same_lines(std::string_view a, std::string_view b) {
  const auto sorted = [](std::string_view text) {
    std::vector<std::string_view> lines;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      lines.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  };
  return sorted(a) == sorted(b);
}

// True if all privileges on tables are told from all but MAINTAIN, which came with 17: a source before that knows no
// such difference, and its GRANT ALL is one or the other by the release of the pg_dump that wrote it.
enum class Maintain { kTold, kNotTold };

std::string without_maintain(std::string sql) {
  constexpr std::string_view kAllOthers = "SELECT,INSERT,REFERENCES,DELETE,TRIGGER,TRUNCATE,UPDATE ON ";
  for (std::size_t at = 0; (at = sql.find(kAllOthers, at)) != std::string::npos;) {
    sql.replace(at, kAllOthers.size(), "ALL ON ");
  }
  return sql;
}

Texts texts_of(const schema::Archive& archive, Maintain maintain) {
  Texts texts;
  for (const schema::TocEntry& entry : archive.entries) {
    if (!schema::is_restored(entry, {}) || copy::belongs_to_ledger(entry)) continue;
    Text& text = texts[entry.describe()];
    const bool is_acl = entry.kind.is_one_of({EntryKind::kAcl, EntryKind::kDefaultAcl});
    const std::string definition =
        is_acl && maintain == Maintain::kNotTold ? without_maintain(entry.definition) : entry.definition;
    text.sql += schema::entry_sql(archive, entry, {.owners = false}, definition);
    const std::string owner_sql = schema::owner_sql(entry);
    if (!owner_sql.empty()) text.owner += entry.owner + "\n";
    text.owner_sql += owner_sql;
    text.secret = text.secret || schema::may_hold_secret(entry.kind);
  }
  return texts;
}

class Comparison {
 public:
  Comparison(const CompareSchemaOptions& options, const Log& log, const CancelToken& cancel)
      : options_(options),
        log_(log),
        cancel_(cancel),
        source_(open(Side::kSource)),
        target_(open(Side::kTarget)),
        encoding_(server_encoding(source_)) {
    if (const auto reason = pg::why_not_apart(source_, target_, pg::Reach::kDatabase)) {
      throw Error(ErrorKind::kState, *reason)
          .hint("that a database equals itself proves nothing")
          .remedy(Remedy::kCheckServers);
    }
  }

  SchemaComparison run() {
    program_ = schema::look_for_client_program(
        options_.pg_bindir, std::max(source_.server_version(), target_.server_version()), cancel_, "pg_dump",
        options_.may_use_other_programs ? schema::Elsewhere::kYes : schema::Elsewhere::kNo);
    if (!program_) {
      result_.not_compared =
          fmt::format("there is no pg_dump of version {} or later, which reading the target's definitions takes",
                      std::max(source_.server_version(), target_.server_version()) / kMajor);
      return std::move(result_);
    }
    log_.debug(fmt::format("definitions by {} {}", program_->path.string(), program_->version_text));
    compare_texts();
    compare_beyond_pg_dump();
    if (!result_.undecided.empty()) {
      log_.warning(
          fmt::format("{} printed in other words by the two servers, and it cannot be found out whether they mean the "
                      "same: {}",
                      counted(result_.undecided.size(), "definition is", "definitions are"), why_undecided()));
    }
    return std::move(result_);
  }

 private:
  pg::Connection open(Side side) {
    pg::ConnInfo conninfo = parse_conninfo(side == Side::kSource ? options_.source : options_.target, side);
    if (!options_.database.empty()) conninfo = conninfo.with("dbname", options_.database);
    return open_reader(conninfo, "compare", "", log_, cancel_);
  }

  // As the target's release can be told.
  schema::Archive parse(const std::string& text) const {
    schema::Archive archive = schema::parse_archive(text, "pg_dump's archive");
    if (target_.server_version() < pg::since::kUnloggedSequences) schema::leave_out_persistence_of_sequences(archive);
    return archive;
  }

  Maintain maintain() const {
    return source_.server_version() < pg::since::kMaintain ? Maintain::kNotTold : Maintain::kTold;
  }

  // In one encoding, or the same name would be two.
  std::string dump(pg::Connection& session, const CancelToken& cancel) {
    const pg::SnapshotIdentity snapshot = pg::export_snapshot(session);
    const std::string role(session.execute("SELECT pg_catalog.current_setting('role')")[0].text(0));
    std::string archive = schema::run_pg_dump({.program = *program_,
                                               .source = session.pinned_conninfo(),
                                               .snapshot = snapshot.name,
                                               .encoding = encoding_,
                                               .role = role},
                                              log_, cancel)
                              .archive;
    session.execute("COMMIT");
    return archive;
  }

  void compare_texts() {
    CancelSource other(cancel_);
    std::future<std::string> there =
        std::async(std::launch::async, [&, token = other.token()] { return dump(target_, token); });
    try {
      archive_ = parse(dump(source_, cancel_));
    } catch (...) {
      other.cancel();  // or the future would wait for a pg_dump that is not needed
      throw;
    }
    const Texts target = texts_of(parse(there.get()), maintain());
    const Texts source = texts_of(archive_, maintain());
    for (const auto& [object, text] : source) {
      const auto found = target.find(object);
      if (found == target.end()) {
        missing_.push_back({.object = object, .source = text.shown(), .target = ""});
      } else if (found->second.owner != text.owner) {
        result_.differences.push_back({.object = object, .source = text.shown(), .target = found->second.shown()});
      } else if (found->second.sql != text.sql) {
        compare_printed(object, text, found->second);
      }
    }
    for (const auto& [object, text] : target) {
      if (source.contains(object)) continue;
      // This server makes it by itself, and prints the same text.
      const auto by_itself = printed() == nullptr ? Texts::const_iterator() : printed()->find(object);
      if (printed() != nullptr && by_itself != printed()->end() && by_itself->second.sql == text.sql) continue;
      result_.differences.push_back({.object = object, .source = "", .target = text.shown()});
    }
    for (SchemaDifference& difference : missing_) {
      // An object that this server makes and does not print is a default of its release.
      const bool is_default = printed() != nullptr && !printed()->contains(difference.object) &&
                              !scratch_.missing.contains(difference.object) &&
                              !scratch_.other_owner.contains(difference.object);
      if (!is_default) result_.differences.push_back(std::move(difference));
    }
    std::stable_sort(result_.differences.begin(), result_.differences.end(),
                     [](const SchemaDifference& a, const SchemaDifference& b) {
                       return std::pair(a.source.empty(), a.object) < std::pair(b.source.empty(), b.object);
                     });
  }

  // The two texts of an object that both databases have differ: what would the target's server print?
  void compare_printed(const std::string& object, const Text& source, const Text& target) {
    const SchemaDifference difference{.object = object, .source = source.shown(), .target = target.shown()};
    const Texts* texts = printed();
    const auto expected = texts == nullptr ? Texts::const_iterator() : texts->find(object);
    const bool is_known = texts != nullptr && expected != texts->end() && !scratch_.other_owner.contains(object);
    if (is_known && expected->second.sql == target.sql) return;
    // Grantees stand in the order of their OIDs, and releases have other privileges.
    const bool is_acl = object.starts_with("acl on ");
    if (!is_known && is_acl && are_same_lines(source.sql, target.sql)) return;
    const bool releases_differ = source_.server_version() / kMajor != target_.server_version() / kMajor;
    const bool may_be_equal = is_acl ? releases_differ : schema::may_be_printed_otherwise(source.sql, target.sql);
    if (!is_known && may_be_equal) {
      result_.undecided.push_back(difference);
    } else {
      result_.differences.push_back(difference);
    }
  }

  // Tables that pg_restore makes with their columns in another order: a copy keeps it, by other statements.
  std::map<std::string, std::string> tables_in_own_order() {
    const std::map<schema::Oid, schema::OwnColumnOrder> orders = schema::read_own_column_orders(source_);
    std::map<std::string, std::string> definitions;
    for (const schema::TocEntry& entry : archive_.entries) {
      const auto order = orders.find(entry.catalog_id.oid);
      if (entry.kind != EntryKind::kTable || order == orders.end()) continue;
      if (const auto definition = schema::definition_in_own_order(entry.definition, order->second)) {
        definitions[entry.describe()] = *definition;
      }
    }
    return definitions;
  }

  // The source's definitions as the target's server prints them; nullptr if it may not be asked.
  const Texts* printed() {
    if (printed_ || cannot_print_) return printed_ ? &*printed_ : nullptr;
    try {
      ScratchDatabase scratch(target_);
      log_.info(
          fmt::format("the servers print some definitions in other words: the source's are restored into the "
                      "database {} beside the target, to be printed there too",
                      scratch.name()));
      scratch_ = scratch.restore(archive_, tables_in_own_order(), log_, cancel_);
      pg::Connection session = open_reader(scratch.conninfo(), "compare", "", log_, cancel_);
      printed_ = texts_of(parse(dump(session, cancel_)), maintain());
      session.close();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kServer) throw;
      log_.notice(fmt::format("no scratch database: {}", error.what()));
      cannot_print_ = error;
    }
    return printed_ ? &*printed_ : nullptr;
  }

  std::string why_undecided() const {
    if (!cannot_print_) return "the target's server does not take the source's definitions into a scratch database";
    if (cannot_print_->sqlstate() == sqlstate::kInsufficientPrivilege) {
      return fmt::format(
          "{} may not create a database to ask the target's server: give it CREATEDB to compare these too",
          target_.user());
    }
    return fmt::format("no scratch database could be made on the target's server: {}", cannot_print_->what());
  }

  void compare_beyond_pg_dump() {
    std::vector<schema::BeyondDifference> differences = schema::compare_beyond_pg_dump(source_, target_);
    const auto add = [&](std::vector<schema::BeyondDifference> more) {
      std::move(more.begin(), more.end(), std::back_inserter(differences));
    };
    add(schema::compare_database_properties(source_, target_));
    add(schema::compare_large_object_metadata(source_, target_));
    if (options_.roles) add(schema::compare_roles(source_, target_));
    for (schema::BeyondDifference& difference : differences) {
      std::vector<SchemaDifference>& found = difference.undecided ? result_.undecided : result_.differences;
      found.push_back({.object = std::move(difference.object),
                       .source = std::move(difference.source),
                       .target = std::move(difference.target)});
    }
  }

  const CompareSchemaOptions& options_;
  const Log& log_;
  const CancelToken& cancel_;
  pg::Connection source_;
  pg::Connection target_;
  const std::string encoding_;
  std::optional<schema::ClientProgram> program_;
  schema::Archive archive_;
  std::optional<Texts> printed_;
  ScratchContents scratch_;
  std::optional<Error> cannot_print_;
  std::vector<SchemaDifference> missing_;
  SchemaComparison result_;
};

}  // namespace

SchemaComparison compare_schemas(const CompareSchemaOptions& options, const Log& log, const CancelToken& cancel) {
  return Comparison(options, log, cancel).run();
}

}  // namespace pgsluice::pipeline
