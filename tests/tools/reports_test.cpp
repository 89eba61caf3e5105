// The reports of a run for a person: its summary and its progress.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tools/pgsluice/progress_display.h"
#include "tools/pgsluice/summary_report.h"

namespace pgsluice::tools {
namespace {

using pipeline::ProgressSnapshot;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(SummaryText, ShowsTheSlowestOfManyTables) {
  pipeline::CloneSummary summary;
  summary.steps.push_back({.id = "table-data", .label = "table data", .tasks = 40});
  for (int i = 0; i < 40; ++i) {
    summary.tables.push_back({.name = fmt::format("public.t{:02}", i), .duration = milliseconds(i)});
  }
  const std::string text = summary_text(summary);
  EXPECT_LT(text.find("public.t39"), text.find("public.t30"));
  EXPECT_THAT(text, HasSubstr("public.t30"));
  EXPECT_THAT(text, Not(HasSubstr("public.t29")));
  EXPECT_THAT(text, HasSubstr("30 other tables took less time than these; --json lists all"));
  EXPECT_THAT(summary_json(summary), HasSubstr("public.t29"));
  summary.tables.resize(30);
  EXPECT_THAT(summary_text(summary), HasSubstr("public.t00"));
}

TEST(SummaryText, HasThePreparationBeforeTheSteps) {
  pipeline::CloneSummary summary;
  summary.steps.push_back({.id = "table-data", .label = "table data", .tasks = 1});
  summary.preparation.push_back({.name = "reading the definitions", .duration = milliseconds(1400)});
  const std::string text = summary_text(summary);
  EXPECT_LT(text.find("reading the definitions |       |        1.40 s |"), text.find("table data"));
}

ProgressSnapshot snapshot(seconds elapsed, std::int64_t copied, std::size_t tables_done) {
  return {.phase = "running",
          .elapsed = elapsed,
          .tables_done = tables_done,
          .tables_total = 2,
          .tasks_done = tables_done,
          .tasks_total = 4,
          .copied = {copied}};
}

TEST(RateMeter, IsOfTheLastSeconds) {
  RateMeter meter;
  meter.add(snapshot(seconds(0), 0, 0));
  EXPECT_EQ(meter.rate(), std::nullopt);
  for (int i = 1; i <= 100; ++i) meter.add(snapshot(seconds(i), i * 1000, 0));
  EXPECT_EQ(meter.rate(), Bytes{1000});
  // The rate has fallen to a tenth, which the mean since the start would hide.
  for (int i = 1; i <= 20; ++i) meter.add(snapshot(seconds(100 + i), 100'000 + i * 100, 0));
  EXPECT_EQ(meter.rate(), Bytes{100});
  // A part of a table that is copied again takes its bytes back.
  meter.add(snapshot(seconds(121), 0, 0));
  EXPECT_EQ(meter.rate(), Bytes{0});
}

TEST(ProgressBar, ShowsNoRateWhereNoRowsArrive) {
  EXPECT_THAT(progress_bar(snapshot(seconds(10), 1000, 1), Bytes{2048}, 200), HasSubstr("2.0 kB/s"));
  EXPECT_THAT(progress_bar(snapshot(seconds(10), 1000, 1), Bytes{0}, 200), HasSubstr("0 bytes/s"));
  EXPECT_THAT(progress_bar(snapshot(seconds(10), 1000, 2), Bytes{0}, 200), Not(HasSubstr("/s")));
}

}  // namespace
}  // namespace pgsluice::tools
