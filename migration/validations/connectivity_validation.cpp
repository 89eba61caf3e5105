// AuthenticationAndConnectivityValidation: why a server cannot be reached, told apart.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <memory>
#include <set>
#include <vector>

#include "base/sqlstate.h"
#include "migration/validations/validations.h"

namespace pgsluice::migration {

namespace {

enum class Network { kPrivate, kPublic, kUnknown };

bool is_private(const in_addr& address) {
  const std::uint32_t ip = ntohl(address.s_addr);
  const auto within = [&](std::uint32_t net, int bits) { return (ip >> (32 - bits)) == (net >> (32 - bits)); };
  return within(0x0A000000, 8) || within(0xAC100000, 12) || within(0xC0A80000, 16) || within(0x7F000000, 8) ||
         within(0xA9FE0000, 16) || within(0x64400000, 10);  // RFC 1918, loopback, RFC 3927, RFC 6598
}

bool is_private(const in6_addr& address) {
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    in_addr mapped{};
    std::memcpy(&mapped, &address.s6_addr[12], sizeof mapped);
    return is_private(mapped);
  }
  const bool unique_local = (address.s6_addr[0] & 0xFE) == 0xFC;  // RFC 4193
  return unique_local || IN6_IS_ADDR_LOOPBACK(&address) || IN6_IS_ADDR_LINKLOCAL(&address);
}

struct Resolved {
  std::set<std::string> addresses;
  Network network = Network::kUnknown;
};

Resolved resolve(const std::string& host) {
  Resolved result;
  if (host.empty() || host.front() == '/' || host.front() == '@') {
    result.network = Network::kPrivate;
    return result;
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return result;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    bool is_inside = false;
    if (at->ai_family == AF_INET) {
      const auto* address = reinterpret_cast<const sockaddr_in*>(at->ai_addr);
      ::inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size());
      is_inside = is_private(address->sin_addr);
    } else if (at->ai_family == AF_INET6) {
      const auto* address = reinterpret_cast<const sockaddr_in6*>(at->ai_addr);
      ::inet_ntop(AF_INET6, &address->sin6_addr, text.data(), text.size());
      is_inside = is_private(address->sin6_addr);
    } else {
      continue;
    }
    result.addresses.emplace(text.data());
    if (!is_inside || result.network == Network::kUnknown) {
      result.network = is_inside ? Network::kPrivate : Network::kPublic;
    }
  }
  return result;
}

std::string host_of(const pg::ConnInfo& conninfo) { return conninfo.get("host").value_or(""); }

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// Between the first pair of quotes after a word: host "10.0.0.5", user "x".
std::string quoted_after(const std::string& text, const std::string& word) {
  const std::size_t at = text.find(word + " \"");
  if (at == std::string::npos) return "";
  const std::size_t begin = at + word.size() + 2;
  const std::size_t end = text.find('"', begin);
  return end == std::string::npos ? "" : text.substr(begin, end - begin);
}

// The line that pg_hba.conf has not, by what the server says of the connection that it refused, and for all databases.
std::string hba_line(const std::string& message, const std::vector<std::string>& databases) {
  const std::string host = quoted_after(message, "host");
  const bool is_ipv6 = has(host, ":");
  const bool is_socket = host == "[local]";
  const std::string address = is_socket ? "" : fmt::format(" {}/{}", host, is_ipv6 ? 128 : 32);
  const std::string kind = is_socket ? "local" : has(message, "no encryption") ? "host" : "hostssl";
  std::set<std::string> wanted(databases.begin(), databases.end());
  wanted.insert(quoted_after(message, "database"));
  wanted.insert("postgres");
  wanted.erase("");
  std::vector<std::string> quoted;
  for (const std::string& database : wanted) quoted.push_back(fmt::format("\"{}\"", database));
  const std::string user = quoted_after(message, "user");
  return fmt::format("{} {} \"{}\"{} scram-sha-256", kind, fmt::join(quoted, ","), user, address);
}

}  // namespace

std::string describe_address(const pg::ConnInfo& conninfo) {
  const std::string host = host_of(conninfo);
  const std::string port = conninfo.get("port").value_or("5432");
  if (host.empty() || host.front() == '/') return fmt::format("the socket in {} of port {}", host, port);
  const Resolved resolved = resolve(host);
  if (resolved.addresses.empty()) return fmt::format("{}:{}", host, port);
  return fmt::format("{}:{} ({}, {})", host, port, fmt::join(resolved.addresses, ", "),
                     resolved.network == Network::kPrivate ? "private" : "public");
}

Finding explain_connection_error(const Error& error, const pg::ConnInfo& conninfo,
                                 const std::vector<std::string>& databases) {
  const std::string message = error.what();
  const std::string side(to_string(conninfo.side()));
  const std::string where = fmt::format("{} at {}", side, describe_address(conninfo));
  std::string what;
  if (has(message, "pg_hba.conf rejects")) {
    what = fmt::format(
        "a line of the server's pg_hba.conf says reject for this machine; this one has to stand before it (after it: "
        "SELECT pg_reload_conf()):\n    {}",
        hba_line(message, databases));
  } else if (has(message, "no pg_hba.conf entry")) {
    what = fmt::format(
        "the server's pg_hba.conf lets this machine not in; the line that is missing (after it: SELECT "
        "pg_reload_conf()):\n    {}",
        hba_line(message, databases));
  } else if (has(message, "no password supplied")) {
    what = fmt::format("the server asks for a password, and none was given: {}ServerPassword",
                       conninfo.side() == Side::kSource ? "Source" : "Target");
  } else if (error.sqlstate() == sqlstate::kInvalidPassword ||
             error.sqlstate() == sqlstate::kInvalidAuthorizationSpecification) {
    what = "user or password are refused; look at both, and whether the role has LOGIN";
  } else if (has(message, "could not translate host name")) {
    what = "the name is not known; look at its spelling, and at this machine's name resolution";
  } else if (has(message, "Connection refused")) {
    what =
        "the host refuses the port: nothing listens there; look at host and port, whether the server runs, and its "
        "listen_addresses";
  } else if (has(message, "timeout expired") || has(message, "no answer from") || has(message, "timed out") ||
             has(message, "No route to host") || has(message, "Network is unreachable")) {
    what = "the host does not answer: a firewall or a missing route stands between; let this machine's address in";
  } else if (has(message, "SSL") || has(message, "certificate")) {
    what =
        "TLS fails; sslMode says what is asked for (Prefer, Require, VerifyCA, VerifyFull), and a verifying one needs "
        "the server's root certificate in ~/.postgresql/root.crt";
  } else if (error.sqlstate() == sqlstate::kInvalidCatalogName) {
    what = "the database is not there; names are as the server has them, in their case";
  } else if (error.sqlstate() == sqlstate::kTooManyConnections) {
    what = "the server has no connection free; raise max_connections or the role's CONNECTION LIMIT";
  } else {
    what = error.hint().empty() ? "it cannot be reached" : error.hint();
  }
  return {ValidationState::kFailed, fmt::format("{}: {}\n    the server's or libpq's words: {}", where, what, message)};
}

std::optional<std::string> networking_advice(const pg::ConnInfo& source, const pg::ConnInfo& target) {
  const Network from = resolve(host_of(source)).network;
  const Network to = resolve(host_of(target)).network;
  if (from == Network::kUnknown || to == Network::kUnknown) return std::nullopt;
  if (from == Network::kPublic && to == Network::kPublic) {
    return "source public, target public: no other step is needed than to let this machine's address through both "
           "servers' firewalls";
  }
  if (from == Network::kPrivate && to == Network::kPublic) {
    return "source private, target public: run pgsluice where the source's network can be reached, or join the "
           "networks "
           "(VPN, peering)";
  }
  if (from == Network::kPublic && to == Network::kPrivate) {
    return "source public, target private: run pgsluice inside the target's network, and let that network's address "
           "through the source's firewall";
  }
  return "source private, target private: pgsluice has to run where both networks are reached: a private line, a VPN "
         "tunnel or peering between them";
}

}  // namespace pgsluice::migration
