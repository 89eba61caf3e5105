#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "copy/copy_format.h"
#include "pg/connection.h"
#include "pg/snapshot.h"
#include "pgsluice/data_comparison.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::pipeline {

/// One of two servers whose data is compared, with the session that keeps what it shows.
struct ComparedServer {
  pg::Connection session;
  pg::SnapshotIdentity snapshot;
  std::string encoding;
  schema::Catalog catalog;
};

using RelationName = std::pair<std::string, std::string>;

/// The relations that are read as a whole: tables, filled materialized views, and a partitioned table in place of its
/// partitions where the target may have put a row into another one. Stored generated columns are among their columns.
std::map<RelationName, schema::Relation> tables_to_compare(const schema::Catalog& catalog);

/// How a table is read on both servers so that the same rows give the same bytes. Any thread once it is made; the
/// references outlive it.
class TableComparison {
 public:
  /// Says in `result` why the table cannot be compared, if so.
  TableComparison(ComparedTable& result, schema::Relation here, schema::Relation there, const ComparedServer& source,
                  const ComparedServer& target);

  bool is_possible() const { return result_.trouble.empty() && result_.undecided.empty(); }
  const schema::Relation& table() const { return here_; }
  ComparedTable& result() { return result_; }

  /// Statements for a session of that side: settings, and the COPY of the rows for which the condition holds.
  std::string copy_out(Side side, const std::string& condition) const;
  copy::CopyFormat format() const { return format_; }
  /// "ONLY public.t", for a query.
  std::string from() const;
  /// Expressions.
  const std::vector<std::string>& columns() const { return columns_; }

 private:
  void choose_reading();

  ComparedTable& result_;
  const schema::Relation here_;
  const schema::Relation there_;
  const ComparedServer& source_;
  const ComparedServer& target_;
  copy::CopyFormat format_ = copy::CopyFormat::kText;
  std::vector<std::string> columns_;
};

}  // namespace pgsluice::pipeline
