#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "schema/archive/archive.h"

namespace pgsluice::schema {

/// The table of contents of a directory archive, to be made from that of the archive that pg_dump has written.
struct DirectoryToc {
  /// pg_dump's, in format "custom", to the end of its table of contents at least.
  std::string_view written;
  /// The entries that parse_archive() has read of it, without those that are omitted, and with definitions as they are
  /// to be.
  const Archive& archive;
  ArchiveCompression compression = ArchiveCompression::kNone;
  /// The file with an entry's data, in the archive's folder, without the suffix that compression adds. Asked for
  /// entries that have data.
  std::function<std::string(const TocEntry&)> file_of;
};

/// Returns the content of toc.dat, which pg_restore reads: of the version that pg_dump has written, or the first one
/// that knows the compression (1.15: pg_restore 16 and later). All but entries' definitions and files is as pg_dump
/// wrote it. Throws Error(kConfig) where that is damaged.
std::string make_directory_toc(const DirectoryToc& toc);

}  // namespace pgsluice::schema
