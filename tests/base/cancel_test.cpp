#include "pgsluice/cancel.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "base/file_descriptor.h"
#include "base/wait.h"
#include "pgsluice/error.h"

namespace pgsluice {
namespace {

TEST(Cancel, WakesAThreadThatWaitsForSomethingElse) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const FileDescriptor read(ends[0]);
  const FileDescriptor write(ends[1]);
  CancelSource source;
  WaitResult result = WaitResult::kReady;
  std::thread waiter([&, token = source.token()] {
    std::array<WaitFor, 1> set{WaitFor{.fd = read.get(), .want_read = true}};
    result = wait_for(set, token, std::nullopt);
  });
  source.cancel();
  waiter.join();
  EXPECT_EQ(result, WaitResult::kCancelled);
  EXPECT_THROW(source.token().throw_if_cancelled(), Error);
}

TEST(Cancel, StaysCancelledForLaterWaits) {
  CancelSource source;
  source.cancel();
  source.cancel();
  EXPECT_EQ(wait_for({}, source.token(), std::nullopt), WaitResult::kCancelled);
  EXPECT_EQ(wait_for({}, source.token(), std::nullopt), WaitResult::kCancelled);
}

TEST(Cancel, ADefaultTokenIsNeverCancelled) {
  EXPECT_FALSE(CancelToken().cancelled());
  EXPECT_EQ(wait_for({}, CancelToken(), std::chrono::milliseconds(1)), WaitResult::kTimeout);
}

TEST(Wait, TellsReadingFromWriting) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const FileDescriptor read(ends[0]);
  const FileDescriptor write(ends[1]);
  std::array<WaitFor, 2> set{WaitFor{.fd = read.get(), .want_read = true},
                             WaitFor{.fd = write.get(), .want_write = true}};
  ASSERT_EQ(wait_for(set, {}, std::nullopt), WaitResult::kReady);
  EXPECT_FALSE(set[0].readable);
  EXPECT_TRUE(set[1].writable);
}

}  // namespace
}  // namespace pgsluice
