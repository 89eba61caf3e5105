"""A delaying proxy before each server, for clones over a long way."""

import subprocess


class Link:
    """`description` is DELAY_MS[,MBIT], or None for servers that are reached directly."""

    def __init__(self, description, servers, build):
        self.description, self.servers, self.build = description, servers, build
        self.proxies = {}

    def __enter__(self):
        if not self.description:
            return self
        delay, _, mbit = self.description.partition(",")
        for cluster in (self.servers.source, self.servers.target):
            command = [f"{self.build}/link_proxy", "--to", f"{cluster.sockets}/.s.PGSQL.{cluster.port}", "--delay", delay]
            process = subprocess.Popen(command + (["--mbit", mbit] if mbit else []), stdout=subprocess.PIPE, text=True)
            self.proxies[cluster] = (process, int(process.stdout.readline()))
        return self

    def __exit__(self, *_):
        for process, _ in self.proxies.values():
            process.terminate()
            process.wait()

    def conninfo(self, cluster):
        if not self.description:
            return cluster.conninfo("bench")
        return f"host=127.0.0.1 port={self.proxies[cluster][1]} user=postgres dbname=bench"
