#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pgsluice/migration/http/access.h"
#include "pgsluice/migration/http/message.h"

namespace pgsluice::migration {

/// Makes the response to a request. Several run at the same time.
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

/// A method and a path, and what answers them.
struct Route {
  std::string method;
  /// "/migrations/{}/samples": "{}" stands for one segment, whatever it is.
  std::string pattern;
  Access access = Access::kRead;
  HttpHandler handler;
  /// At once, on the thread that moves the bytes of all connections: for a handler that never waits, and that must be
  /// answered while all others do. Else on one of the handlers' threads.
  enum class Runs { kAtOnce, kOnAThread };
  Runs runs = Runs::kOnAThread;
};

/// The routes of a server. Filled before the server starts, read by any thread from then on.
class Router {
 public:
  void add(Route route) { routes_.push_back(std::move(route)); }

  /// The route of the request's method and path, and the request's matches set; nullptr if there is none. HEAD is
  /// answered by GET's route.
  const Route* find(HttpRequest& request) const;
  /// The methods that the path has, "GET, PUT"; empty for a path that there is not.
  std::string methods_of(const std::string& path) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace pgsluice::migration
