#pragma once

#include <optional>
#include <string>

#include "migration/http/message.h"

namespace pgsluice::migration {

/// The authorization that a route requires.
enum class Access {
  kOpen,    ///< none: the response contains nothing about migrations
  kRead,    ///< the token, unless AccessRules::reads_need_token is false
  kChange,  ///< the token
};

/// How a server authorizes requests. Constant while it runs, so any thread may read it.
struct AccessRules {
  /// "Authorization: Bearer …"; never empty where a route changes something.
  std::string token;
  /// True if requests that only read need the token, too.
  bool reads_need_token = true;
  /// True if the server listens on a loopback address. A request without a token must then name such an address, so
  /// that no page of another site reaches the server through a name of its own (DNS rebinding).
  bool is_loopback = true;
};

/// True if the request carries the token.
bool has_token(const HttpRequest& request, const AccessRules& rules);

/// The answer to a request that may not pass: 401 or 403. nullopt if it may.
std::optional<HttpResponse> refuse(const HttpRequest& request, Access access, const AccessRules& rules);

/// True for an address of this machine, and for "localhost", which no name server is asked for (RFC 6761). Any other
/// name may be made to lead here by its owner.
bool is_loopback_name(std::string host);

/// Compares without telling by the time how much of the two is the same.
bool same_secret(const std::string& one, const std::string& other);

}  // namespace pgsluice::migration
