#pragma once

#include <map>
#include <string>
#include <vector>

#include "schema/archive/archive.h"

namespace pgsluice::store {

/// Large objects of one entry of an archive, which lists them in a file of its own.
struct LargeObjectsEntry {
  const schema::TocEntry* entry = nullptr;
  std::vector<schema::Oid> objects;
};

/// The entries of an archive that have data.
struct DataEntries {
  std::map<schema::Oid, const schema::TocEntry*> tables;  ///< by the table's OID
  std::vector<LargeObjectsEntry> large_objects;
};

/// The objects that an entry is about, of the kinds that name them: one, or a group. Throws Error(kConfig) for one that
/// names something else.
std::vector<schema::Oid> large_objects_named(const schema::TocEntry& entry);

/// Throws Error(kConfig) for an entry with data of a kind that is not known: its data would be missing.
DataEntries find_data_entries(const schema::Archive& archive);

/// The name that pg_dump gives to the file with an entry's data: "3021.dat", "blobs.toc".
std::string data_file_of(const schema::TocEntry& entry, const schema::ArchiveVersion& version);
/// Like the above, for one large object: "blob_16405.dat".
std::string large_object_file(schema::Oid object);

}  // namespace pgsluice::store
