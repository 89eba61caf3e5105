#include "pipeline/compare/row_difference.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <optional>

#include "pg/quote.h"

namespace pgsluice::pipeline {

namespace {

// One side's rows in their order, some thousands at a time.
class OrderedRows {
 public:
  OrderedRows(pg::Connection& connection, const std::string& sql) : connection_(connection) {
    connection_.execute("DECLARE pgsluice_rows NO SCROLL CURSOR FOR " + sql);
    fetch();
  }
  OrderedRows(const OrderedRows&) = delete;
  OrderedRows& operator=(const OrderedRows&) = delete;

  bool at_end() const { return at_ == rows_->size(); }
  std::string_view key() const { return (*rows_)[at_].text(0); }
  std::string_view digest() const { return (*rows_)[at_].text(1); }
  void next() {
    if (++at_ == rows_->size()) fetch();
  }
  void close() { connection_.execute("CLOSE pgsluice_rows"); }

 private:
  void fetch() {
    constexpr int kRows = 5000;
    rows_ = connection_.execute(fmt::format("FETCH {} FROM pgsluice_rows", kRows));
    at_ = 0;
  }

  pg::Connection& connection_;
  std::optional<pg::Result> rows_;
  int at_ = 0;
};

}  // namespace

std::vector<std::string> primary_key_of(pg::Connection& session, schema::Oid table) {
  std::vector<std::string> columns;
  const std::array<std::string, 1> parameters = {std::to_string(table)};
  for (const pg::Row row : session.execute(
           "SELECT a.attname FROM pg_catalog.pg_index i, pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY"
           " k(attnum, at) JOIN pg_catalog.pg_attribute a ON a.attnum = k.attnum"
           " WHERE i.indrelid = $1::pg_catalog.oid AND i.indisprimary AND a.attrelid = i.indrelid ORDER BY k.at",
           parameters)) {
    columns.push_back(pg::quote_identifier(row.text(0)));
  }
  return columns;
}

std::string keys_and_digests_sql(const std::string& from, const std::vector<std::string>& key,
                                 const std::vector<std::string>& columns) {
  return fmt::format(
      "SELECT ROW({})::pg_catalog.text COLLATE \"C\", pg_catalog.md5(ROW({})::pg_catalog.text) FROM {} ORDER BY 1",
      fmt::join(key, ", "), fmt::join(columns, ", "), from);
}

std::vector<std::string> different_rows(pg::Connection& source, pg::Connection& target, const std::string& sql,
                                        int most) {
  OrderedRows here(source, sql);
  OrderedRows there(target, sql);
  std::vector<std::string> rows;
  const auto name = [&](std::string_view key, std::string_view what) {
    rows.push_back(fmt::format("{}: {}", key, what));
  };
  while (!(here.at_end() && there.at_end()) && rows.size() < static_cast<std::size_t>(most)) {
    const bool only_here = there.at_end() || (!here.at_end() && here.key() < there.key());
    const bool only_there = !only_here && (here.at_end() || there.key() < here.key());
    if (only_here) {
      name(here.key(), "only on the source");
    } else if (only_there) {
      name(there.key(), "only on the target");
    } else if (here.digest() != there.digest()) {
      name(here.key(), "differs");
    }
    if (!only_there) here.next();
    if (!only_here) there.next();
  }
  here.close();
  there.close();
  return rows;
}

}  // namespace pgsluice::pipeline
