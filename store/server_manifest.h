#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace pgsluice::store {

/// The list of a server's databases, each of which has an archive in a folder of its own: with it, all of them are
/// there. Folders are named by escape_file_name() (base/escaped_file_name.h).
struct ServerManifest {
  std::string written_by;  ///< pgsluice's version
  std::string created;     ///< RFC 3339, UTC
  std::string server_version;
  std::string system_identifier;
  std::vector<std::string> databases;
};

inline constexpr const char* kServerManifestFile = "pgsluice.databases.json";

/// True if a path is a folder with such a list.
bool holds_databases(const std::filesystem::path& path);

/// The folder of a database's archive in that of the server's.
std::string folder_of_database(std::string_view database);

/// Throws Error(kState) where it cannot be written.
void write_server_manifest(const ServerManifest& manifest, const std::filesystem::path& folder);

/// Throws Error(kConfig) for a list that is missing, damaged or of another format.
ServerManifest read_server_manifest(const std::filesystem::path& folder);

}  // namespace pgsluice::store
