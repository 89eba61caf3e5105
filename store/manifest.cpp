#include "store/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file_descriptor.h"
#include "pgsluice/error.h"
#include "store/manifest_json.h"

namespace pgsluice::store {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;

Json to_json(const ArchivedFile& file) {
  return {{"name", file.name}, {"size", file.size}, {"index", file.index.hex()}};
}

ArchivedFile file_of(const Json& json) {
  return {.name = file_name_of(json),
          .size = json.at("size").get<std::uintmax_t>(),
          .index = Digest::parse(json.at("index").get<std::string>())};
}

Manifest manifest_of(const Json& json) {
  if (json.at("format").get<int>() != kFormat) {
    throw Error(ErrorKind::kConfig,
                fmt::format("it has format {}, and this version reads format {}", json.at("format").dump(), kFormat));
  }
  const Json& source = json.at("source");
  Manifest manifest{.written_by = json.at("writtenBy").get<std::string>(),
                    .created = json.at("created").get<std::string>(),
                    .database = source.at("database").get<std::string>(),
                    .encoding = source.at("encoding").get<std::string>(),
                    .server_version = source.at("serverVersion").get<std::string>(),
                    .pg_dump_version = source.at("pgDumpVersion").get<std::string>(),
                    .system_identifier = source.at("systemIdentifier").get<std::string>(),
                    .database_oid = source.value("databaseOid", ""),
                    .options = json.value("options", std::map<std::string, std::string>()),
                    .snapshot = source.at("snapshot").get<std::string>(),
                    .money_locale = source.at("moneyLocale").get<std::string>(),
                    .log_position = source.at("logPosition").get<std::string>(),
                    .compression = parse_compression(json.at("compression").get<std::string>()),
                    .small_files = {},
                    .tables = {},
                    .large_objects = {}};
  for (const Json& file : json.at("smallFiles")) {
    manifest.small_files.push_back(
        {.name = file_name_of(file), .digest = Digest::parse(file.at("digest").get<std::string>())});
  }
  for (const Json& table : json.at("tables")) manifest.tables.push_back(table_of(table));
  for (const Json& object : json.at("largeObjects")) manifest.large_objects.push_back(large_object_of(object));
  return manifest;
}

}  // namespace

Json to_json(const ArchivedTable& table) {
  return {{"schema", table.schema},     {"name", table.name},      {"dumpId", table.dump_id},
          {"bytes", table.content},     {"rows", table.rows.rows}, {"digest", table.rows.sum.hex()},
          {"file", to_json(table.file)}};
}

Json to_json(const ArchivedLargeObject& object) {
  return {{"oid", object.oid}, {"bytes", object.content}, {"file", to_json(object.file)}};
}

std::string file_name_of(const Json& json) {
  std::string name = json.at("name").get<std::string>();
  if (name.empty() || name.find('/') != std::string::npos || name.starts_with('.')) {
    throw Error(ErrorKind::kConfig, fmt::format("it names the file \"{}\"", name));
  }
  return name;
}

ArchivedTable table_of(const Json& json) {
  return {
      .schema = json.at("schema").get<std::string>(),
      .name = json.at("name").get<std::string>(),
      .dump_id = json.at("dumpId").get<int>(),
      .content = json.at("bytes").get<std::uintmax_t>(),
      .rows = {.rows = json.at("rows").get<std::int64_t>(), .sum = Digest::parse(json.at("digest").get<std::string>())},
      .file = file_of(json.at("file"))};
}

ArchivedLargeObject large_object_of(const Json& json) {
  return {.oid = json.at("oid").get<schema::Oid>(),
          .content = json.at("bytes").get<std::uintmax_t>(),
          .file = file_of(json.at("file"))};
}

void require_plain_files(const std::filesystem::path& archive) {
  std::error_code failed;
  const auto require = [&](const std::filesystem::path& path) {
    const std::filesystem::file_status status = std::filesystem::status(path, failed);
    const bool is_plain = !std::filesystem::exists(status) || std::filesystem::is_regular_file(status) ||
                          std::filesystem::is_directory(status);
    if (!is_plain) {
      throw Error(ErrorKind::kConfig, fmt::format("{} is a pipe or a device: an archive has files", path.string()));
    }
  };
  require(archive);
  if (!std::filesystem::is_directory(archive, failed)) return;
  for (const std::filesystem::directory_entry& entry : std::filesystem::directory_iterator(archive, failed)) {
    require(entry.path());
  }
}

bool is_unfinished(const std::filesystem::path& folder) {
  std::error_code failed;
  return std::filesystem::exists(folder / kLockFile, failed) || std::filesystem::exists(folder / kCatalogFile, failed);
}

Error unfinished_error(const std::filesystem::path& folder) {
  return Error(ErrorKind::kConfig, fmt::format("{}: pgsluice has not completed it", folder.string()))
      .hint("let its making go on (archive create, with all that it was begun with), or copy the archive again, whole");
}

void write_manifest(const Manifest& manifest, const std::filesystem::path& folder) {
  Json json = {{"format", kFormat},
               {"writtenBy", manifest.written_by},
               {"created", manifest.created},
               {"source",
                {{"database", manifest.database},
                 {"encoding", manifest.encoding},
                 {"serverVersion", manifest.server_version},
                 {"pgDumpVersion", manifest.pg_dump_version},
                 {"systemIdentifier", manifest.system_identifier},
                 {"databaseOid", manifest.database_oid},
                 {"snapshot", manifest.snapshot},
                 {"moneyLocale", manifest.money_locale},
                 {"logPosition", manifest.log_position}}},
               {"options", manifest.options},
               {"compression", manifest.compression.text()},
               {"smallFiles", Json::array()},
               {"tables", Json::array()},
               {"largeObjects", Json::array()}};
  for (const SmallFile& file : manifest.small_files) {
    json["smallFiles"].push_back({{"name", file.name}, {"digest", file.digest.hex()}});
  }
  for (const ArchivedTable& table : manifest.tables) json["tables"].push_back(to_json(table));
  for (const ArchivedLargeObject& object : manifest.large_objects) json["largeObjects"].push_back(to_json(object));
  // Names are in the source's encoding; what is not UTF-8 there is replaced: files are found by their own names.
  write_file(folder / kManifestFile, json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

bool Manifest::has(std::string_view small_file) const {
  return std::any_of(small_files.begin(), small_files.end(),
                     [&](const SmallFile& file) { return file.name == small_file; });
}

Manifest parse_manifest(std::string_view text, std::string_view file) {
  try {
    return manifest_of(Json::parse(text));
  } catch (const Json::exception& error) {
    throw Error(ErrorKind::kConfig, fmt::format("{} cannot be read: {}", file, error.what()));
  } catch (const Error& error) {
    throw Error(ErrorKind::kConfig, fmt::format("{} cannot be read: {}", file, error.what()));
  }
}

Manifest read_manifest(const std::filesystem::path& folder) {
  require_plain_files(folder);
  const std::filesystem::path file = folder / kManifestFile;
  if (!std::filesystem::exists(file)) {
    if (is_unfinished(folder)) throw unfinished_error(folder);
    throw Error(ErrorKind::kConfig, fmt::format("there is no {} in {}", kManifestFile, folder.string()))
        .hint(
            "it is not an archive of pgsluice, or one that was not completed: what pg_restore can do with it is not "
            "known");
  }
  return parse_manifest(read_file(file), file.string());
}

}  // namespace pgsluice::store
