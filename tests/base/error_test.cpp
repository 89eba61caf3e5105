#include "pgsluice/error.h"

#include <gtest/gtest.h>

namespace pgsluice {
namespace {

TEST(Error, DescribesSideObjectStepCodeAndHintInOneLine) {
  const Error error = Error(ErrorKind::kServer, "permission denied for table orders")
                          .on(Side::kSource)
                          .object("table public.orders")
                          .step("copying data")
                          .sqlstate("42501")
                          .hint("grant SELECT");
  EXPECT_EQ(
      error.describe(),
      "source: table public.orders: copying data: permission denied for table orders (SQLSTATE 42501); grant SELECT");
}

TEST(Error, IsRetryableOnlyWhereTheSameWorkMaySucceed) {
  const auto with = [](ErrorKind kind, const char* code) { return Error(kind, "x").sqlstate(code).is_retryable(); };
  EXPECT_TRUE(with(ErrorKind::kConnection, ""));
  EXPECT_TRUE(with(ErrorKind::kConnection, "57P01"));
  EXPECT_TRUE(with(ErrorKind::kServer, "08006"));
  EXPECT_TRUE(with(ErrorKind::kServer, "53300"));
  EXPECT_TRUE(with(ErrorKind::kServer, "57P03"));
  EXPECT_TRUE(with(ErrorKind::kServer, "40P01"));
  EXPECT_TRUE(Error(ErrorKind::kServer, "tuple concurrently updated").sqlstate("XX000").is_retryable());
  EXPECT_FALSE(Error(ErrorKind::kServer, "cache lookup failed").sqlstate("XX000").is_retryable());
  EXPECT_FALSE(with(ErrorKind::kServer, "42P07"));
  EXPECT_FALSE(with(ErrorKind::kServer, "42501"));
  EXPECT_FALSE(with(ErrorKind::kServer, "57014"));
  EXPECT_FALSE(with(ErrorKind::kServer, ""));
  EXPECT_FALSE(with(ErrorKind::kMismatch, ""));
  EXPECT_FALSE(with(ErrorKind::kCancelled, ""));
}

TEST(Error, PoisonsTheConnectionWhenTheSessionIsLost) {
  EXPECT_TRUE(Error(ErrorKind::kConnection, "x").poisons_connection());
  EXPECT_TRUE(Error(ErrorKind::kServer, "x").sqlstate("57P01").poisons_connection());
  EXPECT_TRUE(Error(ErrorKind::kCancelled, "x").poisons_connection());
  EXPECT_FALSE(Error(ErrorKind::kServer, "x").sqlstate("23505").poisons_connection());
}

TEST(Error, NamesItsRemediesOnceAndWordsNone) {
  Error error(ErrorKind::kState, "the source has changed");
  error.remedy(Remedy::kResumeInconsistent).remedy(Remedy::kStartOver).remedy(Remedy::kStartOver).unchanged();
  EXPECT_EQ(error.remedies(), (std::vector{Remedy::kResumeInconsistent, Remedy::kStartOver}));
  EXPECT_TRUE(error.cannot_resume());
  EXPECT_TRUE(error.is_unchanged());
  EXPECT_EQ(error.describe(), "the source has changed");
  EXPECT_EQ(id_of(Remedy::kResumeInconsistent), "resume-inconsistent");
  EXPECT_FALSE(Error(ErrorKind::kState, "x").remedy(Remedy::kResume).cannot_resume());
}

}  // namespace
}  // namespace pgsluice
