#pragma once

#include <string>
#include <vector>

#include "base/printable.h"

namespace pgsluice::tools {

/// Lines of cells, aligned in columns under a head.
class TextTable {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string head;
    Align align = Align::kLeft;
  };

  enum class Look {
    kPlain,
    kPsql,  ///< heads in the middle, a blank on both sides of each cell: what scripts made for pgcopydb read
  };

  explicit TextTable(std::vector<Column> columns, Look look = Look::kPlain)
      : columns_(std::move(columns)), look_(look) {
    for (Column& column : columns_) column.head = printable(column.head, LineEnds::kEscaped);
  }

  /// As many cells as there are columns. In these and in heads, line breaks and other control characters, which a name
  /// may hold, are escaped.
  void add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  /// Ends with a line break.
  std::string text() const;

 private:
  std::vector<Column> columns_;
  Look look_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace pgsluice::tools
