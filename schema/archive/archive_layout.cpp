#include "schema/archive/archive_layout.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "schema/archive/internal_options.h"

namespace pgsluice::schema {

namespace {

template <class Number>
Number number(ArchiveCursor& cursor, const std::optional<std::string>& text) {
  Number value{};
  if (!text) cursor.fail("a number is missing");
  const auto [end, status] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (status != std::errc() || end != text->data() + text->size()) cursor.fail("a number is not one");
  return value;
}

Error damaged(std::string_view name, std::size_t at, std::string_view why) {
  return Error(ErrorKind::kConfig, fmt::format("the archive {} is damaged at byte {}: {}", name, at, why))
      .hint("remove it and let pg_dump write it again");
}

Error unsupported(const ArchiveCursor& cursor, std::string_view what, std::string_view hint) {
  return Error(ErrorKind::kConfig, fmt::format("{}: {}", cursor.name(), what)).hint(hint);
}

ArchiveVersion read_version(ArchiveCursor& cursor) {
  if (cursor.take(5) != "PGDMP") {
    throw unsupported(cursor, "not an archive of pg_dump",
                      "give a file written by pg_dump --format=custom, or a folder by --format=directory");
  }
  const int major = cursor.byte();
  const int minor = cursor.byte();
  const ArchiveVersion version{major, minor, cursor.byte()};
  if (version < kOldestArchive || version > kNewestArchive) {
    throw unsupported(cursor, fmt::format("archive version {}.{} is not known", major, minor),
                      "use a pg_dump of version 10 to 18");
  }
  return version;
}

ArchiveFormat read_format(ArchiveCursor& cursor) {
  switch (cursor.byte()) {
    case kCustomFormat:
      return ArchiveFormat::kCustom;
    case kDirectoryFormat:
      return ArchiveFormat::kDirectory;
    default:
      throw unsupported(cursor, "an archive of another format than custom or directory",
                        "give a file written by pg_dump --format=custom, or a folder by --format=directory");
  }
}

// Up to 1.14 a level of gzip.
ArchiveCompression read_compression(ArchiveCursor& cursor, const ArchiveVersion& version) {
  if (version < kHasCompressionAlgorithm) {
    return cursor.integer() == 0 ? ArchiveCompression::kNone : ArchiveCompression::kGzip;
  }
  switch (cursor.byte()) {
    case 0:
      return ArchiveCompression::kNone;
    case 1:
      return ArchiveCompression::kGzip;
    case 2:
      return ArchiveCompression::kLz4;
    case 3:
      return ArchiveCompression::kZstd;
    default:
      cursor.fail("an unknown compression");
  }
}

Section read_section(ArchiveCursor& cursor) {
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

std::optional<std::uint64_t> data_offset(ArchiveCursor& cursor, int size) {
  constexpr int kIsSet = 2;
  const int state = cursor.byte();
  std::uint64_t offset = 0;
  for (int shift = 0; shift < size * 8; shift += 8) {
    const auto part = static_cast<std::uint64_t>(cursor.byte());
    if (part != 0 && shift >= 64) cursor.fail("an offset is too large");
    if (shift < 64) offset |= part << shift;
  }
  return state == kIsSet ? std::optional(offset) : std::nullopt;
}

}  // namespace

void ArchiveCursor::fail(std::string_view why) const { throw damaged(name_, at_, why); }

std::string_view ArchiveCursor::take(std::size_t count) {
  if (count > bytes_.size() - at_) throw ArchiveEndsEarly(damaged(name_, at_, "it ends too early"));
  const std::string_view taken = bytes_.substr(at_, count);
  at_ += count;
  return taken;
}

int ArchiveCursor::integer() {
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

std::optional<std::string> ArchiveCursor::string() {
  const int length = integer();
  if (length < 0) return std::nullopt;
  return std::string(take(static_cast<std::size_t>(length)));
}

ArchiveHeader read_header(ArchiveCursor& cursor) {
  ArchiveHeader header;
  header.version = read_version(cursor);
  header.int_size = cursor.byte();
  if (header.int_size < 1 || header.int_size > 32) {
    cursor.fail(fmt::format("integers of {} bytes", header.int_size));
  }
  cursor.set_int_size(header.int_size);
  header.offset_size = cursor.byte();
  if (header.offset_size < 1 || header.offset_size > 32) {
    cursor.fail(fmt::format("offsets of {} bytes", header.offset_size));
  }
  header.format = read_format(cursor);
  header.compression = read_compression(cursor, header.version);
  const std::size_t begin = cursor.at();
  constexpr int kDateFields = 7;
  for (int i = 0; i < kDateFields; ++i) cursor.integer();
  header.database = cursor.string().value_or("");
  header.server_version = cursor.string().value_or("");
  header.dump_version = cursor.string().value_or("");
  header.origin = cursor.since(begin);
  header.entries = cursor.integer();
  if (header.entries < 0) cursor.fail("a negative number of entries");
  return header;
}

ArchiveEntry read_entry(ArchiveCursor& cursor, const ArchiveHeader& header) {
  ArchiveEntry result;
  TocEntry& entry = result.entry;
  std::size_t begin = cursor.at();
  entry.dump_id = cursor.integer();
  if (entry.dump_id <= 0) cursor.fail("a dump id that is not positive");
  entry.has_data = cursor.integer() != 0;
  entry.catalog_id.table = number<Oid>(cursor, cursor.string());
  entry.catalog_id.oid = number<Oid>(cursor, cursor.string());
  entry.tag = cursor.string().value_or("");
  entry.kind = EntryKind(cursor.string().value_or(""));
  entry.section = read_section(cursor);
  result.before_definition = cursor.since(begin);
  entry.definition = without_internal_options(cursor.string().value_or(""), entry.kind);
  begin = cursor.at();
  entry.drop_statement = cursor.string().value_or("");
  entry.copy_statement = cursor.string().value_or("");
  entry.schema = cursor.string();
  entry.tablespace = cursor.string();
  result.after_definition = cursor.since(begin);
  begin = cursor.at();
  if (header.version >= kHasAccessMethod) entry.access_method = cursor.string();
  if (header.version >= kHasRelationKind) entry.relation_kind = static_cast<char>(cursor.integer());
  entry.owner = cursor.string().value_or("");
  cursor.string();  // "true" for a table WITH OIDS, which pg_dump 12 and later never writes
  while (const std::optional<std::string> dependency = cursor.string()) {
    entry.dependencies.push_back(number<int>(cursor, dependency));
  }
  result.after_tablespace = cursor.since(begin);
  if (header.format == ArchiveFormat::kDirectory) {
    entry.data_file = cursor.string().value_or("");
  } else {
    entry.data_offset = data_offset(cursor, header.offset_size);
  }
  return result;
}

}  // namespace pgsluice::schema
