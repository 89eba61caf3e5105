#include "base/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <utility>

#include "pgsluice/error.h"

namespace pgsluice {

namespace {

constexpr int kBusyTimeout = 5000;  // ms

void bind(sqlite3_stmt* statement, int at, const SqliteFile::Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    ::sqlite3_bind_int64(statement, at, *number);
  } else if (const auto* real = std::get_if<double>(&value)) {
    ::sqlite3_bind_double(statement, at, *real);
  } else {
    const auto& text = std::get<std::string>(value);
    ::sqlite3_bind_text(statement, at, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
  }
}

}  // namespace

std::string SqliteFile::Row::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(::sqlite3_column_text(row_, column));
  return text == nullptr ? "" : std::string(text, static_cast<std::size_t>(::sqlite3_column_bytes(row_, column)));
}

std::int64_t SqliteFile::Row::integer(int column) const { return ::sqlite3_column_int64(row_, column); }

double SqliteFile::Row::real(int column) const { return ::sqlite3_column_double(row_, column); }

SqliteFile::SqliteFile(const std::filesystem::path& file, Open open) : file_(file.string()) {
  const int create_flag = open == Open::kMakeMissing ? SQLITE_OPEN_CREATE : 0;
  sqlite3* opened = nullptr;
  const int result =
      ::sqlite3_open_v2(file_.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | create_flag, nullptr);
  database_.reset(opened);
  if (result != SQLITE_OK) fail();
  ::sqlite3_busy_timeout(opened, kBusyTimeout);
}

void SqliteFile::Close::operator()(sqlite3* database) const { ::sqlite3_close_v2(database); }

void SqliteFile::execute(const char* sql) {
  if (::sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail();
}

void SqliteFile::execute(const char* sql, const std::vector<Value>& values,
                         const std::function<void(const Row&)>& on_row) {
  sqlite3_stmt* prepared = nullptr;
  if (::sqlite3_prepare_v2(database_.get(), sql, -1, &prepared, nullptr) != SQLITE_OK) fail();
  const std::unique_ptr<sqlite3_stmt, decltype(&::sqlite3_finalize)> statement(prepared, &::sqlite3_finalize);
  for (std::size_t i = 0; i < values.size(); ++i) bind(prepared, static_cast<int>(i) + 1, values[i]);
  int result = ::sqlite3_step(prepared);
  for (; result == SQLITE_ROW; result = ::sqlite3_step(prepared)) on_row(Row(prepared));
  if (result != SQLITE_DONE) fail();
}

int SqliteFile::changes() const { return ::sqlite3_changes(database_.get()); }

void SqliteFile::fail() const {
  const int code = ::sqlite3_errcode(database_.get());
  const int system_errno = ::sqlite3_system_errno(database_.get());
  Error error(ErrorKind::kState,
              fmt::format("SQLite reports an error in the file {}: {}", file_, ::sqlite3_errmsg(database_.get())));
  if (code == SQLITE_FULL || system_errno == ENOSPC || system_errno == EDQUOT) {
    throw Error(ErrorKind::kSystem, fmt::format("no space is left for the file {}", file_))
        .hint("free space on its disk");
  }
  if (code == SQLITE_IOERR || code == SQLITE_CANTOPEN || code == SQLITE_READONLY || code == SQLITE_CORRUPT ||
      code == SQLITE_NOTADB) {
    throw Error(ErrorKind::kSystem, error.what()).hint("check the file, its permissions and its disk");
  }
  throw error;
}

SqliteFile::Transaction::Transaction(SqliteFile& file) : file_(&file) { file.execute("BEGIN IMMEDIATE"); }

SqliteFile::Transaction::~Transaction() {
  if (file_ == nullptr) return;
  // An error that ended the transaction has been thrown already.
  ::sqlite3_exec(file_->database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void SqliteFile::Transaction::commit() {
  file_->execute("COMMIT");
  file_ = nullptr;
}

}  // namespace pgsluice
