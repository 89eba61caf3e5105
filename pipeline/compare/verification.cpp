#include "pipeline/compare/verification.h"

#include <fmt/format.h>

#include <array>

#include "copy/copy_statement.h"
#include "pg/session_settings.h"
#include "pgsluice/error.h"

namespace pgsluice::pipeline {

void Verification::expect(const schema::Relation& into, const copy::RowsDigest& rows) {
  const MutexLock lock(mutex_);
  expected_[into.oid] += rows;
}

void Verification::add(const schema::Relation& into, const copy::LoadedRows& loaded) {
  const MutexLock lock(mutex_);
  sent_[into.oid] += {.rows = loaded.rows, .sum = loaded.digest.value_or(Digest{})};
}

copy::RowsDigest Verification::sent(const schema::Relation& into) const {
  const MutexLock lock(mutex_);
  const auto found = sent_.find(into.oid);
  return found == sent_.end() ? copy::RowsDigest{} : found->second;
}

copy::RowsDigest Verification::should_be(const schema::Relation& into) const {
  {
    const MutexLock lock(mutex_);
    if (const auto found = expected_.find(into.oid); found != expected_.end()) return found->second;
  }
  return sent(into);
}

void verify_table(pg::Connection& target, const schema::Relation& table, copy::CopyFormat format,
                  const copy::RowsDigest& sent, std::atomic<std::int64_t>& bytes, const std::string& before_generated) {
  const std::array<copy::DigestRequest, 1> request = {
      copy::DigestRequest{.connection = target,
                          .copy_out = pg::reading_settings_sql() + copy::copy_out_of_tree_statement(table, format),
                          .format = format,
                          .flow = bytes}};
  copy::RowsDigest there = copy::digest_rows(request)[0];
  if (!table.generated_columns.empty()) {
    const std::array<copy::DigestRequest, 1> generated = {copy::DigestRequest{
        .connection = target,
        .copy_out = pg::reading_settings_sql() + before_generated + copy::generated_columns_statement(table, ""),
        .format = copy::CopyFormat::kText,
        .flow = bytes}};
    there += {.rows = 0, .sum = copy::digest_rows(generated)[0].sum};
  }
  if (there == sent) return;
  const std::string difference = there.rows == sent.rows
                                     ? fmt::format("of {} rows some are not as the source sent them", sent.rows)
                                     : fmt::format("the source sent {} rows, and {} are there", sent.rows, there.rows);
  throw Error(ErrorKind::kMismatch, difference).on(Side::kTarget).object("table " + table.display());
}

}  // namespace pgsluice::pipeline
