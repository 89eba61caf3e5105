#include "schema/archive/printed_definition.h"

#include <re2/re2.h>

#include <algorithm>
#include <cctype>
#include <string>

namespace pgsluice::schema {

namespace {

// The text without what servers add and leave out: blanks, parentheses, qualifiers, and the types of casts.
std::string essence_of(std::string_view text) {
  std::string essence;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '\'') {
      std::size_t end = text.find('\'', i + 1);
      end = end == std::string_view::npos ? text.size() : end + 1;
      essence += text.substr(i, end - i);
      i = end;
    } else if (c == ':' && text.substr(i, 2) == "::") {
      // A type's name: words, dots, quotes, blanks between words, and brackets.
      i += 2;
      while (i < text.size() && (std::isalnum(static_cast<unsigned char>(text[i])) != 0 ||
                                 std::string_view("_.\"[] ").find(text[i]) != std::string_view::npos)) {
        ++i;
      }
    } else {
      essence += c;
      ++i;
    }
  }
  // "o.id" of one release is "id" of the next.
  static const RE2 kQualifier(R"(\b(?:[a-z_][a-z0-9_]*\.)+([a-z_"]))", RE2::Latin1);
  RE2::GlobalReplace(&essence, kQualifier, "\\1");
  std::erase_if(essence,
                [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0 || c == '(' || c == ')'; });
  return essence;
}

}  // namespace

bool may_be_printed_otherwise(std::string_view a, std::string_view b) {
  const std::string here = essence_of(a);
  const std::string there = essence_of(b);
  if (here == there) return true;
  // The roles of a policy stand in the order of their OIDs, which each server has given out in its own.
  const bool is_policy = a.find("CREATE POLICY ") != std::string_view::npos;
  if (!is_policy || here.size() != there.size()) return false;
  std::string letters_here = here;
  std::string letters_there = there;
  std::sort(letters_here.begin(), letters_here.end());
  std::sort(letters_there.begin(), letters_there.end());
  return letters_here == letters_there;
}

}  // namespace pgsluice::schema
