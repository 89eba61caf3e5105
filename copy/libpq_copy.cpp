#include "copy/libpq_copy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/duration.h"
#include "pgsluice/error.h"

namespace pgsluice::copy {

namespace {

// The answer after a COPY, and the session idle again.
std::int64_t take_row_count(pg::Connection& connection) {
  std::optional<pg::Result> done = connection.take_result();
  if (!done) throw connection.connection_error();
  const std::int64_t rows = done->affected();
  while (connection.take_result()) {
  }
  return rows;
}

constexpr std::chrono::seconds kDrainLimit{10};

// Takes what is left of a COPY that was given up; false when the session could not be brought back to idle in time.
bool drain(PGconn* connection, const CancelToken& cancel) {
  const auto end = SteadyClock::now() + kDrainLimit;
  bool copying = true;
  while (PQstatus(connection) == CONNECTION_OK) {
    if (copying) {
      char* row = nullptr;
      const int size = PQgetCopyData(connection, &row, 1);
      PQfreemem(row);
      copying = size >= 0;
      if (size != 0) continue;
    } else if (PQisBusy(connection) == 0) {
      const pg::Result result(PQgetResult(connection));
      if (result.native() == nullptr) return true;
      copying = PQresultStatus(result.native()) == PGRES_COPY_OUT;
      continue;
    }
    const bool pending = PQflush(connection) == 1;
    std::array<WaitFor, 1> set{WaitFor{.fd = PQsocket(connection), .want_read = true, .want_write = pending}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - SteadyClock::now());
    if (wait_for(set, cancel, std::max(left, std::chrono::milliseconds(0))) != WaitResult::kReady) return false;
    if (set[0].readable && PQconsumeInput(connection) == 0) return false;
  }
  return false;
}

// A session that does not come back to idle, or is not needed any more, is closed: the server ends its COPY then.
void drain_or_close(pg::Connection& connection) {
  if (connection.cancel_token().cancelled() || !drain(connection.handle(), connection.cancel_token())) {
    connection.log().debug(fmt::format("{}: closed in the middle of a COPY", to_string(connection.side())));
    connection.close();
  }
}

}  // namespace

CopyReader::CopyReader(pg::Connection& connection, std::string_view copy_out)
    : connection_(connection), buffer_(nullptr, &PQfreemem) {
  connection_.start_copy(copy_out);
}

CopyReader::~CopyReader() {
  if (!open_ || !connection_.alive()) return;
  connection_.cancel_statement();
  drain_or_close(connection_);
}

CopyReader::Status CopyReader::next() {
  char* row = nullptr;
  const int size = PQgetCopyData(connection_.handle(), &row, 1);
  buffer_.reset(row);
  size_ = size > 0 ? static_cast<std::size_t>(size) : 0;
  if (size > 0) return Status::kData;
  if (size == 0) return Status::kWait;
  if (size == -2) throw connection_.connection_error();
  return Status::kEnd;
}

void CopyReader::receive() {
  if (PQconsumeInput(connection_.handle()) == 0) throw connection_.connection_error();
}

int CopyReader::socket() const { return PQsocket(connection_.handle()); }

std::int64_t CopyReader::finish() {
  open_ = false;
  return take_row_count(connection_);
}

CopyWriter::CopyWriter(pg::Connection& connection, std::string_view copy_in) : connection_(connection) {
  connection_.start_copy(copy_in);
}

CopyWriter::~CopyWriter() {
  if (!open_ || !connection_.alive()) return;
  // Without its end the COPY fails when the connection is closed.
  if (PQputCopyEnd(connection_.handle(), "the copy was given up") == 1) {
    drain_or_close(connection_);
  } else {
    connection_.close();
  }
}

void CopyWriter::write(std::string_view data) {
  if (PQputCopyData(connection_.handle(), data.data(), static_cast<int>(data.size())) != 1) {
    throw connection_.connection_error();
  }
  unflushed_ += data.size();
}

bool CopyWriter::flush() {
  const int pending = PQflush(connection_.handle());
  if (pending < 0) throw connection_.connection_error();
  if (pending == 0) unflushed_ = 0;
  return pending == 0;
}

void CopyWriter::flush_all() {
  while (!flush()) {
    std::array<WaitFor, 1> set{WaitFor{.fd = socket(), .want_read = true, .want_write = true}};
    connection_.wait(set);
    if (set[0].readable) receive();
  }
  connection_.cancel_token().throw_if_cancelled();
}

void CopyWriter::receive() {
  if (PQconsumeInput(connection_.handle()) == 0) throw connection_.connection_error();
}

int CopyWriter::socket() const { return PQsocket(connection_.handle()); }

std::int64_t CopyWriter::finish() {
  while (true) {
    const int queued = PQputCopyEnd(connection_.handle(), nullptr);
    if (queued == 1) break;
    if (queued < 0) throw connection_.connection_error();
    std::array<WaitFor, 1> set{WaitFor{.fd = socket(), .want_read = true, .want_write = true}};
    connection_.wait(set);
    if (set[0].readable) receive();
    flush();
  }
  open_ = false;
  return take_row_count(connection_);
}

}  // namespace pgsluice::copy
