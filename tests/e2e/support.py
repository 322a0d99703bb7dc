# SPDX-License-Identifier: GPL-3.0-or-later
"""What the end-to-end tests share: the programs of the build, captures made on the spot, sessions and their leftovers."""

import contextlib
import glob
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("ORBWEAVER_BUILD", os.path.join(SOURCE, "build"))
TROUBLES = os.path.join(SOURCE, "tests", "data", "troubles.pcap")
ALL_CHAINS = "basic tcp icmp dscp ecn evil mss dns tcpopt tfo udp delivery noop".split()
PATIENCE_S = 60  # for what should take a second: the machine may be busy, or the build instrumented


def is_full():
    """Whether this is the full check, in which tests that take long take all their cases."""
    return bool(os.environ.get("ORBWEAVER_FULL"))


def cases(*all_cases):
    """Those of a test that takes long: all in the full check, else the first and the last."""
    return all_cases if is_full() or len(all_cases) < 3 else (all_cases[0], all_cases[-1])


def is_instrumented():
    """Whether the build has a sanitizer, which makes programs slower and larger."""
    with open(os.path.join(BUILD, "build.ninja")) as build:
        return "-fsanitize" in build.read()


def program(name):
    folder = "tools" if name == "orbweaver" else name.removeprefix("orbweaver-")
    return os.path.join(BUILD, folder, name)


ORBWEAVER = program("orbweaver")


def run(*arguments, check=None, **options):
    """Runs a program to its end; `check` is the exit status that it must have."""
    options.setdefault("stdin", subprocess.DEVNULL)
    result = subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE_S, **options)
    if check is not None and result.returncode != check:
        raise AssertionError(f"{' '.join(arguments)}: exit status {result.returncode}, {check} expected\n{result.stderr}")
    return result


def observe(source, *arguments, check=0, **options):
    return run(ORBWEAVER, "observe", "-i", source, *arguments, check=check, **options)


def flow_lines(text):
    """The flows of an output as a sorted list of lines; all of them are JSON objects."""
    lines = sorted(text.splitlines())
    for line in lines:
        if not isinstance(json.loads(line), dict):
            raise AssertionError(f"not a flow: {line}")
    return lines


def segments(session):
    """What a session has in shared memory."""
    return glob.glob(f"/dev/shm/orbweaver.{session}.*")


def wait_until(condition, what, patience_s=PATIENCE_S):
    """Polls until the condition holds; returns its value and how long that took in seconds."""
    start = time.monotonic()
    while not (value := condition()):
        if time.monotonic() - start > patience_s:
            raise AssertionError(f"waited {patience_s} s for {what}")
        time.sleep(0.01)
    return value, time.monotonic() - start


def process_runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _frame(number, step):
    """One packet of a UDP or TCP exchange between a client of its own and one of a few servers, 60 octets."""
    client, server = struct.pack(">I", 0x0A000000 + number), struct.pack(">I", 0xC0000200 + number % 7)
    client_port, server_port = 1024 + number % 50000, 53 if number % 3 == 0 else 443
    source, destination = (client, server) if step % 2 == 0 else (server, client)
    ports = (client_port, server_port) if step % 2 == 0 else (server_port, client_port)
    if number % 3 == 0:
        protocol, transport = 17, struct.pack(">HHHH", *ports, 26, 0) + bytes(18)
    else:
        flags = [0x02, 0x12, 0x10, 0x10, 0x11, 0x11][step % 6]
        protocol, transport = 6, struct.pack(">HHIIBBHHH", *ports, step, step, 0x50, flags, 8192, 0, 0) + bytes(6)
    ip = struct.pack(">BBHHHBBH", 0x45, number % 4, 20 + len(transport), number % 65536, 0, 64, protocol, 0)
    return bytes(12) + b"\x08\x00" + ip + source + destination + transport


def packets(flows, packets_a_flow=6, start_s=1_700_000_000):
    """(microseconds, frame) of interleaved flows, 100 packets a millisecond; the same for the same arguments."""
    time_us = start_s * 1_000_000
    for block in range(0, flows, 500):
        for step in range(packets_a_flow):
            for number in range(block, min(block + 500, flows)):
                time_us += 10
                yield time_us, _frame(number, step)


PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)


def pcap_record(time_us, frame):
    return struct.pack("<IIII", time_us // 1_000_000, time_us % 1_000_000, len(frame), len(frame)) + frame


def write_pcap(path, records):
    with open(path, "wb") as file:
        file.write(PCAP_HEADER)
        file.writelines(pcap_record(*record) for record in records)
    return path


def write_pcapng(path, records):
    """A section header, one Ethernet interface with microseconds (no if_tsresol), enhanced packet blocks."""

    def block(kind, body):
        body += bytes(-len(body) % 4)
        size = struct.pack("<I", len(body) + 12)
        return struct.pack("<I", kind) + size + body + size

    with open(path, "wb") as file:
        file.write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
        file.write(block(1, struct.pack("<HHI", 1, 0, 65535)))
        for time_us, frame in records:
            header = struct.pack("<IIIII", 0, time_us >> 32, time_us & 0xFFFFFFFF, len(frame), len(frame))
            file.write(block(6, header + frame))
    return path


class Feeder(threading.Thread):
    """Writes a capture that never ends into a pipe, as fast as it is read, until the reader leaves or stop() is called."""

    def __init__(self, pipe):
        super().__init__(daemon=True)
        self._pipe = pipe
        self._stopped = threading.Event()

    def run(self):
        with contextlib.suppress(OSError, ValueError):
            self._pipe.write(PCAP_HEADER)
            start_s = 1_700_000_000
            while not self._stopped.is_set():
                self._pipe.write(b"".join(pcap_record(*record) for record in packets(500, start_s=start_s)))
                start_s += 40  # longer than a flow may be idle
        with contextlib.suppress(OSError, ValueError):
            self._pipe.close()

    def stop(self):
        self._stopped.set()
        self.join(PATIENCE_S)


class Running:
    """`orbweaver observe` at work on a capture that never ends, under a session name of its own."""

    _count = 0

    def __init__(self, test, *arguments, stdout=subprocess.DEVNULL):
        Running._count += 1
        self.session = f"e2e-{os.getpid()}-{Running._count}"
        self.summary_path = test.path(self.session + ".json")
        self.process = subprocess.Popen(
            [ORBWEAVER, "observe", "-i", "-", "--session", self.session, "--summary", self.summary_path, *arguments],
            stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.PIPE, text=False)
        self._feeder = Feeder(self.process.stdin)
        self._feeder.start()
        test.addCleanup(self.process.kill)

    def stats(self):
        """The session's counters, or None while it is not yet there."""
        result = run(ORBWEAVER, "stats", self.session, "--json")
        return json.loads(result.stdout) if result.returncode == 0 else None

    def wait_for_flows(self, count=1000):
        """Waits until the merger has got so many flows; returns the statistics."""

        def merged():
            stats = self.stats()
            merger = stats["stages"][-1:] if stats else []
            return stats if merger and merger[0]["counters"].get("flows_received", 0) >= count else None

        return wait_until(merged, f"{count} flows")[0]

    def pid_of(self, stage, index=0):
        for child in run("ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)).stdout.splitlines():
            pid, command = child.split(None, 1)
            slot = {"capture": 0, "observer": 1 + index}.get(stage)
            if f"orbweaver-{stage}" in command and (slot is None or f"--slot={slot}" in command):
                return int(pid)
        raise AssertionError(f"no process of {stage} {index}")

    def end(self):
        """Waits for the end; returns exit status, standard error, and the time that it took in seconds."""
        start = time.monotonic()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("orbweaver did not end") from None
        finally:
            self._feeder.stop()
        took_s = time.monotonic() - start
        with self.process.stderr as errors:
            return self.process.returncode, errors.read().decode(), took_s

    def summary(self):
        with open(self.summary_path) as file:
            return json.load(file)


class TestCase(unittest.TestCase):
    """A test with a folder of its own, which is removed after it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="orbweaver-e2e-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def object_of(self, code, *flags):
        """The environment in which an object of that code is found, which is built in the test's folder."""
        compiler = shutil.which("c++")
        if not compiler or is_instrumented():
            self.skipTest("no compiler, or an instrumented build")
        source = self.path("object.cpp")
        with open(source, "w") as file:
            file.write(code)
        run(compiler, "-std=c++20", "-shared", "-fPIC", "-fvisibility=hidden", "-I", SOURCE, *flags, "-o", self.path("object.so"),
            source, check=0)
        os.chmod(self.folder, 0o700)
        return unittest.mock.patch.dict(os.environ, ORBWEAVER_PLUGIN_PATH=self.folder)

    def assert_balanced(self, summary):
        for line in summary["ledger"]["sums"]:
            self.assertEqual(line["left"], line["right"], line["sum"])
        self.assertTrue(summary["ledger"]["balanced"])


def main():
    """Runs the tests of a file; exit status 77 (skipped, for Meson) where every one was skipped."""
    result = unittest.main(exit=False, verbosity=2).result
    # A class that is skipped as a whole is in `skipped` once, and none of its tests has run.
    skipped_tests = sum(isinstance(test, unittest.TestCase) for test, _ in result.skipped)
    skipped = bool(result.skipped) and skipped_tests == result.testsRun
    sys.exit(77 if skipped else not result.wasSuccessful())
