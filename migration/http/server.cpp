#include "migration/http/server.h"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <exception>
#include <future>
#include <optional>
#include <thread>

#include "migration/http/conversation.h"
#include "pgsluice/error.h"

namespace pgsluice::migration {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::milliseconds kPauseAfterFailedAccept{100};
constexpr std::chrono::seconds kShutdownTimeout{2};

struct Address {
  std::string host;
  std::uint16_t port = 0;
};

Address parse_listen(const std::string& listen) {
  const std::size_t colon = listen.rfind(':');
  const auto* end = listen.data() + listen.size();
  int port = -1;
  const bool is_valid = colon != std::string::npos && colon > 0 && colon + 1 < listen.size() &&
                        std::from_chars(listen.data() + colon + 1, end, port).ptr == end && port >= 0 && port <= 65535;
  if (!is_valid) {
    throw Error(ErrorKind::kUsage, fmt::format("the address {} must be host:port, such as 127.0.0.1:8432", listen));
  }
  std::string host = listen.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return {.host = std::move(host), .port = static_cast<std::uint16_t>(port)};
}

void require_usable_token(const HttpOptions& options, bool is_loopback) {
  if (!is_loopback && options.token.empty()) {
    throw Error(
        ErrorKind::kUsage,
        fmt::format("the address {} can be reached from other machines, so a token is required", options.listen))
        .hint("set a token (PGSLUICE_TOKEN, or a file), and use TLS: a certificate with its key, or a proxy");
  }
  if (!options.token.empty() && options.token.size() < HttpServer::kMinTokenLength) {
    throw Error(ErrorKind::kUsage, fmt::format("the token has {} characters, and must have {} or more",
                                               options.token.size(), HttpServer::kMinTokenLength))
        .hint("openssl rand -hex 32 makes one");
  }
}

std::optional<asio::ssl::context> tls_of(const HttpOptions& options) {
  if (options.tls_certificate.empty() != options.tls_key.empty()) {
    throw Error(ErrorKind::kUsage, "a TLS certificate and its key must be given together");
  }
  if (options.tls_certificate.empty()) return std::nullopt;
  asio::ssl::context tls(asio::ssl::context::tls_server);
  tls.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
                  asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
  // Idle connections keep no buffers.
  ::SSL_CTX_set_mode(tls.native_handle(), SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_session_cache_mode(tls.native_handle(), SSL_SESS_CACHE_OFF);
  bool is_encrypted = false;
  // Without this, OpenSSL would ask on the terminal.
  tls.set_password_callback([&is_encrypted](std::size_t, asio::ssl::context::password_purpose) {
    is_encrypted = true;
    return std::string();
  });
  error_code error;
  tls.use_certificate_chain_file(options.tls_certificate.string(), error);
  if (error) {
    throw Error(ErrorKind::kConfig,
                fmt::format("the certificate {} cannot be used: {}", options.tls_certificate.string(), error.message()))
        .hint("the certificate must be a PEM file with its chain");
  }
  tls.use_private_key_file(options.tls_key.string(), asio::ssl::context::pem, error);
  if (is_encrypted) {
    throw Error(ErrorKind::kConfig, fmt::format("the key {} is encrypted", options.tls_key.string()))
        .hint("openssl pkey -in KEY -out PLAIN writes it without a passphrase; keep that file private");
  }
  if (error || ::SSL_CTX_check_private_key(tls.native_handle()) != 1) {
    throw Error(ErrorKind::kConfig, fmt::format("the key {} cannot be used with the certificate {}",
                                                options.tls_key.string(), options.tls_certificate.string()))
        .hint(
            "the file must contain the certificate's private key in PEM format, and this user must be able to read it");
  }
  tls.set_password_callback([](std::size_t, asio::ssl::context::password_purpose) { return std::string(); });
  return tls;
}

}  // namespace

bool is_loopback_listen(const std::string& listen) { return is_loopback_name(parse_listen(listen).host); }

struct HttpServer::Implementation {
  Implementation(HttpOptions given, const Log& log)
      : options(std::move(given)), address(parse_listen(options.listen)), tls(tls_of(options)) {
    const bool is_loopback = is_loopback_name(address.host);
    require_usable_token(options, is_loopback);
    state.limits = options.limits;
    state.rules = {.token = options.token,
                   .reads_need_token = options.reads_need_token || !is_loopback,
                   .is_loopback = is_loopback};
    state.log = log;
    state.tls = tls ? &*tls : nullptr;
  }

  asio::awaitable<void> accept_all() {
    asio::steady_timer timer(io);
    while (acceptor.is_open()) {
      error_code error;
      tcp::socket socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (error == asio::error::operation_aborted) co_return;
      if (error) {
        // For example, no file descriptor is free. Connections that close release theirs.
        state.connections.make_room();
        timer.expires_after(kPauseAfterFailedAccept);
        error_code ignored;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        continue;
      }
      const bool has_room = state.connections.size() < state.limits.connections || state.connections.make_room();
      if (has_room) begin_conversation(io, std::move(socket), state);
    }
  }

  const HttpOptions options;
  const Address address;
  std::optional<asio::ssl::context> tls;
  CancelSource stopping;
  std::string url;
  ServerState state;
  // Destroyed after `io`, which owns the conversations.
  std::optional<asio::thread_pool> handlers;
  std::optional<asio::thread_pool> waiting_handlers;
  asio::io_context io{1};
  tcp::acceptor acceptor{io};
  std::thread thread;
  std::promise<void> ended;
};

HttpServer::HttpServer(HttpOptions options, const Log& log)
    : implementation_(std::make_unique<Implementation>(std::move(options), log)) {}

HttpServer::~HttpServer() { stop(); }

void HttpServer::add(Route route) { implementation_->state.router.add(std::move(route)); }

CancelToken HttpServer::stopping() const { return implementation_->stopping.token(); }
const std::string& HttpServer::url() const { return implementation_->url; }
HttpStatistics::Counts HttpServer::statistics() const { return implementation_->state.statistics.read(); }

bool HttpServer::is_moving() const {
  const ServerState& state = implementation_->state;
  return state.at_work == 0 || std::chrono::steady_clock::now() - state.last_end < std::chrono::minutes(1);
}

bool HttpServer::is_loopback() const { return implementation_->state.rules.is_loopback; }

void HttpServer::bind() {
  Implementation& self = *implementation_;
  if (self.acceptor.is_open()) return;
  error_code error;
  tcp::resolver resolver(self.io);
  const auto found = resolver.resolve(self.address.host, std::to_string(self.address.port),
                                      tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (!error) {
    const tcp::endpoint endpoint = *found.begin();
    self.acceptor.open(endpoint.protocol(), error);
    if (!error) self.acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) self.acceptor.bind(endpoint, error);
    if (!error) self.acceptor.listen(asio::socket_base::max_listen_connections, error);
  }
  if (error) {
    error_code ignored;
    self.acceptor.close(ignored);
    throw Error(ErrorKind::kConfig, fmt::format("cannot listen on {}: {}", self.options.listen, error.message()))
        .hint("choose another address; 'ss -ltnp' shows which program uses this address");
  }
  const bool is_ipv6 = self.address.host.find(':') != std::string::npos;
  self.url =
      fmt::format("{}://{}:{}", self.tls ? "https" : "http",
                  is_ipv6 ? "[" + self.address.host + "]" : self.address.host, self.acceptor.local_endpoint().port());
}

void HttpServer::start() {
  bind();
  Implementation& self = *implementation_;
  self.handlers.emplace(self.options.limits.threads);
  self.state.handlers = &*self.handlers;
  self.waiting_handlers.emplace(self.options.limits.waiting_threads);
  self.state.waiting = &*self.waiting_handlers;
  asio::co_spawn(self.io, self.accept_all(), [&self](const std::exception_ptr& failure) {
    if (!failure) return;
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      self.state.log.error(
          Error(ErrorKind::kInternal, fmt::format("no more connections are accepted: {}", error.what()))
              .hint("restart this server"));
    }
  });
  self.thread = std::thread([&self] {
    self.io.run();
    self.ended.set_value();
  });
}

void HttpServer::stop() {
  Implementation& self = *implementation_;
  if (!self.thread.joinable()) return;
  self.stopping.cancel();
  asio::post(self.io, [&self] {
    error_code ignored;
    self.state.is_stopping = true;
    self.acceptor.close(ignored);
    self.state.connections.close_waiting();
  });
  self.handlers->join();
  self.waiting_handlers->join();
  if (self.ended.get_future().wait_for(kShutdownTimeout) != std::future_status::ready) self.io.stop();
  self.thread.join();
}

}  // namespace pgsluice::migration
