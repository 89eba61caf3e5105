#pragma once

#include <string>
#include <string_view>

#include "copy/copy_format.h"
#include "schema/catalog/catalog.h"

namespace pgsluice::copy {

/// How rows go into a table that is empty as yet.
enum class Loading {
  kAppend,
  /// COPY … FREEZE: the rows need no VACUUM to be seen by all. Only for a table that no other session fills meanwhile
  /// and that may be truncated, since the server allows it in the transaction that has made or truncated the table.
  kFreeze,
};

/// "COPY … TO STDOUT" for a table's own rows: its columns by name, an extension's condition, no children. `range` is a
/// condition that only a part of the rows fulfils (row_ranges.h); empty: all of them.
std::string copy_out_statement(const schema::Relation& table, CopyFormat format, const std::string& range);

/// Like the above, for all rows of a partitioned table.
std::string copy_out_of_tree_statement(const schema::Relation& table, CopyFormat format);

/// A part of the server's message when copy_in_statement() has found rows that another session has inserted.
inline constexpr std::string_view kRowsOfOthers = "pgsluice: the table holds rows";

/// Reads the stored generated columns of a table (a partitioned one's whole tree), which COPY itself leaves out, as
/// text: each server has computed them by itself.
std::string generated_columns_statement(const schema::Relation& table, const std::string& range);

/// Counts the rows that copy_out_statement() reads, and those of them for which `condition` holds. It names the table's
/// columns alone.
std::string count_statement(const schema::Relation& table, const std::string& range, const std::string& condition);

/// "COPY … FROM STDIN" into `into`, with the column names of `table` (they differ for a partition that is loaded
/// through its root). For kFreeze preceded by a TRUNCATE, which fails with kRowsOfOthers (22P02) where there are rows:
/// to be sent in a transaction.
std::string copy_in_statement(const schema::Relation& table, const schema::Relation& into, CopyFormat format,
                              Loading loading);

}  // namespace pgsluice::copy
