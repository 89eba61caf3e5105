#include "pg/conninfo.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <memory>
#include <set>
#include <vector>

#include "base/nearest.h"

namespace pgsluice::pg {

namespace {

using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

// libpq marks the options that a dialogue should not show.
const std::set<std::string, std::less<>>& secret_keys() {
  static const std::set<std::string, std::less<>> keys = [] {
    std::set<std::string, std::less<>> result = {"password", "sslpassword"};
    const Options defaults(PQconndefaults(), &PQconninfoFree);
    for (const PQconninfoOption* option = defaults.get(); option != nullptr && option->keyword != nullptr; ++option) {
      if (option->dispchar != nullptr && option->dispchar[0] == '*') result.insert(option->keyword);
    }
    return result;
  }();
  return keys;
}

std::string keyword_value(std::string_view key, std::string_view value) {
  std::string quoted;
  for (char c : value) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return fmt::format("{}='{}'", key, quoted);
}

// libpq quotes what it could not read, which may be a piece of the password, also where it takes it for an option's
// name: of that only the option is named that was probably meant.
std::string safe_reason(std::string_view libpq_message) {
  for (std::string_view known : {"invalid connection option", "invalid URI query parameter"}) {
    if (!libpq_message.starts_with(known)) continue;
    const std::size_t begin = std::min(libpq_message.find('"'), libpq_message.size() - 1) + 1;
    const std::string_view name = libpq_message.substr(begin, libpq_message.find('"', begin) - begin);
    std::vector<std::string> options;
    const Options defaults(PQconndefaults(), &PQconninfoFree);
    for (const PQconninfoOption* option = defaults.get(); option != nullptr && option->keyword != nullptr; ++option) {
      options.emplace_back(option->keyword);
    }
    const std::optional<std::string> meant = nearest(name, options);
    return fmt::format(": it has an option that libpq does not know{}",
                       meant ? fmt::format("; is {} meant?", *meant) : "");
  }
  return "";
}

// True for "jdbc:postgresql://…": a URI, but none that libpq takes.
bool has_other_scheme(std::string_view text) {
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos) return false;
  const std::string_view scheme = text.substr(0, end);
  constexpr std::string_view kOfSchemes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-:";
  return scheme != "postgresql" && scheme != "postgres" &&
         scheme.find_first_not_of(kOfSchemes) == std::string_view::npos;
}

std::string joined(const std::map<std::string, std::string, std::less<>>& parameters) {
  std::string result;
  for (const auto& [key, value] : parameters) {
    if (secret_keys().contains(key)) continue;
    if (!result.empty()) result += ' ';
    result += keyword_value(key, value);
  }
  return result;
}

// Without blanks and line ends around it, which a file or a shell's variable brings along.
std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlank);
  return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

// True if a URI has a character in its user or password that ends them too early: libpq would take what follows for a
// host, a port or a database, and messages would show it.
bool has_unencoded_secret(std::string_view text) {
  const std::size_t scheme = text.find("://");
  const bool is_uri = text.substr(0, scheme) == "postgresql" || text.substr(0, scheme) == "postgres";
  if (scheme == std::string_view::npos || !is_uri) return false;
  const std::string_view rest = text.substr(scheme + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  const std::size_t at = authority.find('@');
  const std::string_view path = rest.substr(authority.size(), rest.find('?') - authority.size());
  if (at != std::string_view::npos) {
    const bool has_password = authority.substr(0, at).find(':') != std::string_view::npos;
    return authority.find('@', at + 1) != std::string_view::npos ||
           (has_password && path.find('@') != std::string_view::npos);
  }
  const std::size_t colon = authority.rfind(':');
  const bool in_brackets = colon != std::string_view::npos && authority.find(']', colon) != std::string_view::npos;
  if (colon == std::string_view::npos || in_brackets) return false;
  const bool is_number = authority.find_first_not_of("0123456789,", colon + 1) == std::string_view::npos;
  return !is_number || path.find('@') != std::string_view::npos;
}

}  // namespace

ConnInfo ConnInfo::parse(std::string_view given, Side side) {
  const std::string_view text = trimmed(given);
  if (has_unencoded_secret(text)) {
    throw Error(ErrorKind::kUsage, "the URI cannot be read: its user, password or port has a character that ends it")
        .on(side)
        .hint(
            "percent-encode special characters of the user and the password (@ %40, / %2F, : %3A, # %23, ? %3F), or "
            "give the password by PGPASSWORD or ~/.pgpass");
  }
  if (has_other_scheme(text)) {
    throw Error(ErrorKind::kUsage, "the URI cannot be read: it must begin with postgresql://")
        .on(side)
        .hint("leave out what another driver's URI has before or within that, as in jdbc:… or postgresql+psycopg2://…");
  }
  char* message = nullptr;
  const Options options(PQconninfoParse(std::string(text).c_str(), &message), &PQconninfoFree);
  const std::unique_ptr<char, decltype(&PQfreemem)> message_owner(message, &PQfreemem);
  if (options == nullptr) {
    throw Error(ErrorKind::kUsage,
                fmt::format("the connection string cannot be read{}", safe_reason(message == nullptr ? "" : message)))
        .on(side)
        .hint(
            "use postgresql://user@host:port/database (special characters percent-encoded) or "
            "\"host=… port=… dbname=… user=…\" (values with blanks in single quotes)");
  }
  ConnInfo result(side);
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) result.parameters_.emplace(option->keyword, option->val);
  }
  return result;
}

std::optional<std::string> ConnInfo::get(std::string_view key) const {
  const auto found = parameters_.find(key);
  if (found == parameters_.end()) return std::nullopt;
  return found->second;
}

ConnInfo ConnInfo::with(std::string_view key, std::string_view value) const {
  ConnInfo result = *this;
  result.parameters_.insert_or_assign(std::string(key), std::string(value));
  return result;
}

std::string ConnInfo::redacted() const { return joined(parameters_); }

std::map<std::string, std::string, std::less<>> ConnInfo::parameters_for_libpq() const {
  std::map<std::string, std::string, std::less<>> parameters = parameters_;
  parameters.emplace("keepalives_idle", "10");
  parameters.emplace("keepalives_interval", "10");
  parameters.emplace("keepalives_count", "60");
  return parameters;
}

ConnInfo::ForProgram ConnInfo::for_program() const {
  ForProgram result{.conninfo = joined(parameters_for_libpq()), .environment = {{"LC_ALL", "C"}}};
  for (const auto& [key, value] : parameters_) {
    if (!secret_keys().contains(key) || value.empty()) continue;
    if (key != "password") {
      throw Error(ErrorKind::kConfig, fmt::format("{} cannot be handed to pg_dump without showing it", key))
          .on(side_)
          .hint("use a client key without a passphrase, readable by its owner only");
    }
    result.environment.emplace_back("PGPASSWORD", value);
  }
  return result;
}

}  // namespace pgsluice::pg
