#pragma once

#include <string>
#include <vector>

namespace pgsluice::tools {

/// Lines of cells, aligned in columns under a head.
class TextTable {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string head;
    Align align = Align::kLeft;
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// As many cells as there are columns.
  /// Line breaks and other control characters, which a name may hold, are shown as blanks.
  void add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  /// Ends with a line break.
  std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace pgsluice::tools
