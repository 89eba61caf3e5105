// The documents' commands: each is one that there is, with options that it has; and those that tell a story are run.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tests/tools/steps_fixture.h"

namespace pgsluice::test {
namespace {

const std::filesystem::path kSource = PGSLUICE_SOURCE_FOLDER;

std::vector<std::filesystem::path> documents() {
  std::vector<std::filesystem::path> files = {kSource / "README.md", kSource / "deploy/job.yaml"};
  for (const auto& entry : std::filesystem::directory_iterator(kSource / "docs")) files.push_back(entry.path());
  return files;
}

// Those of ```sh blocks, apart at new lines and semicolons, with lines that go on put together.
std::vector<std::string> commands_of(const std::filesystem::path& file) {
  std::string text = std::regex_replace(read_file(file), std::regex(R"(\\\n\s*)"), " ");
  std::vector<std::string> commands;
  bool inside = false;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("```", 0) == 0) {
      inside = line == "```sh";
      continue;
    }
    if (!inside) continue;
    line = line.substr(0, line.find(" #"));
    std::istringstream parts(line);
    for (std::string part; std::getline(parts, part, ';');) {
      part.erase(0, part.find_first_not_of(' '));
      if (!part.empty()) commands.push_back(part);
    }
  }
  return commands;
}

std::vector<std::string> apart_at_pipes(const std::vector<std::string>& commands) {
  constexpr std::string_view kPipe = " | ";
  std::vector<std::string> apart;
  for (std::string_view rest : commands) {
    while (true) {
      const std::size_t end = rest.find(kPipe);
      apart.emplace_back(rest.substr(0, end));
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + kPipe.size());
    }
  }
  return apart;
}

class DocumentsTest : public StepsTest {
 protected:
  // By the words of a command ("pgsluice copy data"), the options that its man page has.
  std::map<std::string, std::set<std::string>> known_commands() {
    const std::filesystem::path folder = folder_.path() / "man";
    std::filesystem::create_directory(folder);
    EXPECT_EQ(run({"man-pages", folder.string()}).exit_code, 0);
    std::map<std::string, std::set<std::string>> known;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string page = std::regex_replace(read_file(entry.path()), std::regex(R"(\\-)"), "-");
      std::smatch found;
      std::regex_search(page, found, std::regex("\n\\.B ([a-z -]+)\n"));
      std::set<std::string>& options = known[found[1]];
      const std::regex option("\\\\fB(--?[a-zA-Z-]+)\\\\fR");
      for (auto at = std::sregex_iterator(page.begin(), page.end(), option); at != std::sregex_iterator(); ++at) {
        options.insert((*at)[1]);
      }
    }
    return known;
  }

  // A document's commands between two servers of this test, one after the other in one shell, as a reader types them.
  SubprocessResult type(const std::vector<std::string>& commands) {
    const std::filesystem::path bin = folder_.path() / "bin";
    std::filesystem::create_directory(bin);
    if (!std::filesystem::exists(bin / "pgsluice")) std::filesystem::create_symlink(PGSLUICE_PROGRAM, bin / "pgsluice");
    std::string script = "set -e\nexport PATH=\"$TMPDIR/bin:$PATH\"\ncd \"$TMPDIR\"\n";
    for (const std::string& command : commands) {
      std::string line = std::regex_replace(command, std::regex("postgresql://[a-z]+@old(/shop)?"), "\"$OLD\"");
      line = std::regex_replace(line, std::regex("postgresql://[a-z]+@new(/shop)?"), "\"$NEW\"");
      // The snapshot is there for those after it.
      if (line.find("snapshot &") != std::string::npos) {
        line += "\nfor i in $(seq 100); do [ -e pgsluice/snapshot ] && break; sleep 0.1; done";
      }
      script += line + "\n";
    }
    script += "wait\n";
    return run_command({.command = {"bash", "-c", script},
                        .environment = {{"TMPDIR", folder_.path().string()},
                                        {"OLD", shared_source().conninfo("command")},
                                        {"NEW", shared_target().conninfo("command")},
                                        {"PGCOPYDB_SOURCE_PGURI", shared_source().conninfo("command")},
                                        {"PGCOPYDB_TARGET_PGURI", shared_target().conninfo("command")}}});
  }

  static std::vector<std::string> commands_with(const std::string& file, const std::string& first,
                                                const std::string& last) {
    const std::vector<std::string> all = commands_of(kSource / file);
    const auto begins = [](const std::string& with) {
      return [with](const std::string& command) { return command.rfind(with, 0) == 0; };
    };
    const auto begin = std::find_if(all.begin(), all.end(), begins(first));
    const auto end = std::find_if(begin, all.end(), begins(last));
    EXPECT_NE(end, all.end()) << file << " has no " << first << " … " << last;
    return end == all.end() ? std::vector<std::string>{} : std::vector<std::string>(begin, end + 1);
  }
};

TEST_F(DocumentsTest, NameOnlyCommandsAndOptionsThatThereAre) {
  const std::map<std::string, std::set<std::string>> known = known_commands();
  int seen = 0;
  for (const std::filesystem::path& file : documents()) {
    for (const std::string& line : apart_at_pipes(commands_of(file))) {
      const std::size_t at = line.find("pgsluice ");
      const bool is_ours = at == 0 || (at != std::string::npos && line.rfind("build/release/bin/", 0) == 0);
      if (!is_ours) continue;
      ++seen;
      std::istringstream words(line.substr(at));
      std::string command;
      for (std::string word; words >> word;) {
        if (word.rfind("--", 0) == 0) {
          const std::string option = word.substr(0, word.find('='));
          EXPECT_TRUE(known.at(command).contains(option)) << file << ": " << line;
        } else if (known.contains(command.empty() ? word : command + " " + word)) {
          command += (command.empty() ? "" : " ") + word;
        }
      }
      EXPECT_TRUE(known.contains(command) && command != "pgsluice") << file << ": " << line;
    }
  }
  EXPECT_GT(seen, 30);
}

TEST_F(DocumentsTest, TheQuickStartIsTyped) {
  make(
      "CREATE TABLE orders (id serial PRIMARY KEY, what text); INSERT INTO orders (what) SELECT 'order ' || g FROM"
      " generate_series(1, 1000) g; CREATE INDEX ON orders (what)");
  const SubprocessResult look = type(commands_with("docs/quickstart.md", "pgsluice ping", "pgsluice clone --dry-run"));
  EXPECT_EQ(look.exit_code, 0) << look.output << look.errors;
  const SubprocessResult copied =
      type(commands_with("docs/quickstart.md", "pgsluice clone --verify", "pgsluice compare data"));
  EXPECT_EQ(copied.exit_code, 0) << copied.errors;
  EXPECT_EQ(differences(), std::vector<std::string>{});
}

TEST_F(DocumentsTest, TheStoryOfAnArchiveIsTyped) {
  make(
      "CREATE TABLE orders (id serial PRIMARY KEY, what text); INSERT INTO orders (what) SELECT 'order ' || g FROM"
      " generate_series(1, 1000) g; CREATE INDEX ON orders (what); SELECT lo_from_bytea(4711, 'x')");
  const SubprocessResult story =
      type(commands_with("docs/archive.md", "pgsluice archive create", "pgsluice archive restore"));
  EXPECT_EQ(story.exit_code, 0) << story.output << story.errors;
  EXPECT_EQ(differences(), std::vector<std::string>{});
}

TEST_F(DocumentsTest, TheStoryOfAnArchiveForPgRestoreIsTyped) {
  make("CREATE TABLE orders (id serial PRIMARY KEY, what text); INSERT INTO orders (what) VALUES ('one')");
  const SubprocessResult story =
      type(commands_with("docs/archive.md", "pgsluice archive create --compress", "pg_restore"));
  EXPECT_EQ(story.exit_code, 0) << story.output << story.errors;
  EXPECT_EQ(differences(), std::vector<std::string>{});
}

// Private source, public target: an archive on a disk, and a migration from it.
TEST_F(DocumentsTest, TheStoryOfAMigrationFromAnArchiveIsTyped) {
  const Cluster old_server;
  const Cluster new_server;
  for (const char* database : {"shop", "stock"}) {
    old_server.create_database(database);
    old_server.sql(
        database,
        "CREATE TABLE orders (id serial PRIMARY KEY, what text); INSERT INTO orders (what) SELECT 'order ' ||"
        " g FROM generate_series(1, 1000) g");
  }
  old_server.sql("postgres", "CREATE ROLE keeper");
  new_server.sql("postgres", "CREATE ROLE admin SUPERUSER LOGIN PASSWORD 'of-the-test'");
  old_server.sql("shop", "ALTER TABLE orders OWNER TO keeper");
  const std::string disk = (folder_.path() / "disk").string();
  const std::string text = read_file(kSource / "docs/archive.md");
  const std::size_t begin = text.find("```json\n", text.find("## A migration from an archive")) + 8;
  std::string body = text.substr(begin, text.find("```", begin) - begin);
  body = std::regex_replace(body, std::regex("/mnt/disk/old"), disk);
  body = std::regex_replace(body, std::regex("new.example.com:5432@admin"),
                            fmt::format("127.0.0.1:{}@admin", new_server.port()));
  write_file(folder_.path() / "body.json", body);
  std::vector<std::string> commands = commands_with(
      "docs/archive.md",
      "pgsluice archive create --all-databases --roles --source postgresql://postgres@old --to /mnt/disk/old",
      "pgsluice migration create --name from-a-disk");
  for (std::string& command : commands) command = std::regex_replace(command, std::regex("/mnt/disk/old"), disk);
  commands.insert(commands.begin(), {fmt::format("OLD='{}'", old_server.conninfo("postgres")),
                                     "export NEW_PASSWORD=of-the-test", "export PGSLUICE_STORE=$TMPDIR/store"});
  const SubprocessResult story = type(commands);
  EXPECT_EQ(story.exit_code, 0) << story.output << story.errors;
  for (const char* database : {"shop", "stock"}) {
    EXPECT_EQ(compare_databases(old_server.conninfo(database), new_server.conninfo(database), server_bindir()),
              std::vector<std::string>{})
        << database;
  }
}

TEST_F(DocumentsTest, TheStepsOfTheOperationsGuideAreTyped) {
  make(
      "CREATE TABLE orders (id serial PRIMARY KEY, what text); INSERT INTO orders (what) SELECT 'order ' || g FROM"
      " generate_series(1, 1000) g; CREATE INDEX ON orders (what); CREATE EXTENSION hstore; SELECT lo_create(4711)");
  const SubprocessResult steps = type(commands_with("docs/operations.md", "pgsluice snapshot &", "kill %1"));
  EXPECT_EQ(steps.exit_code, 0) << steps.errors;
  EXPECT_EQ(differences(), std::vector<std::string>{});
  EXPECT_FALSE(has_ledger());
}

}  // namespace
}  // namespace pgsluice::test
