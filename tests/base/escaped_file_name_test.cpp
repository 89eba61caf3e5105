#include "base/escaped_file_name.h"

#include <gmock/gmock.h>

#include <string>

#include "pgsluice/error.h"

namespace pgsluice {
namespace {

TEST(EscapedFileName, KeepsPlainCharactersAndEscapesOthers) {
  EXPECT_EQ(escape_file_name("shop_1-B"), "shop_1-B");
  EXPECT_EQ(escape_file_name("shop.old"), "shop%2Eold");
  EXPECT_EQ(escape_file_name("a/b"), "a%2Fb");
  EXPECT_EQ(escape_file_name(".."), "%2E%2E");
  EXPECT_EQ(escape_file_name("50% \xC3\xA4"), "50%25%20%C3%A4");
}

TEST(EscapedFileName, IsUndone) {
  std::string every_byte;
  for (int byte = 1; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  for (const std::string& text : {every_byte, std::string(".x."), std::string("%41"), std::string("..")}) {
    EXPECT_EQ(unescape_file_name(escape_file_name(text)), text);
  }
}

TEST(EscapedFileName, RefusesOtherNames) {
  for (const char* name : {"", "..", "a.b", "a/b", "%", "%4", "%zz", "%41", "%2f", "a b"}) {
    EXPECT_THROW(unescape_file_name(name), Error) << name;
  }
}

}  // namespace
}  // namespace pgsluice
