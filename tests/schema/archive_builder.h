#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schema/archive/archive.h"

namespace pgsluice::test {

/// Writes the bytes of an archive of a given version, byte by byte as the grammar in archive_layout.h says: for the
/// versions that no pg_dump at hand writes.
class ArchiveBuilder {
 public:
  explicit ArchiveBuilder(int minor) : minor_(minor) {}

  ArchiveBuilder& entry(schema::TocEntry entry, int section_number);
  std::string bytes() const;

  int int_size = 4;
  int offset_size = 8;
  int format = 1;  ///< 3: that of a directory

 private:
  void integer(std::string& out, int value) const;
  void string(std::string& out, const std::optional<std::string>& text) const;
  void add_entry(std::string& out, const schema::TocEntry& entry, int section_number) const;

  int minor_;
  std::vector<std::pair<schema::TocEntry, int>> entries_;
};

}  // namespace pgsluice::test
