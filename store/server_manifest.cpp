#include "store/server_manifest.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <system_error>

#include "base/escaped_file_name.h"
#include "base/file_descriptor.h"
#include "pgsluice/error.h"
#include "store/manifest.h"

namespace pgsluice::store {

namespace {

constexpr int kServerFormat = 1;

ServerManifest server_manifest_of(const nlohmann::json& json) {
  if (json.at("format").get<int>() != kServerFormat) {
    throw Error(ErrorKind::kConfig, fmt::format("it has format {}, and this version reads format {}",
                                                json.at("format").dump(), kServerFormat));
  }
  ServerManifest manifest{.written_by = json.at("writtenBy").get<std::string>(),
                          .created = json.at("created").get<std::string>(),
                          .server_version = json.at("serverVersion").get<std::string>(),
                          .system_identifier = json.at("systemIdentifier").get<std::string>(),
                          .databases = {}};
  // Not "name", which is for people: a name may be no UTF-8.
  for (const nlohmann::json& database : json.at("databases")) {
    manifest.databases.push_back(unescape_file_name(database.at("folder").get<std::string>()));
  }
  if (manifest.databases.empty()) throw Error(ErrorKind::kConfig, "it names no database");
  return manifest;
}

}  // namespace

bool holds_databases(const std::filesystem::path& path) {
  std::error_code failed;
  return std::filesystem::exists(path / kServerManifestFile, failed);
}

std::string folder_of_database(std::string_view database) { return escape_file_name(database); }

void write_server_manifest(const ServerManifest& manifest, const std::filesystem::path& folder) {
  nlohmann::ordered_json json = {{"format", kServerFormat},
                                 {"writtenBy", manifest.written_by},
                                 {"created", manifest.created},
                                 {"serverVersion", manifest.server_version},
                                 {"systemIdentifier", manifest.system_identifier},
                                 {"databases", nlohmann::ordered_json::array()}};
  for (const std::string& database : manifest.databases) {
    json["databases"].push_back({{"folder", folder_of_database(database)}, {"name", database}});
  }
  write_file(folder / kServerManifestFile,
             json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

ServerManifest read_server_manifest(const std::filesystem::path& folder) {
  require_plain_files(folder);
  const std::filesystem::path file = folder / kServerManifestFile;
  std::string why;
  try {
    return server_manifest_of(nlohmann::json::parse(read_file(file)));
  } catch (const nlohmann::json::exception& error) {
    why = error.what();
  } catch (const Error& error) {
    why = error.what();
  }
  throw Error(ErrorKind::kConfig, fmt::format("{} cannot be read: {}", file.string(), why));
}

}  // namespace pgsluice::store
