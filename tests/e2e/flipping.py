# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that was taken over writes what it likes into the memory that it shares: while the real stages read and write
their rings, every word of the headers and of the records is flipped, again and again. Each stage comes to an end, in
order or with an error that it names; none crashes, spins, or waits for ever."""

import contextlib
import glob
import mmap
import os
import random
import signal
import socket
import subprocess
import threading
import time

import support
from support import ORBWEAVER, program

RING_AREA = 4096 * 9  # at least so many octets of a ring are header and description
SLOW = support.is_instrumented()
RUN_S = 1.0 if SLOW else 0.4  # of flipping, at most
TEST_S = 25 if SLOW else 10
END_S = 20  # in which a stage that is told to end does


class Flipper(threading.Thread):
    """Once what matches in shared memory is in use, flips words of it until stop(). By turns: records alone, any number of
    them; one word of the headers; one of the control block, or any. A word is put back soon, or not."""

    def __init__(self, pattern, turn):
        super().__init__(daemon=True)
        self.pattern, self.turn, self.random, self.done, self.flips = pattern, turn, random.Random(turn), threading.Event(), 0
        self.maps = {}

    def segments(self):
        for path in glob.glob(self.pattern):
            if path not in self.maps:
                with contextlib.suppress(OSError, ValueError), open(path, "r+b") as file:
                    self.maps[path] = mmap.mmap(file.fileno(), 0)
        return [(memory, path.endswith(".control")) for path, memory in self.maps.items()]

    def flip(self, memory, at, for_s):
        was = memory[at:at + 8]
        flipped = int.from_bytes(was, "little") ^ self.random.choice(
            (1 << self.random.randrange(64), self.random.getrandbits(64), 0xFFFFFFFF, 7, (1 << 64) - 1))
        memory[at:at + 8] = flipped.to_bytes(8, "little")
        self.flips += 1
        if for_s is not None:
            time.sleep(for_s)
            memory[at:at + 8] = was

    def run(self):
        time.sleep(self.random.choice((0, 0.05, 0.3)))
        way = self.turn % 3
        while not self.done.is_set():
            found = self.segments()
            time.sleep(0.0002)
            for memory, is_control in found:
                if way == 0 and not is_control:
                    for _ in range(200):
                        self.flip(memory, 8 * self.random.randrange(RING_AREA // 8, len(memory) // 8), None)
                elif way == 1 and not is_control:
                    self.flip(memory, 8 * (self.turn // 3 % 64), self.random.choice((0, 0.001, None)))
                elif way == 2:
                    at = self.random.randrange(64 if is_control else 4096)
                    self.flip(memory, 8 * at, self.random.choice((0, 0.001)))

    def stop(self):
        self.done.set()
        self.join()
        for memory in self.maps.values():
            memory.close()


class Flipping(support.TestCase):
    def start(self, *command, stdin=subprocess.DEVNULL):
        """A stage; what it says goes into a file."""
        self.count = getattr(self, "count", 0) + 1
        path = self.path(f"said.{self.count}")
        with open(path, "w") as said:
            process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.DEVNULL, stderr=said,
                                       env=dict(os.environ, ASAN_OPTIONS="exitcode=99", UBSAN_OPTIONS="exitcode=99"))
        self.addCleanup(self.kill, process)
        return process, path

    @staticmethod
    def kill(process):
        if process.poll() is None:
            process.kill()
        process.wait()

    def see_end(self, stages, flipper):
        """Flips, stops, and sees that all end, as they are told to where they do not by themselves."""
        deadline = time.monotonic() + RUN_S
        while time.monotonic() < deadline and any(process.poll() is None for process, _ in stages):
            time.sleep(0.05)
        flipper.stop()
        for process, _ in stages:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        ends = []
        for process, path in stages:
            try:
                status = process.wait(END_S)
            except subprocess.TimeoutExpired:
                with open(path) as said:
                    self.fail(f"{process.args[0]} does not end\n{said.read()}")
            with open(path) as said:
                text = said.read()
            self.assertIn(status, (0, 1, 2), f"{process.args}\n{text}")
            self.assertNotIn("Sanitizer", text)
            self.assertNotIn("runtime error", text)
            if status != 0:
                self.assertIn("error: ", text)
            ends.append((os.path.basename(process.args[0]), status))
        return ends

    def rounds(self, name, run):
        """Several runs, each for a while; what came of it."""
        seen, flips = {}, 0
        until = time.monotonic() + TEST_S
        turn = 0
        while time.monotonic() < until:
            flipper = Flipper(f"/dev/shm/orbweaver.{name}-{os.getpid()}*", turn)
            flipper.start()
            for end in self.see_end(run(f"{name}-{os.getpid()}"), flipper):
                seen[end] = seen.get(end, 0) + 1
            flips += flipper.flips
            turn += 1
            for left in glob.glob(f"/dev/shm/orbweaver.{name}-{os.getpid()}*"):
                os.remove(left)
        print(f"\n{name}: {flips} flips in {turn} runs; " + ", ".join(f"{stage} ended with {status} {count} times"
                                                                 for (stage, status), count in sorted(seen.items())), flush=True)
        self.assertGreater(flips, 1000)
        return seen

    def feed(self):
        """What feeds a capture without end to who reads it: the same packets again and again."""
        head, body = self.path("head"), self.path("body")
        if not os.path.exists(head):
            with open(head, "wb") as file:
                file.write(support.PCAP_HEADER)
            with open(body, "wb") as file:
                file.writelines(support.pcap_record(*record) for record in support.packets(20_000))
        feeder = subprocess.Popen(["sh", "-c", f"cat {head}; while cat {body}; do :; done"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(self.kill, feeder)
        self.addCleanup(feeder.stdout.close)
        return feeder.stdout

    def test_packets_and_flows(self):
        def run(name):
            return [self.start(program("orbweaver-merger"), "--attach-timeout", "2", "--flows", f"ring:{name}.f", "-o", self.path("flows")),
                    self.start(program("orbweaver-observer"), "--attach-timeout", "2", "--in", f"ring:{name}.p", "--out", f"ring:{name}.f",
                               "--flow-ring-mib", "1", "--max-flows", "1000", *support.ALL_CHAINS),
                    self.start(program("orbweaver-capture"), "--attach-timeout", "2", "-i", "-", "--out", f"ring:{name}.p",
                               "--packet-ring-mib", "1", stdin=self.feed())]

        seen = self.rounds("flip", run)
        for stage in ("orbweaver-observer", "orbweaver-merger"):
            self.assertIn((stage, 1), seen, "no flip was noticed")

    def test_a_whole_session(self):
        def run(name):
            return [self.start(ORBWEAVER, "observe", "--session", name, "-i", "-", "--packet-ring-mib", "1", "--observers", "2",
                               "--max-flows", "1000", "-o", self.path("session"), *support.ALL_CHAINS, stdin=self.feed())]

        self.assertIn(("orbweaver", 1), self.rounds("flips", run), "no flip was noticed")

    def test_jobs(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            jobs = self.path("jobs")
            with open(jobs, "w") as file:
                file.writelines(f'{{"dip":"127.0.{number // 250}.{1 + number % 250}","dp":{port},"n":{number}}}\n' for number in range(50_000))
            pcap, packets, flows = self.path("x.pcap"), self.path("packets"), self.path("recorded")
            support.write_pcap(pcap, support.packets(20_000))
            support.run(program("orbweaver-capture"), "-i", pcap, "--out", f"file:{packets}", check=0)
            support.run(program("orbweaver-observer"), "--in", f"file:{packets}", "--out", f"file:{flows}", "basic", "tcp", "mss", check=0)

            def run(name):
                return [self.start(program("orbweaver-merger"), "--attach-timeout", "2", "--flows", f"file:{flows}", "--jobs", f"ring:{name}.j",
                                   "-o", self.path("results")),
                        self.start(program("orbweaver-spider"), "--attach-timeout", "2", "-i", "lo", "--input", jobs, "--timeout", "1",
                                   "--job-ring-mib", "1", "--out", f"ring:{name}.j", "mss", "--connect", "tcp")]

            self.assertIn(("orbweaver-merger", 1), self.rounds("flipj", run), "no flip was noticed")


if __name__ == "__main__":
    support.main()
