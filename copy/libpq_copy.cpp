#include "pgsluice/copy/libpq_copy.h"

#include <fmt/format.h>

#include <array>

#include "pgsluice/base/error.h"

namespace pgsluice::copy {

namespace {

// The answer behind a COPY, and the session idle again.
std::int64_t take_row_count(pg::Connection& connection) {
  std::optional<pg::Result> done = connection.take_result();
  if (!done) throw connection.connection_error();
  const std::int64_t rows = done->affected();
  while (connection.take_result()) {
  }
  return rows;
}

// Takes the answers of a COPY that was given up. The session may be lost by now; nobody waits for these errors.
void drain(pg::Connection& connection) {
  try {
    while (connection.alive()) {
      try {
        const std::optional<pg::Result> result = connection.take_result();
        if (!result) return;
        const ExecStatusType status = PQresultStatus(result->native());
        if (status == PGRES_COPY_OUT) {
          char* row = nullptr;
          while (PQgetCopyData(connection.handle(), &row, 0) > 0) PQfreemem(row);
        }
      } catch (const Error& error) {
        if (error.poisons_connection()) throw;
      }
    }
  } catch (const Error& error) {
    connection.log().debug(fmt::format("while ending a COPY: {}", error.describe()));
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
  drain(connection_);
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
  if (PQputCopyEnd(connection_.handle(), "the copy was given up") < 0) return;
  drain(connection_);
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
