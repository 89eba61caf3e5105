#include "tests/support/cluster.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <mutex>
#include <thread>

#include "base/file_descriptor.h"
#include "pg/quote.h"
#include "pgsluice/error.h"
#include "tests/support/sockets.h"

namespace pgsluice::test {

namespace fs = std::filesystem;

namespace {

// Where PostgreSQL looks for them.
void make_certificate(const std::string& data) {
  run_or_throw(as_server_user({"openssl", "req", "-new", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj",
                               "/CN=localhost", "-keyout", data + "/server.key", "-out", data + "/server.crt"}));
}

std::unique_ptr<Cluster>& source_slot() {
  static std::unique_ptr<Cluster> cluster;
  return cluster;
}

std::unique_ptr<Cluster>& target_slot() {
  static std::unique_ptr<Cluster> cluster;
  return cluster;
}

Cluster& shared(std::unique_ptr<Cluster>& slot) {
  if (slot == nullptr) slot = std::make_unique<Cluster>();
  return *slot;
}

}  // namespace

fs::path server_bindir() {
  if (const char* given = std::getenv("PGSLUICE_TEST_BINDIR")) return given;
  int newest = 0;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql")) {
    newest = std::max(newest, std::atoi(entry.path().filename().c_str()));
  }
  return fs::path("/usr/lib/postgresql") / std::to_string(newest) / "bin";
}

void run_sql_file(const std::string& conninfo, const fs::path& file, const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {(server_bindir() / "psql").string(),
                                      "--no-psqlrc",
                                      "--quiet",
                                      "--set=ON_ERROR_STOP=1",
                                      "--dbname=" + conninfo,
                                      "--output=/dev/null",
                                      "--file=" + file.string()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  run_or_throw(command);
}

Cluster::Cluster(Options options)
    : bindir_(options.bindir.empty() ? server_bindir() : options.bindir),
      port_(free_server_port()),
      environment_(options.environment) {
  folder_ = make_server_folder(options.parent);
  if (::geteuid() == 0) run_or_throw({"chown", "postgres", folder_.string()});
  const std::string data = (folder_ / "data").string();
  if (options.primary == nullptr) {
    make_data_folder(bindir_, data, options.initdb_arguments);
  } else {
    std::vector<std::string> make = {(bindir_ / "pg_basebackup").string(),
                                     "--pgdata=" + data,
                                     "--dbname=" + options.primary->conninfo("postgres"),
                                     "--write-recovery-conf",
                                     "--checkpoint=fast",
                                     "--no-sync"};
    // Beside the primary's own, which it takes with it.
    const pg::Result spaces =
        options.primary->connect("postgres")
            .execute("SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE pg_tablespace_location(oid) <> ''");
    for (const pg::Row space : spaces) {
      const fs::path there(space.text(0));
      make.push_back(fmt::format("--tablespace-mapping={}={}", there.string(), (folder_ / there.filename()).string()));
    }
    run_or_throw(as_server_user(make));
  }
  if (options.tls == Tls::kOffered) make_certificate(data);
  {
    std::ofstream conf(data + "/postgresql.conf", std::ios::app);
    conf << "listen_addresses = '127.0.0.1'\nport = " << port_ << "\nunix_socket_directories = '" << folder_.string()
         << "'\nfsync = off\nmax_connections = 60\nshared_buffers = 64MB\nmax_wal_size = 1GB\n"
         << "autovacuum_naptime = 1d\nwal_level = logical\n";
    if (options.tls == Tls::kOffered) conf << "ssl = on\n";
    for (const std::string& line : options.settings) conf << line << "\n";
    std::ofstream hba(data + "/pg_hba.conf");
    hba << "local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
  }
  start();
}

namespace {

// Their folders in /proc.
std::vector<fs::path> children_of(pid_t parent) {
  std::vector<fs::path> children;
  for (const fs::directory_entry& process : fs::directory_iterator("/proc")) {
    std::ifstream status(process.path() / "status");
    std::string line;
    while (std::getline(status, line)) {
      if (line == fmt::format("PPid:\t{}", parent)) children.push_back(process.path());
    }
  }
  return children;
}

}  // namespace

Cluster::~Cluster() {
  try {
    stop_fast();
  } catch (const std::exception&) {
    server_.reset();  // its destructor ends the process in any case
  }
  std::error_code ignored;  // the folder is a temporary one
  fs::remove_all(folder_, ignored);
}

namespace {

std::mutex clusters_mutex;
std::map<const Cluster*, std::string> clusters;  // guarded by the mutex

void note_running(const Cluster* cluster, const std::string& conninfo) {
  const std::lock_guard lock(clusters_mutex);
  clusters[cluster] = conninfo;
}

void note_ended(const Cluster* cluster) {
  const std::lock_guard lock(clusters_mutex);
  clusters.erase(cluster);
}

}  // namespace

std::vector<std::string> running_clusters() {
  const std::lock_guard lock(clusters_mutex);
  std::vector<std::string> result;
  for (const auto& [cluster, conninfo] : clusters) result.push_back(conninfo);
  return result;
}

std::string Cluster::log() const { return read_file(log_file()); }

void Cluster::start() {
  server_ = std::make_unique<Subprocess>(
      SubprocessOptions{.command = as_server_user({"sh", "-c", "exec \"$@\" >>\"$0\" 2>&1", log_file().string(),
                                                   (bindir_ / "postgres").string(), "-D", (folder_ / "data").string()}),
                        .environment = environment_});
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (true) {
    try {
      connect("postgres");
      note_running(this, conninfo("postgres"));
      return;
    } catch (const Error& error) {
      if (std::chrono::steady_clock::now() > end) {
        throw std::runtime_error(fmt::format("the server did not start: {}\n{}", error.describe(), log()));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
}

void Cluster::stop_fast() {
  note_ended(this);
  if (server_ == nullptr) return;
  ::kill(server_->pid(), SIGINT);
  server_->wait({});
  server_.reset();
}

void Cluster::kill() {
  note_ended(this);
  const std::vector<fs::path> backends = children_of(server_->pid());
  ::kill(server_->pid(), SIGKILL);
  server_->wait({});
  server_.reset();
  // They notice by themselves; a server does not start beside one of them.
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  for (const fs::path& backend : backends) {
    while (fs::exists(backend)) {
      if (std::chrono::steady_clock::now() > end)
        throw std::runtime_error("stays although killed: " + backend.string());
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
}

std::string Cluster::socket_path() const { return fmt::format("{}/.s.PGSQL.{}", folder_.string(), port_); }

std::string Cluster::conninfo(std::string_view database, std::string_view user) const {
  return fmt::format("host={} port={} user={} dbname='{}'", folder_.string(), port_, user, database);
}

std::string Cluster::tcp_conninfo(std::string_view database, std::string_view user) const {
  return fmt::format("host=127.0.0.1 port={} user={} dbname='{}'", port_, user, database);
}

pg::Connection Cluster::connect(std::string_view database, Side side) const {
  return pg::Connection::open(pg::ConnInfo::parse(conninfo(database), side), "test", Log(), CancelToken());
}

void Cluster::sql(std::string_view database, std::string_view text) const { connect(database).execute(text); }

std::string Cluster::value(std::string_view database, std::string_view query) const {
  pg::Connection connection = connect(database);
  return connection.execute(query)[0].optional_text(0).value_or("(null)");
}

void Cluster::create_tablespace(const std::string& name) const {
  const fs::path folder = folder_ / name;
  run_or_throw(as_server_user({"mkdir", folder.string()}));
  sql("postgres",
      fmt::format("CREATE TABLESPACE {} LOCATION {}", pg::quote_identifier(name), pg::quote_literal(folder.string())));
}

// A subscription keeps its database from being dropped.
void Cluster::drop_subscriptions(pg::Connection& connection, std::string_view database) const {
  const pg::Result subscriptions = connection.execute(
      "SELECT s.subname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = " +
      pg::quote_literal(database));
  for (const pg::Row row : subscriptions) {
    const std::string name = pg::quote_identifier(row.text(0));
    pg::Connection inside = connect(database);
    for (const char* step :
         {"ALTER SUBSCRIPTION {} DISABLE", "ALTER SUBSCRIPTION {} SET (slot_name = NONE)", "DROP SUBSCRIPTION {}"}) {
      inside.execute(fmt::format(fmt::runtime(step), name));
    }
  }
}

void Cluster::create_database(std::string_view name, std::string_view options) const {
  pg::Connection connection = connect("postgres");
  drop_subscriptions(connection, name);
  constexpr int kKnowsForce = 130000;
  connection.execute(fmt::format("DROP DATABASE IF EXISTS {}{}", pg::quote_identifier(name),
                                 connection.server_version() >= kKnowsForce ? " WITH (FORCE)" : ""));
  connection.execute(fmt::format("CREATE DATABASE {} {}", pg::quote_identifier(name), options));
}

Cluster& shared_source() { return shared(source_slot()); }
Cluster& shared_target() { return shared(target_slot()); }

void stop_shared_clusters() {
  source_slot().reset();
  target_slot().reset();
}

}  // namespace pgsluice::test
