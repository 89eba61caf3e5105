#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace pgsluice::schema {

/// A name as a filter file writes it: itself, or a regular expression. Read-only; any thread.
class NamePattern {
 public:
  /// The name alone. `as_written` is how it stood in the file, where that was folded to lower case.
  explicit NamePattern(std::string name, std::string as_written = {});
  /// In RE2's syntax, found anywhere in the name; it takes memory and time in proportion to its length, whatever is
  /// written. Throws Error(kConfig) with what is wrong in it.
  static NamePattern regex(const std::string& expression);

  bool matches(std::string_view name) const;
  /// True if quotes would have made it match: it was folded to lower case, and the name was not.
  bool would_match_quoted(std::string_view name) const;
  bool is_regex() const { return compiled_ != nullptr; }

 private:
  NamePattern() = default;

  std::string name_;
  std::string as_written_;
  std::shared_ptr<const re2::RE2> compiled_;
};

enum class FilterSection {
  kIncludeOnlySchema,
  kExcludeSchema,
  kIncludeOnlyTable,
  kExcludeTable,
  kExcludeTableData,
  kExcludeIndex,
  kIncludeOnlyExtension,
  kExcludeExtension,
};
inline constexpr std::array<FilterSection, 8> kFilterSections = {
    FilterSection::kIncludeOnlySchema,    FilterSection::kExcludeSchema,    FilterSection::kIncludeOnlyTable,
    FilterSection::kExcludeTable,         FilterSection::kExcludeTableData, FilterSection::kExcludeIndex,
    FilterSection::kIncludeOnlyExtension, FilterSection::kExcludeExtension,
};

/// "include-only-schema", as in the file.
std::string_view to_string(FilterSection section);

struct FilterEntry {
  /// Names of tables and indexes.
  std::optional<NamePattern> schema;
  NamePattern name;
  std::string text;  ///< as written
  int line = 0;

  bool is_regex() const { return name.is_regex() || (schema && schema->is_regex()); }
};

/// The rules of a filter file. Read-only; any thread.
struct FilterRules {
  std::map<FilterSection, std::vector<FilterEntry>> sections;

  bool empty() const { return sections.empty(); }
  bool has(FilterSection section) const { return sections.contains(section); }
  const std::vector<FilterEntry>& of(FilterSection section) const;
  /// The rules alone, without comments and spaces: two files of one meaning have one text.
  std::string to_text() const;
};

/// Reads rules in INI form:
///
///   [exclude-table]        ; comments begin with ; or #
///   public.orders          names are folded to lower case, as in SQL
///   "Sales"."Old Orders"   unless they are quoted
///   public.~/^tmp_/        regular expressions may stand for a schema, a name, or both
///
/// Throws Error(kConfig) naming file and line for what is none of these, a section that is not known, and sections that
/// exclude one another.
FilterRules parse_filter_rules(std::string_view text, std::string_view file);
/// Like the above, from a file. Throws Error(kConfig) for one that cannot be read.
FilterRules read_filter_rules(const std::filesystem::path& file);

}  // namespace pgsluice::schema
