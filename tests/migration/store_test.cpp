// What a store keeps, refuses, and finds out about workers that have died.
#include "pgsluice/migration/store.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "base/file_descriptor.h"
#include "base/sqlite.h"
#include "base/subprocess.h"
#include "migration/document.h"
#include "pgsluice/error.h"

namespace pgsluice::migration {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class StoreTest : public ::testing::Test {
 protected:
  static Migration migration(const std::string& name, const std::string& target = "one:5432") {
    return {.id = make_uuid(),
            .name = name,
            .target = target,
            .target_server = target + "@admin",
            .databases = {"db"},
            .created = std::chrono::system_clock::now(),
            .details = {{.name = "db"}}};
  }

  static void end(Claim& claim, Migration of) {
    of.substate = Substate::kValidationInProgress;
    claim.write(of);
    of.substate = Substate::kCompletingMigration;
    claim.write(of);
    of.state = State::kSucceeded;
    of.substate = Substate::kCompleted;
    EXPECT_TRUE(claim.write(of));
  }

  static std::string refusal(const std::function<void()>& what) {
    try {
      what();
    } catch (const Error& error) {
      return error.describe();
    }
    return "nothing was refused";
  }

  TemporaryFolder folder_;
  Store store_{folder_.path() / "store"};
};

TEST_F(StoreTest, ANameIsUniqueForATargetWhateverItsCaseUntilItIsDeleted) {
  const Migration first = migration("First");
  store_.add(first);
  EXPECT_THAT(refusal([&] { store_.add(migration("fIRST")); }), HasSubstr("named fIRST already"));
  store_.add(migration("first", "two:5432"));
  EXPECT_THAT(refusal([&] { store_.find("first", std::nullopt); }), HasSubstr("several targets"));
  EXPECT_EQ(store_.find("FIRST", "ONE:5432").id, first.id);
  store_.request_cancel(first);
  store_.remove(first);
  EXPECT_TRUE(store_.name_available("first", "one:5432"));
  EXPECT_EQ(store_.list(Filter::kAll, "one:5432").front().state, State::kCanceled);
  store_.add(migration("first"));
  EXPECT_EQ(store_.list(Filter::kAll, "one:5432").size(), 2U);
}

TEST_F(StoreTest, ATargetHasOneActiveMigrationWhateverItIsCalled) {
  Migration first = migration("first");
  first.target = "my-server";
  store_.add(first);
  EXPECT_THAT(refusal([&] { store_.add(migration("second")); }), HasSubstr("the migration first is active"));
  Claim claim = store_.claim(first.id);
  claim.set_target_system("7");
  const Migration other = migration("other", "another-name:5432");
  store_.add(other);
  Claim second = store_.claim(other.id);
  EXPECT_THAT(refusal([&] { second.set_target_system("7"); }), HasSubstr("first is active on the same target"));
  end(claim, first);
  second.set_target_system("7");
  store_.add(migration("second"));
}

TEST_F(StoreTest, TwoCreatesAtOnceMakeOneMigration) {
  std::atomic<int> made{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&, i] {
        Store own(folder_.path() / "store");
        try {
          own.add(migration("m" + std::to_string(i)));
          ++made;
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::kState) << error.describe();
        }
      });
    }
  }
  EXPECT_EQ(made, 1);
  EXPECT_EQ(store_.list(Filter::kAll, std::nullopt).size(), 1U);
}

TEST_F(StoreTest, OnlyOneWorkerTakesAMigrationUp) {
  const Migration first = migration("first");
  store_.add(first);
  const Claim claim = store_.claim(first.id);
  EXPECT_THROW(store_.claim(first.id), Error);
  EXPECT_THROW(store_.claim("no such id"), Error);
}

TEST_F(StoreTest, AnEndIsWrittenOnceAndAWayThatIsNoneIsRefused) {
  Migration first = migration("first");
  store_.add(first);
  Claim claim = store_.claim(first.id);
  first.state = State::kSucceeded;
  first.substate = Substate::kCompleted;
  EXPECT_THROW(claim.write(first), Error);
  end(claim, migration("first"));
  Migration again = migration("first");
  again.state = State::kFailed;
  again.substate = Substate::kFailed;
  EXPECT_THROW(claim.write(again), Error);
  EXPECT_THAT(refusal([&] { store_.request_cancel(first); }), HasSubstr("has come to its end"));
}

TEST_F(StoreTest, AWorkerThatIsKilledLeavesItsMigrationFailedAndThatIsTakenUpAgain) {
  const Migration first = migration("first");
  store_.add(first);
  const pid_t worker = ::fork();
  if (worker == 0) {
    Store own(folder_.path() / "store");
    Claim claim = own.claim(first.id);
    ::kill(::getpid(), SIGKILL);
  }
  ::waitpid(worker, nullptr, 0);
  const Migration dead = store_.find("first", std::nullopt);
  EXPECT_EQ(dead.state, State::kFailed);
  EXPECT_THAT(dead.error, HasSubstr("resume the migration"));
  EXPECT_EQ(dead.details.front().state, DatabaseState::kNotStarted);
  const Migration again = store_.requeue(dead, dead);
  EXPECT_EQ(again.state, State::kInProgress);
  EXPECT_EQ(again.details.front().state, DatabaseState::kInProgress);
  Claim claim = store_.claim(again.id);
  end(claim, again);
  EXPECT_THAT(refusal([&] { store_.requeue(again, again); }), HasSubstr("Succeeded: only one that has failed"));
}

TEST_F(StoreTest, AWorkerThatOthersHaveTakenForDeadWritesNothing) {
  const Migration first = migration("first");
  store_.add(first);
  Claim claim = store_.claim(first.id);
  SqliteFile file(folder_.path() / "store" / "migrations.sqlite", SqliteFile::Open::kExisting);
  file.execute("UPDATE migration SET active = 0");
  EXPECT_FALSE(claim.write(first));
}

TEST_F(StoreTest, ACancelReachesTheWorkerOrEndsWhatHasNone) {
  const Migration first = migration("first");
  store_.add(first);
  Claim claim = store_.claim(first.id);
  EXPECT_FALSE(claim.cancel_requested());
  store_.request_cancel(first);
  EXPECT_TRUE(claim.cancel_requested());
  const Migration waiting = migration("waiting", "two:5432");
  store_.add(waiting);
  store_.request_cancel(waiting);
  EXPECT_EQ(store_.find("waiting", std::nullopt).state, State::kCanceled);
  EXPECT_EQ(store_.find("waiting", std::nullopt).details.front().state, DatabaseState::kCanceled);
}

TEST_F(StoreTest, OneThatIsActiveIsNotForgotten) {
  const Migration first = migration("first");
  store_.add(first);
  EXPECT_THAT(refusal([&] { store_.remove(first); }), HasSubstr("is active"));
}

TEST_F(StoreTest, SamplesStayFew) {
  const Migration first = migration("first");
  store_.add(first);
  Claim claim = store_.claim(first.id);
  Migration at_work = first;
  at_work.substate = Substate::kMigratingData;
  at_work.details[0].loading_tables = 1;
  for (int i = 0; i < 700; ++i) {
    at_work.details[0].fraction = i / 1000.0;
    at_work.details[0].copied = {i};
    claim.write(at_work);
  }
  const std::vector<Sample> samples = store_.samples(first.id);
  EXPECT_LE(samples.size(), 601U);
  EXPECT_GE(samples.size(), 300U);
  EXPECT_EQ(samples.back().copied.count, 699);
  EXPECT_EQ(samples.back().fraction, 0.699);
  EXPECT_EQ(samples.back().phase, "copying");
}

TEST_F(StoreTest, OfALaterVersionIsRefused) {
  SqliteFile(folder_.path() / "store" / "migrations.sqlite", SqliteFile::Open::kExisting)
      .execute("PRAGMA user_version = 9");
  EXPECT_THAT(refusal([&] { Store(folder_.path() / "store"); }), HasSubstr("a later version"));
}

TEST_F(StoreTest, WhereItCannotBeMadeSaysSo) { EXPECT_THROW(Store("/proc/no/store"), Error); }

TEST_F(StoreTest, OneThatGoesOnFindsAnotherOnTheSameServerUnderAnotherName) {
  const Migration first = migration("first", "127.0.0.1:5432");
  store_.add(first);
  {
    Claim claim = store_.claim(first.id);
    claim.set_target_system("4711");
  }
  const Migration failed = store_.find("first", std::nullopt);
  ASSERT_EQ(failed.state, State::kFailed);
  const Migration second = migration("second", "localhost:5432");
  store_.add(second);
  Claim claim = store_.claim(second.id);
  claim.set_target_system("4711");
  EXPECT_THAT(refusal([&] { store_.requeue(failed, failed); }),
              HasSubstr("the migration second is active on the same target"));
}

TEST_F(StoreTest, AWorkerThatDiesWhileItCancelsLeavesWhatAResumeDrops) {
  Migration first = migration("first");
  first.details.front().made = true;
  store_.add(first);
  {
    Claim claim = store_.claim(first.id);
    store_.request_cancel(first);
  }
  const Migration dead = store_.find("first", std::nullopt);
  EXPECT_EQ(dead.state, State::kFailed);
  EXPECT_THAT(dead.error, HasSubstr("it was canceled"));
  EXPECT_THAT(dead.error, HasSubstr("resume the migration: it drops that"));
}

TEST_F(StoreTest, OneThatNoWorkerComesUpForHasFailedWithTheReason) {
  const Migration first = migration("first");
  store_.add(first);
  store_.fail_unclaimed(first, "no worker came up");
  EXPECT_EQ(store_.find("first", std::nullopt).state, State::kFailed);
  EXPECT_THAT(store_.find("first", std::nullopt).error, HasSubstr("no worker came up"));
}

TEST_F(StoreTest, AnEndDoesNotPassOverACancellationThatWasAccepted) {
  Migration at_work = migration("first");
  store_.add(at_work);
  Claim claim = store_.claim(at_work.id);
  at_work.substate = Substate::kMigratingData;
  claim.write(at_work);
  store_.request_cancel(at_work);
  at_work.substate = Substate::kCompletingMigration;
  claim.write(at_work);
  Migration ended = at_work;
  ended.state = State::kSucceeded;
  ended.substate = Substate::kCompleted;
  EXPECT_EQ(claim.write_end(ended), WrittenEnd::kCancelRequested);
  EXPECT_TRUE(store_.find("first", std::nullopt).active());
  at_work.substate = Substate::kCancelingRequestedDBMigrations;
  claim.write(at_work);
  ended.state = State::kCanceled;
  EXPECT_EQ(claim.write_end(ended), WrittenEnd::kWritten);
  EXPECT_EQ(store_.find("first", std::nullopt).state, State::kCanceled);
}

TEST_F(StoreTest, OneThatIsCompletingIsNotCanceledAnyMore) {
  Migration at_work = migration("first");
  store_.add(at_work);
  Claim claim = store_.claim(at_work.id);
  for (const Substate next : {Substate::kMigratingData, Substate::kCompletingMigration}) {
    at_work.substate = next;
    claim.write(at_work);
  }
  EXPECT_THAT(refusal([&] { store_.request_cancel(at_work); }), HasSubstr("it cannot be canceled any more"));
  store_.cancel_to_remove(at_work);  // its end is waited for
  EXPECT_FALSE(claim.cancel_requested());
  Migration ended = at_work;
  ended.state = State::kSucceeded;
  ended.substate = Substate::kCompleted;
  EXPECT_EQ(claim.write_end(ended), WrittenEnd::kWritten);
  EXPECT_EQ(store_.find("first", std::nullopt).state, State::kSucceeded);
}

// Its kept databases may be gone already.
TEST_F(StoreTest, OneThatWasResumedWhenItWasCompletingIsNotCanceledEither) {
  Migration at_work = migration("first");
  store_.add(at_work);
  {
    Claim claim = store_.claim(at_work.id);
    at_work.details[0].state = DatabaseState::kSucceeded;
    for (const Substate next : {Substate::kMigratingData, Substate::kCompletingMigration}) {
      at_work.substate = next;
      claim.write(at_work);
    }
  }
  const Migration dead = store_.find("first", std::nullopt);
  ASSERT_EQ(dead.state, State::kFailed);
  const Migration again = store_.requeue(dead, dead);
  EXPECT_THAT(refusal([&] { store_.request_cancel(again); }), HasSubstr("it cannot be canceled any more"));
  EXPECT_TRUE(store_.find("first", std::nullopt).active());
}

TEST_F(StoreTest, AFolderThatAnyUserMayWriteToIsRefusedAndOneOfOurOwnIsMadePrivate) {
  namespace fs = std::filesystem;
  const fs::path open = folder_.path() / "open";
  fs::create_directory(open);
  fs::permissions(open, fs::perms::all);
  EXPECT_THAT(refusal([&] { Store store(open); }), HasSubstr("any user of this machine may write to the store"));
  EXPECT_TRUE(fs::is_empty(open));
  fs::permissions(open, fs::perms::owner_all | fs::perms::group_all);  // as a volume of a container is
  EXPECT_NO_THROW(Store store(open));
  Store made(folder_.path() / "made");
  EXPECT_EQ(fs::status(folder_.path() / "made").permissions(), fs::perms::owner_all);
}

TEST_F(StoreTest, AFolderOfAnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can act as two users";
  namespace fs = std::filesystem;
  const fs::path theirs = folder_.path() / "theirs";
  fs::create_directory(theirs);
  // This process stays in root's groups.
  fs::permissions(folder_.path(), fs::perms::group_exec | fs::perms::others_exec, fs::perm_options::add);
  constexpr uid_t kOne = 12345;
  constexpr uid_t kOther = 23456;
  ASSERT_EQ(::chown(theirs.c_str(), kOne, kOne), 0);
  ASSERT_EQ(::seteuid(kOther), 0);
  const std::string said = refusal([&] { Store store(theirs); });
  ASSERT_EQ(::seteuid(0), 0);
  EXPECT_THAT(said, HasSubstr("belongs to another user"));
}

TEST_F(StoreTest, WhatWasDeletedIsNotAmongTheKept) {
  const Migration first = migration("first");
  store_.add(first);
  store_.fail_unclaimed(first, "no worker came up");
  store_.remove(store_.find("first", std::nullopt));
  store_.add(migration("first"));
  EXPECT_EQ(store_.list(Filter::kKept, std::nullopt).size(), 1U);
  EXPECT_EQ(store_.list(Filter::kAll, std::nullopt).size(), 2U);
}

// The locks of one process on a file end when it closes any descriptor of it.
TEST_F(StoreTest, AnotherProcessLeavesTheFilesOfAStoreThatIsOpen) {
  { const Store beside(store_.folder()); }
  const SubprocessResult listed =
      run_command({.command = {PGSLUICE_PROGRAM, "migration", "list", "--store", store_.folder().string()}});
  ASSERT_EQ(listed.exit_code, 0) << listed.errors;
  int files = 0;
  for (const auto& descriptor : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    const std::string file = std::filesystem::read_symlink(descriptor.path(), ignored).string();
    if (file.find(store_.folder().string()) == std::string::npos) continue;
    ++files;
    EXPECT_THAT(file, Not(HasSubstr("(deleted)")));
  }
  EXPECT_GE(files, 2);
}

TEST_F(StoreTest, ThoseThatOpenANewOneAtOnceLoseNothing) {
  constexpr int kAtOnce = 8;
  for (int round = 0; round < 10; ++round) {
    const std::filesystem::path folder = folder_.path() / std::to_string(round);
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < kAtOnce; ++i) {
        threads.emplace_back([&, i] { Store(folder).add(migration("m", fmt::format("t{}:1", i))); });
      }
    }
    const SubprocessResult listed =
        run_command({.command = {PGSLUICE_PROGRAM, "migration", "list", "--store", folder.string()}});
    EXPECT_EQ(listed.exit_code, 0) << listed.errors;
    EXPECT_EQ(Store(folder).list(Filter::kAll, std::nullopt).size(), kAtOnce);
  }
}

TEST_F(StoreTest, AMigrationThatHasEndedMeanwhileIsNotTakenUpAsItWas) {
  const Migration before = migration("first");
  store_.add(before);
  store_.fail_unclaimed(before, "no worker came up");
  EXPECT_THAT(refusal([&] { store_.requeue(before, before); }), HasSubstr("has come to its end at this moment"));
  const Migration now = store_.find("first", std::nullopt);
  EXPECT_TRUE(store_.requeue(now, now).active());
}

}  // namespace
}  // namespace pgsluice::migration
