#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgsluice::schema {

/// Splits what pg_dump or pg_dumpall has written into statements and words, with regard to quotes. Not for functions'
/// bodies: dollar quotes are not known. The text has to outlive it.
class StatementScanner {
 public:
  explicit StatementScanner(std::string_view text) : rest_(text) {}

  /// Without its semicolon; nullopt at the end. Comments and psql's commands are lines by themselves between
  /// statements, and are passed over.
  std::optional<std::string> next_statement();

  /// The tokens of a statement: words, quoted names and literals with their quotes, in their order.
  static std::vector<std::string> tokens(std::string_view statement);

 private:
  void skip_between();

  std::string_view rest_;
};

}  // namespace pgsluice::schema
