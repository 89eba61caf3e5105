#include "tests/schema/archive_builder.h"

#include <cstdlib>

namespace pgsluice::test {

ArchiveBuilder& ArchiveBuilder::entry(schema::TocEntry entry, int section_number) {
  entries_.emplace_back(std::move(entry), section_number);
  return *this;
}

void ArchiveBuilder::integer(std::string& out, int value) const {
  out += value < 0 ? '\1' : '\0';
  auto magnitude = static_cast<unsigned>(std::abs(value));
  for (int i = 0; i < int_size; ++i) {
    out += static_cast<char>(magnitude & 0xFFU);
    magnitude >>= 8U;
  }
}

void ArchiveBuilder::string(std::string& out, const std::optional<std::string>& text) const {
  integer(out, text ? static_cast<int>(text->size()) : -1);
  out += text.value_or("");
}

void ArchiveBuilder::add_entry(std::string& out, const schema::TocEntry& entry, int section_number) const {
  integer(out, entry.dump_id);
  integer(out, entry.has_data ? 1 : 0);
  string(out, std::to_string(entry.catalog_id.table));
  string(out, std::to_string(entry.catalog_id.oid));
  string(out, entry.tag);
  string(out, std::string(entry.kind.words()));
  integer(out, section_number);
  string(out, entry.definition);
  string(out, entry.drop_statement);
  string(out, entry.copy_statement.empty() ? std::nullopt : std::optional<std::string>(entry.copy_statement));
  string(out, entry.schema);
  string(out, entry.tablespace);
  if (minor_ >= 14) string(out, entry.access_method);
  if (minor_ >= 16) integer(out, entry.relation_kind);
  string(out, entry.owner);
  string(out, "false");
  for (const int dependency : entry.dependencies) string(out, std::to_string(dependency));
  string(out, std::nullopt);
  if (format == 1) {
    out += '\3';
    out += std::string(static_cast<std::size_t>(offset_size), '\0');
  } else {
    string(out, entry.data_file);
  }
}

std::string ArchiveBuilder::bytes() const {
  std::string out = "PGDMP";
  out += '\1';
  out += static_cast<char>(minor_);
  out += '\0';
  out += static_cast<char>(int_size);
  out += static_cast<char>(offset_size);
  out += static_cast<char>(format);
  if (minor_ >= 15) {
    out += '\1';
  } else {
    integer(out, -1);
  }
  for (const int part : {1, 2, 3, 4, 5, 126, 0}) integer(out, part);
  string(out, "shop");
  string(out, "11.22");
  string(out, "12.19");
  integer(out, static_cast<int>(entries_.size()));
  for (const auto& [entry, section] : entries_) add_entry(out, entry, section);
  return out;
}

}  // namespace pgsluice::test
