# SPDX-License-Identifier: GPL-3.0-or-later
"""A stage of a live session that dies is followed by another one, which goes on where it stopped: under traffic in a
network namespace, at the end every packet that was sent is in exactly one place of the ledger.

    restarts.py Restarts.test_killed_at_random      kills a stage of a session now and then, chosen at random; for how long
                                                 and how often say ORBWEAVER_KILL_S (10) and ORBWEAVER_KILL_EVERY_S (0.7), and at
                                                 how many packets a second ORBWEAVER_KILL_RATE (20000)
"""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time

import links
import rotation
import support
from support import wait_until

KILL_S = float(os.environ.get("ORBWEAVER_KILL_S", "10"))
KILL_EVERY_S = float(os.environ.get("ORBWEAVER_KILL_EVERY_S", "0.7"))
RATE = int(os.environ.get("ORBWEAVER_KILL_RATE", "20000"))  # packets a second

# Datagrams of many flows until standard input ends; then says how many there were.
TRAFFIC = """
import os, select, socket, sys, time
sys.path.insert(0, {folder!r})
import restarts
frames = [restarts.query(1024 + port) for port in range({flows})]
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(("ow0", 0))
sent, begun = 0, time.monotonic()
while not select.select([0], [], [], 0)[0]:
    for frame in frames[sent % len(frames):][:50]:
        out.send(frame)
        sent += 1
    time.sleep(max(0, begun + sent / {rate} - time.monotonic()))
print(sent)
"""


def query(port):
    """A DNS query from that port, in an Ethernet frame."""
    name = b"".join(bytes([len(label)]) + label for label in (b"%d" % port, b"example", b"net")) + bytes(1)
    payload = port.to_bytes(2, "big") + bytes([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]) + name + bytes([0, 1, 0, 1])
    udp = port.to_bytes(2, "big") + (53).to_bytes(2, "big") + (8 + len(payload)).to_bytes(2, "big") + bytes(2) + payload
    ip = bytes([0x45, 0]) + (20 + len(udp)).to_bytes(2, "big") + bytes(4) + bytes([64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2])
    return bytes([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]) + ip + udp


class Traffic:
    def __init__(self, test, namespace, flows=2000, rate=RATE):
        code = TRAFFIC.format(folder=os.path.dirname(os.path.abspath(__file__)), flows=flows, rate=rate)
        self.process = subprocess.Popen(namespace.command(sys.executable, "-B", "-c", code), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        test.addCleanup(self.process.wait)
        test.addCleanup(self.process.kill)

    def end(self):
        """How many packets were sent."""
        return int(self.process.communicate(timeout=support.PATIENCE_S)[0])


FRAGILE = """
#include "observer/shared_chain.hpp"
#include <csignal>
namespace {
struct FragileChain {
  static constexpr std::string_view name = "fragile";
  static constexpr std::string_view summary = "dies of port 666";
  static constexpr std::uint32_t needs = orbweaver::Need::none;
  struct State {};
  inline static const auto fields = std::array<orbweaver::ChainField, 0>{};
  static bool udp(State&, orbweaver::PacketView packet, bool) noexcept {
    if (packet->key.ports[0] == 666 || packet->key.ports[1] == 666)
      std::raise(SIGSEGV);
    return true;
  }
};
}
ORBWEAVER_EXPORT_CHAINS(FragileChain)
"""


class Restarts(support.TestCase):
    def start(self, *arguments, observers=2, flows=2000, **output):
        namespace = links.Namespace(self)
        session = links.Session(self, namespace, "ow1", "--observers", str(observers), "--idle-timeout", "1", *arguments, **output)
        suffix = output.get("suffix", ".ndjson")
        if "%" in suffix or suffix != ".ndjson":
            session.flows = lambda: self.lines_in(session.flows_path)
        return session, Traffic(self, namespace, flows)

    def stages(self, session):
        stats = support.run(support.ORBWEAVER, "stats", session.name, "--json", check=0)
        return json.loads(stats.stdout)["stages"]

    def stage(self, session, kind, index=0):
        found = [stage for stage in self.stages(session) if stage["stage"] == kind and stage.get("index", 0) == index]
        return found[0]

    def wait_for_flows(self, session, count=1000):
        wait_until(lambda: self.stage(session, "merger")["counters"]["flows_written"] >= count, "flows")

    def pid_of(self, session, kind, index=0):
        slot = {"capture": 0, "observer": 1 + index}.get(kind)
        for child in support.run("ps", "-o", "pid=,args=", "--ppid", str(session.process.pid)).stdout.splitlines():
            pid, command = child.split(None, 1)
            if f"orbweaver-{kind}" in command and (slot is None or f"--slot={slot}" in command):
                return int(pid)
        return None

    def kill(self, session, kind, index=0, stop=signal.SIGKILL):
        """Kills a stage, and waits until another one is at work in its place."""
        pid, restarts = self.pid_of(session, kind, index), self.stage(session, kind, index)["counters"]["restarts"]
        os.kill(pid, stop)

        def followed():
            stage = self.stage(session, kind, index)
            return stage["counters"]["restarts"] > restarts and stage["state"] == "running"

        return wait_until(followed, f"another {kind}", 30)[1]

    def check(self, session, traffic, restarts, capture_died=False):
        """Ends it, and looks where each packet is."""
        time.sleep(0.3)
        sent = traffic.end()
        time.sleep(0.3)
        status, errors, _ = session.end()
        self.assertEqual(status, 0, errors)
        summary = session.summary()
        self.assertIn(summary["end"], ("interrupted", "complete"), errors)
        self.assert_balanced(summary)
        sums = {}
        for stage in summary["stages"]:
            for name, value in stage["counters"].items():
                sums[name] = sums.get(name, 0) + (value if isinstance(value, int) else 0)
        lines = session.flows()
        if lines is None:  # some were removed
            return summary, errors
        flows = [line for line in lines if "event" not in line]
        in_flows = sum(flow["pkt_fwd"] + flow["pkt_rev"] for flow in flows)
        places = {"in flows": in_flows, "broken off": sums["packets_broken"], "dropped on rings": sums["dropped_ring"],
                  "dropped by the kernel": sums["dropped_source"], "no IP": sums["non_ip"]}
        unseen = sent - sum(places.values())
        print(f"{sent} packets sent: {places}, not seen {unseen}; {len(flows)} flows, {sums['flows_broken']} broken off, "
              f"{sums['flows_interrupted']} interrupted; {sums['restarts']} restarts", flush=True)
        self.assertEqual(sums["restarts"], restarts, errors)
        self.assertEqual(len(flows), sums["flows_written"])
        self.assertEqual(len(lines) - len(flows), sums["events_written"])
        self.assertEqual(sums["packets_counted"], in_flows)
        if capture_died:
            self.assertGreaterEqual(unseen, 0)
            self.assertGreater(sums["unwatched_ns"], 0)
            self.assertLess(unseen, RATE * (sums["unwatched_ns"] / 1e9 * 1.2 + 0.1), "more than came while nobody watched")
        else:
            self.assertEqual(unseen, 0, f"{places}\n{errors}")
        return summary, errors

    def test_an_observer_is_followed(self):
        session, traffic = self.start()
        self.wait_for_flows(session)
        for turn in range(6):
            took_s = self.kill(session, "observer", turn % 2)
            print(f"another observer after {took_s:.2f} s", flush=True)
            time.sleep(0.2)
        summary, errors = self.check(session, traffic, 6)
        self.assertIn("orbweaver-observer 1 (process", errors)
        self.assertIn("was killed by SIGKILL; another one takes its place", errors)
        self.assertRegex(errors, r"stages died and were followed 6 times: \d+ flows were given out early, \d+ broken off with")
        self.assertGreater(sum(stage["counters"]["flows_interrupted"] for stage in summary["stages"][1:3]), 0)

    def test_a_merger_is_followed(self):
        for suffix, arguments in support.cases((".ndjson", ()), (".csv", ()), (".ndjson", ("--digest",)), (".ndjson.zst", ()),
                                               (".csv.zst", ())):
            with self.subTest(suffix=suffix, arguments=arguments):
                session, traffic = self.start(*arguments, suffix=suffix)
                self.wait_for_flows(session)
                for _ in range(3):
                    self.kill(session, "merger")
                    time.sleep(0.2)
                self.check(session, traffic, 3)

    def test_a_merger_that_rotates_is_followed(self):
        cases = support.cases(
            (".ndjson", ("--rotate", "1s")), (".ndjson", ("--rotate", "50KiB", "--digest")),
            (".csv", ("--rotate", "1s", "--digest", "dns")), (".ndjson.zst", ("--rotate", "2s", "--digest", "--keep", "20KiB")),
            (".csv.zst", ("--rotate", "1s", "--digest", "dns")))
        for suffix, arguments in cases:
            with self.subTest(suffix=suffix, arguments=arguments):
                dice, told = random.Random(), self.path(f"told{suffix}{len(arguments)}")
                command = self.path("tell")
                with open(command, "w") as file:
                    file.write(f'#!/bin/sh\necho "$1" >> {told}\n')
                os.chmod(command, 0o755)
                session, traffic = self.start(*arguments, "--rotate-command", command, "--restart", "1000", flows=30000,
                                              suffix="-%Y%m%dT%H%M%SZ" + suffix)  # so many that they leave all the time
                self.wait_for_flows(session)
                until, kills = time.monotonic() + KILL_S / 2, 0
                while time.monotonic() < until:
                    time.sleep(dice.uniform(0, KILL_EVERY_S * 1.5))
                    if (pid := self.pid_of(session, "merger")) and self.stage(session, "merger")["state"] == "running":
                        os.kill(pid, signal.SIGKILL)
                        kills += 1
                    if dice.random() < 0.3:
                        session.process.send_signal(signal.SIGHUP)
                wait_until(lambda: self.stage(session, "merger")["state"] == "running", "the last merger")
                if "--keep" in arguments:
                    session.flows = lambda: None
                summary, errors = self.check(session, traffic, kills)
                self.check_files(session, summary, suffix, "--keep" in arguments)
                with open(told) as file:
                    names = [os.path.basename(line.rstrip("\n")) for line in file]
                self.assertEqual(sorted(names), sorted(file["file"] for span in self.spans(session) for file in span["files"]), errors)

    def spans(self, session):
        with open(session.flows_path[:session.flows_path.index("-%")] + ".manifest") as file:
            return [json.loads(line) for line in file]

    def check_files(self, session, summary, suffix, keeps):
        """The manifest says what is in the files, and its sums are those of the run."""
        spans, merger = self.spans(session), summary["stages"][-1]["counters"]
        for before, after in zip(spans, spans[1:]):
            self.assertEqual(before["end_s"], after["begin_s"])
        names = [file["file"] for span in spans for file in span["files"]]
        self.assertEqual(len(names), len(set(names)))
        there = {name for name in os.listdir(self.folder) if name.startswith(session.name + "-")}
        self.assertEqual([name for name in there if name.endswith(".part")], [])
        self.assertEqual(merger["files_complete"], len(names))
        self.assertEqual(merger["files_removed"], len(names) - len(there))
        self.assertGreater(len(spans), 2)
        self.assertEqual(there - set(names), set())
        self.assertEqual(keeps, len(there) < len(names))
        for span in spans:
            for file in span["files"]:
                if file["file"] in there:
                    path = self.path(file["file"])
                    self.assertEqual(os.path.getsize(path), file["octets"], file)
                    self.assertEqual(len(rotation.lines_of(path)) - ("csv" in suffix), file["rows"], file)
        for word in ("flows", "events"):
            self.assertEqual(sum(span[word] for span in spans), merger[f"{word}_written"])
        self.assertEqual(sum(span["packets"] for span in spans),
                         sum(stage["counters"].get("packets_counted", 0) for stage in summary["stages"]))
        if summary["digest"]:
            self.assertEqual(rotation.added([span["digest"] for span in spans]), summary["digest"])

    def lines_in(self, pattern):
        """The rows of all files of an output, flows and events."""
        rows = []
        start, _, suffix = os.path.basename(pattern).partition("%Y%m%dT%H%M%SZ")
        for name in os.listdir(self.folder):
            if name.startswith(start.removesuffix(suffix)) and not name.endswith((".manifest", ".json")):
                lines = rotation.lines_of(self.path(name))
                if ".csv" not in name:
                    rows += map(json.loads, lines)
                for row in csv.DictReader(lines) if ".csv" in name else ():
                    is_flow = "pkt_fwd" in row
                    rows.append({way: int(row[way]) for way in ("pkt_fwd", "pkt_rev")} if is_flow else {"event": name})
        return rows

    def test_capture_is_followed(self):
        session, traffic = self.start()
        self.wait_for_flows(session)
        for _ in range(4):
            self.kill(session, "capture")
            time.sleep(0.3)
        self.check(session, traffic, 4, capture_died=True)

    def test_a_merger_that_writes_into_a_pipe_is_followed(self):
        for suffix, arguments in ((".ndjson", ("dns",)), (".csv", ("--format", "csv"))):
            with self.subTest(arguments=arguments):
                session, traffic = self.start(*arguments, "--restart", "1000", suffix=suffix, through_pipe=True)
                self.wait_for_flows(session)
                for _ in range(6):
                    self.kill(session, "merger")
                    time.sleep(random.uniform(0, 0.4))
                self.check(session, traffic, 6)

    def test_a_merger_whose_output_is_a_fifo_ends_the_session(self):
        # Whoever reads it is at its end when the only one that writes it dies.
        namespace = links.Namespace(self)
        pipe = self.path(f"e2e-links-{os.getpid()}-{links.Session._count + 1}.ndjson")
        os.mkfifo(pipe)
        reader = subprocess.Popen(["cat", pipe], stdout=subprocess.DEVNULL)
        self.addCleanup(reader.wait)
        self.addCleanup(reader.kill)
        session = links.Session(self, namespace, "ow1")
        os.kill(self.pid_of(session, "merger"), signal.SIGKILL)
        status, errors, _ = session.end(None)
        self.assertEqual(status, 1, errors)
        self.assertRegex(errors, r"orbweaver-merger \(process \d+\) was killed by SIGKILL\n")

    def test_too_many_deaths_end_the_session(self):
        session, traffic = self.start("--restart", "3")
        self.wait_for_flows(session)
        for _ in range(3):
            self.kill(session, "observer", 0)
        os.kill(self.pid_of(session, "observer", 0), signal.SIGKILL)
        status, errors, _ = session.end(None)
        self.assertEqual(status, 1, errors)
        self.assertIn("orbweaver-observer 0: 4 times in a minute is too often (--restart)", errors)
        self.assertEqual(session.summary()["end"], "stage died")
        traffic.end()

    def test_never_means_that_a_death_is_the_end(self):
        session, traffic = self.start("--restart", "never")
        os.kill(self.pid_of(session, "observer", 1), signal.SIGKILL)
        status, errors, _ = session.end(None)
        self.assertEqual(status, 1, errors)
        self.assertEqual(session.summary()["end"], "stage died")
        traffic.end()

    def test_a_replay_is_not_restarted(self):
        errors = support.observe(support.TROUBLES, "--restart", "3", "basic", check=2).stderr
        self.assertIn("--restart is for interfaces", errors)
        errors = support.observe("ow9", "--restart", "0", "basic", check=2).stderr
        self.assertIn("--restart 0: give a number of 1 to 1000, or never", errors)

    def test_a_packet_that_kills_twice_is_stepped_over_and_recorded(self):
        with self.object_of(FRAGILE):
            namespace = links.Namespace(self)
            session = links.Session(self, namespace, "ow1", "fragile")
            namespace.send(100, 1001)
            for _ in range(2):  # of the second such packet the same is said again
                namespace.send(1, 666)
            namespace.send(100, 1001)
            wait_until(lambda: self.stage(session, "observer")["counters"]["packets_received"] >= 202, "the packets", 30)
            status, errors, _ = session.end()
            self.assertEqual(status, 0, errors)
            summary = session.summary()
            self.assert_balanced(summary)
            self.assertEqual(sum(flow["pkt_fwd"] for flow in session.flows()), 200)
            counters = summary["stages"][1]["counters"]
            self.assertEqual((counters["restarts"], counters["packets_broken"]), (4, 2), errors)
            self.assertEqual(errors.count("a packet that an observer died of twice is stepped over"), 2)
            found = sorted(name for name in os.listdir(self.folder) if name.endswith(".records"))
            self.assertEqual(found, [f"poison-{session.name}-{number}.records" for number in (1, 2)])
            replay = support.run(support.program("orbweaver-observer"), "--in", "file:" + self.path(found[0]), "--out",
                                 "file:/dev/null", "fragile")
            self.assertEqual(replay.returncode, -signal.SIGSEGV, replay.stderr)
            flows = "file:" + self.path("flows")
            support.run(support.program("orbweaver-observer"), "--in", "file:" + self.path(found[0]), "--out", flows, "basic",
                        check=0)
            lines = support.run(support.program("orbweaver-merger"), "--flows", flows, check=0).stdout.splitlines()
            self.assertEqual([json.loads(line)["sp"] for line in lines], [666])

    def test_the_front_command_killed_means_that_nobody_follows(self):
        session, traffic = self.start()
        self.wait_for_flows(session)
        stages = [self.pid_of(session, *stage) for stage in (("capture", 0), ("observer", 0), ("observer", 1), ("merger", 0))]
        session.process.kill()
        wait_until(lambda: not any(map(support.process_runs, stages)), "the stages to end", 10)
        self.assertEqual(support.segments(session.name), [])
        traffic.end()

    def test_killed_at_random(self):
        session, traffic = self.start("--restart", "1000", "dns")  # which has names in flow memory
        self.wait_for_flows(session)
        seed = int(os.environ.get("ORBWEAVER_KILL_SEED", time.time()))
        print(f"seed {seed}", flush=True)
        dice = random.Random(seed)
        victims = [("capture", 0), ("observer", 0), ("observer", 1), ("merger", 0)]
        first = dice.sample(victims, len(victims))  # each at least once
        kills, until = {victim: 0 for victim in victims}, time.monotonic() + KILL_S
        while time.monotonic() < until:
            time.sleep(dice.uniform(0.5, 1.5) * KILL_EVERY_S)
            victim = first.pop() if first else dice.choice(victims)
            pid = self.pid_of(session, *victim)
            if pid:
                os.kill(pid, signal.SIGKILL)
                kills[victim] += 1
            self.assertIsNone(session.process.poll(), "the session has ended")
        print(f"killed: {kills}", flush=True)
        wait_until(lambda: all(stage["state"] == "running" for stage in self.stages(session)), "all stages")
        self.check(session, traffic, sum(kills.values()), capture_died=kills["capture", 0] > 0)


if __name__ == "__main__":
    support.main()
