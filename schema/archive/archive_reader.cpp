// The layout of a "custom" archive of pg_dump, versions 1.12 to 1.16, up to the end of its table of contents (what
// follows is data, of which our archives have none). Source: PostgreSQL's pg_backup_archiver.c and pg_backup_custom.c.
//
//   archive     = "PGDMP" major:byte minor:byte revision:byte int_size:byte offset_size:byte format:byte(1)
//                 compression created database server_version dump_version count:int entry*count
//   compression = level:int                     up to 1.14
//               | algorithm:byte                from 1.15
//   created     = sec:int min:int hour:int day:int month:int year:int dst:int
//   entry       = dump_id:int had_dumper:int catalog_table:string catalog_oid:string tag:string kind:string
//                 section:int definition:string drop:string copy:string schema:string tablespace:string
//                 access_method:string          from 1.14
//                 relation_kind:int             from 1.16
//                 owner:string with_oids:string dependency:string* null:string data_state:byte offset
//   int         = sign:byte(0|1) magnitude:byte*int_size, least significant first
//   string      = length:int(-1 for null) byte*length
//   offset      = byte*offset_size

#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "base/file_descriptor.h"
#include "pgsluice/error.h"
#include "schema/archive/archive.h"
#include "schema/archive/internal_options.h"

namespace pgsluice::schema {

namespace {

constexpr ArchiveVersion kOldest{1, 12, 0};
constexpr ArchiveVersion kNewest{1, 16, 255};
constexpr ArchiveVersion kHasAccessMethod{1, 14, 0};
constexpr ArchiveVersion kHasCompressionAlgorithm{1, 15, 0};
constexpr ArchiveVersion kHasRelationKind{1, 16, 0};
constexpr int kCustomFormat = 1;

class Cursor {
 public:
  Cursor(std::string_view bytes, std::string_view name) : bytes_(bytes), name_(name) {}

  [[noreturn]] void fail(std::string_view why) const {
    throw Error(ErrorKind::kConfig, fmt::format("the archive {} is damaged at byte {}: {}", name_, at_, why))
        .hint("remove it and let pg_dump write it again");
  }

  std::string_view take(std::size_t count) {
    if (count > bytes_.size() - at_) fail("it ends too early");
    const std::string_view taken = bytes_.substr(at_, count);
    at_ += count;
    return taken;
  }

  int byte() { return static_cast<unsigned char>(take(1).front()); }

  void set_int_size(int size) { int_size_ = size; }

  int integer() {
    const bool negative = byte() != 0;
    std::uint64_t magnitude = 0;
    for (int shift = 0; shift < int_size_ * 8; shift += 8) {
      const auto part = static_cast<std::uint64_t>(byte());
      if (part != 0 && shift >= 64) fail("a number is too large");
      if (shift < 64) magnitude |= part << shift;
    }
    if (magnitude > static_cast<std::uint64_t>(std::numeric_limits<int>::max())) fail("a number is too large");
    const int value = static_cast<int>(magnitude);
    return negative ? -value : value;
  }

  std::optional<std::string> string() {
    const int length = integer();
    if (length < 0) return std::nullopt;
    return std::string(take(static_cast<std::size_t>(length)));
  }

  template <class Number>
  Number number(const std::optional<std::string>& text) {
    Number value{};
    if (!text) fail("a number is missing");
    const auto [end, status] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (status != std::errc() || end != text->data() + text->size()) fail("a number is not one");
    return value;
  }

  std::string_view name() const { return name_; }

 private:
  std::string_view bytes_;
  std::string_view name_;
  std::size_t at_ = 0;
  int int_size_ = 4;
};

Error unsupported(const Cursor& cursor, std::string_view what, std::string_view hint) {
  return Error(ErrorKind::kConfig, fmt::format("{}: {}", cursor.name(), what)).hint(hint);
}

ArchiveVersion read_version(Cursor& cursor) {
  if (cursor.take(5) != "PGDMP") {
    throw unsupported(cursor, "not an archive of pg_dump", "give a file written by pg_dump --format=custom");
  }
  const int major = cursor.byte();
  const int minor = cursor.byte();
  const ArchiveVersion version{major, minor, cursor.byte()};
  if (version < kOldest || version > kNewest) {
    throw unsupported(cursor, fmt::format("archive version {}.{} is not known", major, minor),
                      "use a pg_dump of version 10 to 18");
  }
  return version;
}

int read_offset_size(Cursor& cursor) {
  const int int_size = cursor.byte();
  if (int_size < 1 || int_size > 32) cursor.fail(fmt::format("integers of {} bytes", int_size));
  cursor.set_int_size(int_size);
  const int offset_size = cursor.byte();
  if (offset_size < 1 || offset_size > 32) cursor.fail(fmt::format("offsets of {} bytes", offset_size));
  return offset_size;
}

void skip_compression_and_date(Cursor& cursor, const ArchiveVersion& version) {
  if (version >= kHasCompressionAlgorithm) {
    cursor.byte();
  } else {
    cursor.integer();
  }
  constexpr int kDateFields = 7;
  for (int i = 0; i < kDateFields; ++i) cursor.integer();
}

Section read_section(Cursor& cursor) {
  switch (cursor.integer()) {
    case 1:
      return Section::kNone;
    case 2:
      return Section::kPreData;
    case 3:
      return Section::kData;
    case 4:
      return Section::kPostData;
    default:
      cursor.fail("an unknown section");
  }
}

TocEntry read_entry(Cursor& cursor, const ArchiveVersion& version, int offset_size) {
  TocEntry entry;
  entry.dump_id = cursor.integer();
  if (entry.dump_id <= 0) cursor.fail("a dump id that is not positive");
  cursor.integer();  // had_dumper: whether data follows
  entry.catalog_id.table = cursor.number<Oid>(cursor.string());
  entry.catalog_id.oid = cursor.number<Oid>(cursor.string());
  entry.tag = cursor.string().value_or("");
  entry.kind = EntryKind(cursor.string().value_or(""));
  entry.section = read_section(cursor);
  entry.definition = without_internal_options(cursor.string().value_or(""), entry.kind);
  entry.drop_statement = cursor.string().value_or("");
  cursor.string();  // the COPY statement of table data
  entry.schema = cursor.string();
  entry.tablespace = cursor.string();
  if (version >= kHasAccessMethod) entry.access_method = cursor.string();
  if (version >= kHasRelationKind) entry.relation_kind = static_cast<char>(cursor.integer());
  entry.owner = cursor.string().value_or("");
  cursor.string();  // "true" for a table WITH OIDS, which pg_dump 12 and later never writes
  while (const std::optional<std::string> dependency = cursor.string()) {
    entry.dependencies.push_back(cursor.number<int>(dependency));
  }
  cursor.byte();
  cursor.take(static_cast<std::size_t>(offset_size));
  return entry;
}

}  // namespace

Archive parse_archive(std::string_view bytes, std::string_view name) {
  Cursor cursor(bytes, name);
  Archive archive;
  archive.version = read_version(cursor);
  const int offset_size = read_offset_size(cursor);
  if (cursor.byte() != kCustomFormat) {
    throw unsupported(cursor, "not an archive of format custom", "give a file written by pg_dump --format=custom");
  }
  skip_compression_and_date(cursor, archive.version);
  archive.database = cursor.string().value_or("");
  archive.server_version = cursor.string().value_or("");
  archive.dump_version = cursor.string().value_or("");
  const int count = cursor.integer();
  if (count < 0) cursor.fail("a negative number of entries");
  Section section = Section::kPreData;
  for (int i = 0; i < count; ++i) {
    TocEntry entry = read_entry(cursor, archive.version, offset_size);
    // Entries of no section of their own go with what stands before them, as pg_restore has it.
    if (entry.section == Section::kNone) {
      entry.section = section;
    } else {
      section = entry.section;
    }
    archive.entries.push_back(std::move(entry));
  }
  return archive;
}

Archive read_archive(const std::filesystem::path& path) { return parse_archive(read_file(path), path.string()); }

}  // namespace pgsluice::schema
