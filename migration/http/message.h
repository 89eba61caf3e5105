#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace pgsluice::migration {

/// One request, read whole. Header names are compared without case.
struct HttpRequest {
  std::string method;
  /// As it was sent, without the query: "/migrations/first".
  std::string path;
  /// The segments of the path that stand where the route's pattern has "{}", decoded.
  std::vector<std::string> matches;
  /// The query's parameters, decoded, in their order.
  std::vector<std::pair<std::string, std::string>> parameters;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  /// The client's address and port, for the log: "10.0.0.7:51234".
  std::string peer;

  /// The first header of that name, or an empty text.
  std::string header(const std::string& name) const;
  /// The first parameter of that name.
  std::optional<std::string> parameter(const std::string& name) const;
};

/// A response: a body, or a stream of texts.
struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain";
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};

  /// If set, its texts are sent instead of the body: the first immediately, each further one `period` after the
  /// previous one. It is called on a handler's thread, by one thread at a time. An empty text sends nothing; nullopt
  /// ends the response.
  std::function<std::optional<std::string>()> next = {};
  std::chrono::milliseconds period{1000};
};

/// An answer other than the usual one, thrown by a handler.
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

/// A JSON document.
HttpResponse json_response(std::string document, int status = 200);
/// {"error":{"code","message"}}. Bytes that are not UTF-8 are replaced.
HttpResponse error_response(int status, const std::string& code, const std::string& message);

/// The text that a part of a URL stands for: "%20" is a space. nullopt for an escape that is not one, and for a NUL.
std::optional<std::string> percent_decoded(const std::string& text);
/// The text with all but letters, digits and -._~ escaped.
std::string percent_encoded(const std::string& text);
/// The parameters of "a=1&b=2", decoded, where "+" is a space. nullopt for a query that is not valid, or with a NUL.
std::optional<std::vector<std::pair<std::string, std::string>>> query_parameters(const std::string& query);

}  // namespace pgsluice::migration
