"""Throw-away PostgreSQL servers and what they and the tools that work on them use of the machine."""

import glob
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = ["bulk", "tables", "objects", "keys", "documents", "small"]
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def bindir():
    """Where Debian has PostgreSQL's newest server programs, unless PGSLUICE_BENCH_BINDIR names others."""
    if "PGSLUICE_BENCH_BINDIR" in os.environ:
        return os.environ["PGSLUICE_BENCH_BINDIR"]
    folders = glob.glob("/usr/lib/postgresql/*/bin")
    if not folders:
        raise SystemExit("no PostgreSQL server programs in /usr/lib/postgresql: run tools/install-packages")
    return max(folders, key=lambda folder: float(folder.split("/")[4]))


def use_release(number):
    """Takes the programs of a release of PostgreSQL that Debian has in another suite, or npm (tools/postgresql)."""
    os.environ["PGSLUICE_BENCH_BINDIR"] = run([os.path.join(HERE, "..", "tools", "postgresql"), str(number)]).strip()


def as_server_user(command):
    """PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return command
    return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", *command]


class Cluster:
    """A server in a private folder; superuser postgres without a password over its socket."""

    SETTINGS = {
        "listen_addresses": "''",
        "shared_buffers": "512MB",
        "max_wal_size": "3GB",
        "checkpoint_timeout": "30min",
        "maintenance_work_mem": "256MB",
        "fsync": "off",  # see bench/compare --folder and --fsync
    }

    def __init__(self, folder, name, port):
        self.folder = os.path.join(folder, name)
        self.port = port
        self.sockets = folder
        run(as_server_user([f"{bindir()}/initdb", "-D", self.folder, "-U", "postgres", "-A", "trust", "--no-sync",
                            "--encoding=UTF8", "--locale=C.UTF-8"]))
        options = {**self.SETTINGS, "unix_socket_directories": folder, "port": str(port)}
        run(as_server_user([f"{bindir()}/pg_ctl", "-D", self.folder, "-w", "-l", self.folder + ".log", "start", "-o",
                            " ".join(f"-c {name}={value}" for name, value in options.items())]))
        with open(os.path.join(self.folder, "postmaster.pid"), encoding="utf8") as file:
            self.pid = int(file.readline())

    def conninfo(self, database):
        return f"host={self.sockets} port={self.port} user=postgres dbname={database}"

    def sql(self, database, text):
        return run([f"{bindir()}/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.conninfo(database),
                    "-c", text]).strip()

    def new_database(self, name):
        self.sql("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self.sql("postgres", f"CREATE DATABASE {name} TEMPLATE template0")
        self.sql("postgres", "CHECKPOINT")

    def cpu_seconds(self):
        """Of the postmaster, all backends that have ended, and those that live."""
        pids = [self.pid, *children(self.pid)]
        return sum(cpu_of(pid, ended_children=pid == self.pid) for pid in pids)

    def stop(self):
        run(as_server_user([f"{bindir()}/pg_ctl", "-D", self.folder, "-m", "immediate", "stop"]))


class Servers:
    """A source and a target in a folder, ended and removed at the end of a with block."""

    def __init__(self, parent):
        self.parent = parent

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="pgsluice-bench.", dir=self.parent)
        os.chmod(self.folder, 0o755)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
        self.clusters = []
        signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(SystemExit(143)))
        try:
            for number, name in enumerate(("source", "target"), 1):
                self.clusters.append(Cluster(self.folder, name, number))
        except BaseException:
            self.__exit__()
            raise
        self.source, self.target = self.clusters
        return self

    def __exit__(self, *_):
        for cluster in self.clusters:
            cluster.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def cpu_seconds(self):
        return sum(cluster.cpu_seconds() for cluster in self.clusters)


def fill(servers, name, scale):
    """Makes a data set on the source; its size, for people."""
    servers.source.new_database("bench")
    run([f"{bindir()}/psql", "-X", "-q", "-o", "/dev/null", "-v", "ON_ERROR_STOP=1", "-v", f"scale={scale}", "-d",
         servers.source.conninfo("bench"), "-f", os.path.join(HERE, "data", f"{name}.sql")])
    servers.source.sql("postgres", "CHECKPOINT")
    size = servers.source.sql("bench", "SELECT pg_size_pretty(pg_database_size('bench'))")
    print(f"== {name}: {size}", flush=True)
    return size


def run(command, **options):
    """What a command has printed; what it said where it fails."""
    result = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, **options)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {result.returncode}: {result.stderr[-2000:]}")
    return result.stdout


def children(pid):
    """All processes below one."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="utf8") as file:
                direct = [int(word) for word in file.read().split()]
            for child in direct:
                found += [child, *children(child)]
    except OSError:
        pass  # it has ended meanwhile
    return found


def cpu_of(pid, ended_children=False):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return sum(int(field) for field in fields[11:15 if ended_children else 13]) / TICKS


def resident(pid):
    """Memory of its own, not what it shares with others: bytes."""
    try:
        with open(f"/proc/{pid}/statm", encoding="utf8") as file:
            words = file.read().split()
        return (int(words[1]) - int(words[2])) * PAGE
    except OSError:
        return 0


class Usage:
    """Wall time, CPU and memory of a command with all its processes."""

    def __init__(self, wall, cpu, memory):
        self.wall, self.cpu, self.memory = wall, cpu, memory


def measure(command, log, environment=None):
    """Runs a command to its end. Memory is the most that all its processes held together, looked at 50 times a
    second; pg_dump counts where a tool runs it."""
    most = 0
    with open(log, "ab") as output:
        begin = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/",
                                   env={**os.environ, **(environment or {})})
        ended = threading.Event()

        def watch():
            nonlocal most
            while not ended.wait(0.02):
                most = max(most, sum(resident(pid) for pid in [process.pid, *children(process.pid)]))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            _, status, used = os.wait4(process.pid, 0)
            wall = time.monotonic() - begin
        finally:
            ended.set()
            watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        with open(log, encoding="utf8", errors="replace") as file:
            raise RuntimeError(f"{command[0]}: exit {process.returncode}\n{file.read()[-3000:]}")
    return Usage(wall, used.ru_utime + used.ru_stime, most)
