#include "pgsluice/filter_rules.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/nearest.h"
#include "pgsluice/error.h"

namespace pgsluice::schema {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
bool begins_comment(char c) { return c == ';' || c == '#'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// As the server folds names that are not quoted: letters of ASCII only.
std::string folded(std::string_view name) {
  std::string result(name);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

bool names_tables_or_indexes(FilterSection section) {
  return section == FilterSection::kIncludeOnlyTable || section == FilterSection::kExcludeTable ||
         section == FilterSection::kExcludeTableData || section == FilterSection::kExcludeIndex;
}

std::optional<FilterSection> section_of(std::string_view name) {
  for (const FilterSection section : kFilterSections) {
    if (to_string(section) == name) return section;
  }
  return std::nullopt;
}

Error no_section(std::string_view name) {
  std::vector<std::string> names;
  for (const FilterSection section : kFilterSections) names.emplace_back(to_string(section));
  const std::optional<std::string> meant = nearest(std::string(name), names);
  return Error(ErrorKind::kConfig,
               fmt::format("there is no section [{}]{}", name, meant ? fmt::format("; is [{}] meant?", *meant) : ""));
}

// Reads one line's name, or its names on both sides of a dot.
class LineReader {
 public:
  explicit LineReader(std::string_view line) : rest_(line) {}

  FilterEntry read(bool with_schema) {
    FilterEntry entry{.schema = std::nullopt, .name = read_name(), .text = {}};
    if (with_schema) {
      if (rest_.empty() || rest_.front() != '.') throw wrong("a schema and a dot have to stand before the name");
      rest_.remove_prefix(1);
      entry.schema = std::move(entry.name);
      entry.name = read_name();
    }
    const std::string_view tail = trimmed(rest_);
    // A value, as INI files have them, says nothing here.
    if (!tail.empty() && !begins_comment(tail.front()) && tail.front() != '=') {
      throw wrong(fmt::format("\"{}\" is not expected there", tail));
    }
    return entry;
  }

  /// How much of the line is left.
  std::size_t left() const { return rest_.size(); }

 private:
  static Error wrong(const std::string& what) { return Error(ErrorKind::kConfig, what); }

  NamePattern read_name() {
    if (rest_.rfind("~/", 0) == 0) return read_regex();
    if (!rest_.empty() && rest_.front() == '"') return read_quoted();
    std::size_t end = 0;
    while (end < rest_.size() && rest_[end] != '.' && rest_[end] != '=' && !is_blank(rest_[end]) &&
           !begins_comment(rest_[end])) {
      if (rest_[end] == '"') throw wrong("a quote in the middle of a name");
      ++end;
    }
    if (end == 0) throw wrong("a name is missing");
    const std::string written(rest_.substr(0, end));
    rest_.remove_prefix(end);
    return NamePattern(folded(written), written);
  }

  NamePattern read_quoted() {
    std::string name;
    for (std::size_t at = 1; at < rest_.size(); ++at) {
      if (rest_[at] != '"') {
        name += rest_[at];
      } else if (at + 1 < rest_.size() && rest_[at + 1] == '"') {
        name += rest_[at++];
      } else {
        rest_.remove_prefix(at + 1);
        if (name.empty()) throw wrong("an empty name");
        return NamePattern(std::move(name));
      }
    }
    throw wrong("the closing quote is missing");
  }

  NamePattern read_regex() {
    std::string expression;
    for (std::size_t at = 2; at < rest_.size(); ++at) {
      if (rest_[at] == '/') {
        rest_.remove_prefix(at + 1);
        return NamePattern::regex(expression);
      }
      if (rest_[at] == '\\' && at + 1 < rest_.size()) {
        if (rest_[at + 1] != '/') expression += '\\';
        ++at;
      }
      expression += rest_[at];
    }
    throw wrong("the slash at the end of the regular expression is missing");
  }

  std::string_view rest_;
};

void refuse_together(const FilterRules& rules, FilterSection a, FilterSection b, std::string_view file) {
  if (!rules.has(a) || !rules.has(b)) return;
  throw Error(ErrorKind::kConfig,
              fmt::format("{}: [{}] and [{}] cannot stand in one file", file, to_string(a), to_string(b)))
      .hint(fmt::format("[{}] alone says which ones there are", to_string(a)));
}

}  // namespace

NamePattern::NamePattern(std::string name, std::string as_written)
    : name_(std::move(name)), as_written_(std::move(as_written)) {}

NamePattern NamePattern::regex(const std::string& expression) {
  RE2::Options options(RE2::Quiet);
  options.set_dot_nl(true);
  auto compiled = std::make_shared<const RE2>(expression, options);
  if (!compiled->ok()) {
    throw Error(ErrorKind::kConfig, fmt::format("the regular expression /{}/: {}", expression, compiled->error()));
  }
  NamePattern pattern;
  pattern.name_ = expression;
  pattern.compiled_ = std::move(compiled);
  return pattern;
}

bool NamePattern::matches(std::string_view name) const {
  if (!compiled_) return name == name_;
  return RE2::PartialMatch(re2::StringPiece(name.data(), name.size()), *compiled_);
}

bool NamePattern::would_match_quoted(std::string_view name) const {
  return matches(name) || (!as_written_.empty() && name == as_written_);
}

std::string_view to_string(FilterSection section) {
  switch (section) {
    case FilterSection::kIncludeOnlySchema:
      return "include-only-schema";
    case FilterSection::kExcludeSchema:
      return "exclude-schema";
    case FilterSection::kIncludeOnlyTable:
      return "include-only-table";
    case FilterSection::kExcludeTable:
      return "exclude-table";
    case FilterSection::kExcludeTableData:
      return "exclude-table-data";
    case FilterSection::kExcludeIndex:
      return "exclude-index";
    case FilterSection::kIncludeOnlyExtension:
      return "include-only-extension";
    case FilterSection::kExcludeExtension:
      return "exclude-extension";
  }
  return "";
}

const std::vector<FilterEntry>& FilterRules::of(FilterSection section) const {
  static const std::vector<FilterEntry> kNone;
  const auto found = sections.find(section);
  return found == sections.end() ? kNone : found->second;
}

std::string FilterRules::to_text() const {
  std::string text;
  for (const auto& [section, entries] : sections) {
    std::vector<std::string> names;
    for (const FilterEntry& entry : entries) names.push_back(entry.text);
    std::sort(names.begin(), names.end());
    text += fmt::format("[{}]\n", to_string(section));
    for (const std::string& name : names) text += name + "\n";
  }
  return text;
}

FilterRules parse_filter_rules(std::string_view text, std::string_view file) {
  FilterRules rules;
  std::optional<FilterSection> section;
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.rfind(kByteOrderMark, 0) == 0) text.remove_prefix(kByteOrderMark.size());
  int number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.empty() || begins_comment(line.front())) continue;
    try {
      if (line.find('\0') != std::string_view::npos) throw Error(ErrorKind::kConfig, "a zero byte");
      if (line.front() == '[') {
        const std::size_t close = line.find(']');
        const std::string_view name = trimmed(line.substr(1, close == std::string_view::npos ? close : close - 1));
        section = section_of(name);
        if (close == std::string_view::npos) throw Error(ErrorKind::kConfig, "] is missing");
        if (!section) throw no_section(name);
        const std::string_view tail = trimmed(line.substr(close + 1));
        if (!tail.empty() && !begins_comment(tail.front())) {
          throw Error(ErrorKind::kConfig, fmt::format("\"{}\" stands after the section's name", tail));
        }
        continue;
      }
      if (!section) throw Error(ErrorKind::kConfig, "a name stands before the first section");
      LineReader reader(line);
      FilterEntry entry = reader.read(names_tables_or_indexes(*section));
      entry.text = trimmed(line.substr(0, line.size() - reader.left()));
      entry.line = number;
      rules.sections[*section].push_back(std::move(entry));
    } catch (const Error& error) {
      throw Error(ErrorKind::kConfig, fmt::format("{}, line {}: {}", file, number, error.what()))
          .hint("sections such as [exclude-table], below each a name on a line: docs/filters.md");
    }
  }
  refuse_together(rules, FilterSection::kIncludeOnlyTable, FilterSection::kExcludeSchema, file);
  refuse_together(rules, FilterSection::kIncludeOnlyTable, FilterSection::kExcludeTable, file);
  refuse_together(rules, FilterSection::kIncludeOnlySchema, FilterSection::kExcludeSchema, file);
  refuse_together(rules, FilterSection::kIncludeOnlyExtension, FilterSection::kExcludeExtension, file);
  return rules;
}

FilterRules read_filter_rules(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string text;
  // A folder can be opened, and reading it throws.
  const bool readable = stream.is_open() && !std::filesystem::is_directory(file);
  if (readable) text.assign(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
  if (!readable || stream.bad()) {
    throw Error(ErrorKind::kConfig, fmt::format("cannot read the filter file {}", file.string()))
        .hint("check its path and permissions");
  }
  return parse_filter_rules(text, file.string());
}

}  // namespace pgsluice::schema
