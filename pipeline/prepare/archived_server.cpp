#include "pipeline/prepare/archived_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pg/quote.h"
#include "pgsluice/error.h"
#include "pipeline/prepare/archived_source.h"
#include "schema/catalog/archived_database.h"
#include "store/server_manifest.h"

namespace pgsluice::pipeline {

namespace {

ArchivedDatabase read_archived_database(const std::filesystem::path& path) {
  const ArchivedSource source(path);
  ArchivedDatabase archived{.database = schema::database_of_archive(source.data.archive()), .archive = path};
  for (const auto& [table, entry] : source.entries.tables) {
    archived.database.size.count += static_cast<std::int64_t>(source.data.content_size(*entry));
  }
  if (source.data.manifest() != nullptr) {
    for (const store::ArchivedLargeObject& object : source.data.manifest()->large_objects) {
      archived.database.size.count += static_cast<std::int64_t>(object.content);
    }
  }
  return archived;
}

std::vector<ArchivedDatabase> read_archived_databases(const std::filesystem::path& path,
                                                      const std::vector<std::string>& names) {
  std::vector<ArchivedDatabase> archived;
  for (const std::string& name : names) {
    archived.push_back(read_archived_database(path / store::folder_of_database(name)));
    archived.back().database.name = name;
  }
  return archived;
}

}  // namespace

std::vector<ArchivedDatabase> find_archived_databases(const std::filesystem::path& path) {
  if (!store::holds_databases(path)) return {read_archived_database(path)};
  std::vector<ArchivedDatabase> archived = read_archived_databases(path, store::read_server_manifest(path).databases);
  std::stable_sort(archived.begin(), archived.end(),
                   [](const auto& a, const auto& b) { return b.database.size < a.database.size; });
  return archived;
}

std::vector<ArchivedDatabase> named_databases(std::vector<ArchivedDatabase> all,
                                              const std::vector<std::string>& names) {
  if (names.empty()) return all;
  std::vector<ArchivedDatabase> named;
  for (const std::string& name : names) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const auto& archived) { return archived.database.name == name; });
    if (found == all.end()) {
      throw Error(ErrorKind::kState, fmt::format("there is no database {}", pg::display_name("", name)))
          .on(Side::kSource);
    }
    named.push_back(std::move(*found));
  }
  return named;
}

std::vector<ArchivedDatabase> find_archived_databases(const std::filesystem::path& path,
                                                      const std::vector<std::string>& names) {
  if (names.empty()) return find_archived_databases(path);
  if (!store::holds_databases(path)) {
    std::vector<ArchivedDatabase> all = find_archived_databases(path);
    if (names.size() == 1) all.front().database.name = names.front();
    return named_databases(std::move(all), names);
  }
  // Others need not be there any more.
  const std::vector<std::string> listed = store::read_server_manifest(path).databases;
  for (const std::string& name : names) {
    if (std::find(listed.begin(), listed.end(), name) != listed.end()) continue;
    throw Error(ErrorKind::kState, fmt::format("there is no database {}", pg::display_name("", name)))
        .on(Side::kSource);
  }
  return read_archived_databases(path, names);
}

}  // namespace pgsluice::pipeline
