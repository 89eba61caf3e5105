#include "store/archived_rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/duration.h"
#include "copy/libpq_copy.h"
#include "copy/row_digest.h"
#include "pgsluice/error.h"

namespace pgsluice::store {

namespace {

constexpr std::size_t kFlushRowsAt = 256 * 1024;
constexpr std::size_t kWriteAtOnce = 256 * 1024;  // libpq's buffer grows to what it is given

// In the text format a line is a row, and what a server sends as a message.
void digest_rows_in(std::string_view text, copy::RowDigester& digester) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view piece = text.substr(0, end == std::string_view::npos ? text.size() : end + 1);
    digester.add_piece(piece);
    if (end != std::string_view::npos) digester.end_row();
    text.remove_prefix(piece.size());
  }
}

}  // namespace

copy::RowsDigest digest_of_rows(const ArchiveData& data, const schema::TocEntry& entry) {
  copy::RowDigester digester(copy::CopyFormat::kText);
  data.read_rows(entry, {}, [&](std::string_view rows) { digest_rows_in(rows, digester); });
  return digester.result();
}

copy::RelayOutcome ArchivedRows::send_one(pg::Connection& target, const copy::RowStream& stream) {
  const schema::TocEntry& entry = *entries_.tables.at(stream.copy.table.oid);
  const auto begin = SteadyClock::now();
  copy::RelayOutcome outcome;
  copy::CopyWriter writer(target, stream.copy_in);
  data_.read_rows(entry, stream.copy.range.bounds, [&](std::string_view rows) {
    outcome.source_rows += std::count(rows.begin(), rows.end(), '\n');
    if (stream.digester != nullptr) digest_rows_in(rows, *stream.digester);
    for (; !rows.empty(); rows.remove_prefix(std::min(kWriteAtOnce, rows.size()))) {
      const std::string_view piece = rows.substr(0, kWriteAtOnce);
      writer.write(piece);
      stream.copy.flow.passed(piece.size(), target.cancel_token());
      if (writer.unflushed() >= kFlushRowsAt) writer.flush_all();
    }
  });
  const std::optional<copy::RowsDigest> expected = data_.rows_of(entry);
  if (expected && stream.copy.range.bounds.by.empty() && expected->rows != outcome.source_rows) {
    throw Error(ErrorKind::kMismatch, fmt::format("it has {} rows in the archive, and the archive's manifest says {}",
                                                  outcome.source_rows, expected->rows))
        .on(Side::kSource);
  }
  outcome.target_rows = writer.finish();
  outcome.duration = SteadyClock::now() - begin;
  return outcome;
}

copy::RelayResult ArchivedRows::send(pg::Connection& target, std::span<const copy::RowStream> streams) {
  copy::RelayResult result;
  try {
    for (const copy::RowStream& stream : streams) result.outcomes.push_back(send_one(target, stream));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    result.error = error;
    result.failed = result.outcomes.size();
  }
  return result;
}

}  // namespace pgsluice::store
