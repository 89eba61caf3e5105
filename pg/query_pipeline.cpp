#include "pg/query_pipeline.h"

#include <fmt/format.h>

#include <utility>

#include "pgsluice/error.h"

namespace pgsluice::pg {

namespace {
constexpr std::size_t kManyInFlight = 64;  // so that what was sent and is not needed any more stays little
}

PipelineTransport best_pipeline_transport(const Connection& connection) {
  return Wire::available(connection) ? PipelineTransport::kWire : PipelineTransport::kLibpq;
}

void QueryPipeline::send(Statement statement) {
  if (transport_ == PipelineTransport::kLibpq) {
    waiting_.push_back(std::move(statement));
    return;
  }
  connection_.log_statement(statement.shown ? fmt::format("({})", *statement.shown) : statement.sql);
  if (!wire_) wire_.emplace(connection_);
  wire_->send_query(statement.sql);
}

Answer QueryPipeline::take() {
  if (in_flight() == 0) throw Error(ErrorKind::kInternal, "an answer to no statement");
  if (!wire_) {
    const Statement statement = std::move(waiting_.front());
    waiting_.pop_front();
    return execute(statement);
  }
  Answer answer = wire_->take_answer();
  if (wire_->in_flight() == 0) wire_.reset();
  return answer;
}

void QueryPipeline::require(Statement statement) {
  send(std::move(statement));
  while (in_flight() > kManyInFlight) take().throw_if_failed();
}

void QueryPipeline::finish() {
  while (in_flight() > 0) take().throw_if_failed();
}

Answer QueryPipeline::execute(const Statement& statement) {
  try {
    const Result result = statement.shown ? connection_.execute_unlogged(statement.sql, *statement.shown)
                                          : connection_.execute(statement.sql);
    return {.command = std::string(result.command()), .error = std::nullopt, .warnings = connection_.take_warnings()};
  } catch (const Error& error) {
    if (error.poisons_connection()) throw;
    return {.command = "", .error = error, .warnings = connection_.take_warnings()};
  }
}

}  // namespace pgsluice::pg
