#pragma once

#include <deque>
#include <optional>
#include <string>

#include "pg/wire.h"

namespace pgsluice::pg {

/// How statements and rows cross a connection.
enum class PipelineTransport {
  kWire,   ///< the protocol on its socket (wire.h)
  kLibpq,  ///< libpq's calls, one round trip for each statement
};

/// kWire wherever the connection's socket can be had.
PipelineTransport best_pipeline_transport(const Connection& connection);

/// One Query message: one or more statements that the server carries out as one transaction, unless they say otherwise.
struct Statement {
  std::string sql;
  /// The text that the log shows in its place, for one that may hold a secret.
  std::optional<std::string> shown = std::nullopt;
};

/// Statements on their way on one connection: many may be sent before the first is answered, and are carried out in
/// their order, each for itself, whatever becomes of those before. Borrows the connection from the first send() until
/// everything is answered; then the connection can be used as ever. Same thread as the connection, which outlives it.
/// Destroyed with statements in flight, it cancels the one that runs and closes the connection, where there are
/// several; the server may have begun the next one by then. (Not libpq's pipeline mode: that is the extended protocol,
/// where a message holds one statement.)
class QueryPipeline {
 public:
  explicit QueryPipeline(Connection& connection) : QueryPipeline(connection, best_pipeline_transport(connection)) {}
  QueryPipeline(Connection& connection, PipelineTransport transport) : connection_(connection), transport_(transport) {}

  /// Queues a statement, not a COPY; it goes out with the next take().
  void send(Statement statement);
  /// The answer to the oldest statement, waited for. Throws as Wire does; a statement's error is in the answer.
  Answer take();

  /// For many statements that must all succeed, and not to be mixed with send(): sends one, and takes answers while
  /// very many are in flight. Throws the error of one that has failed.
  void require(Statement statement);
  /// Takes what is in flight. Throws the first error.
  void finish();

  std::size_t in_flight() const { return wire_ ? wire_->in_flight() : waiting_.size(); }

 private:
  Answer execute(const Statement& statement);

  Connection& connection_;
  const PipelineTransport transport_;
  std::optional<Wire> wire_;
  std::deque<Statement> waiting_;  // by libpq
};

}  // namespace pgsluice::pg
