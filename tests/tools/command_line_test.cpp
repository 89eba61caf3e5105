// The command line itself: help, completion, man pages, mistakes, and what scripts for pgcopydb say on it.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/tools/command_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class CommandLineTest : public CommandTest {
 protected:
  SubprocessResult words(const std::string& line) {
    std::istringstream in(line);
    std::vector<std::string> arguments;
    for (std::string word; in >> word;) arguments.push_back(word);
    return run(arguments);
  }

  // "clone", "copy table-data", …: all there are, by their man pages.
  std::vector<std::string> commands() {
    const std::filesystem::path folder = folder_.path() / "man";
    std::filesystem::create_directory(folder);
    EXPECT_EQ(run({"man-pages", folder.string()}).exit_code, 0);
    std::vector<std::string> commands;
    const std::vector<std::string> groups = {"archive", "copy", "dump", "restore", "list", "compare", "migration"};
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      std::string name = entry.path().stem().string();
      if (name == "pgsluice") continue;
      name.erase(0, std::string("pgsluice-").size());
      const std::string group = name.substr(0, name.find('-'));
      const bool is_in_group = std::find(groups.begin(), groups.end(), group) != groups.end() && name != group;
      if (is_in_group) name[group.size()] = ' ';
      commands.push_back(name);
    }
    return commands;
  }

  // What a shell's script offers, by running the shell.
  std::string offered(const std::string& shell, const std::string& script) {
    return run_command({.command = {shell, "-c", script}, .environment = {{"PGSLUICE", PGSLUICE_PROGRAM}}}).output;
  }
};

TEST_F(CommandLineTest, EachCommandHasHelpWithAnExampleOfItsOwn) {
  const std::vector<std::string> all = commands();
  EXPECT_GT(all.size(), 40U);
  for (const std::string& command : all) {
    const SubprocessResult help = words(command + " --help");
    EXPECT_EQ(help.exit_code, 0) << command;
    EXPECT_THAT(help.output, HasSubstr("Example")) << command;
    EXPECT_THAT(help.output, HasSubstr("pgsluice " + command.substr(0, command.find(' ')))) << command;
    EXPECT_EQ(words("help " + command).exit_code, 0) << command;
  }
  EXPECT_THAT(words("help").output, HasSubstr("copies whole PostgreSQL databases"));
  EXPECT_THAT(words("help list tables").output, HasSubstr("--without-pkey"));
  EXPECT_EQ(words("help lst").exit_code, 1);
}

TEST_F(CommandLineTest, ManPagesAreReadByManWithoutAComplaint) {
  commands();
  if (run_command({.command = {"sh", "-c", "command -v groff"}}).exit_code != 0) GTEST_SKIP() << "no groff here";
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path() / "man")) {
    const SubprocessResult page =
        run_command({.command = {"groff", "-Kutf8", "-man", "-Tutf8", "-ww", entry.path().string()}});
    EXPECT_EQ(page.exit_code, 0);
    EXPECT_EQ(page.errors, "") << entry.path();
  }
}

TEST_F(CommandLineTest, BashCompletesCommandsOptionsAndValues) {
  const auto complete = [&](const std::string& typed) {
    return offered("bash", fmt::format("source <($PGSLUICE completion bash); COMP_WORDS=({} ''); "
                                       "COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _pgsluice; echo ${{COMPREPLY[@]}}",
                                       typed));
  };
  EXPECT_THAT(complete("pgsluice"), AllOf(HasSubstr("clone"), HasSubstr("migration"), Not(HasSubstr("man-pages"))));
  EXPECT_THAT(complete("pgsluice copy"), AllOf(HasSubstr("table-data"), HasSubstr("blobs")));
  EXPECT_EQ(complete("pgsluice fork --copy-format"), "auto text binary\n");
  EXPECT_THAT(complete("pgsluice migration show"), HasSubstr("--watch"));
}

TEST_F(CommandLineTest, FishAndZshCompleteThemToo) {
  const auto is_there = [](const char* shell) {
    return run_command({.command = {"sh", "-c", std::string("command -v ") + shell}}).exit_code == 0;
  };
  if (is_there("fish")) {
    EXPECT_THAT(offered("fish", "$PGSLUICE completion fish | source; complete -C 'pgsluice copy ta'"),
                HasSubstr("table-data"));
    EXPECT_THAT(offered("fish", "$PGSLUICE completion fish | source; complete -C 'pgsluice clone --copy-format '"),
                HasSubstr("binary"));
  }
  if (is_there("zsh")) {
    EXPECT_EQ(run_command({.command = {"zsh", "-c",
                                       "autoload -Uz compinit; compinit -u -D; source <($PGSLUICE completion "
                                       "zsh); print ok"},
                           .environment = {{"PGSLUICE", PGSLUICE_PROGRAM}}})
                  .output,
              "ok\n");
  }
  if (!is_there("fish") && !is_there("zsh")) GTEST_SKIP() << "neither fish nor zsh here";
  EXPECT_EQ(words("completion tcsh").exit_code, 1);
}

TEST_F(CommandLineTest, AMistypedCommandIsAnsweredWithTheNearestWhateverFollows) {
  EXPECT_THAT(words("cloen --source X --target Y").errors, HasSubstr("unknown command cloen; is clone meant?"));
  EXPECT_THAT(words("copy table-dta --source x").errors, HasSubstr("is table-data meant?"));
  EXPECT_THAT(words("list progres --json").errors, HasSubstr("is progress meant?"));
  EXPECT_THAT(words("compare dat --source x").errors, HasSubstr("is data meant?"));
  // What may be a connection string is not shown.
  EXPECT_THAT(words("postgresql://me:s3cret@h/d").errors, Not(HasSubstr("s3cret")));
}

TEST_F(CommandLineTest, ANameCannotForgeALineOfTheLog) {
  const std::string name =
      "x\n2026-01-01 00:00:00 1 INFO    all rows are there\x1b[2J\xc2\x9b"
      "1m";
  shared_source().create_database("command");
  shared_source().sql("command", "CREATE TABLE \"" + name + "\" AS SELECT 1 AS i");
  shared_target().create_database("command");
  shared_target().sql("command", "CREATE TABLE \"" + name + "\" (i int)");
  const std::string errors = clone().errors;
  EXPECT_THAT(errors, HasSubstr("\n\t2026-01-01 00:00:00 1 INFO    all rows are there\\x1b[2J\\x9b1m"));
  EXPECT_THAT(errors, Not(HasSubstr("\n2026-01-01")));
}

TEST_F(CommandLineTest, WhatIsSaidLastHolds) {
  make("CREATE TABLE t AS SELECT 1 AS i");
  std::vector<std::string> arguments = {"--source", "host=/nowhere", "--table-jobs", "999", "--table-jobs", "2"};
  const SubprocessResult result = clone(arguments);
  EXPECT_THAT(result.errors, HasSubstr("/nowhere"));
  EXPECT_EQ(clone({"--table-jobs", "999", "--table-jobs", "2"}).exit_code, 0);
  EXPECT_THAT(clone({"--table-jobs", "2", "--table-jobs", "999"}).errors, HasSubstr("not 999"));
  EXPECT_THAT(clone({"--transport", "pigeon", "--transport", "poll", "--copy-format", "morse"}).errors,
              HasSubstr("--copy-format takes auto, text or binary, not morse"));
}

TEST_F(CommandLineTest, OptionsOfPgcopydbsGroupsAreTakenWhereTheyHaveNoEffect) {
  for (const char* line :
       {"dump schema --table-jobs 3 --skip-vacuum", "dump roles --table-jobs 3", "restore roles --jobs 3",
        "copy schema --skip-vacuum --roles --skip-db-properties --skip-large-objects", "copy table-data --skip-vacuum",
        "copy data --skip-vacuum", "snapshot --not-consistent", "list progress --not-consistent --table-jobs 2",
        "restore parse-list --table-jobs 2"}) {
    const SubprocessResult result = words(std::string(line) + " --dir /nonexistent/work");
    EXPECT_THAT(result.errors, AllOf(Not(HasSubstr("unknown")), HasSubstr("ERROR"))) << line;
  }
}

TEST_F(CommandLineTest, ExcludedCombinationsAreRefusedByName) {
  EXPECT_THAT(words("clone --use-copy-binary --copy-format text").errors,
              AllOf(HasSubstr("--copy-format"), HasSubstr("--use-copy-binary")));
  EXPECT_THAT(words("clone --resume --restart").errors, AllOf(HasSubstr("--resume"), HasSubstr("--restart")));
  EXPECT_THAT(words("migration create --name x").errors, HasSubstr("--properties is required"));
  EXPECT_THAT(words("clone --slot-name=x").errors, HasSubstr("change data capture is not supported"));
}

TEST_F(CommandLineTest, VersionsHavePgcopydbsKeysAndThoseOfServersThatAreGiven) {
  const nlohmann::json versions = nlohmann::json::parse(words("version --json").output);
  for (const char* key : {"pgsluice", "libpq", "liburing", "openssl", "sqlite", "pg_dump", "pgcopydb", "pg_major",
                          "pg_version", "pg_version_str", "pg_version_num"}) {
    EXPECT_TRUE(versions.contains(key)) << key;
  }
  EXPECT_THAT(run({"version", "--source", shared_source().conninfo("postgres")}).output, HasSubstr("\nsource 15"));
}

TEST_F(CommandLineTest, OutputThatCannotBeWrittenIsNoSuccess) {
  const SubprocessResult full = run_command(
      {.command = {"sh", "-c", "\"$PGSLUICE\" version > /dev/full"}, .environment = {{"PGSLUICE", PGSLUICE_PROGRAM}}});
  EXPECT_EQ(full.exit_code, 2);
  EXPECT_THAT(full.errors, HasSubstr("standard output could not be written"));
}

TEST_F(CommandLineTest, AnErrorOfTheOptionsIsADocumentTooWhereOneIsWanted) {
  const SubprocessResult result = words("clone --json --source host=/nope --target host=/nope --filters /nonexistent");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(nlohmann::json::parse(result.output).dump(), HasSubstr("/nonexistent"));
}

}  // namespace
}  // namespace pgsluice::test
