#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstddef>

#include "migration/http/access.h"
#include "migration/http/connections.h"
#include "migration/http/router.h"
#include "migration/http/server.h"
#include "migration/http/statistics.h"
#include "pgsluice/log.h"

namespace pgsluice::migration {

/// State shared by all conversations of a server. Only the thread that runs the io_context may use it; `limits`,
/// `rules`, `router`, `log` and `tls` are constant and may be read by any thread.
struct ServerState {
  HttpLimits limits;
  AccessRules rules;
  Router router;
  Log log;
  /// nullptr without TLS.
  boost::asio::ssl::context* tls = nullptr;
  Connections connections;
  /// How many places of each kind (HttpLimits) are taken.
  struct Taken {
    std::size_t bodies = 0;
    std::size_t requests = 0;
    std::size_t long_responses = 0;
  };
  /// Requests without the token have their own places, so that they cannot take those of requests with it.
  Taken by_users;
  Taken by_strangers;
  /// Requests of routes that wait for other processes.
  std::size_t waiting_requests = 0;
  /// Other requests that have no response yet.
  std::size_t at_work = 0;
  std::size_t streams = 0;
  bool is_stopping = false;
  /// When a request at work ended last, or the first one began.
  std::chrono::steady_clock::time_point last_end;
  HttpStatistics statistics;
  /// Refused requests are logged, a few a second.
  std::chrono::steady_clock::time_point refusals_since;
  std::size_t refusals = 0;

  boost::asio::thread_pool* handlers = nullptr;
  /// Where handlers may wait for other processes.
  boost::asio::thread_pool* waiting = nullptr;
};

/// Answers the requests of one client until it goes, or is closed. The state and the io_context outlive it.
void begin_conversation(boost::asio::io_context& io, boost::asio::ip::tcp::socket socket, ServerState& state);

}  // namespace pgsluice::migration
