#include "copy/wide_rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/sqlstate.h"
#include "pg/quote.h"

namespace pgsluice::copy {

namespace {

constexpr Bytes kMostOfARow{0x3fffffff};                   // PostgreSQL's MaxAllocSize
constexpr Bytes kLeastToast{kMostOfARow.count / 2 / 255};  // of such a row: lz4 makes at best one byte of 255
constexpr Bytes kAlwaysRead{64 * 1024 * 1024};             // of a table without its TOAST
constexpr std::int64_t kPartOfToast = 16;

// Their casts to text change nothing, and the length of a stored text is known without reading it. (That of json is
// made by its output, that of character by a function.)
constexpr std::array<std::string_view, 3> kTexts = {"text", "character varying", "xml"};

std::string_view base_type(const schema::ColumnTypes& types, schema::Oid oid) {
  auto found = types.find(oid);
  while (found != types.end() && found->second.form == schema::ColumnType::Form::kDomain) {
    found = types.find(found->second.base);
  }
  return found == types.end() ? std::string_view() : found->second.name;
}

std::string size_of(std::string_view column, std::string_view type, CopyFormat format) {
  const std::string name = "t." + pg::quote_identifier(column);
  std::string size;
  if (type == "bytea") {
    size = fmt::format("pg_catalog.octet_length({}::pg_catalog.bytea)::bigint", name);
    if (format == CopyFormat::kText) size += " * 2";
  } else if (std::find(kTexts.begin(), kTexts.end(), type) != kTexts.end()) {
    size = fmt::format("pg_catalog.octet_length({}::pg_catalog.text)::bigint", name);
  } else {
    size = fmt::format("pg_catalog.pg_column_size({})::bigint", name);
  }
  return fmt::format("coalesce({}, 0)", size);
}

}  // namespace

bool is_row_too_wide(const Error& error) {
  return error.sqlstate() == sqlstate::kProgramLimitExceeded ||
         std::string_view(error.what()).starts_with("invalid memory alloc request size");
}

bool may_have_wide_rows(const schema::Relation& table) {
  return !table.columns.empty() && table.toast_size >= kLeastToast &&
         table.heap_size.count <= std::max(kAlwaysRead.count, table.toast_size.count / kPartOfToast);
}

std::optional<WideRow> find_wide_row(pg::Connection& source, const schema::Relation& table,
                                     const schema::ColumnTypes& types, CopyFormat format) {
  std::vector<std::string> sizes;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    sizes.push_back(size_of(table.columns[i], base_type(types, table.column_types[i]), format));
  }
  const pg::Result found = source.execute(
      fmt::format("SELECT ctid, size FROM (SELECT t.ctid, {} AS size FROM ONLY {} t) sized WHERE size >= {} LIMIT 1",
                  fmt::join(sizes, " + "), table.quoted(), kMostOfARow.count));
  if (found.empty()) return std::nullopt;
  return WideRow{.block_and_line = std::string(found[0].text(0)), .size = {found[0].integer(1)}};
}

}  // namespace pgsluice::copy
