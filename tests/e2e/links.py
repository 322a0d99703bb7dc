# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces that go away under a live session: veth pairs in a network namespace that each test makes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import bed as beds
import measure_failures
import support
from support import ORBWEAVER, wait_until

SOURCES = ("ow1", "ring:ow1", "int:ow1", "pcapint:ow1")


class Namespace:
    """A network namespace with a veth pair ow0, ow1; gone with the process that holds it."""

    def __init__(self, test):
        for tool in ("unshare", "nsenter", "ip"):
            if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
                test.skipTest(f"{tool} is not installed")
        self._holder = subprocess.Popen(["unshare", "--net", "sleep", "600"], stderr=subprocess.PIPE)
        test.addCleanup(self._holder.wait)
        test.addCleanup(self._holder.kill)
        test.addCleanup(self._holder.stderr.close)
        own = os.readlink("/proc/self/ns/net")

        def made():
            if self._holder.poll() is not None:
                test.skipTest("no right to make a network namespace")
            return os.readlink(f"/proc/{self._holder.pid}/ns/net") != own

        wait_until(made, "the namespace")
        self.make_pair()

    def command(self, *command):
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", *command]

    def run(self, line):
        return support.run(*self.command(*line.split()), check=0).stdout

    def make_pair(self):
        self.run("ip link add ow0 type veth peer name ow1")
        for name, address in (("ow0", 1), ("ow1", 2)):
            self.run(f"ip link set {name} addrgenmode none")
            self.run(f"ip address add 192.0.2.{address}/24 dev {name}")
        for name in ("ow0", "ow1"):
            self.run(f"ip link set {name} up")

    def send(self, count, port):
        """Datagrams into ow0, out of which they come at ow1."""
        code = (f"import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('ow0', 0))\n"
                f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r})\nimport links\n"
                f"for _ in range({count}): s.send(links.datagram({port}))")
        support.run(*self.command(sys.executable, "-B", "-c", code), check=0)


def datagram(port):
    """A UDP datagram from that port, in an Ethernet frame."""
    udp = port.to_bytes(2, "big") + (53).to_bytes(2, "big") + (26).to_bytes(2, "big") + bytes(20)
    ip = bytes([0x45, 0]) + (20 + len(udp)).to_bytes(2, "big") + bytes(4) + bytes([64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2])
    return bytes([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]) + ip + udp


class Session:
    """`orbweaver observe` at work on a live source."""

    _count = 0

    def __init__(self, test, namespace, source, *arguments, suffix=".ndjson", through_pipe=False):
        Session._count += 1
        self.name = f"e2e-links-{os.getpid()}-{Session._count}"
        self.flows_path, self._summary_path = test.path(self.name + suffix), test.path(self.name + ".json")
        self._errors = tempfile.TemporaryFile("w+")  # no pipe: one that nobody empties blocks who writes it
        test.addCleanup(self._errors.close)
        self.reader = subprocess.Popen(["sh", "-c", f"cat > {self.flows_path}"], stdin=subprocess.PIPE) if through_pipe else None
        self.process = subprocess.Popen(
            namespace.command(ORBWEAVER, "observe", "-i", source, "--session", self.name, "--output",
                              "-" if through_pipe else self.flows_path, "--summary", self._summary_path, *arguments, "basic", "udp"),
            stdin=subprocess.DEVNULL, stdout=self.reader.stdin if through_pipe else None, stderr=self._errors)
        if through_pipe:
            test.addCleanup(self.reader.wait)
            self.reader.stdin.close()
        test.addCleanup(self.process.wait)
        test.addCleanup(self.process.kill)
        wait_until(lambda: self.capture() or self.process.poll() is not None, "the session")
        wait_until(lambda: self.process.poll() is not None or self._all_run(), "its stages")

    def _stages(self):
        stats = support.run(ORBWEAVER, "stats", self.name, "--json")
        return json.loads(stats.stdout)["stages"] if stats.returncode == 0 else []

    def _all_run(self):
        stages = self._stages()
        return bool(stages) and all(stage["state"] == "running" for stage in stages)

    def capture(self):
        stages = self._stages()
        return stages[0] if stages and stages[0]["counters"] else None

    def counter(self, name):
        capture = self.capture()
        return capture["counters"].get(name, 0) if capture else 0

    def wait_away(self, away):
        wait_until(lambda: self.counter("link_away") == away, f"link_away {away}", 10)

    def end(self, signal_=signal.SIGINT):
        """Exit status, standard error, and the time from the signal to the end in seconds."""
        if signal_:
            self.process.send_signal(signal_)
        start = time.monotonic()
        self.process.wait(support.PATIENCE_S)
        took_s = time.monotonic() - start
        if self.reader:
            self.reader.wait(support.PATIENCE_S)
        self._errors.seek(0)
        return self.process.returncode, self._errors.read(), took_s

    def flows(self):
        with open(self.flows_path) as file:
            return [json.loads(line) for line in file]

    def summary(self):
        with open(self._summary_path) as file:
            return json.load(file)


def processor_time_s(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Links(support.TestCase):
    def lose(self, namespace, how):
        namespace.run({"down": "ip link set ow1 down", "carrier": "ip link set ow0 down", "removed": "ip link del ow1"}[how])

    def bring_back(self, namespace, how):
        if how == "removed":
            namespace.make_pair()
        else:
            namespace.run({"down": "ip link set ow1 up", "carrier": "ip link set ow0 up"}[how])

    def test_observing_goes_on_when_the_interface_is_back(self):
        words = {"down": "went down at", "carrier": "lost its carrier at", "removed": "was removed at"}
        for source in SOURCES:
            for how in words:
                with self.subTest(source=source, how=how):
                    namespace = Namespace(self)
                    session = Session(self, namespace, source)
                    namespace.send(10, 1001)
                    wait_until(lambda: session.counter("packets_read") >= 10, "packets", 10)
                    self.lose(namespace, how)
                    session.wait_away(1)
                    capture = int(support.run("pgrep", "-P", str(session.process.pid), "-f", "orbweaver-capture", check=0).stdout)
                    before = processor_time_s(capture)
                    time.sleep(0.5)
                    self.assertLess(processor_time_s(capture) - before, 0.2, "capture spins")
                    self.bring_back(namespace, how)
                    session.wait_away(0)
                    namespace.send(10, 1002)
                    wait_until(lambda: session.counter("packets_read") >= 20, "packets again", 10)
                    status, errors, took_s = session.end()
                    self.assertEqual(status, 0, errors)
                    self.assertIn(f"interface ow1 {words[how]} 20", errors)
                    self.assertIn("interface ow1 is back at 20", errors)
                    self.assertRegex(errors, r"the interface was away (once|\d+ times), for \d+\.\d s in all\n")
                    self.assertEqual({flow["sp"]: flow["pkt_fwd"] for flow in session.flows()}, {1001: 10, 1002: 10})
                    summary = session.summary()
                    self.assert_balanced(summary)
                    counters = summary["stages"][0]["counters"]
                    self.assertGreaterEqual(counters["link_losses"], 1)
                    self.assertGreater(counters["link_away_ns"], 400_000_000)

    def test_ctrl_c_ends_a_session_whose_interface_is_away_within_a_second(self):
        for source in SOURCES:
            for how, expected in (("down", 0), ("carrier", 0), ("removed", 1)):
                with self.subTest(source=source, how=how):
                    namespace = Namespace(self)
                    session = Session(self, namespace, source)
                    namespace.send(10, 1001)
                    wait_until(lambda: session.counter("packets_read") >= 10, "packets", 10)
                    self.lose(namespace, how)
                    session.wait_away(1)
                    status, errors, took_s = session.end()
                    self.assertEqual(status, expected, errors)
                    self.assertLess(took_s, 1 if not support.is_instrumented() else 5)
                    self.assertEqual([flow["pkt_fwd"] for flow in session.flows()], [10])
                    self.assert_balanced(session.summary())

    def test_an_interface_that_is_removed_for_good_ends_the_session_with_status_1(self):
        namespace = Namespace(self)
        session = Session(self, namespace, "ow1", "--link-timeout", "1")
        namespace.send(10, 1001)
        wait_until(lambda: session.counter("packets_read") >= 10, "packets", 10)
        self.lose(namespace, "removed")
        status, errors, took_s = session.end(None)
        self.assertEqual(status, 1)
        self.assertRegex(errors, r"interface ow1 was removed at 20\S+ and has not come back")
        self.assertGreater(took_s, 0.9)
        self.assertEqual([flow["pkt_fwd"] for flow in session.flows()], [10])

    def test_a_session_that_shall_not_wait_ends_in_order(self):
        for how in ("down", "carrier", "removed"):
            with self.subTest(how):
                namespace = Namespace(self)
                session = Session(self, namespace, "ow1", "--on-link-loss", "stop")
                namespace.send(10, 1001)
                wait_until(lambda: session.counter("packets_read") >= 10, "packets", 10)
                self.lose(namespace, how)
                status, errors, took_s = session.end(None)
                self.assertEqual(status, 1)
                self.assertIn("--on-link-loss stop ends the capture", errors)
                self.assertLess(took_s, 3)
                self.assertEqual([flow["pkt_fwd"] for flow in session.flows()], [10])
                self.assert_balanced(session.summary())


class KernelBuffer(support.TestCase):
    PACKETS = 40_000

    def lost_while_stalled(self, source, *arguments):
        namespace = Namespace(self)
        session = Session(self, namespace, source, *arguments)
        namespace.send(1, 1000)
        wait_until(lambda: session.counter("packets_read") >= 1, "a packet", 10)
        time.sleep(0.3)
        capture = int(support.run("pgrep", "-P", str(session.process.pid), "-f", "orbweaver-capture", check=0).stdout)
        os.kill(capture, signal.SIGSTOP)
        namespace.send(self.PACKETS, 1001)
        os.kill(capture, signal.SIGCONT)
        wait_until(lambda: session.counter("packets_read") + session.counter("dropped_source") > self.PACKETS, "packets", 20)
        status, errors, _ = session.end()
        self.assertEqual(status, 0, errors)
        return session.summary()["dropped"]

    def test_a_larger_buffer_bridges_a_stall(self):
        for source in ("ow1", "int:ow1"):
            with self.subTest(source):
                self.assertGreater(self.lost_while_stalled(source), 0)
                self.assertEqual(self.lost_while_stalled(source, "--kernel-buffer-mib", "64"), 0)


class MeasureLinks(measure_failures.Measurement):
    """The interface of a measurement loses its carrier, since its peer goes down, or is down itself."""

    def stage(self, measuring, kind):
        stats = support.run(ORBWEAVER, "stats", measuring.session, "--json")
        found = json.loads(stats.stdout)["stages"] if stats.returncode == 0 else []
        return next((stage["counters"] for stage in found if stage["stage"] == kind), {})

    def link(self, state, side="server"):
        self.bed.run("ip", "link", "set", beds.INTERFACE, state, side=side, check=True)

    def lose_link(self, measuring, side="server"):
        self.link("down", side)
        self.addCleanup(self.link, "up", side)
        wait_until(lambda: self.stage(measuring, "capture").get("link_away") == 1, "the loss", 10)
        time.sleep(0.3)  # what was sent meanwhile

    def made(self, measuring):
        spider = self.stage(measuring, "spider")
        return sum(spider[f"connections_{state}"] for state in ("ok", "failed", "timeout", "open"))

    def test_no_connection_is_started_while_the_interface_is_away(self):
        for plugin, sound in (("ecn", measure_failures.ECN_SOUND), ("dscp", measure_failures.DSCP_SOUND)):
            with self.subTest(plugin):
                measuring = self.start(plugin, rate=500, count=1500)
                measuring.wait_for_results(200)
                self.lose_link(measuring)
                before = self.made(measuring)
                time.sleep(1)
                self.assertEqual(self.made(measuring), before)
                self.link("up")
                status, errors, _ = measuring.end()
                self.assertEqual(status, 0, errors)
                self.assertRegex(errors, "interface bed0 lost its carrier at 20.*Z")
                self.assertIn("no connection is started until it is back", errors)
                self.assertRegex(errors, r"away once, for \d\.\d s in all: \d+ connections were not observed while packets were")
                results = measuring.results()
                self.assert_true_results(results, sound, 1500)
                doubted = sum(any(word.startswith("pathspider.") for word in result["conditions"]) for result in results)
                self.assertLess(doubted, 1000)
                self.assert_all_put_back(measuring.session)

    def test_ctrl_c_ends_a_measurement_whose_interface_is_away_within_a_second(self):
        for plugin, sound in (("ecn", measure_failures.ECN_SOUND), ("dscp", measure_failures.DSCP_SOUND)):
            with self.subTest(plugin):
                measuring = self.start(plugin, rate=500)
                measuring.wait_for_results(200)
                self.lose_link(measuring)
                measuring.process.send_signal(signal.SIGINT)
                status, errors, took_s = measuring.end()
                self.assertEqual(status, 0, errors)
                self.assertLess(took_s, 1 if not support.is_instrumented() else 5)
                self.link("up")
                self.assert_true_results(measuring.results(), sound)
                self.assert_all_put_back(measuring.session)


if __name__ == "__main__":
    support.main()
