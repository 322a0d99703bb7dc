# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory that has a limit: a control group of 300 MiB under a flood of flows, and a process that may map no more."""

import contextlib
import json
import os
import resource
import subprocess
import unittest

import support
from support import ORBWEAVER

LIMIT = 300 << 20
NOT_INSTRUMENTED = unittest.skipIf(support.is_instrumented(), "a sanitizer maps terabytes")
FLOWS = 1_500_000  # half of the machine's memory would hold them, the group's does not


def make_group(test):
    """A memory control group with the limit, of version 2 or 1; gone after the test. Its file of processes."""
    for mount, limit in (("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/unified", "memory.max"),
                         ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")):
        folder = os.path.join(mount, f"orbweaver-e2e-{os.getpid()}")
        with contextlib.suppress(OSError):
            os.mkdir(folder)
            if not os.path.exists(os.path.join(folder, limit)):
                os.rmdir(folder)
                continue
            test.addCleanup(os.rmdir, folder)
            with open(os.path.join(folder, limit), "w") as file:
                file.write(str(LIMIT))
            return os.path.join(folder, "cgroup.procs")
    return test.skipTest("no right to make a memory control group here")


class Memory(support.TestCase):
    def flood(self, limit_process, *arguments, flows=FLOWS):
        """Observes one packet each of very many flows, within a second of the clock."""
        pcap = self.path("flood.pcap")
        with open(pcap, "wb") as file:
            file.write(support.PCAP_HEADER)
            for number in range(flows):
                address = (0x0A000000 + number).to_bytes(4, "big")
                frame = (bytes(12) + b"\x08\x00" + bytes([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0]) + address
                         + b"\xc0\x00\x02\x01\x10\x00\x00\x35\x00\x08\x00\x00")
                file.write(support.pcap_record(1_700_000_000_000_000 + number // 10, frame))
        summary = self.path("summary")
        # A file in a folder of memory would count in the group, as what it is: memory.
        result = subprocess.run([ORBWEAVER, "observe", "-i", pcap, "--output", "/dev/null", "--summary", summary,
                                 *arguments, "basic", "tcp", "dns"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                text=True, timeout=240, preexec_fn=limit_process)
        with open(summary) as file:
            return result, json.load(file)

    def test_a_flood_of_flows_stays_within_the_limit_of_the_control_group(self):
        processes = make_group(self)

        def enter():
            with open(processes, "w") as file:
                file.write(str(os.getpid()))

        result, summary = self.flood(enter)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_balanced(summary)
        observer = summary["stages"][1]["counters"]
        self.assertGreater(observer["ended_resources"], 0)
        self.assertLess(observer["table_octets"], LIMIT // 2)
        self.assertEqual(summary["stages"][2]["counters"]["flows_written"], FLOWS)

    def test_a_stage_that_is_ended_for_want_of_memory_is_named_and_the_rest_comes_out(self):
        processes = make_group(self)

        def enter():
            with open(processes, "w") as file:
                file.write(str(os.getpid()))

        result, summary = self.flood(enter, "--max-flows", "20000000", flows=2 * FLOWS)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stderr, r"orbweaver-\w+ \(process \d+\) was killed by SIGKILL, since the memory of its control "
                                        r"group ran out")
        self.assertEqual(summary["end"], "stage died")

    @NOT_INSTRUMENTED
    def test_the_limit_of_a_process_bounds_its_table(self):
        result, summary = self.flood(lambda: resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT)))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_balanced(summary)
        self.assertGreater(summary["stages"][1]["counters"]["ended_resources"], 0)

    @NOT_INSTRUMENTED
    def test_too_little_memory_is_named(self):
        small = 64 << 20  # the rings fit, the table does not
        result = support.run(ORBWEAVER, "observe", "-i", support.TROUBLES, "--max-flows", "1000000", "basic", check=1,
                             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (small, small)))
        self.assertRegex(result.stderr, "(out of memory|Cannot allocate memory).*--max-flows")


if __name__ == "__main__":
    support.main()
