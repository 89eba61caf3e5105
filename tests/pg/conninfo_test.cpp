#include "pg/conninfo.h"

#include <gtest/gtest.h>

namespace pgsluice::pg {
namespace {

constexpr const char* kSecret = "s3cr3t";

TEST(ConnInfo, ReadsBothForms) {
  for (const char* text : {"postgresql://me:s3cr3t@host:5433/shop?sslmode=require",
                           "host=host port=5433 user=me password=s3cr3t dbname=shop sslmode=require"}) {
    const ConnInfo info = ConnInfo::parse(text, Side::kSource);
    EXPECT_EQ(info.get("host"), "host");
    EXPECT_EQ(info.get("port"), "5433");
    EXPECT_EQ(info.get("dbname"), "shop");
    EXPECT_EQ(info.get("password"), kSecret);
    EXPECT_EQ(info.get("sslrootcert"), std::nullopt);
  }
}

TEST(ConnInfo, NeverShowsASecret) {
  const ConnInfo info = ConnInfo::parse("host=h password=s3cr3t sslpassword=s3cr3t dbname='my db'", Side::kTarget);
  EXPECT_EQ(info.redacted(), "dbname='my db' host='h'");
}

TEST(ConnInfo, HandsThePasswordToAProgramByItsEnvironmentOnly) {
  const ConnInfo::ForProgram program = ConnInfo::parse("postgresql://me:s3cr3t@h/d", Side::kSource).for_program();
  EXPECT_EQ(program.conninfo.find(kSecret), std::string::npos);
  const std::map<std::string, std::string> environment(program.environment.begin(), program.environment.end());
  EXPECT_EQ(environment, (std::map<std::string, std::string>{{"LC_ALL", "C"}, {"PGPASSWORD", kSecret}}));
}

TEST(ConnInfo, RefusesToHandOverASecretThatAProgramCouldOnlyTakeInTheOpen) {
  const ConnInfo info = ConnInfo::parse("host=h sslpassword=s3cr3t", Side::kSource);
  try {
    info.for_program();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.describe().find(kSecret), std::string::npos);
    EXPECT_NE(error.describe().find("sslpassword"), std::string::npos);
  }
}

TEST(ConnInfo, ComplaintsDoNotRepeatWhatMayBeThePassword) {
  for (const char* text : {"postgresql://me:s3cr3t%zz@h/d", "host=h password='s3cr3t", "host=h password s3cr3t",
                           "postgres://[s3cr3t", "s3cr3t"}) {
    try {
      ConnInfo::parse(text, Side::kSource);
      ADD_FAILURE() << "accepted " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUsage);
      EXPECT_EQ(error.describe().find(kSecret), std::string::npos) << error.describe();
      EXPECT_NE(error.describe().find("postgresql://user@host"), std::string::npos) << error.describe();
    }
  }
}

// By the option that was meant: what stands there may be the end of a password with blanks.
TEST(ConnInfo, NamesTheOptionThatWasMeantAndNothingOfTheText) {
  try {
    ConnInfo::parse("hots=h password=s3cr3t", Side::kSource);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.describe().find("is host meant?"), std::string::npos) << error.describe();
    EXPECT_EQ(error.describe().find("hots"), std::string::npos) << error.describe();
    EXPECT_EQ(error.describe().find("s3cr3t"), std::string::npos) << error.describe();
  }
}

TEST(ConnInfo, QuotesValuesSoThatTheyAreReadBack) {
  const ConnInfo info = ConnInfo::parse("host=h", Side::kSource).with("dbname", "it's a \\ name");
  EXPECT_EQ(ConnInfo::parse(info.redacted(), Side::kSource).get("dbname"), "it's a \\ name");
}

}  // namespace
}  // namespace pgsluice::pg
