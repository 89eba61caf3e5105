#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/subprocess.h"
#include "pg/connection.h"
#include "tests/support/data_folder.h"

namespace pgsluice::test {

/// Where PostgreSQL's server programs are: the newest of /usr/lib/postgresql, or $PGSLUICE_TEST_BINDIR.
std::filesystem::path server_bindir();

/// Runs a file by psql, with its arguments besides ("--set=scale=1"); throws what psql said when it fails.
void run_sql_file(const std::string& conninfo, const std::filesystem::path& file,
                  const std::vector<std::string>& arguments = {});

/// A PostgreSQL server of a test's own, in a new private folder; ended and removed with the object, and by the kernel
/// when the test dies. Superuser postgres without a password over the socket; over TCP (127.0.0.1) passwords are asked.
class Cluster {
 public:
  enum class Tls { kOff, kOffered };
  struct Options {
    /// Lines for postgresql.conf.
    std::vector<std::string> settings;
    std::vector<std::string> initdb_arguments;
    /// The server's environment besides this process's.
    std::vector<std::pair<std::string, std::string>> environment;
    /// True if the server takes TLS over TCP, with a certificate of its own making.
    Tls tls = Tls::kOff;
    /// A server of which this one is a standby.
    const Cluster* primary = nullptr;
    /// The folder of the server programs; empty: server_bindir().
    std::filesystem::path bindir;
    /// In which the server's own folder is made; empty: where there is room, in memory if there is enough.
    std::filesystem::path parent;
  };

  Cluster() : Cluster(Options{}) {}
  explicit Cluster(Options options);
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;
  ~Cluster();

  int port() const { return port_; }
  const std::filesystem::path& folder() const { return folder_; }
  std::string socket_path() const;

  /// Keyword/value text over the socket.
  std::string conninfo(std::string_view database, std::string_view user = "postgres") const;
  /// Over TCP.
  std::string tcp_conninfo(std::string_view database, std::string_view user) const;

  pg::Connection connect(std::string_view database, Side side = Side::kSource) const;
  /// Runs statements in a database.
  void sql(std::string_view database, std::string_view text) const;
  /// The first value of an answer.
  std::string value(std::string_view database, std::string_view query) const;
  /// Returns what the server wrote into its log, since it was made.
  std::string log() const;
  /// A tablespace in the cluster's folder.
  void create_tablespace(const std::string& name) const;
  /// Drops it first if it is there.
  void create_database(std::string_view name, std::string_view options = "TEMPLATE template0") const;

  void start();
  void stop_fast();
  /// SIGKILL to the postmaster.
  void kill();

 private:
  void drop_subscriptions(pg::Connection& connection, std::string_view database) const;
  std::filesystem::path log_file() const { return folder_ / "server.log"; }

  std::filesystem::path bindir_;
  std::filesystem::path folder_;
  int port_ = 0;
  std::vector<std::pair<std::string, std::string>> environment_;
  std::unique_ptr<Subprocess> server_;
};

/// Connection strings of the clusters that this process has started and not ended. Any thread.
std::vector<std::string> running_clusters();

/// A source and a target that all tests of a program share; started with the first use.
Cluster& shared_source();
Cluster& shared_target();
/// Ends them; called by the test program at its end.
void stop_shared_clusters();

}  // namespace pgsluice::test
