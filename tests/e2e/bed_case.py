# SPDX-License-Identifier: GPL-3.0-or-later
"""A test case that has a bed of its own, for all tests of a class; skipped with the reason where there can be none."""

import dataclasses
import json
import os
import subprocess
import tempfile
import time

import bed as beds
import support
from support import ORBWEAVER


@dataclasses.dataclass
class Measured:
    status: int
    results: list  # the objects that came out, in order
    errors: str
    took_s: float

    def by(self, *keys):
        """The results by the values of some members; two results with the same ones are an error."""
        found = {}
        for result in self.results:
            key = tuple(result.get(name) for name in keys)
            if key in found:
                raise AssertionError(f"two results for {key}")
            found[key] = result
        return found


def ndjson(jobs):
    return "".join(json.dumps(job) + "\n" for job in jobs)


class BedCase(support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.bed = cls.enterClassContext(beds.Bed())
        except beds.Unavailable as reason:
            cls.skipTest(cls, f"no test bed: {reason}")

    def sysctl(self, name, value):
        """Sets net.ipv4.NAME on the client's side."""
        self.bed.run("sysctl", "-q", "-w", f"net.ipv4.{name}={value}", check=True)

    def system_state(self):
        """What a measurement may change on the client's side: the TCP sysctls, and the firewall rules."""
        names = ("tcp_ecn", "tcp_timestamps", "tcp_window_scaling", "tcp_sack", "tcp_fastopen", "tcp_ecn_fallback")
        sysctls = self.bed.run("sysctl", *(f"net.ipv4.{name}" for name in names), capture_output=True, text=True, check=True)
        rules = self.bed.run("nft", "list", "ruleset", capture_output=True, text=True, check=True)
        return sysctls.stdout + rules.stdout

    def measure(self, *arguments, jobs, general=(), status=0, patience_s=120):
        """`orbweaver measure` on the client's side with some jobs, to its end."""
        start = time.monotonic()
        process = self.bed.run(ORBWEAVER, "measure", "-i", beds.INTERFACE, *general, *arguments, input=ndjson(jobs),
                               capture_output=True, text=True, timeout=patience_s)
        if process.returncode != status:
            raise AssertionError(f"measure {' '.join(arguments)}: exit status {process.returncode}, {status} expected\n"
                                 f"{process.stderr}")
        return Measured(process.returncode, [json.loads(line) for line in process.stdout.splitlines()], process.stderr,
                        time.monotonic() - start)


class Measuring:
    """`orbweaver measure` at work on the client's side, its jobs in a file, its results in another."""

    _count = 0

    def __init__(self, test, *arguments, jobs, general=()):
        Measuring._count += 1
        self.session = f"e2e-{os.getpid()}-m{Measuring._count}"
        self.output = test.path(f"results-{Measuring._count}")
        where = () if "--output" in general else ("--output", self.output)
        self._errors = tempfile.TemporaryFile()
        with open(test.path(f"jobs-{Measuring._count}"), "w+") as file:
            file.write(ndjson(jobs))
            file.seek(0)
            self.process = test.bed.start(ORBWEAVER, "measure", "-i", beds.INTERFACE, "--session", self.session, *where,
                                          *general, *arguments, stdin=file, stdout=subprocess.DEVNULL,
                                          stderr=self._errors)
        test.addCleanup(self._end_by_force)

    def _end_by_force(self):
        self.process.kill()
        self.process.wait()
        self._errors.close()

    def results(self):
        """What is there by now, without a last line that is not whole yet."""
        try:
            with open(self.output) as file:
                return [json.loads(line) for line in file.read().split("\n")[:-1]]
        except FileNotFoundError:
            return []

    def wait_for_results(self, count):
        def enough():
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {len(self.results())} results:\n{self.errors()}")
            return len(self.results()) >= count

        support.wait_until(enough, f"{count} results")

    def stages(self):
        """Process ids by stage name: capture, observer (the first), spider, merger."""
        found = {}
        for child in support.run("ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)).stdout.splitlines():
            pid, command = child.split(None, 1)
            if "--session=" not in command:
                continue  # only asked what it has
            name = os.path.basename(command.split()[0]).removeprefix("orbweaver-")
            found.setdefault(name, int(pid))
        return found

    def errors(self):
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def end(self, patience_s=support.PATIENCE_S):
        """Waits for the end; returns exit status, standard error, and the time that it took in seconds."""
        start = time.monotonic()
        try:
            self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end within {patience_s} s:\n{self.errors()}") from None
        return self.process.returncode, self.errors(), time.monotonic() - start
