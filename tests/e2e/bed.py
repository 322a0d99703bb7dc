#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A test bed for active measurement: two network namespaces, a veth pair between them, servers on one side, and paths
that spoil what they carry (bed_paths.py says which). Needs root and the Debian packages nginx-light, unbound, nftables,
iproute2, ethtool, openssl.

    sudo tests/e2e/bed.py run -- orbweaver measure -i bed0 ...   a bed for as long as a command runs on the client's side
    sudo tests/e2e/bed.py up                                     a bed that stays, until `down`
    sudo ip netns exec ow-bed-c COMMAND                          a command on its client's side
    tests/e2e/bed.py paths | targets                             what is there; jobs for `orbweaver measure`

Exit status: 0 done, 1 failed, 77 there can be no bed here; of `run`, the command's own.
"""

import argparse
import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import bed_paths

INTERFACE = "bed0"  # on both sides
CLIENT_4, SERVER_4, CLIENT_6, SERVER_6 = "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"
SERVED_4, SERVED_6 = "10.66.0.0/15", "2001:db8:66::/64"
CLIENT_MAC, SERVER_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
STATE = "/run/orbweaver-bed"  # a folder for each bed: configurations, logs, process ids
TOOLS = ("ip", "nft", "nginx", "unbound", "ethtool", "openssl")
PATIENCE_S = 30

SYSCTLS = {
    "client": {"net.ipv4.tcp_ecn": 2, "net.ipv4.tcp_fastopen": 1},
    "server": {
        "net.ipv4.tcp_ecn": 2, "net.ipv4.tcp_fastopen": 3, "net.ipv4.tcp_reflect_tos": 1,
        # Thousands of connections a second, none of them answered by a cookie, which forgets options.
        "net.core.somaxconn": 65535, "net.ipv4.tcp_max_syn_backlog": 65535, "net.ipv4.tcp_syncookies": 0,
        "net.ipv4.icmp_ratelimit": 0, "net.ipv6.icmp.ratelimit": 0,
        "net.ipv6.ip_nonlocal_bind": 1,  # datagrams leave from addresses that only a route makes the server's own
    },
}


class BedError(Exception):
    """A bed did not come up; the text says what went wrong."""


class Unavailable(BedError):
    """There can be no bed here: a tool or a right is missing; the text says which."""


def _environment():
    return dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin")


def _call(*command, **options):
    """Runs a command to its end; an error says what it was and what it said."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, env=_environment(), timeout=PATIENCE_S, **options)
    except OSError as error:
        raise BedError(f"{command[0]}: {error.strerror}") from error
    if result.returncode != 0:
        raise BedError(f"{' '.join(command)}: {(result.stderr or result.stdout).strip()}")
    return result.stdout


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@contextlib.contextmanager
def entered(namespace):
    """This thread is in a namespace for a while; sockets made meanwhile stay there."""
    libc, clone_newnet = ctypes.CDLL(None, use_errno=True), 0x40000000

    def enter(path):
        with open(path) as file:
            if libc.setns(file.fileno(), clone_newnet) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)

    with open("/proc/thread-self/ns/net") as home:
        enter(f"/run/netns/{namespace}")
        try:
            yield
        finally:
            if libc.setns(home.fileno(), clone_newnet) != 0:
                raise OSError(ctypes.get_errno(), "the way back from a namespace")


class Bed:
    """A bed that this process has; `with Bed() as bed:` takes it down whatever happens."""

    def __init__(self, name=None):
        self.name = name or str(os.getpid())
        self.namespaces = {"client": f"ow-{self.name}-c", "server": f"ow-{self.name}-s"}
        self.folder = os.path.join(STATE, self.name)

    def __enter__(self):
        clear_abandoned()
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *_):
        self.down()

    # What tests and users do on it.

    def command(self, *command, side="client"):
        return ["ip", "netns", "exec", self.namespaces[side], *command]

    def run(self, *command, side="client", **options):
        """Runs a command to its end on one side; arguments and result are those of subprocess.run."""
        options.setdefault("env", _environment())
        return subprocess.run(self.command(*command, side=side), **options)

    def start(self, *command, side="client", **options):
        """Starts a command on one side: a Popen, whose process is the command itself."""
        options.setdefault("env", _environment())
        return subprocess.Popen(self.command(*command, side=side), **options)

    def entered(self, side="client"):
        return entered(self.namespaces[side])

    # Up and down.

    def up(self):
        for tool in TOOLS:
            if not shutil.which(tool, path=_environment()["PATH"]):
                raise Unavailable(f"{tool} is not installed")
        if os.geteuid() != 0:
            raise Unavailable("making network namespaces takes root")
        try:
            os.makedirs(STATE, mode=0o755, exist_ok=True)
            os.mkdir(self.folder, mode=0o755)
        except FileExistsError:
            raise BedError(f"the bed {self.name} is up already, or was left: take it down first") from None
        except OSError as error:
            raise Unavailable(f"{self.folder}: {error.strerror}") from error
        self._join_namespaces()
        self._address()
        _call(*self.command("nft", "-f", "-", side="server"), input=bed_paths.ruleset())
        self._serve()

    def _join_namespaces(self):
        client, server = self.namespaces["client"], self.namespaces["server"]
        try:
            _call("ip", "netns", "add", client)
            _call("ip", "netns", "add", server)
            _call("ip", "link", "add", INTERFACE, "netns", client, "address", CLIENT_MAC, "type", "veth",
                  "peer", "name", INTERFACE, "netns", server, "address", SERVER_MAC)
        except BedError as error:
            raise Unavailable(f"no right to make namespaces with a veth pair: {error}") from error
        for side in self.namespaces:
            for name, value in SYSCTLS[side].items():
                _call(*self.command("sysctl", "-q", "-w", f"{name}={value}", side=side))
        with contextlib.suppress(BedError):  # in namespaces only as of Linux 6.13
            _call(*self.command("sysctl", "-q", "-w", "net.ipv4.icmp_msgs_per_sec=100000", side="server"))
        for side in self.namespaces:
            self._ip(side, f"link set {INTERFACE} addrgenmode none")
            # Packets shall be on the wire as they will be on any other: of a size that fits, with a checksum.
            _call(*self.command("ethtool", "-K", INTERFACE, "tx", "off", "tso", "off", "gso", "off", "gro", "off", side=side))
            self._ip(side, "link set lo up", f"link set {INTERFACE} up")
        os.makedirs(f"/etc/netns/{client}", exist_ok=True)
        with open(f"/etc/netns/{client}/resolv.conf", "w") as file:
            file.write(f"nameserver {SERVER_4}\n")

    def _ip(self, side, *commands):
        _call("ip", "-n", self.namespaces[side], "-batch", "-", input="".join(line + "\n" for line in commands))

    def _address(self):
        """Addresses, neighbours known from the start, and routes that make whole prefixes the server's own."""
        self._ip("client", f"address add {CLIENT_4}/30 dev {INTERFACE}", f"address add {CLIENT_6}/126 dev {INTERFACE} nodad",
                 f"neighbour add {SERVER_4} lladdr {SERVER_MAC} dev {INTERFACE} nud permanent",
                 f"neighbour add {SERVER_6} lladdr {SERVER_MAC} dev {INTERFACE} nud permanent",
                 f"route add {SERVED_4} via {SERVER_4}", f"route add {SERVED_6} via {SERVER_6}")
        self._ip("server", f"address add {SERVER_4}/30 dev {INTERFACE}", f"address add {SERVER_6}/126 dev {INTERFACE} nodad",
                 f"neighbour add {CLIENT_4} lladdr {CLIENT_MAC} dev {INTERFACE} nud permanent",
                 f"neighbour add {CLIENT_6} lladdr {CLIENT_MAC} dev {INTERFACE} nud permanent",
                 f"route add local {SERVED_4} dev lo", f"route add local {SERVED_6} dev lo")
        for path in bed_paths.PATHS:
            if path.advertised_mss:
                table = 100 + bed_paths.NUMBERS[path.name]
                for version, family, peer in (("-4", 4, CLIENT_4), ("-6", 6, CLIENT_6)):
                    rule = f"rule add from {bed_paths.prefix(path.name, family)} lookup {table}"
                    route = f"route add {peer} dev {INTERFACE} advmss {path.advertised_mss} table {table}"
                    for command in (rule, route):
                        _call("ip", "-n", self.namespaces["server"], version, *command.split())

    def _serve(self):
        with open(os.path.join(self.folder, "key.log"), "w") as log:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                            "-days", "30", "-subj", "/CN=bed.test", "-keyout", os.path.join(self.folder, "key.pem"),
                            "-out", os.path.join(self.folder, "certificate.pem")], check=True, stdout=log, stderr=log)
        here = os.path.dirname(os.path.abspath(__file__))
        self._start_server("nginx", "nginx", "-p", self.folder, "-c", self._write("nginx.conf", NGINX), "-e", "stderr")
        self._start_server("unbound", "unbound", "-d", "-c", self._write("unbound.conf", UNBOUND + _names()))
        self._start_server("servers", sys.executable, "-B", os.path.join(here, "bed_servers.py"), INTERFACE)
        start = time.monotonic()
        ports = [80, 443, 53, bed_paths.PORT_PLAIN_NO_TFO, bed_paths.PORT_TLS_NO_H2, bed_paths.PORT_TLS_NO_TFO,
                 bed_paths.PORT_H2C, bed_paths.PORT_DNS]
        with self.entered("client"):
            while not all(_answers(address, port) for port in ports for address in (SERVER_4, SERVER_6)):
                dead = [name for name, pid in self._servers().items() if not _runs(pid)]
                if dead or time.monotonic() - start > PATIENCE_S:
                    raise BedError(f"{' and '.join(dead) or 'a server'} did not start: {self._log(dead)}")
                time.sleep(0.05)

    def _write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text.replace("@FOLDER@", self.folder))
        return path

    def _log(self, names):
        said = []
        for name in names or self._servers():
            with open(os.path.join(self.folder, name + ".log"), errors="replace") as log:
                said.append(log.read()[-500:].strip())
        return "; ".join(said)

    def _start_server(self, name, *command):
        with open(os.path.join(self.folder, name + ".log"), "w") as log:
            server = self.start(*command, side="server", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                start_new_session=True)
        # It is not waited for: its process id stands in a file, for whoever takes the bed down.
        server.returncode = 0
        with open(os.path.join(self.folder, name + ".pid"), "w") as file:
            file.write(str(server.pid))

    def _servers(self):
        servers = {}
        with contextlib.suppress(OSError):
            for file_name in os.listdir(self.folder):
                if file_name.endswith(".pid"):
                    with open(os.path.join(self.folder, file_name)) as file:
                        servers[file_name[:-4]] = int(file.read() or 0)
        return servers

    def _processes(self, side):
        """Those that run in a namespace, without this one and those that wait for it."""
        own, pid = set(), os.getpid()
        while pid > 1:
            own.add(pid)
            with open(f"/proc/{pid}/stat") as stat:
                pid = int(stat.read().rsplit(")", 1)[1].split()[1])
        with contextlib.suppress(BedError):
            return [pid for pid in map(int, _call("ip", "netns", "pids", self.namespaces[side]).split())
                    if pid not in own and _runs(pid)]
        return []

    def down(self):
        """Ends every process on both sides and removes all that there is of the bed; what is not there is no error."""
        servers = set(self._servers().values())
        for pid in servers.intersection(self._processes("server")):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        start = time.monotonic()
        while time.monotonic() - start < 2 and self._processes("server"):
            time.sleep(0.02)
        for side, namespace in self.namespaces.items():
            for pid in self._processes(side):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(BedError):
                _call("ip", "-n", namespace, "link", "del", INTERFACE)
            if os.path.exists(f"/run/netns/{namespace}"):
                _call("ip", "netns", "del", namespace)
            shutil.rmtree(f"/etc/netns/{namespace}", ignore_errors=True)
        for pid in servers:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        shutil.rmtree(self.folder, ignore_errors=True)
        for folder in (STATE, "/etc/netns"):
            with contextlib.suppress(OSError):
                os.rmdir(folder)


def clear_abandoned():
    """Takes down the beds of processes that are gone: SIGKILL leaves theirs."""
    names = set()
    for folder, pattern in (("/run/netns", r"ow-(\d+)-[cs]"), (STATE, r"(\d+)")):
        with contextlib.suppress(OSError):
            names.update(found[1] for found in (re.fullmatch(pattern, entry) for entry in os.listdir(folder)) if found)
    for name in names:
        if not _runs(int(name)):
            Bed(name).down()


def _answers(address, port):
    try:
        socket.create_connection((address, port), timeout=1).close()
        return True
    except OSError:
        return False


def _names():
    """A name for each path, with an address of each family; any other name under bed.test has the sound ones."""
    lines = ['  local-zone: "bed.test." redirect\n']
    for name, path, hosts in (("", "sound", 1), ("many.", "sound", 3), *((p.name + ".", p.name, 1) for p in bed_paths.PATHS)):
        if name:
            lines.append(f'  local-zone: "{name}bed.test." redirect\n')
        for host in range(1, hosts + 1):
            for family, kind in ((4, "A"), (6, "AAAA")):
                lines.append(f'  local-data: "{name}bed.test. 60 {kind} {bed_paths.address(path, family, host)}"\n')
    return "".join(lines)


NGINX = """
daemon off;
worker_processes 2;
pid @FOLDER@/nginx.running;
error_log @FOLDER@/nginx.log warn;
events { worker_connections 8000; multi_accept on; }
http {
  access_log off;
  keepalive_timeout 5;
  client_header_timeout 10;
  client_body_temp_path @FOLDER@/body;
  proxy_temp_path @FOLDER@/proxy;
  fastcgi_temp_path @FOLDER@/fastcgi;
  uwsgi_temp_path @FOLDER@/uwsgi;
  scgi_temp_path @FOLDER@/scgi;
  ssl_certificate @FOLDER@/certificate.pem;
  ssl_certificate_key @FOLDER@/key.pem;
""" + "".join(f"  server {{\n    listen {listen};\n    listen [::]:{listen} ipv6only=on;\n"
              "    location / { return 200 'a page of the test bed\\n'; }\n  }\n" for listen in (
                  "80 fastopen=4096 backlog=65535", "443 ssl http2 fastopen=4096 backlog=65535",
                  f"{bed_paths.PORT_PLAIN_NO_TFO} backlog=65535", f"{bed_paths.PORT_TLS_NO_H2} ssl fastopen=4096 backlog=65535",
                  f"{bed_paths.PORT_TLS_NO_TFO} ssl http2 backlog=65535")) + "}\n"

UNBOUND = """
server:
  username: ""
  chroot: ""
  directory: "@FOLDER@"
  pidfile: ""
  use-syslog: no
  verbosity: 0
  do-daemonize: no
  num-threads: 1
  interface: 0.0.0.0
  interface: ::0
  interface-automatic: yes
  port: 53
  incoming-num-tcp: 4000
  outgoing-num-tcp: 1
  outgoing-range: 16
  num-queries-per-thread: 8
  so-reuseport: no
  access-control: 0.0.0.0/0 allow
  access-control: ::0/0 allow
  module-config: "iterator"
  local-zone: "." refuse
"""


def job(name, family, host=1):
    """The job for an address of a path, as a dictionary."""
    made = {"dip": bed_paths.address(name, family, host), "domain": f"{name}.bed.test", "bed_path": name}
    if port := bed_paths.BY_NAME[name].target_port:
        made["dp"] = port
    return made


def targets(names=None, families=(4, 6), hosts=1):
    """The jobs for some paths (none: all)."""
    for name in names or bed_paths.BY_NAME:
        for family in families:
            for host in range(1, hosts + 1):
                yield job(name, family, host)


def crowd(count):
    """The jobs of a benchmark: so many addresses, none twice, on a sound path."""
    for number in range(count):
        yield {"dip": bed_paths.crowd_address(number), "domain": "crowd.bed.test"}


def run_command(command):
    """A bed for as long as a command runs on its client's side; the command's exit status."""
    if not command:
        raise BedError("run: which command? bed.py run -- COMMAND...")
    with Bed() as bed:
        process = bed.start(*command)
        # A terminal sends Ctrl-C to the command too; the bed waits for it, and passes SIGTERM on.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        status = process.wait()
        return status if status >= 0 else 128 - status


def main():
    parser = argparse.ArgumentParser(description="A test bed for active measurement: namespaces, servers, spoiled paths.")
    actions = parser.add_subparsers(dest="action", required=True)
    for action, help_text in (("up", "make a bed that stays"), ("down", "take it down")):
        actions.add_parser(action, help=help_text).add_argument("--name", default="bed", help="the bed's name (bed)")
    run = actions.add_parser("run", help="a bed for as long as a command runs on the client's side")
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    actions.add_parser("paths", help="list the paths")
    jobs = actions.add_parser("targets", help="print jobs, one JSON object a line")
    jobs.add_argument("--path", action="append", choices=list(bed_paths.BY_NAME), metavar="PATH",
                      help="only this path; can be given several times")
    jobs.add_argument("--family", type=int, choices=(4, 6), help="only IPv4 or only IPv6")
    jobs.add_argument("--hosts", type=int, default=1, help="addresses a path and family, up to 254 (1)")
    jobs.add_argument("--crowd", type=int, metavar="N", help="instead: N IPv4 addresses on a sound path, up to 60000")
    arguments = parser.parse_args()

    if arguments.action == "paths":
        for path in bed_paths.PATHS:
            print(f"{path.name:18} {bed_paths.prefix(path.name, 4):14} {bed_paths.prefix(path.name, 6):26} {path.what}")
    elif arguments.action == "targets":
        families = (arguments.family,) if arguments.family else (4, 6)
        listed = crowd(arguments.crowd) if arguments.crowd else targets(arguments.path, families, arguments.hosts)
        sys.stdout.writelines(json.dumps(job) + "\n" for job in listed)
    elif arguments.action == "run":
        sys.exit(run_command(arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command))
    else:
        if not re.fullmatch(r"(?!\d+$)[A-Za-z0-9_.-]+", arguments.name):
            raise BedError("a bed's name has letters, digits, dots and dashes, and is not a number")
        bed = Bed(arguments.name)
        if arguments.action == "down":
            bed.down()
            return
        clear_abandoned()
        existed = os.path.exists(bed.folder)
        try:
            bed.up()
        except BaseException:
            if not existed:
                bed.down()
            raise
        print(f"the client's side: ip netns exec {bed.namespaces['client']} COMMAND, interface {INTERFACE}")


if __name__ == "__main__":
    try:
        main()
    except BedError as error:
        print(f"bed: {error}", file=sys.stderr)
        sys.exit(77 if isinstance(error, Unavailable) else 1)
