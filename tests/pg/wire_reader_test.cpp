#include "pg/wire_reader.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/support/scripted_server.h"

namespace pgsluice::pg {
namespace {

using Kind = WireReader::Item::Kind;

void feed(WireReader& reader, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::span<char> space = reader.space();
    const std::size_t count = std::min(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), count);
    reader.received(count);
    bytes.remove_prefix(count);
  }
}

// What the reader makes of a stream that arrives in pieces of a size: messages by type and body, rows as they came.
std::vector<std::string> read_in_pieces(const std::string& stream, std::size_t piece) {
  WireReader reader(Side::kSource);
  std::vector<std::string> seen;
  std::string copied;
  std::size_t payload = 0;
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    feed(reader, std::string_view(stream).substr(at, piece));
    for (WireReader::Item item = reader.next(); item.kind != Kind::kNothing; item = reader.next()) {
      if (item.kind == Kind::kMessage) seen.push_back(std::string(1, item.type) + std::string(item.body));
      if (item.kind != Kind::kCopyData) continue;
      copied += item.copy.bytes;
      payload += item.copy.payload;
      // The rows are of 12 and 9005 bytes with their headers.
      const std::size_t end_of_row = copied.size() <= 12 ? 12 : 9017;
      EXPECT_EQ(item.copy.missing, end_of_row - copied.size());
    }
  }
  seen.push_back(copied);
  seen.push_back(std::to_string(payload));
  return seen;
}

TEST(WireReader, MessagesAreTheSameInWhateverPiecesTheyArrive) {
  const std::string stream = test::notice("a notice") + test::copy_out_response() + test::copy_data("a\tb\tc\n\n") +
                             test::copy_data(std::string(9000, 'x')) + test::message('c', "") +
                             test::message('D', std::string(40000, 'y')) + test::complete("COPY 2") + test::ready();
  const std::vector<std::string> whole = read_in_pieces(stream, stream.size());
  ASSERT_EQ(whole.size(), 8u);
  EXPECT_EQ(whole[2], "c");
  EXPECT_EQ(whole[3], "D");
  EXPECT_EQ(whole[4], std::string("CCOPY 2\0", 8));
  EXPECT_EQ(whole[5], "ZI");
  EXPECT_EQ(whole[7], "9007");
  for (const std::size_t piece : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 64u, 4096u, 16384u}) {
    EXPECT_EQ(read_in_pieces(stream, piece), whole) << "pieces of " << piece;
  }
}

TEST(WireReader, AMessageLargerThanTheBufferIsReadWhole) {
  WireReader reader(Side::kSource);
  const std::string text(3 * 1024 * 1024, 'x');
  feed(reader, test::notice(text));
  const WireReader::Item item = reader.next();
  ASSERT_EQ(item.kind, Kind::kMessage);
  EXPECT_NE(item.body.find(text), std::string_view::npos);
}

TEST(WireReader, OnlyTypesThatAnswerASimpleQueryAreTaken) {
  const std::string taken = "ACDEGHINSTZcd";
  for (int type = 0; type < 256; ++type) {
    WireReader reader(Side::kTarget);
    feed(reader, test::message(static_cast<char>(type), "x"));
    if (taken.find(static_cast<char>(type)) != std::string::npos) {
      EXPECT_NO_THROW(reader.next()) << type;
      continue;
    }
    try {
      reader.next();
      ADD_FAILURE() << "type " << type << " was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kConnection);
      EXPECT_EQ(error.side(), Side::kTarget);
      EXPECT_TRUE(error.is_retryable());
    }
  }
}

TEST(WireReader, ALengthThatAMessageCannotHaveIsRefusedBeforeItsBodyIsWaitedFor) {
  for (const std::string& header :
       {std::string("Z\0\0\0\3", 5), std::string("Z\0\0\0\0", 5), std::string("Z\0\0\x75\x35", 5),
        std::string("C\x7f\xff\xff\xff", 5), std::string("N\x10\0\0\0", 5), std::string("d\x40\0\0\4", 5),
        std::string("d\xff\xff\xff\xff", 5), std::string("d\0\0\0\3", 5)}) {
    WireReader reader(Side::kSource);
    feed(reader, header);
    EXPECT_THROW(reader.next(), Error) << header;
  }
  // The longest row that a server can send: what is there of it is handed on.
  WireReader reader(Side::kSource);
  feed(reader, std::string("d\x40\0\0\3", 5) + "abc");
  const WireReader::Item item = reader.next();
  EXPECT_EQ(item.copy.bytes.size(), 8u);
  EXPECT_EQ(item.copy.missing, 0x3fffffffu - 3);
}

}  // namespace
}  // namespace pgsluice::pg
