#include "pgsluice/steps.h"

namespace pgsluice::pipeline {

Steps all_steps() {
  return {Step::kPreData, Step::kTableData,   Step::kLargeObjects, Step::kSequences,
          Step::kIndexes, Step::kConstraints, Step::kStatistics,   Step::kPostData};
}

std::string_view id_of(Step step) {
  switch (step) {
    case Step::kPreData:
      return "pre-data";
    case Step::kTableData:
      return "table-data";
    case Step::kLargeObjects:
      return "large-objects";
    case Step::kSequences:
      return "sequences";
    case Step::kIndexes:
      return "indexes";
    case Step::kConstraints:
      return "constraints";
    case Step::kStatistics:
      return "statistics";
    case Step::kPostData:
      return "post-data";
  }
  return "";
}

std::set<std::string> ids_of(const Steps& steps) {
  std::set<std::string> ids;
  for (const Step step : steps) ids.emplace(id_of(step));
  return ids;
}

bool reads_rows(const Steps& steps) { return steps.contains(Step::kTableData) || steps.contains(Step::kLargeObjects); }

}  // namespace pgsluice::pipeline
