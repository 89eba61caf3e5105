#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pgsluice/cancel.h"
#include "pgsluice/digest.h"
#include "pgsluice/filter_rules.h"
#include "pgsluice/log.h"
#include "pgsluice/pace.h"
#include "pgsluice/progress.h"
#include "pgsluice/row_options.h"

namespace pgsluice::pipeline {

struct CompareOptions {
  std::string source;
  std::string target;
  /// In place of those that the connection strings name; empty: these.
  std::string database = {};
  /// How many tables, or parts of them, are read at a time: one connection to each server for each, and one more.
  int jobs = 4;
  /// Tables are read in parts by ranges of an integer key, which means the same rows on both sides.
  copy::SplitOptions split;
  /// At most so many differing rows are named for each table.
  int max_rows = 10;
  /// The options of the copy: what it has left out is not compared.
  schema::FilterRules filters = {};
  bool extensions = true;
  bool large_objects = true;
  /// How much of the source's rows is read in a second at most; 0: no limit.
  Bytes max_rate = {};
};

/// A table that both databases have, or one of them.
struct ComparedTable {
  std::string schema;
  std::string name;
  bool on_source = false;
  bool on_target = false;
  copy::RowsDigest source;
  copy::RowsDigest target;
  /// Why it could not be compared: another column, a right that is missing.
  std::string trouble;
  /// "(7): only on the source", by the primary key, of a table that differs.
  std::vector<std::string> rows;
  /// Why a materialized view may differ although it was copied well: its rows are not what its query gives on the
  /// source either.
  std::string note;

  /// Why its rows cannot be compared by this user, who may be shown a part of them only: row-level security. Not a
  /// difference.
  std::string undecided;

  bool equal() const { return undecided.empty() && !differs(); }
  bool differs() const {
    const bool is_same = on_source && on_target && trouble.empty() && (source == target || !note.empty());
    return undecided.empty() && !is_same;
  }
};

struct ComparedData {
  std::vector<ComparedTable> tables;
  /// Sequences that differ: "sequence public.s: 7 on the source, 8 on the target".
  std::vector<std::string> sequences;
  /// Empty where they are the same; else how many there are, and the first that differ: "large object 16405 at byte 0:
  /// only on the source".
  std::vector<std::string> large_objects;

  /// True if no difference was found.
  bool equal() const;
  /// How many tables could not be compared.
  std::size_t undecided() const;
};

/// Compares the rows of two databases' tables (stored generated columns included) and materialized views, their
/// sequences and their large objects, whatever has made them. Reads
/// only; what each server shows is of one moment of its own.
///
/// Lifecycle: made, then one call of run(). Threads: run() starts its own and has joined them when it returns or
/// throws; progress() and cancel() from any thread meanwhile, cancel() also from a signal handler.
class DataComparison {
 public:
  /// Cancelled with `parent` too.
  DataComparison(CompareOptions options, LogSink& sink, const CancelToken& parent = {});
  DataComparison(const DataComparison&) = delete;
  DataComparison& operator=(const DataComparison&) = delete;
  ~DataComparison();

  /// Throws Error when a server cannot be reached or read.
  ComparedData run();

  ProgressSnapshot progress() const;
  void cancel() noexcept;
  /// Changes the rate, or pauses, from now on; any thread. Sessions stay as they are.
  void set_pace(const Pace& pace);

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace pgsluice::pipeline
