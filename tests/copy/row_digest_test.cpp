#include "copy/row_digest.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>

#include "pgsluice/error.h"
#include "tests/support/cluster.h"

namespace pgsluice::copy {
namespace {

std::string message(const std::string& payload) {
  const std::size_t length = payload.size() + 4;
  std::string bytes = "d";
  for (const unsigned shift : {24U, 16U, 8U, 0U}) bytes += static_cast<char>((length >> shift) & 0xFFU);
  return bytes + payload;
}

RowsDigest digest_of_messages(CopyFormat format, const std::string& bytes, std::size_t cut) {
  RowDigester digester(format);
  digester.add_messages(std::string_view(bytes).substr(0, cut));
  digester.add_messages(std::string_view(bytes).substr(cut));
  return digester.result();
}

TEST(RowDigester, IsTheSameWhereverTheStreamIsCut) {
  const std::string text = message("1\ta\n") + message("2\tb\n") + message("\n");
  const std::string binary = message(std::string("PGCOPY\n\xff\r\n\0", 11) + std::string(7, '\0') +
                                     std::string("\x03xyz", 4) + std::string("\0\x01\0\0\0\x01q", 7)) +
                             message(std::string("\0\0", 2)) + message("\xff\xff");
  for (const auto& [format, bytes, rows] :
       {std::tuple{CopyFormat::kText, text, 3}, std::tuple{CopyFormat::kBinary, binary, 2}}) {
    const RowsDigest whole = digest_of_messages(format, bytes, 0);
    EXPECT_EQ(whole.rows, rows);
    for (std::size_t cut = 1; cut <= bytes.size(); ++cut)
      EXPECT_EQ(digest_of_messages(format, bytes, cut), whole) << cut;
  }
}

TEST(RowDigester, DoesNotLookAtTheOrderButAtEachRow) {
  const auto digest = [](std::initializer_list<const char*> rows) {
    RowDigester digester(CopyFormat::kText);
    for (const char* row : rows) digester.add_row(row);
    return digester.result();
  };
  EXPECT_EQ(digest({"a\n", "b\n", "a\n"}), digest({"b\n", "a\n", "a\n"}));
  EXPECT_NE(digest({"a\n", "a\n"}), digest({"b\n", "b\n"})) << "as an exclusive or would have it";
  EXPECT_NE(digest({"a\n", "b\n"}), digest({"ab\n", "\n"}));
  EXPECT_NE(digest({"a\n"}), digest({"a\n", "a\n"}));
}

TEST(RowDigester, RefusesAnEndInTheMiddleOfARow) {
  RowDigester digester(CopyFormat::kText);
  digester.add_messages(message("row\n").substr(0, 7));
  EXPECT_THROW(digester.result(), Error);
}

TEST(DigestRows, ReadsBothServersInWhateverFormat) {
  for (const test::Cluster* server : {&test::shared_source(), &test::shared_target()}) {
    server->create_database("digest");
    server->sql("digest", fmt::format("CREATE TABLE t AS SELECT g, repeat('x', g % 5000) AS text FROM"
                                      " generate_series(1, 20000) g ORDER BY random(); CREATE TABLE none (i int);"
                                      " CREATE TABLE lean (); INSERT INTO lean SELECT FROM generate_series(1, 7)"));
  }
  pg::Connection source = test::shared_source().connect("digest", Side::kSource);
  pg::Connection target = test::shared_target().connect("digest", Side::kTarget);
  std::atomic<std::int64_t> bytes{0};
  for (const char* table : {"t", "none", "lean"}) {
    std::vector<std::int64_t> counts;
    for (const CopyFormat format : {CopyFormat::kText, CopyFormat::kBinary}) {
      const std::string sql =
          fmt::format("COPY {} TO STDOUT{}", table, format == CopyFormat::kBinary ? " (FORMAT binary)" : "");
      const std::array<DigestRequest, 2> requests = {
          DigestRequest{.connection = source, .copy_out = sql, .format = format, .flow = bytes},
          DigestRequest{.connection = target, .copy_out = sql, .format = format, .flow = bytes}};
      const std::vector<RowsDigest> digests = digest_rows(requests);
      EXPECT_EQ(digests[0], digests[1]);
      counts.push_back(digests[0].rows);
    }
    EXPECT_EQ(counts[0], counts[1]) << table;
  }
  EXPECT_TRUE(source.idle() && target.idle());
  const std::array<DigestRequest, 1> wrong = {
      DigestRequest{.connection = source, .copy_out = "COPY nowhere TO STDOUT", .flow = bytes}};
  EXPECT_THROW(digest_rows(wrong), Error);
}

}  // namespace
}  // namespace pgsluice::copy
