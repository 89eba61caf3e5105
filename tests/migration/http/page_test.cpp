// The page in a real browser: what a reader sees of migrations.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <thread>
#include <tuple>

#include "base/subprocess.h"
#include "migration/http/rest_api.h"
#include "pgsluice/migration/store.h"
#include "tests/support/recording_sink.h"

namespace pgsluice::migration {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class PageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const bool is_there = run_command({.command = {"/bin/sh", "-c", "command -v chromium"}}).exit_code == 0;
    if (!is_there && std::getenv("CI") != nullptr) FAIL() << "chromium is missing: tools/install-packages --tests";
    if (!is_there) GTEST_SKIP() << "chromium is missing: the page is NOT tested";
    add_rest_routes(server_, {.store = store_.folder(), .worker = {.program = "/bin/false"}}, Log(sink_));
    server_.start();
  }

  // What the browser has made of the page, as soon as it shows a text.
  std::string shown(const std::string& path, const std::string& text) { return shown_at(server_.url() + path, text); }
  std::string shown_at(const std::string& url, const std::string& text) {
    const SubprocessResult result =
        run_command({.command = {"node", std::string(PGSLUICE_SOURCE_FOLDER) + "/tests/migration/browser.mjs", url,
                                 text, (folder_.path() / "browser").string()},
                     .environment = {{"HOME", folder_.path().string()}}});
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    const std::size_t looks = result.output.rfind('\n');
    if (looks == std::string::npos) return result.output;
    looks_ = nlohmann::json::parse(result.output.substr(looks), nullptr, false);
    return result.output.substr(0, looks);
  }

  Migration running() {
    Migration migration{.id = make_uuid(),
                        .name = "nightly",
                        .target = "new:5432",
                        .source_server = "old:5432@admin",
                        .target_server = "new:5432@admin",
                        .databases = {"shop", "<b>odd</b>"},
                        .created = std::chrono::system_clock::now(),
                        .started = std::chrono::system_clock::now(),
                        .details = {{.name = "shop"}, {.name = "<b>odd</b>"}}};
    store_.add(migration);
    claim_.emplace(store_.claim(migration.id));
    migration.substate = Substate::kMigratingData;
    migration.details[0].operation = "MigratingData";
    migration.details[0].completed_tables = 3;
    migration.details[0].queued_tables = 4;
    migration.details[0].pending = {1 << 20};
    migration.details[0].rows = 1234567;
    migration.details[0].fraction = 0.75;
    migration.validation = {.started = migration.started,
                            .server = {{.type = "RolesValidation",
                                        .findings = {{ValidationState::kWarning, "role <i>app</i> is missing"}}}}};
    migration.details[0].loading_tables = 1;
    migration.details[0].copied = {1 << 20};
    claim_->write(migration);
    migration.details[0].copied = {3 << 20};
    std::this_thread::sleep_for(
        std::chrono::milliseconds(20));  // the chart needs two samples of different milliseconds
    claim_->write(migration);
    return migration;
  }

  nlohmann::json looks_;  ///< of what was shown last: width, contrast, what the Tab key reaches
  TemporaryFolder folder_;
  test::RecordingSink sink_;
  Store store_{folder_.path() / "store"};
  std::optional<Claim> claim_;
  HttpServer server_{{.listen = "127.0.0.1:0"}, Log(sink_)};
};

TEST_F(PageTest, ShowsARunningMigrationLive) {
  running();
  const std::string page = shown("/#/nightly/new%3A5432", "MigratingData");
  for (const char* text : {"MigratingData", "old:5432@admin → new:5432@admin", "3 / 8", "1,234,567", "3.0 MB", "75 %",
                           "Bytes over time", "&lt;b&gt;odd&lt;/b&gt;", "role &lt;i&gt;app&lt;/i&gt; is missing",
                           "Cancel the migration", "Left, about", "<polyline", "copying 0 s", "all work, 0 to 100 %"}) {
    EXPECT_THAT(page, HasSubstr(text));
  }
  EXPECT_THAT(page, Not(HasSubstr("<b>odd</b>")));
}

TEST_F(PageTest, FitsANarrowWindowIsReadInLightAndDarkAndGoesByKeyboard) {
  running();
  for (const auto& [path, text, wanted] :
       {std::tuple{"/", "nightly", "A nightly"}, {"/#/nightly/new%3A5432", "MigratingData", "BUTTON Cancel"}}) {
    shown(path, text);
    EXPECT_LE(looks_.at("width"), 400) << path;
    for (const char* scheme : {"light", "dark"}) EXPECT_GE(looks_.at(scheme).at("contrast"), 7.0) << path << scheme;
    EXPECT_NE(looks_.at("light").at("background"), looks_.at("dark").at("background"));
    EXPECT_THAT(looks_.at("reached").dump(), HasSubstr(wanted)) << path;
  }
}

TEST_F(PageTest, SaysThatAMigrationIsPausedAndHowToGoOn) {
  Migration migration = running();
  migration.pace = {.max_rate = {20 * 1024 * 1024}, .paused = true};
  migration.paused_since = migration.snapshot_since = std::chrono::system_clock::now() - std::chrono::minutes(5);
  claim_->write(migration);
  const std::string page = shown("/#/nightly", "Paused for 5 min");
  for (const char* text : {"The source's snapshot is 5 min", ">Continue</button>", "Rate at most", "20 MB/s"}) {
    EXPECT_THAT(page, HasSubstr(text));
  }
}

TEST_F(PageTest, ShowsHowAMigrationHasEnded) {
  Migration migration = running();
  migration.state = State::kFailed;
  migration.substate = Substate::kFailed;
  migration.error = "shop: the disk is full";
  migration.details[0].state = DatabaseState::kFailed;
  migration.details[0].message = "the disk is full";
  claim_->write(migration);
  const std::string page = shown("/#/nightly", "the disk is full");
  EXPECT_THAT(page, HasSubstr("role=\"alert\">shop: the disk is full"));
  EXPECT_THAT(page, Not(HasSubstr("Cancel the migration")));
}

TEST_F(PageTest, AsksForTheTokenOfAServerThatNeedsOne) {
  HttpServer guarded({.listen = "127.0.0.1:0", .token = "t0ken-of-the-test", .reads_need_token = true}, Log(sink_));
  add_rest_routes(guarded, {.store = store_.folder(), .worker = {.program = "/bin/false"}}, Log(sink_));
  guarded.start();
  EXPECT_THAT(shown_at(guarded.url() + "/", "Token of this server"), HasSubstr("type=\"password\""));
}

TEST_F(PageTest, ListsTheMigrations) {
  running();
  const std::string page = shown("/", "nightly");
  EXPECT_THAT(page, HasSubstr("href=\"#/nightly/new%3A5432\">nightly</a>"));
  EXPECT_THAT(page, HasSubstr("shop, &lt;b&gt;odd&lt;/b&gt;"));
}

TEST_F(PageTest, SaysHowToBeginWhereThereIsNone) { EXPECT_THAT(shown("/", "None yet"), HasSubstr("migration create")); }

}  // namespace
}  // namespace pgsluice::migration
