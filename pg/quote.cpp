#include "pg/quote.h"

#include <algorithm>
#include <cctype>

namespace pgsluice::pg {

namespace {
std::string doubled(std::string_view text, char special) {
  std::string result;
  result.reserve(text.size() + 2);
  for (char c : text) {
    if (c == special) result += c;
    result += c;
  }
  return result;
}

std::string display_part(std::string_view name) {
  const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
  return plain ? std::string(name) : quote_identifier(name);
}
}  // namespace

std::string quote_identifier(std::string_view name) { return '"' + doubled(name, '"') + '"'; }

std::string unquote_identifier(std::string_view identifier) {
  if (identifier.size() < 2 || identifier.front() != '"') return std::string(identifier);
  std::string name;
  for (std::size_t i = 1; i + 1 < identifier.size(); ++i) {
    name += identifier[i];
    if (identifier[i] == '"') ++i;  // written twice
  }
  return name;
}

std::string quote_qualified(std::string_view schema, std::string_view name) {
  return quote_identifier(schema) + "." + quote_identifier(name);
}

std::string quote_literal(std::string_view text) {
  const std::string quoted = doubled(text, '\'');
  if (text.find('\\') == std::string_view::npos) return "'" + quoted + "'";
  return "E'" + doubled(quoted, '\\') + "'";
}

std::string quote_list(std::string_view setting) {
  std::string literals;
  std::string name;
  bool quoted = false;
  const auto end_element = [&] {
    literals += (literals.empty() ? "" : ", ") + quote_literal(name);
    name.clear();
  };
  for (std::size_t i = 0; i < setting.size(); ++i) {
    const char c = setting[i];
    if (c == '"' && quoted && i + 1 < setting.size() && setting[i + 1] == '"') {
      name += setting[++i];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      end_element();
    } else if (quoted) {
      name += c;
    } else if (std::isspace(static_cast<unsigned char>(c)) == 0) {
      name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  end_element();
  return literals;
}

std::string display_name(std::string_view schema, std::string_view name) {
  if (schema.empty()) return display_part(name);
  return display_part(schema) + "." + display_part(name);
}

}  // namespace pgsluice::pg
