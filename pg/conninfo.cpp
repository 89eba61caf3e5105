#include "pgsluice/pg/conninfo.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <memory>
#include <set>

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

// libpq quotes what it could not read, which may be a piece of the password: only complaints about an option's name
// are passed on.
std::string safe_reason(std::string_view libpq_message) {
  for (std::string_view known : {"invalid connection option", "invalid URI query parameter"}) {
    if (libpq_message.substr(0, known.size()) == known) {
      return ": " + std::string(libpq_message.substr(0, libpq_message.find('\n')));
    }
  }
  return "";
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

}  // namespace

ConnInfo ConnInfo::parse(std::string_view text, Side side) {
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
