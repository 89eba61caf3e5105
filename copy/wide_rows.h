#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "copy/copy_format.h"
#include "pgsluice/bytes.h"
#include "pgsluice/error.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::copy {

/// A row that no COPY can send: the server makes each row in a buffer of at most 1 GB, and in text a bytea takes two
/// bytes for one.
struct WideRow {
  std::string block_and_line;  ///< its ctid, "(12,3)"
  Bytes size;                  ///< of what COPY would have to send, at least
};

/// The remedy for one.
inline constexpr std::string_view kWideRowHint =
    "PostgreSQL sends no row of more than 1 GB (a bytea counts twice in text): make the row smaller, or copy the "
    "table's "
    "rows in another way";

/// True if this is how the source refuses to send one.
bool is_row_too_wide(const Error& error);

/// True if looking for such rows is worth it: there is TOAST enough for one, and the table itself, all of which is
/// read, is a small part of what the copy reads anyway. Rows that are passed over fail their COPY, with a hint.
bool may_have_wide_rows(const schema::Relation& table);

/// The first such row. Large values are not read, only their sizes: of those types that tell (bytea, text and the
/// like), else what is stored of them. Throws Error(kServer).
std::optional<WideRow> find_wide_row(pg::Connection& source, const schema::Relation& table,
                                     const schema::ColumnTypes& types, CopyFormat format);

}  // namespace pgsluice::copy
