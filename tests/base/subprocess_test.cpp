#include "base/subprocess.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "pgsluice/error.h"

namespace pgsluice {
namespace {

TEST(Subprocess, IsEndedWhenItsOutputIsEnough) {
  std::size_t asked = 0;
  const SubprocessResult result =
      run_command({.command = {"yes"}, .environment = {}}, {}, [&](std::string_view output) {
        ++asked;
        return output.size() > 1'000'000;
      });
  EXPECT_TRUE(result.was_enough);
  EXPECT_GT(result.output.size(), 1'000'000U);
  EXPECT_LT(asked, 20U) << "it is asked each time that the output has doubled";
}

TEST(Subprocess, CollectsBothStreamsAndTheExitCode) {
  const SubprocessResult result = run_command(
      {.command = {"sh", "-c", "echo out; echo \"$X\" >&2; exit 7"}, .environment = {{"X", "from the environment"}}});
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "from the environment\n");
}

TEST(Subprocess, TakesMoreOutputThanAPipeHolds) {
  const SubprocessResult result =
      run_command({.command = {"sh", "-c", "head -c 3000000 /dev/zero; head -c 2000000 /dev/zero >&2"}});
  EXPECT_EQ(result.output.size(), 3000000U);
  EXPECT_EQ(result.errors.size(), 2000000U);
}

TEST(Subprocess, NamesAProgramThatIsNotThere) {
  try {
    run_command({.command = {"/no/such/program"}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kConfig);
    EXPECT_NE(std::string(error.what()).find("/no/such/program"), std::string::npos);
  }
}

TEST(Subprocess, ReportsTheSignalThatEndedIt) {
  EXPECT_EQ(run_command({.command = {"sh", "-c", "kill -9 $$"}}).exit_code, 128 + SIGKILL);
}

TEST(Subprocess, IsEndedByACancellation) {
  CancelSource source;
  Subprocess process({.command = {"sleep", "1000"}});
  const pid_t pid = process.pid();
  source.cancel();
  EXPECT_THROW(process.wait(source.token()), Error);
  EXPECT_EQ(::kill(pid, 0), -1) << "the child is still there";
}

TEST(Subprocess, IsEndedByItsDestructorEvenWhenItIgnoresTerm) {
  pid_t pid = 0;
  {
    Subprocess process({.command = {"sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"}});
    pid = process.pid();
  }
  EXPECT_EQ(::kill(pid, 0), -1) << "the child is still there";
}

TEST(StartDetached, DoesNotWaitForAProcessThatReadsNothing) {
  const TemporaryFolder folder;
  CancelSource source;
  source.cancel();
  const DetachedOptions options{.process = {.command = {"sleep", "5"}},
                                .input = std::string(4 << 20, 'x'),
                                .log = folder.path() / "log",
                                .cancel = source.token()};
  EXPECT_THROW(start_detached(options), Error);
}

TEST(FileLock, RefusesASecondHolderWithTheTextAndAPlaceThatCannotBeLockedWithAnother) {
  const TemporaryFolder folder;
  EXPECT_FALSE(FileLock::is_held(folder.path() / "lock"));
  const FileLock first(folder.path() / "lock", "");
  EXPECT_TRUE(FileLock::is_held(folder.path() / "lock"));
  try {
    const FileLock second(folder.path() / "lock", "somebody has it");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kState);
    EXPECT_EQ(error.describe(), "somebody has it");
  }
  try {
    const FileLock nowhere(folder.path() / "no folder" / "lock", "somebody has it");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kConfig);
    EXPECT_NE(error.describe().find("No such file"), std::string::npos) << error.describe();
  }
}

TEST(TemporaryFolder, IsPrivateAndRemovedWithItsContent) {
  std::filesystem::path path;
  {
    const TemporaryFolder folder;
    path = folder.path();
    std::ofstream(path / "file") << "x";
    EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms::owner_all);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace pgsluice
