#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pgsluice/digest.h"
#include "pgsluice/error.h"
#include "schema/archive/archive.h"
#include "store/compression.h"

namespace pgsluice::store {

/// A data file, as it was when it was whole.
struct ArchivedFile {
  std::string name;  ///< in the archive's folder, with the suffix of its compression
  std::uintmax_t size = 0;
  Digest index;  ///< of encode_index(): with it the content of every frame is known
};

/// A file that is read whole.
struct SmallFile {
  std::string name;
  Digest digest;
};

struct ArchivedTable {
  std::string schema;
  std::string name;
  int dump_id = 0;             ///< of its entry in the table of contents
  std::uintmax_t content = 0;  ///< bytes before they were compressed
  copy::RowsDigest rows;
  ArchivedFile file;
};

struct ArchivedLargeObject {
  schema::Oid oid = 0;
  std::uintmax_t content = 0;
  ArchivedFile file;
};

/// Contents of an archive, in pgsluice.json, which is written last: without it an archive is not complete.
struct Manifest {
  /// True if the archive has this small file.
  bool has(std::string_view small_file) const;

  std::string written_by;  ///< pgsluice's version
  std::string created;     ///< RFC 3339, UTC
  std::string database;
  std::string encoding;
  std::string server_version;
  std::string pg_dump_version;
  std::string system_identifier;
  std::string database_oid;
  /// Options that decide what the archive holds, for people: "large objects" is "yes".
  std::map<std::string, std::string> options;
  std::string snapshot;      ///< xmin:xmax:xip_list
  std::string money_locale;  ///< lc_monetary, in whose form amounts of money are written
  std::string log_position;  ///< of the source's log when the snapshot had been taken
  Compression compression;
  std::vector<SmallFile> small_files;  ///< toc.dat, and the lists of large objects
  std::vector<ArchivedTable> tables;
  std::vector<ArchivedLargeObject> large_objects;
};

inline constexpr const char* kManifestFile = "pgsluice.json";
inline constexpr const char* kTocFile = "toc.dat";
/// Held while an archive is made, and removed when it is complete: of a process that was killed it is left.
inline constexpr const char* kLockFile = "pgsluice.lock";
/// The facts about the source that pg_dump writes nowhere (schema/selection/definitions_file.h); one of the small
/// files.
inline constexpr const char* kCatalogFile = "pgsluice.catalog";
/// The source server's roles, as pg_dumpall writes them; one of the small files, where they were wanted.
inline constexpr const char* kRolesFile = "globals.sql";

/// Throws Error(kConfig) where an archive's path, or something in its folder, is a pipe or a device, which nothing may
/// ever be read from.
void require_plain_files(const std::filesystem::path& archive);

/// True if a folder is one in which pgsluice has begun an archive, or those of a server's databases, and has not
/// completed them.
bool is_unfinished(const std::filesystem::path& folder);
Error unfinished_error(const std::filesystem::path& folder);

/// Throws Error(kState) where it cannot be written.
void write_manifest(const Manifest& manifest, const std::filesystem::path& folder);

/// Reads a manifest's text; `file` stands for it in messages. Throws Error(kConfig) for another text, and if
/// it names files outside of the folder.
Manifest parse_manifest(std::string_view text, std::string_view file);

/// Reads the manifest of an archive. Throws Error(kConfig) like parse_manifest(), and if there is no manifest, because
/// the archive is incomplete or was written by another tool.
Manifest read_manifest(const std::filesystem::path& folder);

}  // namespace pgsluice::store
