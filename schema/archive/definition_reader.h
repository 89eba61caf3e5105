#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgsluice::schema {

/// A name as a definition writes it, without its quotes.
struct QualifiedName {
  std::string schema;  ///< empty where none is written
  std::string name;

  bool operator==(const QualifiedName&) const = default;
};

/// Reads a definition that pg_dump has written, from its beginning, piece by piece. A function that does not find its
/// piece leaves the reader where it was. The text has to outlive it.
class DefinitionReader {
 public:
  explicit DefinitionReader(std::string_view text) : rest_(text) {}

  /// Words in capitals and punctuation, with any white space before and between them: "ALTER TABLE ONLY".
  bool take(std::string_view words);
  /// A string literal without backslashes: its value.
  std::optional<std::string> literal();
  /// An identifier in or without quotes.
  std::optional<std::string> name();
  /// "name" or "schema.name".
  std::optional<QualifiedName> qualified_name();
  /// "(a, "B c")"; empty for a list of something else than names.
  std::vector<std::string> names_in_parentheses();
  /// All between a parenthesis and the one that closes it, with regard to quotes; nullopt where none begins.
  std::optional<std::string_view> in_parentheses();

  std::string_view rest() const { return rest_; }

 private:
  void skip_spaces();

  std::string_view rest_;
};

}  // namespace pgsluice::schema
