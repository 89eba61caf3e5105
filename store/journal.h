#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/duration.h"
#include "base/file_descriptor.h"
#include "base/mutex.h"
#include "copy/row_ranges.h"
#include "pgsluice/digest.h"
#include "store/data_file.h"
#include "store/manifest.h"

namespace pgsluice::store {

// While an archive is made, pgsluice.journal in its folder says what of it is done, so that another process can go on:
//
//   journal = line*                        each a JSON object and a line end
//   line    = {"format": 1, "run": text}   the first: what the run is, a text of the caller's
//           | {"part": …}                  a part of a table is in its own file
//           | {"table": …} | {"object": …} a data file is whole, as the manifest will describe it
//           | {"logOnDisk": true}          a crash of the source undoes nothing of what the run's snapshot shows
//
// A line is written when its files are on the disk. What follows the last line end was cut off by a crash. Of two lines
// about the same, the later one holds.

inline constexpr const char* kJournalFile = "pgsluice.journal";

/// A part of a table's rows that is in a file of its own.
struct JournaledPart {
  schema::Oid table = 0;
  schema::Oid file_node = 0;  ///< the table's: with another one, its blocks hold other rows
  std::string file;           ///< the table's, of which this is a part
  std::size_t number = 0;
  copy::RangeBounds bounds;
  copy::RowsDigest rows;
  std::vector<Frame> frames;
};

/// The file of a part: "3021.dat.zst.part-2".
std::string part_file_name(const std::string& file, std::size_t part);

/// A table whose data file is whole.
struct JournaledTable {
  schema::Oid table = 0;
  ArchivedTable archived;
};

struct JournalContents {
  std::string run;
  bool log_is_on_disk = false;
  std::vector<JournaledPart> parts;
  std::vector<JournaledTable> tables;
  std::vector<ArchivedLargeObject> large_objects;

  bool empty() const { return parts.empty() && tables.empty() && large_objects.empty(); }
};

/// Reads a journal's text; `file` stands for it in messages. Throws Error(kConfig) for another one.
JournalContents parse_journal(std::string_view text, std::string_view file);

/// Returns nullopt if the folder has none. Throws Error(kConfig) for one that is damaged or of another version.
std::optional<JournalContents> read_journal(const std::filesystem::path& folder);

/// Writes a journal. Some room on the disk is kept for its last lines (pgsluice.journal.reserve). Lines wait for one
/// another for a moment, because bringing files to the disk takes as long for many as for one. Any thread.
class Journal {
 public:
  /// Begins a journal, in the place of one that may be there, with what is done already. Throws Error(kState, kSystem).
  Journal(std::filesystem::path folder, const JournalContents& done);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Each throws Error(kSystem) where the files could not be brought to the disk, or the line not be written.
  void add(const JournaledPart& part);
  void add(const JournaledTable& table);
  void add(const ArchivedLargeObject& object);
  /// JournalContents::log_is_on_disk.
  void add_log_is_on_disk();
  /// Writes the lines that wait.
  void flush();

  /// True if the journal says of anything that it is done.
  bool has_any() const;

 private:
  void add_line(const std::string& line);
  void write(std::string_view lines) REQUIRES(writing_);

  const std::filesystem::path folder_;
  FileDescriptor file_;
  mutable Mutex mutex_;
  std::string waiting_ GUARDED_BY(mutex_);
  bool has_any_ GUARDED_BY(mutex_) = false;
  SteadyClock::time_point flushed_ GUARDED_BY(mutex_) = SteadyClock::now();
  /// Held while lines are written, so that they stand in their order.
  Mutex writing_;
  std::uintmax_t length_ GUARDED_BY(writing_) = 0;  ///< of whole lines
};

}  // namespace pgsluice::store
