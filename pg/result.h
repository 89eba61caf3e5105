#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgsluice::pg {

/// A row of a Result; keeps the answer alive. Columns count from 0. Access to a null as another thing than
/// optional_text() and a value that is not of the type asked for throw Error(kInternal): the query was ours.
class Row {
 public:
  Row(std::shared_ptr<const PGresult> result, int row) : result_(std::move(result)), row_(row) {}

  int columns() const { return PQnfields(result_.get()); }
  bool is_null(int column) const { return PQgetisnull(result_.get(), row_, column) != 0; }
  /// Valid as long as any row of the answer is.
  std::string_view text(int column) const;
  std::optional<std::string> optional_text(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;
  bool boolean(int column) const;
  std::uint32_t oid(int column) const { return static_cast<std::uint32_t>(integer(column)); }
  /// A one-dimensional array in text form; an element that is null is an empty string.
  std::vector<std::string> text_array(int column) const;

 private:
  std::shared_ptr<const PGresult> result_;
  int row_;
};

/// The answer to a statement. Owns it; any thread, one at a time.
class Result {
 public:
  explicit Result(PGresult* result) : result_(result, &PQclear) {}

  int size() const { return PQntuples(result_.get()); }
  bool empty() const { return size() == 0; }
  Row operator[](int row) const { return Row(result_, row); }

  /// The command tag: "COMMIT", "COPY 12".
  std::string_view command() const { return PQcmdStatus(result_.get()); }
  /// The number of rows in the command tag; 0 where it has none.
  std::int64_t affected() const;

  class Iterator {
   public:
    Iterator(const Result& result, int row) : result_(&result), row_(row) {}
    Row operator*() const { return (*result_)[row_]; }
    Iterator& operator++() {
      ++row_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return row_ != other.row_; }

   private:
    const Result* result_;
    int row_;
  };
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, size()}; }

  const PGresult* native() const { return result_.get(); }

 private:
  std::shared_ptr<PGresult> result_;
};

/// Elements of a one-dimensional array in PostgreSQL's text form, such as {a,"b c",NULL}. Throws Error(kInternal).
std::vector<std::string> parse_text_array(std::string_view text);

}  // namespace pgsluice::pg
