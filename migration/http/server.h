#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

#include "migration/http/access.h"
#include "migration/http/router.h"
#include "migration/http/statistics.h"
#include "pgsluice/cancel.h"
#include "pgsluice/log.h"

namespace pgsluice::migration {

/// Upper bounds on what clients may use. A request that exceeds one gets an error response, then its connection is
/// closed.
struct HttpLimits {
  /// The request line and all headers.
  std::size_t header_bytes = 16U << 10U;
  std::size_t body_bytes = 1U << 20U;
  /// From the first moment of a connection, or the end of the response before, to the end of the headers.
  std::chrono::milliseconds header_time{10'000};
  /// From the end of the headers to the end of the body.
  std::chrono::milliseconds body_time{20'000};
  /// For a part of a response (64 KiB) to be taken.
  std::chrono::milliseconds write_time{10'000};
  /// When one more connects, the one that has kept us waiting for the longest is closed, of the address that has the
  /// most such connections.
  std::size_t connections = 224;
  /// Requests with bodies that are read or answered at the same time: with the token, and as many without.
  std::size_t bodies = 8;
  /// Requests that wait for a thread or are at work, but for routes that run at once: with the token, and as many
  /// without.
  std::size_t requests = 64;
  /// Responses of more than 64 KiB that are being taken: with the token, and as many without.
  std::size_t long_responses = 32;
  std::size_t threads = 8;
  /// For the requests that wait for other processes; one more is told to try again, and leaves a place for a body to
  /// those that do not wait.
  std::size_t waiting_threads = 6;
};

struct HttpOptions {
  /// host:port; port 0 takes any free one. An IPv6 address stands in brackets.
  std::string listen = "127.0.0.1:8432";
  /// Requests need it ("Authorization: Bearer …"). Empty only on a loopback address, where nothing can be changed then.
  std::string token = {};
  /// True if requests that only read need the token on a loopback address, too. Elsewhere they always do.
  bool reads_need_token = false;
  /// PEM files; both or none.
  std::filesystem::path tls_certificate = {};
  std::filesystem::path tls_key = {};
  HttpLimits limits = {};
};

/// True if the address, "host:port", is one that only this machine reaches. Throws Error(kUsage) for one that is not
/// valid.
bool is_loopback_listen(const std::string& listen);

/// An HTTP/1.1 server with limits that hold before anybody is known: the token is checked when the headers are there,
/// and no body of a stranger is read. Compressed requests are refused, ranges are not served. An Error that a handler
/// throws becomes the fitting response: {"error":{"code","message"}}.
///
/// Lifecycle: made, routes added, bind() or start(); the destructor stops it. One thread of its own moves the bytes of
/// all connections; handlers run on `limits.threads` more, or as their route says.
class HttpServer {
 public:
  /// The shortest token that is taken: fewer characters can be guessed.
  static constexpr std::size_t kMinTokenLength = 16;

  /// Throws Error(kUsage) for a bad address, a token that is too short, and an address that is not loopback without a
  /// token; Error(kConfig) for certificates.
  HttpServer(HttpOptions options, const Log& log);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  /// Not once it has started.
  void add(Route route);

  /// Takes the address; url() is known from then on. Throws Error(kConfig) if another server has it.
  void bind();
  /// Answers from then on; binds first if that has not been done.
  void start();
  /// Waits for the handlers. Responses that are being sent have two seconds more.
  void stop();
  /// Cancelled by stop(): for handlers that take long.
  CancelToken stopping() const;

  /// "http://127.0.0.1:8432", with the port that was taken.
  const std::string& url() const;
  HttpStatistics::Counts statistics() const;
  /// False if requests have been at work for a minute without one that ended. Only for a route that runs at once.
  bool is_moving() const;
  bool is_loopback() const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace pgsluice::migration
