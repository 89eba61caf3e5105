#pragma once

#include <httplib.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "pgsluice/base/cancel.h"
#include "pgsluice/base/error.h"
#include "pgsluice/base/log.h"

namespace pgsluice::migration {

struct HttpOptions {
  /// host:port; port 0 is any that is free. An IPv6 address stands in brackets.
  std::string listen = "127.0.0.1:8432";
  /// What a request has to bear ("Authorization: Bearer …"); may be empty on a loopback address alone.
  std::string token;
  /// PEM files; both or none.
  std::filesystem::path tls_certificate;
  std::filesystem::path tls_key;
};

/// An HTTP server with its limits: requests of 1 MiB, 5 s without a byte, so many at a time. Every answer but those of
/// open paths needs the token, where there is one; without, the request has to name a loopback host (so that no page of
/// another site reaches it through a name of its own). An Error that a handler throws becomes the fitting answer:
/// {"error":{"code","message"}}.
///
/// Lifecycle: made, routes added, start(); the destructor stops it. Handlers run on threads of its own, several at
/// once.
class HttpServer {
 public:
  using Handler = std::function<void(const httplib::Request&, httplib::Response&)>;

  /// Throws Error(kUsage) for an address that is none, or one that is not loopback without a token; Error(kConfig) for
  /// certificates.
  HttpServer(HttpOptions options, const Log& log);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  void get(const std::string& pattern, Handler handler);
  /// One that needs no token: it tells nothing.
  void get_open(const std::string& pattern, Handler handler);
  void put(const std::string& pattern, Handler handler);
  void patch(const std::string& pattern, Handler handler);
  void post(const std::string& pattern, Handler handler);
  void remove(const std::string& pattern, Handler handler);

  /// Takes the address, from then on url() is known. Throws Error(kConfig) where it cannot be had.
  void bind();
  /// Answers from then on; binds where that was not done.
  void start();
  /// Waits for the handlers.
  void stop();
  /// Cancelled by stop(): for handlers that go on for long.
  CancelToken stopping() const { return stop_.token(); }

  /// "http://127.0.0.1:8432", as it was got.
  const std::string& url() const { return url_; }

 private:
  bool may_pass(const httplib::Request& request, httplib::Response& response) const;
  void parse_listen();
  void set_limits();
  Handler guarded(Handler handler) const;
  Handler answering(Handler handler) const;
  /// "GET, PUT": of a path that is known, for others.
  std::string methods_of(const std::string& path) const;

  HttpOptions options_;
  Log log_;
  std::string host_;
  int port_ = 0;
  bool is_loopback_ = false;
  bool is_bound_ = false;
  int socket_ = -1;  ///< the library's
  std::unique_ptr<httplib::Server> server_;
  std::vector<std::pair<std::string, std::string>> routes_;  ///< method and pattern
  std::string url_;
  CancelSource stop_;
  std::thread thread_;
};

/// What a handler throws for an answer of its own.
class HttpError : public std::runtime_error {
 public:
  HttpError(int status, std::string code, const std::string& message)
      : std::runtime_error(message), status_(status), code_(std::move(code)) {}

  int status() const { return status_; }
  const std::string& code() const { return code_; }

 private:
  int status_;
  std::string code_;
};

/// Answers with one JSON document.
void answer_json(httplib::Response& response, const std::string& document, int status = 200);
void answer_error(httplib::Response& response, int status, const std::string& code, const std::string& message);

/// Whether two texts are the same, in a time that does not tell how much of them is.
bool same_secret(const std::string& one, const std::string& other);

}  // namespace pgsluice::migration
