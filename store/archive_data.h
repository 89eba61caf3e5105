#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "copy/row_ranges.h"
#include "schema/archive/archive.h"
#include "store/data_file.h"
#include "store/manifest.h"
#include "store/stored_data.h"

namespace pgsluice::store {

/// An archive with its data, to be restored: pgsluice's own, whose frames and rows are known beforehand, or anybody's
/// that pg_dump has written as a folder (-Fd) or a file (-Fc). Read-only once it is opened; any thread.
class ArchiveData {
 public:
  /// Reads the table of contents, and the manifest if there is one, which has to be of this table of contents. Throws
  /// Error(kConfig) that says what is wrong with it.
  explicit ArchiveData(std::filesystem::path path);

  const schema::Archive& archive() const { return archive_; }
  /// nullptr for an archive of another program.
  const Manifest* manifest() const { return manifest_ ? &*manifest_ : nullptr; }
  /// Identifies the archive, by its table of contents and its manifest.
  const std::string& identity() const { return identity_; }
  const std::filesystem::path& path() const { return path_; }

  /// Bytes of a table's rows, or about as many where there is no manifest.
  std::uintmax_t content_size(const schema::TocEntry& entry) const;
  /// True if the rows can be read in parts, by copy::kByFrames.
  bool has_frames(const schema::TocEntry& entry) const { return find_table(entry) != nullptr; }
  /// The rows that the source had; nullopt where there is no manifest.
  std::optional<copy::RowsDigest> rows_of(const schema::TocEntry& entry) const;

  /// Hands on the text of a table's rows, or of those in a part: all bytes of COPY up to the line that ends it. Where
  /// there is a manifest, only bytes that are those that were written. Throws Error(kConfig) naming file and byte for
  /// data that is missing, damaged or cut off.
  void read_rows(const schema::TocEntry& entry, const copy::RangeBounds& part, const TakePiece& take) const;
  /// Hands on all large objects. Throws like read_rows().
  void read_large_objects(const TakeObject& take) const;

 private:
  const ArchivedTable* find_table(const schema::TocEntry& entry) const;
  void read_frames(const ArchivedTable& table, const copy::RangeBounds& part, const TakePiece& take) const;

  const std::filesystem::path path_;
  schema::Archive archive_;
  std::optional<Manifest> manifest_;
  std::string identity_;
  std::unique_ptr<StoredData> data_;
};

}  // namespace pgsluice::store
