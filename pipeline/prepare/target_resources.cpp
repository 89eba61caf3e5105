#include "pipeline/prepare/target_resources.h"

#include <array>
#include <string>
#include <string_view>

namespace pgsluice::pipeline {

namespace {

// In bytes, whatever unit the setting has.
Bytes size_setting(pg::Connection& connection, std::string_view name) {
  const std::array<std::string, 1> parameters = {std::string(name)};
  return {
      connection.execute("SELECT pg_catalog.pg_size_bytes(pg_catalog.current_setting($1))", parameters)[0].integer(0)};
}

}  // namespace

TargetResources read_resources(pg::Connection& target) {
  TargetResources resources{
      .maintenance_work_mem = size_setting(target, "maintenance_work_mem"),
      .shared_buffers = size_setting(target, "shared_buffers"),
      .max_parallel_maintenance_workers = 0,
      .toast_compressions = {},
  };
  resources.max_parallel_maintenance_workers = static_cast<int>(
      target
          .execute(
              "SELECT coalesce(pg_catalog.current_setting('max_parallel_maintenance_workers', true)::integer, 0)")[0]
          .integer(0));
  const pg::Result compressions =
      target.execute("SELECT enumvals FROM pg_catalog.pg_settings WHERE name = 'default_toast_compression'");
  if (!compressions.empty()) resources.toast_compressions = compressions[0].text_array(0);
  return resources;
}

}  // namespace pgsluice::pipeline
