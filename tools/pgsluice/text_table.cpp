#include "tools/pgsluice/text_table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "base/printable.h"
#include "tools/pgsluice/wrap.h"

namespace pgsluice::tools {

namespace {

void append_cell(std::string& line, const std::string& cell, std::size_t width, TextTable::Align align) {
  const std::string padding(width - std::min(width, characters(cell)), ' ');  // a word may be longer
  line += align == TextTable::Align::kLeft ? cell + padding : padding + cell;
}

// 0: as much as it needs.
std::size_t last_column_room(std::size_t before) {
  constexpr std::size_t kLeast = 20;
  winsize size{};
  if (::isatty(STDOUT_FILENO) == 0 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col >= before + kLeast ? size.ws_col - before : 0;
}

std::string centred(const std::string& head, std::size_t width) {
  const std::size_t free = width - characters(head);
  return std::string(free / 2, ' ') + head + std::string(free - free / 2, ' ');
}

}  // namespace

void TextTable::add(std::vector<std::string> cells) {
  for (std::string& cell : cells) {
    cell = printable(cell, LineEnds::kEscaped);
    std::replace(cell.begin(), cell.end(), '\t', ' ');
  }
  rows_.push_back(std::move(cells));
}

std::string TextTable::text() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = characters(columns_[i].head);
    for (const std::vector<std::string>& row : rows_) width = std::max(width, characters(row[i]));
    widths.push_back(width);
  }
  std::string result;
  const bool psql = look_ == Look::kPsql;
  // The last column of a table for people is cut into lines where the terminal is too narrow for it.
  std::size_t before_last = 0;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) before_last += widths[i] + 3;
  const std::size_t room = psql || columns_.back().align == Align::kRight ? 0 : last_column_room(before_last);
  if (room > 0) widths.back() = std::min(widths.back(), room);
  const auto add_line = [&](const auto& cell_of) {
    std::string line = psql ? " " : "";
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (i > 0) line += " | ";
      append_cell(line, cell_of(i), widths[i], columns_[i].align);
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    result += line + "\n";
  };
  add_line([&](std::size_t i) { return psql ? centred(columns_[i].head, widths[i]) : columns_[i].head; });
  if (psql) {
    for (std::size_t i = 0; i < columns_.size(); ++i) result += (i > 0 ? "+" : "") + std::string(widths[i] + 2, '-');
    result += "\n";
  } else {
    add_line([&](std::size_t i) { return std::string(widths[i], '-'); });
  }
  for (const std::vector<std::string>& row : rows_) {
    std::istringstream last(room > 0 ? wrap(row.back(), room, 0) : row.back());
    std::string part;
    std::getline(last, part);
    add_line([&](std::size_t i) { return i + 1 < row.size() ? row[i] : part; });
    while (std::getline(last, part)) {
      add_line([&](std::size_t i) { return i + 1 < row.size() ? std::string() : part; });
    }
  }
  return result;
}

}  // namespace pgsluice::tools
