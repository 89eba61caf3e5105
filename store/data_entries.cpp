#include "store/data_entries.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "pgsluice/error.h"

namespace pgsluice::store {

namespace {

using schema::EntryKind;
using schema::Oid;
using schema::TocEntry;

// From this version of archives on (pg_dump 17), large objects of one owner and with one ACL share an entry.
constexpr schema::ArchiveVersion kHasGroups{1, 16, 0};

Oid oid_in(const std::string& text) {
  Oid oid = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), oid);
  if (status != std::errc() || end != text.data() + text.size()) {
    throw Error(ErrorKind::kConfig, fmt::format("\"{}\" in the archive is no large object", text));
  }
  return oid;
}

// A group's definition has a line for each.
std::vector<Oid> objects_of_group(const TocEntry& group) {
  std::vector<Oid> objects;
  std::istringstream lines(group.definition);
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) objects.push_back(oid_in(line));
  }
  return objects;
}

}  // namespace

std::vector<Oid> large_objects_named(const TocEntry& entry) {
  if (entry.kind == EntryKind::kLargeObject) return {oid_in(entry.tag)};
  if (entry.kind == EntryKind::kLargeObjectGroup) return objects_of_group(entry);
  return {};
}

namespace {

std::vector<Oid> objects_of(const TocEntry& entry, const schema::Archive& archive) {
  std::vector<Oid> objects;
  for (const TocEntry& other : archive.entries) {
    const bool is_meant =
        archive.version < kHasGroups ||
        std::find(entry.dependencies.begin(), entry.dependencies.end(), other.dump_id) != entry.dependencies.end();
    if (!is_meant) continue;
    const std::vector<Oid> named = large_objects_named(other);
    objects.insert(objects.end(), named.begin(), named.end());
  }
  if (archive.version < kHasGroups) std::sort(objects.begin(), objects.end());  // entries are ordered as text
  return objects;
}

}  // namespace

DataEntries find_data_entries(const schema::Archive& archive) {
  DataEntries result;
  for (const TocEntry& entry : archive.entries) {
    if (!entry.has_data) continue;
    if (entry.kind == EntryKind::kTableData) {
      result.tables[entry.catalog_id.oid] = &entry;
    } else if (entry.kind == EntryKind::kLargeObjects) {
      result.large_objects.push_back({&entry, objects_of(entry, archive)});
    } else if (entry.kind != EntryKind::kLargeObjectGroup) {
      throw Error(ErrorKind::kConfig, fmt::format("the archive has data of an unknown kind: {}", entry.describe()));
    }
  }
  return result;
}

std::string data_file_of(const TocEntry& entry, const schema::ArchiveVersion& version) {
  if (entry.kind == EntryKind::kTableData) return fmt::format("{}.dat", entry.dump_id);
  if (entry.kind != EntryKind::kLargeObjects) return "";
  return version < kHasGroups ? "blobs.toc" : fmt::format("blobs_{}.toc", entry.dump_id);
}

std::string large_object_file(Oid object) { return fmt::format("blob_{}.dat", object); }

}  // namespace pgsluice::store
