#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "schema/archive/archive.h"
#include "store/stream_decompressor.h"

namespace pgsluice::store {

/// Gets one large object after another: a call for each piece, and one without bytes for an empty object.
using TakeObject = std::function<void(schema::Oid object, std::string_view piece)>;

/// The data that pg_dump, or a program like it, has put beside a table of contents. Nothing is known of it but what
/// its bytes say. Read-only; any thread.
class StoredData {
 public:
  virtual ~StoredData() = default;

  /// Hands on the data of an entry, decompressed, to the end. Throws Error(kConfig) that names file and byte for data
  /// that is missing, damaged or cut off.
  virtual void read(const schema::TocEntry& entry, const TakePiece& take) const = 0;
  /// Hands on the large objects of an entry. Throws like read().
  virtual void read_large_objects(const schema::TocEntry& entry, const TakeObject& take) const = 0;
  /// Bytes as they are stored, at least about.
  virtual std::uintmax_t stored_size(const schema::TocEntry& entry) const = 0;
};

/// The files of a folder (pg_dump -Fd): each with a suffix that says how it is compressed, or without. Throws
/// Error(kConfig) for an archive that names files outside of the folder.
std::unique_ptr<StoredData> open_folder_data(const std::filesystem::path& folder, const schema::Archive& archive);

/// The blocks of one file (pg_dump -Fc), after its table of contents. Source: PostgreSQL's pg_backup_custom.c.
///
///   data   = block*                           of an entry each, in any order
///   block  = 1:byte dump_id:int chunk* 0:int                    rows of a table
///          | 3:byte dump_id:int object* 0:int                   large objects
///   object = oid:int chunk* 0:int
///   chunk  = length:int byte*length           the chunks of a table, or of an object, are one compressed stream
///
/// Where the table of contents does not say where blocks begin, since pg_dump wrote to a pipe, the file is read through
/// once. Throws Error(kConfig).
std::unique_ptr<StoredData> open_custom_data(const std::filesystem::path& file, const schema::Archive& archive);

}  // namespace pgsluice::store
