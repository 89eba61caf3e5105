#include "tests/cases/pooler.h"

#include <fmt/format.h>

#include <fstream>
#include <stdexcept>

#include "pgsluice/error.h"
#include "tests/support/downloads.h"
#include "tests/support/sockets.h"
#include "tests/support/wait_until.h"

namespace pgsluice::test {

namespace {

// Debian's, as tools/test has unpacked it; empty where it has not.
std::string program() {
  const std::filesystem::path folder = download("pgbouncer");
  return folder.empty() ? "" : (folder / "usr/sbin/pgbouncer").string();
}

const char* name_of(Pooler::Mode mode) {
  switch (mode) {
    case Pooler::Mode::kSession:
      return "session";
    case Pooler::Mode::kTransaction:
      return "transaction";
    case Pooler::Mode::kStatement:
      return "statement";
  }
  return "";
}

pg::Connection connect(const std::string& conninfo) {
  return pg::Connection::open(pg::ConnInfo::parse(conninfo, Side::kSource), "test", Log(), CancelToken());
}

}  // namespace

bool Pooler::is_installed() { return !program().empty(); }

Pooler::Pooler(const Cluster& server, Mode mode, const std::map<std::string, std::string>& aliases,
               const std::vector<std::string>& settings)
    : mode_(mode), port_(free_server_port()), configuration_(server.folder() / fmt::format("pgbouncer-{}.ini", port_)) {
  const std::string place = fmt::format("host={} port={} user=postgres", server.folder().string(), server.port());
  {
    std::ofstream file(configuration_);
    file << "[databases]\n";
    for (const auto& [alias, database] : aliases) file << alias << " = dbname=" << database << " " << place << "\n";
    file << "* = " << place << "\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = " << port_
         << "\nunix_socket_dir =\nauth_type = any\npool_mode = " << name_of(mode)
         << "\nlogfile = " << configuration_.string() << ".log\n";
    for (const std::string& line : settings) file << line << "\n";
  }
  process_ = std::make_unique<Subprocess>(
      SubprocessOptions{.command = as_server_user({program(), "--quiet", configuration_.string()}), .environment = {}});
  const bool answers = wait_until([this] {
    try {
      connect(conninfo("postgres"));
      return true;
    } catch (const Error&) {
      return false;
    }
  });
  if (!answers) throw std::runtime_error("PgBouncer did not start");
}

std::string Pooler::conninfo(std::string_view database) const {
  return fmt::format("host=127.0.0.1 port={} user=postgres sslmode=disable dbname='{}'", port_, database);
}

std::vector<std::string> Pooler::settings_of_sessions(std::string_view database, int count) const {
  std::vector<pg::Connection> clients;
  std::vector<std::string> settings;
  for (int i = 0; i < count; ++i) {
    clients.push_back(connect(conninfo(database)));
    // The transaction keeps its session of the server from the next client.
    if (mode_ != Mode::kStatement) clients.back().execute("BEGIN");
    const pg::Result answer = clients.back().execute(
        "SELECT concat_ws(', ', current_setting('search_path'), current_setting('row_security'),"
        " current_setting('datestyle'), current_setting('default_transaction_isolation'))");
    settings.emplace_back(answer[0].text(0));
  }
  return settings;
}

}  // namespace pgsluice::test
