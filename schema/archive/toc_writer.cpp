#include "schema/archive/toc_writer.h"

#include <algorithm>
#include <map>

#include "schema/archive/archive_layout.h"

namespace pgsluice::schema {

namespace {

constexpr int kNull = -1;  // in the place of a string's length

// Writes what ArchiveCursor reads, in integers of one size.
class TocBytes {
 public:
  explicit TocBytes(int int_size) : int_size_(int_size) {}

  void byte(int value) { bytes_ += static_cast<char>(value); }
  void raw(std::string_view bytes) { bytes_ += bytes; }
  void integer(int value) {
    byte(value < 0 ? 1 : 0);
    auto magnitude = static_cast<std::uint64_t>(value < 0 ? -static_cast<std::int64_t>(value) : value);
    for (int i = 0; i < int_size_; ++i) {
      byte(static_cast<int>(magnitude & 0xFFU));
      magnitude >>= 8U;
    }
  }
  void string(std::string_view text) {
    integer(static_cast<int>(text.size()));
    raw(text);
  }
  std::string take() { return std::move(bytes_); }

 private:
  const int int_size_;
  std::string bytes_;
};

int number_of(ArchiveCompression compression) {
  switch (compression) {
    case ArchiveCompression::kNone:
      return 0;
    case ArchiveCompression::kGzip:
      return 1;
    case ArchiveCompression::kLz4:
      return 2;
    case ArchiveCompression::kZstd:
      return 3;
  }
  return 0;
}

// The one that was written, or the first one that knows the compression.
ArchiveVersion version_for(const ArchiveHeader& header, ArchiveCompression compression) {
  const bool names_algorithm = compression == ArchiveCompression::kLz4 || compression == ArchiveCompression::kZstd;
  return names_algorithm ? std::max(header.version, kHasCompressionAlgorithm) : header.version;
}

void write_header(TocBytes& out, const ArchiveHeader& header, const ArchiveVersion& version,
                  ArchiveCompression compression, int entries) {
  out.raw("PGDMP");
  out.byte(version.major);
  out.byte(version.minor);
  out.byte(version.revision);
  out.byte(header.int_size);
  out.byte(header.offset_size);
  out.byte(kDirectoryFormat);
  if (version >= kHasCompressionAlgorithm) {
    out.byte(number_of(compression));
  } else {
    constexpr int kUsualLevel = -1;
    out.integer(compression == ArchiveCompression::kNone ? 0 : kUsualLevel);
  }
  out.raw(header.origin);
  out.integer(entries);
}

}  // namespace

std::string make_directory_toc(const DirectoryToc& toc) {
  std::map<int, const TocEntry*> kept;
  for (const TocEntry& entry : toc.archive.entries) kept[entry.dump_id] = &entry;
  ArchiveCursor cursor(toc.written, "pg_dump's archive");
  const ArchiveHeader header = read_header(cursor);
  TocBytes out(header.int_size);
  const ArchiveVersion version = version_for(header, toc.compression);
  write_header(out, header, version, toc.compression, static_cast<int>(kept.size()));
  for (int i = 0; i < header.entries; ++i) {
    const ArchiveEntry written = read_entry(cursor, header);
    const auto found = kept.find(written.entry.dump_id);
    if (found == kept.end()) continue;
    out.raw(written.before_definition);
    out.string(found->second->definition);
    out.raw(written.after_definition);
    if (header.version < kHasAccessMethod && version >= kHasAccessMethod) out.integer(kNull);
    out.raw(written.after_tablespace);
    out.string(written.entry.has_data ? toc.file_of(*found->second) : "");
  }
  return out.take();
}

}  // namespace pgsluice::schema
