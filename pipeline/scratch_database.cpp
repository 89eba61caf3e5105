#include "pgsluice/pipeline/scratch_database.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <vector>

#include "pgsluice/base/error.h"
#include "pgsluice/base/file_descriptor.h"
#include "pgsluice/base/subprocess.h"
#include "pgsluice/pg/quote.h"
#include "pgsluice/schema/archive.h"
#include "pgsluice/schema/database_properties.h"
#include "pgsluice/schema/databases.h"
#include "pgsluice/schema/internal_options.h"

namespace pgsluice::pipeline {

namespace {

constexpr int kDropsByForce = 130000;  // DROP DATABASE … WITH (FORCE)

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
                     server.server_version() >= kDropsByForce ? " WITH (FORCE)" : "");
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

schema::Database like_the_one_of(pg::Connection& session, const std::string& name) {
  for (schema::Database& database : schema::read_databases(session)) {
    if (database.name != session.database()) continue;
    database.name = name;
    return database;
  }
  throw Error(ErrorKind::kState, "templates are not compared").on(session.side());
}

// A file of this process alone, in memory: an archive may hold passwords.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view contents) : file_(::memfd_create("pgsluice archive", MFD_CLOEXEC)) {
    if (!file_.valid()) throw system_error("cannot make a file in memory", errno);
    for (std::size_t written = 0; written < contents.size();) {
      const ssize_t more = ::write(file_.get(), contents.data() + written, contents.size() - written);
      if (more <= 0) throw system_error("cannot write a file in memory", errno);
      written += static_cast<std::size_t>(more);
    }
  }
  std::string path() const { return fmt::format("/proc/{}/fd/{}", ::getpid(), file_.get()); }

 private:
  FileDescriptor file_;
};

std::string sql_of(const std::string& archive, const std::filesystem::path& pg_restore, const CancelToken& cancel) {
  const MemoryFile file(archive);
  SubprocessResult result =
      run_command({.command = {pg_restore.string(), "--no-subscriptions", "--file=/dev/stdout", file.path()},
                   .environment = {{"LC_ALL", "C"}}},
                  cancel);
  if (result.exit_code == 0) return std::move(result.output);
  throw Error(ErrorKind::kConfig,
              fmt::format("{} failed with exit code {}: {}", pg_restore.string(), result.exit_code, result.errors));
}

// One entry of the script, from its comment on.
struct Entry {
  std::string kind;
  std::string object;  ///< as TocEntry::describe() names it
  std::string sql;
};

// What stands between a word and the next "; ".
std::string field_of(std::string_view line, std::string_view word) {
  const std::size_t begin = line.find(word);
  if (begin == std::string_view::npos) return "";
  const std::string_view rest = line.substr(begin + word.size());
  return std::string(rest.substr(0, rest.find("; ")));
}

// pg_restore writes a comment before each entry: "--\n-- Name: t; Type: TABLE; Schema: public; Owner: me\n--\n".
std::vector<Entry> entries_of(const std::string& script) {
  constexpr std::string_view kHead = "\n--\n-- Name: ";
  std::vector<Entry> entries;
  for (std::size_t begin = 0; begin < script.size();) {
    const std::size_t end = std::min(script.find(kHead, begin + 1), script.size());
    const std::string_view text = std::string_view(script).substr(begin, end - begin);
    const std::string_view line = text.substr(0, text.find('\n', kHead.size()));
    schema::TocEntry entry{.tag = field_of(line, "-- Name: "), .kind = field_of(line, "; Type: ")};
    if (const std::string schema = field_of(line, "; Schema: "); schema != "-") entry.schema = schema;
    entries.push_back({entry.kind, entry.describe(), std::string(text)});
    begin = end;
  }
  return entries;
}

bool is_made(const Entry& entry) {
  // An event trigger of the login event would fire for pg_dump.
  return entry.kind != "MATERIALIZED VIEW DATA" && entry.kind != "EVENT TRIGGER";
}

// Lines for psql alone: \restrict and \unrestrict.
std::string without_commands_of_psql(const std::string& sql) {
  std::string result;
  for (std::size_t begin = 0; begin < sql.size();) {
    const std::size_t end = std::min(sql.find('\n', begin), sql.size() - 1) + 1;
    const std::string_view line = std::string_view(sql).substr(begin, end - begin);
    if (!line.starts_with("\\restrict ") && !line.starts_with("\\unrestrict ")) result += line;
    begin = end;
  }
  return result;
}

// The statements that pg_restore sends by themselves: an owner that cannot be given does not cost the object, and a
// failed definition not the settings for the next entry, which stand after it.
std::vector<std::string> messages_of(const std::string& sql) {
  std::vector<std::string> messages;
  std::size_t settings = std::min(sql.find("\n\nSET default_table"), sql.size());
  const std::string_view entry = std::string_view(sql).substr(0, settings);
  std::size_t owner = entry.size();
  const std::size_t last = entry.rfind("\n\nALTER ");
  if (last != std::string_view::npos && entry.find(" OWNER TO ", last) != std::string_view::npos) owner = last;
  messages.emplace_back(entry.substr(0, owner));
  messages.emplace_back(entry.substr(owner));
  messages.push_back(sql.substr(settings));
  return messages;
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
  const std::string name(beside_.execute(kOwnName)[0].text(0));
  beside_.execute("SET default_transaction_read_only = off");
  beside_.execute(schema::create_sql(like_the_one_of(beside_, name), beside_.server_version(), false));
  name_ = name;
  adopt_settings();
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

ScratchDatabase::~ScratchDatabase() {
  if (name_.empty()) return;
  try {
    // After a cancellation the session is only good for being closed.
    pg::Connection session = pg::Connection::open(beside_.pinned_conninfo(), "scratch", beside_.log(), CancelToken());
    session.execute("SET default_transaction_read_only = off");
    session.execute(drop_statement(session, name_));
  } catch (const std::exception& error) {
    beside_.log().warning(fmt::format("the database {} is left on the target: {}; DROP DATABASE {}", name_,
                                      error.what(), pg::quote_identifier(name_)));
  }
}

pg::ConnInfo ScratchDatabase::conninfo() const { return beside_.pinned_conninfo().with("dbname", name_); }

std::set<std::string> ScratchDatabase::restore(const std::string& archive, const std::filesystem::path& pg_restore,
                                               const std::map<std::string, std::string>& replacements, const Log& log,
                                               const CancelToken& cancel) {
  const std::string script = without_commands_of_psql(sql_of(archive, pg_restore, cancel));
  pg::Connection session = pg::Connection::open(conninfo(), "scratch", log, cancel);
  session.execute("SET synchronous_commit = off; SET default_transaction_read_only = off");
  std::set<std::string> failed;
  for (const Entry& entry : entries_of(script)) {
    if (!is_made(entry)) continue;
    std::vector<std::string> messages = messages_of(schema::without_internal_options(entry.sql, entry.kind));
    if (const auto other = replacements.find(entry.object); other != replacements.end()) messages[0] = other->second;
    for (const std::string& message : messages) {
      if (!carry_out(session, message, log)) failed.insert(entry.object);
    }
  }
  return failed;
}

}  // namespace pgsluice::pipeline
