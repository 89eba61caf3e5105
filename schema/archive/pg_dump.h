#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pg/conninfo.h"
#include "pgsluice/cancel.h"
#include "pgsluice/log.h"

namespace pgsluice::schema {

/// A client program of PostgreSQL.
struct ClientProgram {
  std::filesystem::path path;
  std::string version_text;  ///< "15.18"
  int release = 0;           ///< as pg::release_of()
  int minor = 0;             ///< 18 of "15.18"
};

/// Finds pg_dump, or another client program, in `bindir` if one is given, else in PATH and where PostgreSQL is usually
/// installed: the one that fits the server best, which is of its own release and the latest minor one, else of the next
/// later release. Throws Error(kConfig) that names both versions, or says that there is none.
ClientProgram find_client_program(const std::optional<std::filesystem::path>& bindir, int source_version,
                                  const CancelToken& cancel, std::string_view name = "pg_dump");

/// True if a program may come from elsewhere if the one in `bindir` is too old: for reading a server that the folder
/// was not given for. What was copied with an older pg_dump is not compared with a newer one: it knows of more.
enum class Elsewhere { kYes, kNo };
/// As above; nullopt if there is none.
std::optional<ClientProgram> look_for_client_program(const std::optional<std::filesystem::path>& bindir,
                                                     int server_version, const CancelToken& cancel,
                                                     std::string_view name = "pg_dump",
                                                     Elsewhere elsewhere = Elsewhere::kYes);

/// Returns what a client of an older minor release than its server's may get wrong, for a warning: it writes out what
/// the server keeps for itself, or lacks a fix. nullopt for one that is as new.
std::optional<std::string> why_too_old(const ClientProgram& program, int server_version);

struct DumpRequest {
  ClientProgram program;
  pg::ConnInfo source;
  std::string snapshot;
  std::string encoding;  ///< the source's server encoding: nothing is converted
  /// The setting "role" of the session beside which it runs: pg_dump acts for the same role.
  std::string role = "none";
  /// Patterns of pg_dump for what it need not look at (Selection).
  std::vector<std::string> schemas_left_out = {};
  std::vector<std::string> tables_left_out = {};
  /// True if the table of contents has entries of rows, sequences' values and large objects too. pg_dump writes it
  /// before the data, at whose beginning it is ended.
  bool data_entries = false;
  /// False if large objects are not among them.
  bool large_objects = true;
};

struct Dump {
  std::string archive;  ///< in pg_dump's own format; may hold passwords, and so stands in no file
  std::vector<std::string> warnings;
};

/// Dumps the definitions, without rows and large objects, as the snapshot sees them.
/// Throws Error(kServer) on the source with what pg_dump said.
Dump run_pg_dump(const DumpRequest& request, const Log& log, const CancelToken& cancel);

}  // namespace pgsluice::schema
