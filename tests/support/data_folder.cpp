#include "tests/support/data_folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <stdexcept>
#include <system_error>

#include "base/subprocess.h"

namespace pgsluice::test {

namespace fs = std::filesystem;

namespace {

constexpr const char* kPrefix = "pgsluice-test.";

std::uintmax_t available_memory() {
  std::ifstream in("/proc/meminfo");
  std::string name;
  std::uintmax_t kilobytes = 0;
  while (in >> name >> kilobytes) {
    if (name == "MemAvailable:") return kilobytes << 10U;
    in.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

// What test programs have left that were killed.
void remove_leavings(const fs::path& folder) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    const pid_t owner = std::atoi(name.c_str() + std::string_view(kPrefix).size());
    if (owner > 0 && ::kill(owner, 0) != 0 && errno == ESRCH) fs::remove_all(entry.path(), ignored);
  }
}

// In memory, where there is enough of it: for each database a server makes and removes hundreds of files, and with a
// disk the tests take twice as long for that. No test cares, since the servers run without fsync.
// $PGSLUICE_TEST_CLUSTERS names another folder.
fs::path choose_folder() {
  if (const char* wanted = std::getenv("PGSLUICE_TEST_CLUSTERS")) return wanted;
  constexpr std::uintmax_t kEnough = std::uintmax_t{16} << 30U;  // two programs at once take 8 GiB
  const fs::path memory = "/dev/shm";
  std::error_code error;
  const fs::space_info space = fs::space(memory, error);
  const bool is_enough = !error && space.available >= kEnough && available_memory() >= kEnough;
  return is_enough ? memory : fs::temp_directory_path();
}

}  // namespace

void run_or_throw(const std::vector<std::string>& command) {
  const SubprocessResult result = run_command({.command = command});
  if (result.exit_code != 0) {
    throw std::runtime_error(fmt::format("{} failed: {}{}", command.front(), result.output, result.errors));
  }
}

fs::path make_server_folder(const fs::path& parent) {
  static const fs::path usual = [] {
    const fs::path chosen = choose_folder();
    remove_leavings(chosen);
    return chosen;
  }();
  std::string pattern = ((parent.empty() ? usual : parent) / fmt::format("{}{}.XXXXXX", kPrefix, ::getpid())).string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
  return pattern;
}

std::vector<std::string> as_server_user(std::vector<std::string> command) {
  if (::geteuid() != 0) return command;
  // Without --pdeathsig the change of user would take away the signal that ends the server with the test.
  std::vector<std::string> result = {"setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups",
                                     "--pdeathsig=INT"};
  result.insert(result.end(), command.begin(), command.end());
  return result;
}

namespace {

/// A data folder that no server was started with.
class Template {
 public:
  explicit Template(const std::vector<std::string>& initdb) : folder_(make_server_folder()) {
    if (::geteuid() == 0) run_or_throw({"chown", "postgres", folder_.string()});
    std::vector<std::string> make = initdb;
    make.push_back("--pgdata=" + data().string());
    run_or_throw(as_server_user(make));
    // pg_resetwal makes the log of each copy.
    run_or_throw({"sh", "-c", "rm -f \"$0\"/pg_wal/0*", data().string()});
  }
  Template(const Template&) = delete;
  Template& operator=(const Template&) = delete;
  ~Template() {
    std::error_code ignored;  // the folder is a temporary one
    fs::remove_all(folder_, ignored);
  }

  fs::path data() const { return folder_ / "data"; }

 private:
  fs::path folder_;
};

// The control file begins with it. The file's checksum is wrong then, until pg_resetwal has written it anew.
void change_system_identifier(const fs::path& data) {
  static std::mt19937_64 random{std::random_device{}()};
  const std::uint64_t identifier = random() >> 1U;
  std::fstream control(data / "global" / "pg_control", std::ios::in | std::ios::out | std::ios::binary);
  control.write(reinterpret_cast<const char*>(&identifier), sizeof identifier);
  if (!control.flush()) throw std::runtime_error("cannot write " + data.string() + "/global/pg_control");
}

}  // namespace

void make_data_folder(const fs::path& bindir, const fs::path& data, const std::vector<std::string>& initdb_arguments) {
  std::vector<std::string> initdb = {(bindir / "initdb").string(),
                                     "--username=postgres",
                                     "--auth=trust",
                                     "--no-sync",
                                     "--encoding=UTF8",
                                     "--locale=C.UTF-8"};
  initdb.insert(initdb.end(), initdb_arguments.begin(), initdb_arguments.end());
  const fs::path pg_resetwal = bindir / "pg_resetwal";
  if (!fs::exists(pg_resetwal)) {
    initdb.push_back("--pgdata=" + data.string());
    return run_or_throw(as_server_user(initdb));
  }
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<Template>> templates;
  const std::lock_guard lock(mutex);
  std::unique_ptr<Template>& made = templates[fmt::format("{}", fmt::join(initdb, " "))];
  if (made == nullptr) made = std::make_unique<Template>(initdb);
  run_or_throw(as_server_user({"cp", "--archive", made->data().string(), data.string()}));
  change_system_identifier(data);
  run_or_throw(as_server_user({pg_resetwal.string(), "--force", "--pgdata=" + data.string()}));
}

}  // namespace pgsluice::test
