#include "base/text_diff.h"

#include <algorithm>
#include <sstream>
#include <vector>

namespace pgsluice {

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// Takes away the lines that both have at their beginning and at their end.
void trim_common(std::vector<std::string>& a, std::vector<std::string>& b) {
  const auto begin = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  a.erase(a.begin(), begin.first);
  b.erase(b.begin(), begin.second);
  const auto end = std::mismatch(a.rbegin(), a.rend(), b.rbegin(), b.rend());
  a.erase(end.first.base(), a.end());
  b.erase(end.second.base(), b.end());
}

}  // namespace

std::optional<std::string> differing_lines(const std::string& first, const std::string& second) {
  std::vector<std::string> a = lines_of(first);
  std::vector<std::string> b = lines_of(second);
  trim_common(a, b);
  // The table below has an entry for each pair of lines.
  constexpr std::size_t kMaxPairs = 4'000'000;
  if (a.size() * b.size() > kMaxPairs) return std::nullopt;
  std::vector<std::vector<std::size_t>> common(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = a.size(); i-- > 0;) {
    for (std::size_t j = b.size(); j-- > 0;) {
      common[i][j] = a[i] == b[j] ? common[i + 1][j + 1] + 1 : std::max(common[i + 1][j], common[i][j + 1]);
    }
  }
  std::string text;
  for (std::size_t i = 0, j = 0; i < a.size() || j < b.size();) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      ++i;
      ++j;
    } else if (j == b.size() || (i < a.size() && common[i + 1][j] >= common[i][j + 1])) {
      text += "- " + a[i++] + "\n";
    } else {
      text += "+ " + b[j++] + "\n";
    }
  }
  return text;
}

}  // namespace pgsluice
