// Replies that no live server gives.
#include <gtest/gtest.h>

#include <latch>
#include <string>
#include <thread>

#include "pg/query_pipeline.h"
#include "pg/wire.h"
#include "tests/support/recording_sink.h"
#include "tests/support/scripted_server.h"

namespace pgsluice::pg {
namespace {

using test::ScriptedServer;

Connection connect(const ScriptedServer& server, const Log& log = {}, const CancelToken& cancel = {}) {
  return Connection::open(ConnInfo::parse(server.conninfo(), Side::kSource), "test", log, cancel);
}

// Answers every query with the same bytes; what the client sends besides is passed over.
auto always(const std::string& reply) {
  return [reply](ScriptedServer::Session& session) {
    while (const auto received = session.read()) {
      if (received->first == 'Q') session.write(reply);
    }
  };
}

const std::string& rows_reply() {
  static const std::string reply = test::message('T', std::string("\0\0", 2)) + test::message('D', "row") +
                                   test::message('D', "another row") + test::complete("SELECT 2") + test::ready();
  return reply;
}

// The error that a query ends with when the reply is this.
Error error_of(const std::string& reply) {
  const ScriptedServer server(always(reply));
  Connection connection = connect(server);
  Wire wire(connection);
  wire.send_query("SELECT");
  try {
    wire.take_answer();
  } catch (const Error& error) {
    EXPECT_FALSE(connection.alive()) << "not closed after: " << error.describe();
    return error;
  }
  return Error(ErrorKind::kInternal, "no error");
}

TEST(WireScripted, AConnectionThatIsCutAtAnyByteOfTheAnswerIsLost) {
  const std::string reply = test::notice("one") + rows_reply();
  for (std::size_t kept = 0; kept < reply.size(); ++kept) {
    const ScriptedServer server([&](ScriptedServer::Session& session) {
      session.read();
      session.write(std::string_view(reply).substr(0, kept));
    });
    Connection connection = connect(server);
    Wire wire(connection);
    wire.send_query("SELECT");
    try {
      wire.take_answer();
      ADD_FAILURE() << "taken for an answer: " << kept << " of " << reply.size() << " bytes";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kConnection) << kept;
      EXPECT_TRUE(error.is_retryable() && error.poisons_connection());
      EXPECT_FALSE(connection.alive());
    }
  }
}

TEST(WireScripted, NoticesAndParameterChangesMayStandBetweenAnyTwoMessages) {
  const std::string between = test::notice("in between") + test::parameter("application_name", "x") +
                              test::parameter("client_encoding", "UTF8") +
                              test::message('A', std::string("\0\0\0\1channel\0\0", 13));
  const std::string reply = between + test::message('T', std::string("\0\0", 2)) + between + test::message('D', "row") +
                            between + test::complete("SELECT 1") + between + test::complete("COMMIT") + between +
                            test::ready() + between;
  const ScriptedServer server(always(reply));
  test::RecordingSink sink;
  Connection connection = connect(server, Log(sink));
  {
    Wire wire(connection);
    for (int i = 0; i < 3; ++i) wire.send_query("SELECT");
    for (int i = 0; i < 3; ++i) EXPECT_EQ(wire.take_answer().command, "COMMIT");
  }
  EXPECT_TRUE(connection.alive());
  EXPECT_NE(sink.text().find("source: in between"), std::string::npos);
}

TEST(WireScripted, AnAnswerThatIsNoneEndsTheConnection) {
  const std::string copy_begun = test::copy_out_response();
  for (const std::string& reply : {
           test::ready(),                                                        // nothing was said
           test::complete("SELECT 1") + test::ready('X'),                        // a status that is not known
           test::complete("SELECT 1") + test::message('Z', ""),                  // no status
           test::complete("SELECT 1") + test::ready() + test::ready(),           // an answer to no query
           test::copy_data("row"),                                               // outside of a COPY
           test::message('c', ""),                                               // the same
           copy_begun + test::complete("COPY 0") + test::ready(),                // the data has not ended
           copy_begun + test::message('c', "") + test::ready(),                  // without its count
           copy_begun + copy_begun,                                              // a COPY in a COPY
           copy_begun + test::message('T', std::string("\0\0", 2)),              // rows in a COPY
           test::copy_in_response() + test::complete("COPY 1") + test::ready(),  // ended without us
           test::message('E', "no fields"),                                      // not an error's form
           test::message('N', std::string("Mno end", 7)),                        // not a notice's
           test::message('W', std::string("\0\0\0", 3)),                         // replication
           std::string("HTTP/1.1 400 Bad Request\r\n\r\n"),
       }) {
    const ScriptedServer server(always(reply));
    Connection connection = connect(server);
    try {
      Wire wire(connection);
      wire.send_query("SELECT");
      wire.take_answer();
      wire.take_answer();
      ADD_FAILURE() << "taken: " << reply;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kConnection) << error.describe();
      EXPECT_FALSE(connection.alive());
    }
  }
}

TEST(WireScripted, AnErrorInTheMiddleEndsItsOwnQueryOnly) {
  int queries = 0;
  const ScriptedServer server([&](ScriptedServer::Session& session) {
    while (const auto received = session.read()) {
      if (received->first != 'Q') continue;
      const std::string failed =
          test::complete("CREATE TABLE") + test::server_error("ERROR", "42P07", "there already") + test::ready();
      session.write(++queries == 2 ? failed : rows_reply());
    }
  });
  Connection connection = connect(server);
  QueryPipeline pipeline(connection, PipelineTransport::kWire);
  for (int i = 0; i < 3; ++i) pipeline.send({"SELECT"});
  EXPECT_FALSE(pipeline.take().error);
  const Answer failed = pipeline.take();
  ASSERT_TRUE(failed.error);
  EXPECT_EQ(failed.error->sqlstate(), "42P07");
  EXPECT_EQ(failed.error->side(), Side::kSource);
  EXPECT_THROW(failed.rows(), Error);
  EXPECT_EQ(pipeline.take().rows(), 2);
}

TEST(WireScripted, AServerThatEndsTheSessionIsALostConnectionWithItsReason) {
  const Error error = error_of(test::server_error("FATAL", "57P01", "terminating connection"));
  EXPECT_EQ(error.kind(), ErrorKind::kConnection);
  EXPECT_EQ(error.sqlstate(), "57P01");
  EXPECT_TRUE(error.is_retryable());
}

TEST(WireScripted, WhatTheServerSaidBeforeItHungUpIsReportedAlsoWhenSendingFails) {
  const ScriptedServer server([](ScriptedServer::Session& session) {
    session.read();
    session.write(rows_reply() + test::server_error("FATAL", "57P01", "terminating connection"));
  });
  Connection connection = connect(server);
  Wire wire(connection);
  wire.send_query("SELECT");
  EXPECT_EQ(wire.take_answer().command, "SELECT 2");
  wire.send_query(std::string(1 << 20, ' '));
  try {
    for (int i = 0; i < 100; ++i) wire.take_answer();
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.sqlstate(), "57P01") << error.describe();
  }
}

TEST(WireScripted, AServerThatWritesBeforeItReadsDoesNotBlock) {
  constexpr std::size_t kMuch = 32 * 1024 * 1024;
  const std::string text = test::notice(std::string(10000, 'x'));
  const ScriptedServer server([&](ScriptedServer::Session& session) {
    session.await_client();
    for (std::size_t sent = 0; sent < kMuch; sent += text.size()) session.write(text);
    while (session.read()) session.write(rows_reply());
  });
  Connection connection = connect(server);
  Wire wire(connection);
  wire.send_query("SELECT '" + std::string(kMuch, 'x') + "'");
  EXPECT_EQ(wire.take_answer().rows(), 2);
}

TEST(WireScripted, AServerThatStopsReadingIsLeftByACancellation) {
  std::latch sending(1);
  const ScriptedServer server([&](ScriptedServer::Session& session) {
    session.await_client();
    sending.count_down();
    session.stay_silent();
  });
  CancelSource cancel;
  Connection connection = connect(server, {}, cancel.token());
  std::jthread canceller;
  {
    Wire wire(connection);
    wire.send_query("SELECT '" + std::string(64 * 1024 * 1024, 'x') + "'");
    canceller = std::jthread([&] {
      sending.wait();
      cancel.cancel();
    });
    try {
      wire.take_answer();
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCancelled);
    }
  }
  EXPECT_FALSE(connection.alive());
  EXPECT_GE(server.cancel_requests(), 1);
}

TEST(WireScripted, AConnectionOnWhichAMessageHasBegunIsNotGivenBack) {
  const std::string notice = test::notice("said after the answer");
  for (const std::size_t kept : {std::size_t{0}, std::size_t{3}, notice.size() - 1, notice.size()}) {
    const ScriptedServer server([&](ScriptedServer::Session& session) {
      session.read();
      session.write(rows_reply() + notice.substr(0, kept));
      session.stay_silent();
    });
    test::RecordingSink sink;
    Connection connection = connect(server, Log(sink));
    {
      Wire wire(connection);
      wire.send_query("SELECT");
      EXPECT_EQ(wire.take_answer().rows(), 2);
    }
    const bool whole = kept == 0 || kept == notice.size();
    EXPECT_EQ(connection.alive(), whole) << kept;
    EXPECT_EQ(sink.text().find("said after the answer") != std::string::npos, kept == notice.size());
  }
}

TEST(WireScripted, AConnectionWhoseEncodingWasChangedIsNotGivenBack) {
  for (const char* name : {"client_encoding", "standard_conforming_strings"}) {
    const ScriptedServer server(always(test::parameter(name, "changed") + test::complete("SET") + test::ready()));
    Connection connection = connect(server);
    {
      Wire wire(connection);
      wire.send_query("SET");
      EXPECT_EQ(wire.take_answer().command, "SET");
    }
    EXPECT_FALSE(connection.alive()) << name;
  }
}

}  // namespace
}  // namespace pgsluice::pg
