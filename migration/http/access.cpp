#include "migration/http/access.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <strings.h>

#include <array>

namespace pgsluice::migration {

namespace {

// "localhost:8432", "[::1]:8432"
std::string without_port(const std::string& host) {
  if (host.rfind('[', 0) == 0) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

bool names_this_machine(const HttpRequest& request) {
  const std::string origin = request.header("Origin");
  const std::string host = request.header("Host");
  return is_loopback_name(without_port(host)) &&
         (origin.empty() || origin == "http://" + host || origin == "https://" + host);
}

}  // namespace

bool is_loopback_name(std::string host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  in_addr ipv4{};
  if (::inet_pton(AF_INET, host.c_str(), &ipv4) == 1) return (ntohl(ipv4.s_addr) >> 24) == 127;
  in6_addr ipv6{};
  if (::inet_pton(AF_INET6, host.c_str(), &ipv6) == 1) return IN6_IS_ADDR_LOOPBACK(&ipv6);
  return ::strcasecmp(host.c_str(), "localhost") == 0;
}

bool same_secret(const std::string& one, const std::string& other) {
  // Digests have one length, so that not even the lengths of the texts show.
  std::array<unsigned char, SHA256_DIGEST_LENGTH> first{};
  std::array<unsigned char, SHA256_DIGEST_LENGTH> second{};
  ::SHA256(reinterpret_cast<const unsigned char*>(one.data()), one.size(), first.data());
  ::SHA256(reinterpret_cast<const unsigned char*>(other.data()), other.size(), second.data());
  return ::CRYPTO_memcmp(first.data(), second.data(), first.size()) == 0;
}

bool has_token(const HttpRequest& request, const AccessRules& rules) {
  constexpr const char* kBearer = "Bearer ";
  constexpr std::size_t kLength = std::char_traits<char>::length(kBearer);
  const std::string given = request.header("Authorization");
  return !rules.token.empty() && ::strncasecmp(given.c_str(), kBearer, kLength) == 0 &&
         same_secret(given.substr(kLength), rules.token);
}

std::optional<HttpResponse> refuse(const HttpRequest& request, Access access, const AccessRules& rules) {
  if (access == Access::kOpen || has_token(request, rules)) return std::nullopt;
  if (access == Access::kRead && !rules.reads_need_token) {
    if (!rules.is_loopback || names_this_machine(request)) return std::nullopt;
    return error_response(403, "Forbidden",
                          "without a token, only requests to an address of this machine are answered");
  }
  HttpResponse response =
      error_response(401, "Unauthorized", "a token is needed, as a header: Authorization: Bearer TOKEN");
  response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace pgsluice::migration
