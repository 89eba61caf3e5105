#include "pgsluice/migration/metrics.h"

#include <fmt/format.h>

#include <functional>

namespace pgsluice::migration {

namespace {

std::string escaped(const std::string& value) {
  std::string text;
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
  return text;
}

std::string labels_of(const Migration& migration) {
  return fmt::format("migration=\"{}\",target=\"{}\"", escaped(migration.name), escaped(migration.target));
}

class Text {
 public:
  void head(const char* name, const char* type, const char* help) {
    name_ = name;
    text_ += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
  }
  void line(const std::string& labels, double value) { text_ += fmt::format("{}{{{}}} {}\n", name_, labels, value); }
  std::string take() { return std::move(text_); }

 private:
  std::string name_;
  std::string text_;
};

}  // namespace

std::string to_metrics(const std::vector<Migration>& migrations) {
  Text text;
  text.head("pgsluice_migration_state", "gauge", "1 for the state in which the migration is.");
  for (const Migration& migration : migrations) {
    text.line(fmt::format("{},state=\"{}\",substate=\"{}\"", labels_of(migration), to_string(migration.state),
                          to_string(migration.substate)),
              1);
  }
  text.head("pgsluice_migration_duration_seconds", "gauge", "Since the migration was started, until its end.");
  for (const Migration& migration : migrations) {
    if (!migration.started) continue;
    const Time end = migration.ended.value_or(std::chrono::system_clock::now());
    text.line(labels_of(migration), std::chrono::duration<double>(end - *migration.started).count());
  }
  const auto of_databases = [&](const char* name, const char* type, const char* help,
                                const std::function<double(const DatabaseDetails&)>& value) {
    text.head(name, type, help);
    for (const Migration& migration : migrations) {
      for (const DatabaseDetails& database : migration.details) {
        text.line(fmt::format("{},database=\"{}\"", labels_of(migration), escaped(database.name)), value(database));
      }
    }
  };
  of_databases("pgsluice_database_copied_bytes", "counter", "Bytes of rows that have crossed.",
               [](const DatabaseDetails& of) { return static_cast<double>(of.copied.count); });
  of_databases("pgsluice_database_pending_bytes", "gauge", "Bytes of tables that are left, estimated.",
               [](const DatabaseDetails& of) { return static_cast<double>(of.pending.count); });
  of_databases("pgsluice_database_copied_rows", "counter", "Rows that have arrived.",
               [](const DatabaseDetails& of) { return static_cast<double>(of.rows); });
  text.head("pgsluice_database_tables", "gauge", "Tables by what has become of them.");
  for (const Migration& migration : migrations) {
    for (const DatabaseDetails& of : migration.details) {
      const std::string labels = fmt::format("{},database=\"{}\"", labels_of(migration), escaped(of.name));
      text.line(labels + ",state=\"queued\"", static_cast<double>(of.queued_tables));
      text.line(labels + ",state=\"loading\"", static_cast<double>(of.loading_tables));
      text.line(labels + ",state=\"completed\"", static_cast<double>(of.completed_tables));
      text.line(labels + ",state=\"errored\"", static_cast<double>(of.errored_tables));
    }
  }
  return text.take();
}

}  // namespace pgsluice::migration
