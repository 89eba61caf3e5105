#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schema/archive/entry_kind.h"

namespace pgsluice::schema {

using Oid = std::uint32_t;

/// Which catalog (pg_class is 1259) and which row of it an entry stands for; 0/0 for entries of no object.
struct CatalogId {
  Oid table = 0;
  Oid oid = 0;
  auto operator<=>(const CatalogId&) const = default;
};

/// Catalogs that a CatalogId may name; their OIDs are the same on every server.
inline constexpr Oid kPgClass = 1259;
inline constexpr Oid kPgConstraint = 2606;
inline constexpr Oid kPgTrigger = 2620;

/// The part of a restore an entry belongs to. Comments, ACLs and the like have none of their own (kNone) and go with
/// what stands before them; Archive::entries has that filled in.
enum class Section { kNone, kPreData, kData, kPostData };

/// When an entry is restored: ACLs and default privileges after all else, what runs user code after them.
enum class RestorePass { kMain, kAcl, kPostAcl };

/// One entry of an archive's table of contents, as pg_dump wrote it.
struct TocEntry {
  int dump_id = 0;
  CatalogId catalog_id;
  std::string tag;  ///< the object's name as pg_restore --list shows it
  EntryKind kind;
  Section section = Section::kNone;
  std::string definition;
  std::string drop_statement;
  std::optional<std::string> schema;
  std::optional<std::string> tablespace;     ///< nullopt: does not matter; "": the database's default
  std::optional<std::string> access_method;  ///< from archive version 1.14
  char relation_kind = 0;                    ///< pg_class.relkind, from archive version 1.16
  std::string owner;
  std::vector<int> dependencies;  ///< dump ids; some may be of objects that are not in the archive
  bool has_data = false;          ///< rows of a table, or large objects, belong to it
  std::string copy_statement;     ///< of a table's rows: "COPY public.t (a, b) FROM stdin;\n"
  /// With its rows or its list of large objects, in the folder of a directory archive; without the suffix that
  /// compression adds.
  std::string data_file;
  /// The byte of a custom archive's file at which its data begins; nullopt if pg_dump could not go back to write it.
  std::optional<std::uint64_t> data_offset;

  RestorePass pass() const;
  /// "table public.orders", for messages.
  std::string describe() const;
};

struct ArchiveVersion {
  int major = 0;
  int minor = 0;
  int revision = 0;
  auto operator<=>(const ArchiveVersion&) const = default;
};

/// pg_dump's formats of archives that have a table of contents of this layout.
enum class ArchiveFormat { kCustom, kDirectory };

/// How an archive's data is compressed.
enum class ArchiveCompression { kNone, kGzip, kLz4, kZstd };

/// Returns what compression appends to the name of a file: ".zst"; empty for kNone.
std::string_view suffix_of(ArchiveCompression compression);

/// A pg_dump archive: its header and table of contents. Read-only; any thread.
struct Archive {
  ArchiveVersion version;
  ArchiveFormat format = ArchiveFormat::kCustom;
  ArchiveCompression compression = ArchiveCompression::kNone;
  std::string database;
  std::string server_version;  ///< of the dumped server, as text
  std::string dump_version;    ///< of the pg_dump
  std::vector<TocEntry> entries;
  std::size_t toc_size = 0;  ///< bytes up to the end of the table of contents, where a custom archive's data begins
  int int_size = 4;          ///< bytes of an integer in it, without its sign

  /// The definition of the first entry of a kind; empty if there is none.
  std::string_view definition_of(EntryKind kind) const;
};

/// Reads an archive of version 1.12 to 1.16: a file of format "custom", or the toc.dat of format "directory". Throws
/// Error(kConfig) that names the file and the byte where it is damaged, cut off, of another format or of a version that
/// is not known.
Archive read_archive(const std::filesystem::path& path);

/// Like read_archive(), from memory; `name` stands for the file in messages.
Archive parse_archive(std::string_view bytes, std::string_view name);

/// True if the bytes hold a whole table of contents, whatever comes after it. Throws Error(kConfig) as read_archive()
/// does, but not for one that is cut off.
bool has_whole_toc(std::string_view bytes, std::string_view name);

}  // namespace pgsluice::schema
