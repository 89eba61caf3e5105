#include "migration/http/router.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>

namespace pgsluice::migration {

namespace {

std::vector<std::string> segments_of(const std::string& path) {
  std::vector<std::string> segments;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    segments.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return segments;
}

// Segments are decoded one by one: an escaped slash is part of its segment.
std::optional<std::vector<std::string>> match(const std::string& pattern, const std::string& path) {
  const std::vector<std::string> wanted = segments_of(pattern);
  const std::vector<std::string> given = segments_of(path);
  if (wanted.size() != given.size()) return std::nullopt;
  std::vector<std::string> matches;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const std::optional<std::string> segment = percent_decoded(given[i]);
    if (!segment) return std::nullopt;
    if (wanted[i] == "{}") {
      if (segment->empty()) return std::nullopt;
      matches.push_back(*segment);
    } else if (wanted[i] != *segment) {
      return std::nullopt;
    }
  }
  return matches;
}

}  // namespace

const Route* Router::find(HttpRequest& request) const {
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  for (const Route& route : routes_) {
    if (route.method != method) continue;
    if (std::optional<std::vector<std::string>> matches = match(route.pattern, request.path)) {
      request.matches = std::move(*matches);
      return &route;
    }
  }
  return nullptr;
}

std::string Router::methods_of(const std::string& path) const {
  std::vector<std::string> methods;
  for (const Route& route : routes_) {
    if (match(route.pattern, path)) methods.push_back(route.method);
  }
  return fmt::format("{}", fmt::join(methods, ", "));
}

}  // namespace pgsluice::migration
