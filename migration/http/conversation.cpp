#include "migration/http/conversation.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <memory>
#include <type_traits>

#include "migration/http/place.h"
#include "migration/remedies.h"
#include "pgsluice/error.h"

namespace pgsluice::migration {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

using Parser = http::request_parser<http::string_body>;

constexpr std::size_t kPart = 64U << 10U;
constexpr std::size_t kMaxStreams = 32;
constexpr std::size_t kMaxRefusalsLogged = 5;  // a second
constexpr std::chrono::seconds kGoodbye{1};
constexpr std::size_t kMaxThrownAway = 16U << 20U;

auto token(error_code& error) { return asio::redirect_error(asio::use_awaitable, error); }

HttpResponse response_of(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::kUsage:
    case ErrorKind::kConfig:
      return error_response(400, "BadRequest", describe(error));
    case ErrorKind::kState:
      return error_response(409, "Conflict", describe(error));
    case ErrorKind::kSystem:
    case ErrorKind::kCancelled:
      return error_response(503, "ServiceUnavailable", describe(error));
    default:
      return error_response(500, "InternalServerError", describe(error));
  }
}

HttpResponse answer(const Route& route, const HttpRequest& request, const Log& log) {
  try {
    return route.handler(request);
  } catch (const HttpError& error) {
    return error_response(error.status(), error.code(), error.what());
  } catch (const Error& error) {
    HttpResponse response = response_of(error);
    if (response.status == 500) log.error(fmt::format("{} {}: {}", request.method, request.path, describe(error)));
    return response;
  } catch (const std::exception& error) {
    log.error(fmt::format("{} {}: {}", request.method, request.path, error.what()));
    return error_response(500, "InternalServerError", "a defect of pgsluice; its log says more");
  }
}

HttpResponse too_busy(const char* message) {
  HttpResponse response = error_response(503, "ServiceUnavailable", message);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

// Cancels what a stream does once `time` is over. Unlike the stream's own expiry it leaves the connection open, so that
// a response can be sent.
template <class Stream>
class Deadline {
 public:
  Deadline(Stream& stream, std::chrono::milliseconds time)
      : timer_(stream.get_executor(), time), shared_(std::make_shared<Shared>(Shared{&stream})) {
    beast::get_lowest_layer(stream).expires_never();
    timer_.async_wait([shared = shared_](const error_code& error) {
      if (error || shared->stream == nullptr) return;
      shared->is_over = true;
      beast::get_lowest_layer(*shared->stream).cancel();
    });
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline() { shared_->stream = nullptr; }

  bool is_over() const { return shared_->is_over; }

 private:
  // Outlives the deadline where its handler is on its way already.
  struct Shared {
    Stream* stream;
    bool is_over = false;
  };
  asio::steady_timer timer_;
  std::shared_ptr<Shared> shared_;
};

// The fitting response to headers or a body that cannot be read; nullopt if the client has gone, or was closed.
std::optional<HttpResponse> response_of(const error_code& error) {
  if (error == http::error::body_limit) {
    return error_response(413, "PayloadTooLarge", "a request's body may have 1 MiB at most");
  }
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return error_response(431, "HeadersTooLarge", "a request's headers may have 16 KiB at most");
  }
  if (error == beast::error::timeout) return error_response(408, "Timeout", "the request took too long to arrive");
  const bool is_of_the_client = error.category() == http::make_error_code(http::error::bad_method).category() &&
                                error != http::error::end_of_stream && error != http::error::partial_message;
  if (is_of_the_client) return error_response(400, "BadRequest", "this is not a request of HTTP/1.1");
  return std::nullopt;
}

bool has_body(const Parser& parser) {
  const auto length = parser.content_length();
  return parser.chunked() || (length && *length > 0);
}

// A request whose headers are there. nullopt for a query that cannot be decoded.
std::optional<HttpRequest> to_request(const Parser& parser, const std::string& peer) {
  const auto& message = parser.get();
  const std::string target = message.target();
  const std::size_t question = std::min(target.find('?'), target.size());
  HttpRequest request{.method = message.method_string(), .path = target.substr(0, question), .peer = peer};
  auto parameters = query_parameters(target.substr(std::min(question + 1, target.size())));
  if (!parameters) return std::nullopt;
  request.parameters = std::move(*parameters);
  for (const auto& field : message) request.headers.emplace_back(field.name_string(), field.value());
  return request;
}

void set_headers(http::fields& fields, const HttpResponse& response) {
  fields.set(http::field::content_type, response.content_type);
  fields.set(http::field::cache_control, "no-store");
  fields.set("X-Content-Type-Options", "nosniff");
  fields.set("Content-Security-Policy",
             "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
             "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  fields.set("Referrer-Policy", "no-referrer");
  for (const auto& [name, value] : response.headers) fields.set(name, value);
}

template <class Stream>
class Conversation {
 public:
  Conversation(Stream stream, ServerState& state, const asio::ip::tcp::endpoint& peer)
      : state_(state),
        stream_(std::move(stream)),
        peer_(fmt::format("{}:{}", peer.address().to_string(), peer.port())),
        buffer_(state.limits.header_bytes + kPart),
        entry_(state.connections.add({.address = peer.address().to_string(), .close = [this] { close_now(); }})) {
    count_connections();
  }
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;
  ~Conversation() {
    state_.connections.remove(entry_);
    count_connections();
  }

  asio::awaitable<void> run() {
    error_code error;
    if constexpr (kTls) {
      expire_after(state_.limits.header_time);
      co_await stream_.async_handshake(asio::ssl::stream_base::server, token(error));
      if (error) co_return;
    }
    bool goes_on = true;
    while (goes_on && !state_.is_stopping) goes_on = co_await answer_one();
    if constexpr (kTls) {
      expire_after(kGoodbye);
      co_await stream_.async_shutdown(token(error));
    }
  }

 private:
  static constexpr bool kTls = !std::is_same_v<Stream, beast::tcp_stream>;

  void count_connections() {
    state_.statistics.set_open_connections(static_cast<std::int64_t>(state_.connections.size()));
  }

  // Until then the operations that are begun must have ended.
  void expire_after(std::chrono::milliseconds time) { beast::get_lowest_layer(stream_).expires_after(time); }
  void close_now() { beast::get_lowest_layer(stream_).cancel(), beast::get_lowest_layer(stream_).close(); }

  // Returns whether another request may follow.
  asio::awaitable<bool> answer_one() {
    Parser parser;
    parser.header_limit(static_cast<std::uint32_t>(state_.limits.header_bytes));
    parser.body_limit(state_.limits.body_bytes);
    error_code error;
    entry_->is_waiting = true;
    entry_->waiting_since = std::chrono::steady_clock::now();
    {
      const Deadline deadline(stream_, state_.limits.header_time);
      co_await http::async_read_header(stream_, buffer_, parser, token(error));
      if (deadline.is_over() && parser.got_some()) error = beast::error::timeout;
    }
    entry_->is_waiting = false;
    if (error) {
      co_await refuse_unread(response_of(error));
      co_return false;
    }
    // A body in another coding would be taken for the next request.
    const auto coding = parser.get()[http::field::transfer_encoding];
    if (!coding.empty() && !beast::iequals(coding, "chunked")) {
      co_await refuse_unread(
          error_response(501, "NotImplemented", "the only transfer coding that is known is chunked"));
      co_return false;
    }
    std::optional<HttpRequest> request = to_request(parser, peer_);
    if (!request) {
      co_await refuse_unread(error_response(400, "BadRequest", "the URL holds an escape that cannot be decoded"));
      co_return false;
    }
    const Route* route = state_.router.find(*request);
    if (std::optional<HttpResponse> refused = refuse_by_headers(*request, route, parser)) {
      if (has_body(parser)) {
        co_await refuse_unread(std::move(refused));
        co_return false;
      }
      co_return co_await send(std::move(*refused), *request, parser);
    }
    if (!has_body(parser)) co_return co_await carry_out(*route, *request, parser);

    const Place place(taken_by(*request).bodies);
    const std::optional<HttpResponse> failed = co_await read_body(parser);
    if (failed) {
      co_await refuse_unread(failed);
      co_return false;
    }
    request->body = std::move(parser.get().body());
    co_return co_await carry_out(*route, *request, parser);
  }

  // Checks that need only the headers, so that no body is read for a request that is refused.
  std::optional<HttpResponse> refuse_by_headers(const HttpRequest& request, const Route* route, const Parser& parser) {
    if (route == nullptr) {
      const std::string methods = state_.router.methods_of(request.path);
      if (methods.empty()) return error_response(404, "NotFound", "there is no such path");
      HttpResponse response = error_response(405, "MethodNotAllowed",
                                             fmt::format("{} is not allowed here, but {}", request.method, methods));
      response.headers.emplace_back("Allow", methods);
      return response;
    }
    if (std::optional<HttpResponse> refused = refuse(request, route->access, state_.rules)) {
      log_refusal(request, refused->status);
      return refused;
    }
    if (!has_body(parser)) return std::nullopt;
    if (request.method == "GET" || request.method == "HEAD" || request.method == "DELETE") {
      return error_response(400, "BadRequest", fmt::format("a {} request has no body", request.method));
    }
    if (const std::string coding = request.header("Content-Encoding"); !coding.empty() && coding != "identity") {
      return error_response(415, "UnsupportedMediaType", "compressed bodies are not accepted");
    }
    if (taken_by(request).bodies >= state_.limits.bodies) {
      return too_busy("too many requests are being read; try again");
    }
    return std::nullopt;
  }

  ServerState::Taken& taken_by(const HttpRequest& request) {
    return has_token(request, state_.rules) ? state_.by_users : state_.by_strangers;
  }

  void log_refusal(const HttpRequest& request, int status) {
    const auto now = std::chrono::steady_clock::now();
    if (now - state_.refusals_since >= std::chrono::seconds(1)) {
      if (state_.refusals > kMaxRefusalsLogged) {
        state_.log.warning(fmt::format("{} more requests were refused", state_.refusals - kMaxRefusalsLogged));
      }
      state_.refusals_since = now;
      state_.refusals = 0;
    }
    if (++state_.refusals > kMaxRefusalsLogged) return;
    const char* reason = request.header("Authorization").empty() ? "without a token" : "with a wrong token";
    state_.log.warning(
        fmt::format("{} {} from {} refused with {}: {}", request.method, request.path, peer_, status, reason));
  }

  asio::awaitable<std::optional<HttpResponse>> read_body(Parser& parser) {
    error_code error;
    const Deadline deadline(stream_, state_.limits.body_time);
    if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
      co_await write_text("HTTP/1.1 100 Continue\r\n\r\n", error);
      if (error) co_return HttpResponse();
    }
    co_await http::async_read(stream_, buffer_, parser, token(error));
    if (!error) co_return std::nullopt;
    if (deadline.is_over()) error = beast::error::timeout;
    std::optional<HttpResponse> response = response_of(error);
    co_return response ? std::move(*response) : HttpResponse();
  }

  asio::awaitable<bool> carry_out(const Route& route, const HttpRequest& request, const Parser& parser) {
    if (route.runs == Route::Runs::kAtOnce) {
      co_return co_await send(answer(route, request, state_.log), request, parser);
    }
    const bool waits = route.runs == Route::Runs::kWaiting;
    std::size_t& places = waits ? state_.waiting_requests : taken_by(request).requests;
    if (places >= (waits ? state_.limits.waiting_threads : state_.limits.requests)) {
      co_return co_await send(too_busy("too many requests are at work; try again"), request, parser);
    }
    std::optional<Place> place(std::in_place, places);
    HttpResponse response;
    if (waits) {
      response = co_await on_a_thread(*state_.waiting, [&] { return answer(route, request, state_.log); });
    } else {
      if (state_.at_work == 0) state_.last_end = std::chrono::steady_clock::now();
      const Place at_work(state_.at_work);
      response = co_await on_a_thread(*state_.handlers, [&] { return answer(route, request, state_.log); });
      state_.last_end = std::chrono::steady_clock::now();
    }
    if (request.method == "HEAD") response.next = {};
    if (response.next) {
      place.reset();
      co_return co_await stream(std::move(response), request, parser);
    }
    place.reset();
    // A short one is taken by the kernel at once; a long one is kept in memory until the client has taken it.
    if (response.body.size() > kPart) {
      std::size_t& long_responses = taken_by(request).long_responses;
      if (long_responses >= state_.limits.long_responses) {
        co_return co_await send(too_busy("too many long responses are being taken; try again"), request, parser);
      }
      place.emplace(long_responses);
    }
    co_return co_await send(std::move(response), request, parser);
  }

  template <class Function>
  asio::awaitable<std::invoke_result_t<Function>> on_a_thread(asio::thread_pool& pool, Function function) {
    auto work = [function]() -> asio::awaitable<std::invoke_result_t<Function>> { co_return function(); };
    auto result = co_await asio::co_spawn(pool, std::move(work), asio::use_awaitable);
    co_return result;
  }

  asio::awaitable<bool> send(HttpResponse response, const HttpRequest& request, const Parser& parser) {
    state_.statistics.count_response(request.method, response.status);
    http::response<http::string_body> message(static_cast<http::status>(response.status), parser.get().version());
    set_headers(message, response);
    message.keep_alive(parser.keep_alive() && !state_.is_stopping);
    message.body() = std::move(response.body);
    message.prepare_payload();
    const bool written = co_await write(message, request.method == "HEAD");
    co_return written&& message.keep_alive();
  }

  // To a client that takes its time, but not all of it.
  asio::awaitable<bool> write(http::response<http::string_body>& message, bool only_headers) {
    http::response_serializer<http::string_body> serializer(message);
    serializer.split(only_headers);
    entry_->waiting_since = std::chrono::steady_clock::now();
    entry_->is_taking = true;
    const bool is_written = co_await write_before_it_is_too_late(serializer, message.body().size(), only_headers);
    entry_->is_taking = false;
    co_return is_written;
  }

  asio::awaitable<bool> write_before_it_is_too_late(http::response_serializer<http::string_body>& serializer,
                                                    std::size_t size, bool only_headers) {
    const auto end = std::chrono::steady_clock::now() + 3 * state_.limits.write_time +
                     state_.limits.write_time * (size / (16 * kPart));
    while (!(only_headers ? serializer.is_header_done() : serializer.is_done())) {
      if (std::chrono::steady_clock::now() > end) co_return false;
      error_code error;
      expire_after(state_.limits.write_time);
      co_await http::async_write_some(stream_, serializer, token(error));
      if (error) co_return false;
    }
    co_return true;
  }

  // The response to a request whose body was not read. The client may be writing it: what it sends is taken and thrown
  // away for a while, or the reset would reach it before the response.
  asio::awaitable<void> refuse_unread(std::optional<HttpResponse> response) {
    if (!response || response->body.empty()) co_return;
    state_.statistics.count_response("", response->status);
    http::response<http::string_body> message(static_cast<http::status>(response->status), 11);
    set_headers(message, *response);
    message.keep_alive(false);
    message.body() = std::move(response->body);
    message.prepare_payload();
    if (!co_await write(message, false)) co_return;
    error_code error;
    beast::get_lowest_layer(stream_).socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
    std::array<char, kPart> thrown_away;
    entry_->is_waiting = true;
    expire_after(kGoodbye);
    for (std::size_t taken = 0; !error && taken < kMaxThrownAway;) {
      taken += co_await stream_.async_read_some(asio::buffer(thrown_away), token(error));
    }
  }

  asio::awaitable<bool> stream(HttpResponse response, const HttpRequest& request, const Parser& parser) {
    if (state_.streams >= kMaxStreams) {
      HttpResponse busy = too_busy("too many follow their migrations; ask for the state instead");
      busy.headers = {{"Retry-After", "5"}};
      co_return co_await send(std::move(busy), request, parser);
    }
    state_.statistics.count_response(request.method, response.status);
    const Place place(state_.streams);
    const bool is_chunked = parser.get().version() >= 11;
    http::response<http::string_body> head(static_cast<http::status>(response.status), parser.get().version());
    set_headers(head, response);
    head.chunked(is_chunked);
    head.keep_alive(false);
    if (!co_await write(head, true)) co_return false;
    asio::steady_timer timer(stream_.get_executor());
    error_code error;
    while (!error && !state_.is_stopping) {
      std::optional<std::string> text = co_await on_a_thread(*state_.handlers, [&] { return next_text(response); });
      expire_after(state_.limits.write_time);
      if (!text) {
        if (is_chunked) co_await write_text(beast::buffers_to_string(http::make_chunk_last()), error);
        break;
      }
      // Empty when there is nothing new.
      if (!text->empty() && is_chunked) text = beast::buffers_to_string(http::make_chunk(asio::buffer(*text)));
      if (!text->empty()) co_await write_text(*text, error);
      if (error) break;
      timer.expires_after(response.period);
      co_await timer.async_wait(token(error));
    }
    co_return false;
  }

  // `text` stays until this is done.
  asio::awaitable<void> write_text(std::string_view text, error_code& error) {
    co_await asio::async_write(stream_, asio::buffer(text), token(error));
  }

  std::optional<std::string> next_text(const HttpResponse& response) const {
    try {
      return response.next();
    } catch (const std::exception& error) {
      state_.log.error(fmt::format("a stream of events ends: {}", error.what()));
      return std::nullopt;
    }
  }

  ServerState& state_;
  Stream stream_;
  const std::string peer_;
  beast::flat_buffer buffer_;
  Connections::Handle entry_;
};

template <class Stream>
asio::awaitable<void> converse(Stream stream, ServerState& state, asio::ip::tcp::endpoint peer) {
  Conversation<Stream> conversation(std::move(stream), state, peer);
  co_await conversation.run();
}

}  // namespace

void begin_conversation(asio::io_context& io, asio::ip::tcp::socket socket, ServerState& state) {
  error_code gone;
  const asio::ip::tcp::endpoint peer = socket.remote_endpoint(gone);
  if (gone) return;
  error_code ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  beast::tcp_stream stream(std::move(socket));
  const auto ended = [log = state.log](const std::exception_ptr& failure) {
    if (failure == nullptr) return;
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      log.error(fmt::format("a connection ends: {}", error.what()));
    }
  };
  if (state.tls == nullptr) {
    asio::co_spawn(io, converse(std::move(stream), state, peer), ended);
  } else {
    asio::co_spawn(io, converse(beast::ssl_stream<beast::tcp_stream>(std::move(stream), *state.tls), state, peer),
                   ended);
  }
}

}  // namespace pgsluice::migration
