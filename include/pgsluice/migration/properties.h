#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pgsluice/error.h"
#include "pgsluice/migration/migration.h"
#include "pgsluice/options.h"

namespace pgsluice::migration {

/// A server, as properties name it: host:port@user. An IPv6 address stands in brackets; a host that begins with / is
/// the folder of a socket.
struct ServerAddress {
  std::string host;
  int port = 5432;
  std::string user;

  std::string host_and_port() const;  ///< "[::1]:5432", for people and for telling servers apart
  std::string text() const;           ///< host:port@user
};

/// A request for a migration: the properties file's content, with its secrets, which stay here.
struct Request {
  ServerAddress source;
  /// In the place of a source server: the archive of one of its databases, or of all (archive.h, server_archive.h).
  /// Empty: there is a server.
  std::filesystem::path archive = {};
  ServerAddress target;
  /// True if the target is PropertiesContext::target, since no property names it.
  bool target_by_name = false;
  std::string source_password;
  std::string target_password;
  std::string ssl_mode = "Prefer";  ///< Prefer, Require, VerifyCA, VerifyFull
  std::string source_type = "OnPremises";
  std::vector<std::string> databases;
  Overwrite overwrite = Overwrite::kYes;
  bool roles = false;
  MigrationOption option = MigrationOption::kValidateAndMigrate;
  /// True if the file or the caller has said the option: one that was not said is the migration's own.
  bool option_is_given = false;
  /// How each database is cloned. Connection strings, database, roles and earlier runs are not taken from here.
  pipeline::CloneOptions engine;
  /// True if each database is compared with its source when it is copied.
  bool verify = true;
  /// How many databases are copied at once, with one pool of jobs.
  int databases_at_once = 1;

  /// The source as the resource shows it: host:port@user, or the archive's path.
  std::string source_text() const { return archive.empty() ? source.text() : archive.string(); }
  /// A connection string for one database of a server, password included: for libpq only.
  std::string conninfo(Side side, const std::string& database) const;
};

struct PropertiesContext {
  /// Where they were written. A remote client may name no files, variables or programs of this machine.
  enum class Origin { kLocal, kRemote };
  Origin origin = Origin::kLocal;
  /// The target server, where the file does not name it: "host:port@user", port and user left away at will.
  std::optional<std::string> target;
  int max_databases = 8;
  /// Where a remote request may have us connect: shell patterns of "host" or "host:port". Empty lists allow every
  /// server.
  std::vector<std::string> allowed_sources = {};
  std::vector<std::string> allowed_targets = {};
  /// Where the file does not say it.
  std::optional<MigrationOption> option;
};

/// Reads a properties file's text. Throws Error(kConfig), one line that names the key by its path, and never a
/// secret's value.
Request parse_properties(const std::string& text, const PropertiesContext& context);
/// A properties file's text ("-": standard input), 1 MiB at most. Throws Error(kConfig).
std::string read_properties_text(const std::filesystem::path& file);
/// Both.
Request read_properties(const std::filesystem::path& file, const PropertiesContext& context);

/// Throws Error(kUsage) for what is no name of a migration: letters, digits and hyphens, no hyphen at first, 63 at
/// most.
void require_name(const std::string& name);

}  // namespace pgsluice::migration
