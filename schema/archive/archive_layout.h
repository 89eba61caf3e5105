#pragma once

// The layout of pg_dump's archives, versions 1.12 to 1.16, up to the end of the table of contents: a file of format
// "custom", where data follows, or the toc.dat of format "directory", whose data is in files of its own. Source:
// PostgreSQL's pg_backup_archiver.c, pg_backup_custom.c and pg_backup_directory.c.
//
//   archive     = "PGDMP" major:byte minor:byte revision:byte int_size:byte offset_size:byte format:byte(1|3)
//                 compression created database server_version dump_version count:int entry*count
//   compression = level:int                     up to 1.14
//               | algorithm:byte                from 1.15
//   created     = sec:int min:int hour:int day:int month:int year:int dst:int
//   entry       = dump_id:int had_dumper:int catalog_table:string catalog_oid:string tag:string kind:string
//                 section:int definition:string drop:string copy:string schema:string tablespace:string
//                 access_method:string          from 1.14
//                 relation_kind:int             from 1.16
//                 owner:string with_oids:string dependency:string* null:string data
//   data        = state:byte offset             of format 1, "custom"; the offset is known where state is 2
//               | file_name:string              of format 3, "tar" by its number: "directory" writes that too
//   int         = sign:byte(0|1) magnitude:byte*int_size, least significant first
//   string      = length:int(-1 for null) byte*length
//   offset      = byte*offset_size

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "pgsluice/error.h"
#include "schema/archive/archive.h"

namespace pgsluice::schema {

inline constexpr ArchiveVersion kOldestArchive{1, 12, 0};
inline constexpr ArchiveVersion kNewestArchive{1, 16, 255};
inline constexpr ArchiveVersion kHasAccessMethod{1, 14, 0};
inline constexpr ArchiveVersion kHasCompressionAlgorithm{1, 15, 0};
inline constexpr ArchiveVersion kHasRelationKind{1, 16, 0};
inline constexpr int kCustomFormat = 1;
inline constexpr int kDirectoryFormat = 3;  // what pg_dump calls "tar", whose toc.dat is the same

/// An archive that is cut off.
class ArchiveEndsEarly : public Error {
 public:
  explicit ArchiveEndsEarly(const Error& error) : Error(error) {}
};

/// Takes the parts of an archive, one after the other. `name` stands for the file in messages.
class ArchiveCursor {
 public:
  ArchiveCursor(std::string_view bytes, std::string_view name) : bytes_(bytes), name_(name) {}

  /// Throws Error(kConfig) that names the byte.
  [[noreturn]] void fail(std::string_view why) const;
  /// Throws ArchiveEndsEarly where fewer are left.
  std::string_view take(std::size_t count);
  int byte() { return static_cast<unsigned char>(take(1).front()); }
  void set_int_size(int size) { int_size_ = size; }
  int integer();
  std::optional<std::string> string();

  /// Where it is, and all from a place to there.
  std::size_t at() const { return at_; }
  std::string_view since(std::size_t begin) const { return bytes_.substr(begin, at_ - begin); }
  std::string_view name() const { return name_; }

 private:
  std::string_view bytes_;
  std::string_view name_;
  std::size_t at_ = 0;
  int int_size_ = 4;
};

/// All before the first entry.
struct ArchiveHeader {
  ArchiveVersion version;
  int int_size = 4;
  int offset_size = 8;
  ArchiveFormat format = ArchiveFormat::kCustom;
  ArchiveCompression compression = ArchiveCompression::kNone;
  /// When it was made, of what and by what, as it stands there.
  std::string_view origin;
  std::string database;
  std::string server_version;
  std::string dump_version;
  int entries = 0;
};

ArchiveHeader read_header(ArchiveCursor& cursor);

/// An entry, and the bytes around what a writer may change of it.
struct ArchiveEntry {
  TocEntry entry;
  std::string_view before_definition;
  std::string_view after_definition;  ///< up to the tablespace
  std::string_view after_tablespace;  ///< up to its data
};

ArchiveEntry read_entry(ArchiveCursor& cursor, const ArchiveHeader& header);

}  // namespace pgsluice::schema
