#include "base/file_descriptor.h"
#include "pgsluice/error.h"
#include "schema/archive/archive.h"
#include "schema/archive/archive_layout.h"

namespace pgsluice::schema {

Archive parse_archive(std::string_view bytes, std::string_view name) {
  ArchiveCursor cursor(bytes, name);
  ArchiveHeader header = read_header(cursor);
  Archive archive{.version = header.version,
                  .format = header.format,
                  .compression = header.compression,
                  .database = std::move(header.database),
                  .server_version = std::move(header.server_version),
                  .dump_version = std::move(header.dump_version)};
  Section section = Section::kPreData;
  for (int i = 0; i < header.entries; ++i) {
    TocEntry entry = read_entry(cursor, header).entry;
    // Entries of no section of their own go with what stands before them, as pg_restore has it.
    if (entry.section == Section::kNone) {
      entry.section = section;
    } else {
      section = entry.section;
    }
    archive.entries.push_back(std::move(entry));
  }
  archive.toc_size = cursor.at();
  archive.int_size = header.int_size;
  return archive;
}

Archive read_archive(const std::filesystem::path& path) { return parse_archive(read_file(path), path.string()); }

bool has_whole_toc(std::string_view bytes, std::string_view name) {
  try {
    ArchiveCursor cursor(bytes, name);
    const ArchiveHeader header = read_header(cursor);
    for (int i = 0; i < header.entries; ++i) read_entry(cursor, header);
    return true;
  } catch (const ArchiveEndsEarly&) {
    return false;
  }
}

}  // namespace pgsluice::schema
