#include "pg/result.h"

#include <fmt/format.h>

#include <charconv>

#include "pgsluice/error.h"

namespace pgsluice::pg {

namespace {
template <class T>
T parse_number(std::string_view text) {
  T value{};
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || end != text.data() + text.size()) {
    throw Error(ErrorKind::kInternal, fmt::format("a number was expected, not \"{}\"", text));
  }
  return value;
}
}  // namespace

std::string_view Row::text(int column) const {
  if (is_null(column)) {
    throw Error(ErrorKind::kInternal, fmt::format("column {} is null", PQfname(result_.get(), column)));
  }
  return {PQgetvalue(result_.get(), row_, column), static_cast<std::size_t>(PQgetlength(result_.get(), row_, column))};
}

std::optional<std::string> Row::optional_text(int column) const {
  if (is_null(column)) return std::nullopt;
  return std::string(text(column));
}

std::int64_t Row::integer(int column) const { return parse_number<std::int64_t>(text(column)); }

double Row::real(int column) const { return parse_number<double>(text(column)); }

bool Row::boolean(int column) const { return text(column) == "t"; }

std::vector<std::string> Row::text_array(int column) const { return parse_text_array(text(column)); }

std::int64_t Result::affected() const {
  const std::string_view text = PQcmdTuples(result_.get());
  return text.empty() ? 0 : parse_number<std::int64_t>(text);
}

std::vector<std::string> parse_text_array(std::string_view text) {
  const Error bad(ErrorKind::kInternal, fmt::format("an array was expected, not \"{}\"", text));
  if (text.size() < 2 || text.front() != '{' || text.back() != '}') throw bad;
  std::vector<std::string> result;
  std::string element;
  bool quoted = false;
  bool any = false;
  bool was_quoted = false;
  const auto finish = [&] {
    if (!was_quoted && element == "NULL") element.clear();
    result.push_back(std::move(element));
    element.clear();
    was_quoted = false;
  };
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    const char c = text[i];
    any = true;
    if (c == '\\') {
      if (i + 2 >= text.size()) throw bad;
      element += text[++i];
    } else if (c == '"') {
      quoted = !quoted;
      was_quoted = true;
    } else if (c == ',' && !quoted) {
      finish();
    } else if ((c == '{' || c == '}') && !quoted) {
      throw bad;
    } else {
      element += c;
    }
  }
  if (quoted) throw bad;
  if (any) finish();
  return result;
}

}  // namespace pgsluice::pg
