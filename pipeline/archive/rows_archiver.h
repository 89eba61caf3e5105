#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/duration.h"
#include "base/mutex.h"
#include "base/throttle.h"
#include "pg/connection.h"
#include "pg/snapshot.h"
#include "pgsluice/cancel.h"
#include "pgsluice/log.h"
#include "pgsluice/progress.h"
#include "pipeline/plan/table_plan.h"
#include "store/data_entries.h"
#include "store/journal.h"
#include "store/manifest.h"
#include "store/pump.h"

namespace pgsluice::pipeline {

/// Where the data of an archive comes from and goes to.
struct DataToArchive {
  pg::ConnInfo source;
  pg::SnapshotMark mark;
  std::string encoding;
  std::string money_locale;  ///< the source's lc_monetary
  std::vector<TablePlan> tables;
  store::DataEntries entries;
  schema::ArchiveVersion version;
  std::filesystem::path folder;
  store::Compression compression;
  int table_jobs = 1;
  int compress_jobs = 1;
  /// That rows are held to; nullptr: none.
  Throttle* throttle = nullptr;
  /// ArchiveOptions::hand_on.
  std::function<void(const std::string& name, const std::filesystem::path& file)> hand_on = {};
  /// Data that an earlier attempt has written; not read again.
  store::JournalContents done = {};
};

/// The name of the data file of a table, or of a large object, in the archive.
std::string table_file_name(const DataToArchive& data, const TablePlan& plan);
/// Hands a file of the archive on, with the file of its index if it has one, and removes it; does nothing if no one
/// takes files.
void hand_on(const DataToArchive& data, const std::string& name);
std::string large_object_file_name(const DataToArchive& data, schema::Oid object);

/// Counters while an archive is made; read by others at any time.
struct ArchivingProgress {
  std::atomic<std::int64_t> bytes{0};
  std::atomic<std::int64_t> rows{0};
  std::atomic<std::size_t> tables_done{0};
  std::atomic<std::size_t> tables_total{0};
  std::atomic<std::size_t> files_done{0};  ///< of tables and large objects
  std::atomic<std::size_t> files_total{0};
  std::atomic<std::int64_t> size_done{0};  ///< of tables on the source's disk
  std::atomic<std::int64_t> size_total{0};

  /// Sets all counters to 0, for another attempt.
  void reset();
};

/// Reads rows and large objects by several sessions in one snapshot, the largest first, and writes them into the data
/// files of an archive. The journal, if there is one, learns of each part and file.
class RowsArchiver {
 public:
  RowsArchiver(const DataToArchive& data, store::Journal* journal, ArchivingProgress& progress, Log log,
               const CancelToken& cancel);

  /// Throws Error: the first one, when all threads have ended.
  void run();

  /// After run(): what was written.
  std::vector<store::ArchivedTable> take_tables();
  std::vector<store::ArchivedLargeObject> take_large_objects();

 private:
  // A part of a table, or some large objects.
  struct Piece {
    std::size_t table = 0;
    std::size_t range = 0;
    std::vector<schema::Oid> objects;
    Bytes size;
  };
  // The parts of a table that have come.
  struct Gathered {
    std::vector<store::WrittenPart> parts;
    std::size_t missing = 0;
    copy::RowsDigest rows;
  };

  void plan_pieces();
  void plan_table(std::size_t table) REQUIRES(mutex_);
  bool take_done(std::size_t table) REQUIRES(mutex_);
  bool take_done(const Piece& piece, Gathered& gathered) REQUIRES(mutex_);
  void plan_objects(const store::LargeObjectsEntry& entry);
  void join_what_is_done();
  void work(int number);
  void read_part(const Piece& piece, pg::Connection& source);
  void finish_table(std::size_t table, Gathered gathered);
  void read_objects(const Piece& piece, pg::Connection& source);
  void finish_object(schema::Oid object, store::WrittenPart part);
  void look_for_log(pg::Connection& source);

  const DataToArchive& data_;
  template <class Done>
  void record(const Done& done) {
    if (journal_ != nullptr) journal_->add(done);
  }

  store::Journal* journal_;
  ArchivingProgress& progress_;
  const Log log_;
  CancelSource cancel_;
  store::Pump pump_;
  std::map<schema::Oid, const store::ArchivedTable*> done_tables_;
  std::map<std::pair<schema::Oid, std::size_t>, const store::JournaledPart*> done_parts_;
  std::vector<Piece> pieces_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> log_is_on_disk_;
  Mutex mutex_;
  std::map<std::size_t, Gathered> gathered_ GUARDED_BY(mutex_);
  std::optional<Error> error_ GUARDED_BY(mutex_);
  std::vector<store::ArchivedTable> tables_ GUARDED_BY(mutex_);
  std::vector<store::ArchivedLargeObject> large_objects_ GUARDED_BY(mutex_);
};

}  // namespace pgsluice::pipeline
