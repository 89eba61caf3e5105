#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace pgsluice {

/// A connection to a SQLite file. One thread. Waits 5 s for another process that writes. Every function throws
/// an Error that names the file: kSystem for a full disk, an I/O error and a damaged file, kState for all else.
class SqliteFile {
 public:
  enum class Open {
    kExisting,     ///< to read or write a file that is there
    kMakeMissing,  ///< an empty one where there is none
  };
  using Value = std::variant<std::int64_t, double, std::string>;

  /// A row of an answer, valid while it is handed out.
  class Row {
   public:
    explicit Row(sqlite3_stmt* row) : row_(row) {}

    std::string text(int column) const;  ///< empty for NULL
    std::int64_t integer(int column) const;
    double real(int column) const;

   private:
    sqlite3_stmt* row_;
  };

  SqliteFile(const std::filesystem::path& file, Open open);

  /// Statements without parameters.
  void execute(const char* sql);
  /// One statement; calls with each row of its answer.
  void execute(
      const char* sql, const std::vector<Value>& values,
      const std::function<void(const Row&)>& on_row = [](const Row&) {});
  /// How many rows the last statement has changed.
  int changes() const;

  /// A transaction: rolled back by the destructor unless committed. It is the only writer from its begin on.
  class Transaction {
   public:
    explicit Transaction(SqliteFile& file);
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    ~Transaction();
    void commit();

   private:
    SqliteFile* file_;
  };

 private:
  [[noreturn]] void fail() const;

  struct Close {
    void operator()(sqlite3* database) const;
  };
  std::string file_;
  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace pgsluice
