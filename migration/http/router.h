#pragma once

#include <functional>
#include <string>
#include <vector>

#include "migration/http/access.h"
#include "migration/http/message.h"

namespace pgsluice::migration {

/// Makes the response to a request. May be called by several threads at the same time.
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

/// A method and a path, and what answers them.
struct Route {
  std::string method;
  /// "/migrations/{}/samples": "{}" stands for one segment, whatever it is.
  std::string pattern;
  Access access = Access::kRead;
  HttpHandler handler;
  /// kAtOnce: on the thread that serves all connections. Only for a handler that never waits, and whose response must
  /// not queue for one of the handlers' threads. kWaiting: on a thread of those that may wait for other processes, so
  /// that no other response waits with it.
  enum class Runs { kAtOnce, kOnAThread, kWaiting };
  Runs runs = Runs::kOnAThread;
};

/// The routes of a server. Filled before the server starts, read by any thread from then on.
class Router {
 public:
  void add(Route route) { routes_.push_back(std::move(route)); }

  /// Returns the route for the request's method and path, and sets the request's matches. Returns nullptr if there is
  /// no such route. A HEAD request finds the route of GET.
  const Route* find(HttpRequest& request) const;
  /// Returns the methods that the path supports, such as "GET, PUT"; an empty string for an unknown path.
  std::string methods_of(const std::string& path) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace pgsluice::migration
