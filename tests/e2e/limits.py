# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of a process (setrlimit): each is named, and nothing is left behind."""

import json
import os
import resource
import shutil
import subprocess
import sys
import unittest

import support
from support import ORBWEAVER, TROUBLES, run, segments

MIB = 1 << 20
NOT_INSTRUMENTED = unittest.skipIf(support.is_instrumented(), "a sanitizer maps terabytes and takes descriptors itself")


def limited(what, soft, hard=None):
    return lambda: resource.setrlimit(what, (soft, soft if hard is None else hard))


class Limits(support.TestCase):
    def observe(self, limit, *arguments, source=TROUBLES, stdout=subprocess.PIPE):
        self.session = f"e2e-limits-{os.getpid()}"
        return subprocess.run([ORBWEAVER, "observe", "-i", source, "--session", self.session, *arguments, "basic"],
                              stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True, preexec_fn=limit,
                              timeout=support.PATIENCE_S)

    def test_a_file_at_its_limit_is_named_and_ends_with_a_whole_line(self):
        pcap = support.write_pcap(self.path("x.pcap"), support.packets(30_000, 1))
        rings = ("--packet-ring-mib", "1", "--flow-ring-mib", "1")
        limit = limited(resource.RLIMIT_FSIZE, 2 * MIB + 77)
        with open(self.path("flows"), "wb") as file:
            result = self.observe(limit, *rings, source=pcap, stdout=file)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"orbweaver-merger: error: cannot write standard output: File too large; \d+ flows written")
        with open(self.path("flows")) as file:
            text = file.read()
        self.assertTrue(text.endswith("}\n"), text[-100:])
        self.assertGreater(len(text), MIB)
        self.assertIn(f"; {len(text.splitlines())} flows written", result.stderr)
        self.assertEqual(segments(self.session), [])
        result = self.observe(limit, *rings, "-o", self.path("named"), source=pcap)
        self.assertEqual(result.returncode, 1)
        self.assertIn("File too large", result.stderr)
        self.assertIn(": they are in ", result.stderr)
        self.assertEqual(len(os.listdir(self.folder)), 3)

    def test_shared_memory_beyond_the_limit_of_files_is_named(self):
        result = self.observe(limited(resource.RLIMIT_FSIZE, MIB))
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"orbweaver\S*: error: .*File too large")
        self.assertEqual(segments(self.session), [])

    @NOT_INSTRUMENTED
    def test_too_few_descriptors_are_named(self):
        for count in (4, 6, 8, 10):
            with self.subTest(count):
                result = self.observe(limited(resource.RLIMIT_NOFILE, count))
                self.assertIn(result.returncode, (0, 1))
                if result.returncode != 0:
                    self.assertRegex(result.stderr, "orbweaver.*: error: .*(Too many open files|too many open files)")
                self.assertEqual(segments(self.session), [])

    def test_workers_that_have_not_the_descriptors_are_named_with_how_many_have(self):
        if not shutil.which("setpriv"):
            self.skipTest("setpriv is not installed")
        with open(self.path("jobs"), "w") as jobs:
            jobs.write(json.dumps({"domain": "x.test"}) + "\n")
        result = run("setpriv", "--bounding-set", "-sys_resource", ORBWEAVER, "measure", "-w", "1000", "--input", jobs.name,
                     "dnsresolv", preexec_fn=limited(resource.RLIMIT_NOFILE, 500))
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stderr, r"-w 1000 needs 2064 open files, 500 are allowed: use at most -w 218")

    @NOT_INSTRUMENTED
    def test_memory_that_may_not_be_mapped_is_named(self):
        for mib in (30, 40, 60):
            with self.subTest(mib):
                result = self.observe(limited(resource.RLIMIT_AS, mib * MIB), "--max-flows", "1000000")
                self.assertEqual(result.returncode, 1)
                self.assertRegex(result.stderr, "(out of memory|Cannot allocate memory|cannot allocate memory|failed to map segment)")
                self.assertEqual(segments(self.session), [])

    def test_a_buffer_in_the_kernel_is_for_interfaces_that_can_have_one(self):
        result = self.observe(None, "--kernel-buffer-mib", "16")
        self.assertEqual(result.returncode, 2)
        self.assertIn("--kernel-buffer-mib is for interfaces", result.stderr)
        result = self.observe(None, "--kernel-buffer-mib", "16", source="ring:lo")
        self.assertEqual(result.returncode, 2)
        self.assertIn("leave --kernel-buffer-mib out", result.stderr)


if __name__ == "__main__":
    support.main()
