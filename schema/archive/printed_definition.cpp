#include "schema/archive/printed_definition.h"

#include <re2/re2.h>

#include <algorithm>
#include <cctype>
#include <string>

namespace pgsluice::schema {

namespace {

// The text without what releases print differently: blanks, parentheses, qualifiers, and the types of casts.
std::string normalized(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '\'') {
      std::size_t end = text.find('\'', i + 1);
      end = end == std::string_view::npos ? text.size() : end + 1;
      result += text.substr(i, end - i);
      i = end;
    } else if (c == ':' && text.substr(i, 2) == "::") {
      // A type's name: words, dots, quotes, blanks between words, and brackets.
      i += 2;
      while (i < text.size() && (std::isalnum(static_cast<unsigned char>(text[i])) != 0 ||
                                 std::string_view("_.\"[] ").find(text[i]) != std::string_view::npos)) {
        ++i;
      }
    } else {
      result += c;
      ++i;
    }
  }
  // "o.id" of one release is "id" of the next.
  static const RE2 kQualifier(R"(\b(?:[a-z_][a-z0-9_]*\.)+([a-z_"]))", RE2::Latin1);
  RE2::GlobalReplace(&result, kQualifier, "\\1");
  std::erase_if(result,
                [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0 || c == '(' || c == ')'; });
  return result;
}

}  // namespace

bool may_be_printed_otherwise(std::string_view a, std::string_view b) {
  const std::string source = normalized(a);
  const std::string target = normalized(b);
  if (source == target) return true;
  // The roles of a policy are printed in the order of their OIDs, which differ between servers. So the characters are
  // compared in any order.
  const bool is_policy = a.find("CREATE POLICY ") != std::string_view::npos;
  if (!is_policy || source.size() != target.size()) return false;
  std::string sorted_source = source;
  std::string sorted_target = target;
  std::sort(sorted_source.begin(), sorted_source.end());
  std::sort(sorted_target.begin(), sorted_target.end());
  return sorted_source == sorted_target;
}

}  // namespace pgsluice::schema
