#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "pg/connection.h"
#include "pgsluice/cancel.h"
#include "pgsluice/log.h"

namespace pgsluice::pipeline {

struct Endpoints;

/// The pause between two attempts to reach the servers, where one was lost during the preparation.
inline constexpr std::chrono::milliseconds kPauseBeforeRetry{1000};

/// The connection string that was given for a side. Throws Error(kUsage) where none was, Error(kConfig) for one that
/// cannot be read.
pg::ConnInfo parse_conninfo(const std::string& text, Side side);

/// The connection parameters of a side, with the database that the endpoints mean.
pg::ConnInfo conninfo_of(const Endpoints& servers, Side side);

/// Connection parameters of a server, of which any database will do: "postgres" where the string names none.
pg::ConnInfo conninfo_of_server(const std::string& text, Side side);

std::string server_encoding(const pg::Connection& connection);

/// A session that only reads, on either side, with the settings of a copy. An empty encoding: the server's own.
pg::Connection open_reader(const pg::ConnInfo& conninfo, std::string_view purpose, std::string_view encoding,
                           const Log& log, const CancelToken& cancel);

/// A session of a copy: one of the source reads, one of the target writes. `pinned` leads to the server that was
/// reached before; the encoding is the source's.
pg::Connection open_session(const pg::ConnInfo& pinned, std::string_view purpose, std::string_view encoding,
                            const Log& log, const CancelToken& cancel);

}  // namespace pgsluice::pipeline
