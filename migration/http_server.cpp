#include "pgsluice/migration/http_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <strings.h>

#include <array>
#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>
#include <regex>

#include "pgsluice/base/wait.h"

namespace pgsluice::migration {

namespace {

constexpr std::size_t kMostBytes = 1 << 20;
constexpr std::size_t kThreads = 64;
constexpr std::time_t kPatience = 5;  // s
constexpr int kMostWaiting = 512;     // to be accepted

struct Status {
  int number;
  const char* code;
};

Status status_of(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::kUsage:
    case ErrorKind::kConfig:
      return {400, "BadRequest"};
    case ErrorKind::kState:
      return {409, "Conflict"};
    default:
      return {500, "InternalServerError"};
  }
}

// Only an address itself, or a name that no name server is asked for (RFC 6761): any other one may be made to lead here
// by whoever owns it, in the name of a page of his.
bool is_loopback_name(std::string host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  in_addr ipv4{};
  if (::inet_pton(AF_INET, host.c_str(), &ipv4) == 1) return (ntohl(ipv4.s_addr) >> 24) == 127;
  in6_addr ipv6{};
  if (::inet_pton(AF_INET6, host.c_str(), &ipv6) == 1) return IN6_IS_ADDR_LOOPBACK(&ipv6);
  return ::strcasecmp(host.c_str(), "localhost") == 0;
}

// "localhost:8432", "[::1]:8432"
std::string without_port(const std::string& host) {
  if (host.rfind('[', 0) == 0) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

}  // namespace

bool same_secret(const std::string& one, const std::string& other) {
  // Of digests, so that not even the lengths tell anything.
  std::array<unsigned char, SHA256_DIGEST_LENGTH> first{};
  std::array<unsigned char, SHA256_DIGEST_LENGTH> second{};
  ::SHA256(reinterpret_cast<const unsigned char*>(one.data()), one.size(), first.data());
  ::SHA256(reinterpret_cast<const unsigned char*>(other.data()), other.size(), second.data());
  return ::CRYPTO_memcmp(first.data(), second.data(), first.size()) == 0;
}

void answer_json(httplib::Response& response, const std::string& document, int status) {
  response.status = status;
  response.set_content(document, "application/json");
}

void answer_error(httplib::Response& response, int status, const std::string& code, const std::string& message) {
  const nlohmann::ordered_json document = {{"error", {{"code", code}, {"message", message}}}};
  answer_json(response, document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace), status);
}

void HttpServer::parse_listen() {
  const std::string& listen = options_.listen;
  const std::size_t colon = listen.rfind(':');
  const auto* end = listen.data() + listen.size();
  const bool has_port = colon != std::string::npos && colon > 0 &&
                        std::from_chars(listen.data() + colon + 1, end, port_).ptr == end &&
                        colon + 1 < listen.size() && port_ >= 0 && port_ <= 65535;
  if (!has_port) {
    throw Error(ErrorKind::kUsage, fmt::format("--listen {}: host:port is wanted, 127.0.0.1:8432", listen));
  }
  host_ = listen.substr(0, colon);
  if (host_.size() > 2 && host_.front() == '[' && host_.back() == ']') host_ = host_.substr(1, host_.size() - 2);
}

void HttpServer::set_limits() {
  server_->new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  server_->set_payload_max_length(kMostBytes);
  server_->set_read_timeout(kPatience);
  server_->set_write_timeout(kPatience);
  server_->set_keep_alive_timeout(kPatience);
  server_->set_tcp_nodelay(true);
  // Not the library's own, SO_REUSEPORT: a second server would take a part of the requests.
  server_->set_socket_options([this](int socket) {
    socket_ = socket;
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  server_->set_default_headers(
      {{"Cache-Control", "no-store"},
       {"X-Content-Type-Options", "nosniff"},
       {"Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
       {"Referrer-Policy", "no-referrer"}});
}

HttpServer::HttpServer(HttpOptions options, const Log& log) : options_(std::move(options)), log_(log) {
  parse_listen();
  is_loopback_ = is_loopback_name(host_);
  if (!is_loopback_ && options_.token.empty()) {
    throw Error(ErrorKind::kUsage,
                fmt::format("--listen {}: not a loopback address, and there is no token", options_.listen))
        .hint("give --token-file or set PGSLUICE_TOKEN, and put TLS before it (--tls-cert, --tls-key, or a proxy)");
  }
  if (options_.tls_certificate.empty() != options_.tls_key.empty()) {
    throw Error(ErrorKind::kUsage, "--tls-cert and --tls-key are wanted both, or none");
  }
  if (options_.tls_certificate.empty()) {
    server_ = std::make_unique<httplib::Server>();
  } else {
    server_ = std::make_unique<httplib::SSLServer>(options_.tls_certificate.c_str(), options_.tls_key.c_str());
  }
  if (!server_->is_valid()) {
    throw Error(ErrorKind::kConfig, fmt::format("the certificate {} and the key {} cannot be used",
                                                options_.tls_certificate.string(), options_.tls_key.string()))
        .hint("PEM files are wanted, of one another, readable by this user");
  }
  set_limits();
  server_->set_error_handler([this](const httplib::Request& request, httplib::Response& response) {
    if (!response.body.empty()) return;
    if (const std::string methods = methods_of(request.path); response.status == 404 && !methods.empty()) {
      response.set_header("Allow", methods);
      return answer_error(response, 405, "MethodNotAllowed",
                          fmt::format("{} is not for that: {}", request.method, methods));
    }
    switch (response.status) {
      case 404:
        return answer_error(response, 404, "NotFound", "there is nothing of that name");
      case 413:
        return answer_error(response, 413, "PayloadTooLarge", "a request has 1 MiB at most");
      default:
        return answer_error(response, response.status, "BadRequest", "the request cannot be taken");
    }
  });
}

std::string HttpServer::methods_of(const std::string& path) const {
  std::vector<std::string> methods;
  for (const auto& [method, pattern] : routes_) {
    if (std::regex_match(path, std::regex(pattern))) methods.push_back(method);
  }
  return fmt::format("{}", fmt::join(methods, ", "));
}

HttpServer::~HttpServer() { stop(); }

bool HttpServer::may_pass(const httplib::Request& request, httplib::Response& response) const {
  if (options_.token.empty()) {
    const std::string origin = request.get_header_value("Origin");
    const std::string host = request.get_header_value("Host");
    const bool is_own = is_loopback_name(without_port(host)) &&
                        (origin.empty() || origin == "http://" + host || origin == "https://" + host);
    if (!is_own) answer_error(response, 403, "Forbidden", "this server is for this machine alone");
    return is_own;
  }
  constexpr const char* kBearer = "Bearer ";
  const std::string given = request.get_header_value("Authorization");
  constexpr std::size_t kLength = std::char_traits<char>::length(kBearer);
  if (::strncasecmp(given.c_str(), kBearer, kLength) == 0 && same_secret(given.substr(kLength), options_.token)) {
    return true;
  }
  response.set_header("WWW-Authenticate", "Bearer");
  answer_error(response, 401, "Unauthorized", "a token is needed: Authorization: Bearer …");
  return false;
}

HttpServer::Handler HttpServer::answering(Handler handler) const {
  return [this, handler = std::move(handler)](const httplib::Request& request, httplib::Response& response) {
    try {
      handler(request, response);
    } catch (const HttpError& error) {
      answer_error(response, error.status(), error.code(), error.what());
    } catch (const Error& error) {
      const Status status = status_of(error);
      answer_error(response, status.number, status.code, error.describe());
      if (status.number == 500) log_.error(fmt::format("{} {}: {}", request.method, request.path, error.describe()));
    } catch (const std::exception& error) {
      answer_error(response, 500, "InternalServerError", "a defect of pgsluice; its log says more");
      log_.error(fmt::format("{} {}: {}", request.method, request.path, error.what()));
    }
  };
}

HttpServer::Handler HttpServer::guarded(Handler handler) const {
  return [this, inner = answering(std::move(handler))](const httplib::Request& request, httplib::Response& response) {
    if (may_pass(request, response)) inner(request, response);
  };
}

void HttpServer::get(const std::string& pattern, Handler handler) {
  routes_.emplace_back("GET", pattern);
  server_->Get(pattern, guarded(std::move(handler)));
}
void HttpServer::get_open(const std::string& pattern, Handler handler) {
  routes_.emplace_back("GET", pattern);
  server_->Get(pattern, answering(std::move(handler)));
}
void HttpServer::put(const std::string& pattern, Handler handler) {
  routes_.emplace_back("PUT", pattern);
  server_->Put(pattern, guarded(std::move(handler)));
}
void HttpServer::patch(const std::string& pattern, Handler handler) {
  routes_.emplace_back("PATCH", pattern);
  server_->Patch(pattern, guarded(std::move(handler)));
}
void HttpServer::post(const std::string& pattern, Handler handler) {
  routes_.emplace_back("POST", pattern);
  server_->Post(pattern, guarded(std::move(handler)));
}
void HttpServer::remove(const std::string& pattern, Handler handler) {
  routes_.emplace_back("DELETE", pattern);
  server_->Delete(pattern, guarded(std::move(handler)));
}

void HttpServer::bind() {
  if (is_bound_) return;
  if (port_ == 0) {
    port_ = server_->bind_to_any_port(host_);
  } else if (!server_->bind_to_port(host_, port_)) {
    port_ = -1;
  }
  if (port_ <= 0) {
    throw Error(ErrorKind::kConfig, fmt::format("cannot listen on {}", options_.listen))
        .hint("is another server there, or has this machine no such address? --listen takes another one");
  }
  // The library lets five wait to be accepted: what a burst of clients sends beyond that is reset.
  ::listen(socket_, kMostWaiting);
  const bool is_ipv6 = host_.find(':') != std::string::npos;
  url_ = fmt::format("{}://{}:{}", options_.tls_certificate.empty() ? "http" : "https",
                     is_ipv6 ? "[" + host_ + "]" : host_, port_);
  is_bound_ = true;
}

void HttpServer::start() {
  bind();
  thread_ = std::thread([this] { server_->listen_after_bind(); });
  // stop() does nothing to a server that has not begun to listen.
  while (!server_->is_running()) wait_for({}, {}, std::chrono::milliseconds(1));
}

void HttpServer::stop() {
  if (!thread_.joinable()) return;
  stop_.cancel();
  server_->stop();
  thread_.join();
}

}  // namespace pgsluice::migration
