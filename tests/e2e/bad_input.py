# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input is named, and what came before it is never lost."""

import json
import os
import re
import struct
import subprocess
import time

import support
from support import flow_lines, observe, program, run


class BadInput(support.TestCase):
    def test_a_capture_cut_off_in_a_packet_yields_all_flows_up_to_there_and_status_1(self):
        records = list(support.packets(200))
        for writer, name in ((support.write_pcap, "x.pcap"), (support.write_pcapng, "x.pcapng")):
            whole = writer(self.path("whole." + name), records[:-1])
            cut = writer(self.path(name), records)
            os.truncate(cut, os.path.getsize(cut) - 30)
            result = observe(cut, "--summary", self.path("s.json"), "basic", "tcp", check=1)
            self.assertEqual(flow_lines(result.stdout), flow_lines(observe(whole, "basic", "tcp").stdout))
            self.assertIn(cut, result.stderr)
            self.assertIn("processed 1199 packets", result.stderr)
            self.assertNotIn("ledger", result.stderr)

    def test_a_capture_cut_shorter_while_it_is_read_is_named_and_flows_up_to_there_are_kept(self):
        blocks = 60
        records = [record for block in range(blocks)
                   for record in support.packets(500, start_s=1_700_000_000 + 40 * block)]  # flows end at each block
        capture = support.write_pcap(self.path("x.pcap"), records)
        running = subprocess.Popen([support.ORBWEAVER, "observe", "-i", capture, "--packet-ring-mib", "1",
                                    "--flow-ring-mib", "1", "--summary", self.path("s.json"), *support.ALL_CHAINS],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(1)  # nobody reads the flows: the rings fill, and capture waits for room
        os.truncate(capture, 1_000_000)
        flows, errors = running.communicate(timeout=support.PATIENCE_S)
        self.assertEqual(running.returncode, 1, errors)
        self.assertRegex(errors, re.escape(capture) + r": offset \d+: was cut to 1000000 octets while it was read")
        self.assertNotIn("killed", errors)
        with open(self.path("s.json")) as file:
            summary = json.load(file)
        self.assertEqual(summary["end"], "input failed")
        self.assert_balanced(summary)
        self.assertGreater(summary["packets"], 0)
        self.assertLess(summary["packets"], len(records))
        self.assertEqual((summary["short"], summary["non_ip"]), (0, 0))
        self.assertEqual(len(flow_lines(flows)), summary["flows"])

    def test_what_is_no_capture_is_named_once_and_nothing_else_is_said(self):
        text = self.path("notes.txt")
        with open(text, "w") as file:
            file.write("these are notes and no capture at all\n" * 20)
        for source in (text, self.path("missing.pcap"), "/dev/null"):
            result = observe(source, "basic", check=None)
            self.assertIn(result.returncode, (1, 2), source)
            self.assertEqual(result.stdout, "")
            errors = [line for line in result.stderr.splitlines() if not line.startswith("processed 0 packets")]
            self.assertEqual(len(errors), 1, result.stderr)
            self.assertIn(source, errors[0])

    def test_a_closed_standard_input_is_named(self):
        result = subprocess.run([support.ORBWEAVER, "observe", "-i", "-", "basic"], capture_output=True, text=True, timeout=30,
                                preexec_fn=lambda: os.close(0))
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("standard input", result.stderr)

    def test_a_filter_without_meaning_for_the_capture_is_an_error(self):
        capture = support.write_pcap(self.path("day.pcap"), support.packets(3))
        result = observe(capture, "--filter", "inbound", "basic", check=1)
        self.assertEqual(result.stdout, "")
        self.assertIn('filter "inbound"', result.stderr)

    def test_an_empty_capture_gives_no_flows_and_status_0(self):
        empty = support.write_pcap(self.path("empty.pcap"), [])
        result = observe(empty, "basic")
        self.assertEqual(result.stdout, "")
        self.assertIn("processed 0 packets (0 dropped, 0 short, 0 non-ip) into 0 flows (0 ignored)", result.stderr)

    def test_a_damaged_or_foreign_recording_is_refused_by_name(self):
        packets, flows = self.path("x.packets"), self.path("x.flows")
        run(program("orbweaver-capture"), "-i", support.TROUBLES, "--out", f"file:{packets}", check=0)
        with open(packets, "rb") as file:
            whole = file.read()
        first_block = 32 + struct.unpack_from("<I", whole, 24)[0]  # behind the header and its description
        cases = {
            "magic": b"X" + whole[1:],
            "version": whole[:8] + b"\xff" + whole[9:],
            "cut": whole[: len(whole) - 20],
            "content": whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:],
            "description": whole[:40] + bytes([whole[40] ^ 1]) + whole[41:],
            "length": whole[:first_block] + b"\xff\xff\xff\x7f" + whole[first_block + 4 :],
        }
        for name, data in cases.items():
            damaged = self.path(f"{name}.packets")
            with open(damaged, "wb") as file:
                file.write(data)
            result = run(program("orbweaver-observer"), "--in", f"file:{damaged}", "--out", f"file:{flows}", "basic",
                         check=1)
            self.assertIn(damaged, result.stderr, name)
            self.assertRegex(result.stderr, r"offset \d+", name)

    def test_an_input_that_is_not_there_costs_no_file_that_was(self):
        keep, other = self.path("keep"), self.path("other")
        with open(other, "w") as file:
            file.write("no stream, but longer than one's header" * 1000)
        for source in (self.path("missing"), other):
            commands = [[program("orbweaver-observer"), "--in", f"file:{source}", "--out", f"file:{keep}", "basic"],
                        [program("orbweaver-observer"), "--attach-timeout", "0", "--in", "ring:e2e-nobody", "--out",
                         f"file:{keep}", "basic"],
                        [program("orbweaver-merger"), "--flows", f"file:{source}", "--output", keep],
                        [program("orbweaver-merger"), "--jobs", f"file:{source}", "--plugin", "ecn", "--output", keep],
                        [program("orbweaver-capture"), "-i", source, "--out", f"file:{keep}"]]
            for command in commands:
                with open(keep, "w") as file:
                    file.write("precious")
                self.assertIn(run(*command).returncode, (1, 2), command)
                with open(keep) as file:
                    self.assertEqual(file.read(), "precious", command)

    def test_replaying_a_recording_of_an_input_that_failed_warns(self):
        cut = self.path("cut.pcap")
        support.write_pcap(cut, support.packets(200))
        os.truncate(cut, os.path.getsize(cut) - 30)
        recording, flows = self.path("cut.packets"), self.path("cut.flows")
        run(program("orbweaver-capture"), "-i", cut, "--out", f"file:{recording}", check=1)
        said = "is a recording of an input that could not be read to its end"
        observed = run(program("orbweaver-observer"), "--in", f"file:{recording}", "--out", f"file:{flows}", "basic",
                       check=0)
        self.assertEqual(observed.stderr, f"orbweaver-observer: warning: file:{recording} {said}\n")
        merged = run(program("orbweaver-merger"), "--flows", f"file:{flows}", check=0)
        self.assertEqual(merged.stderr, f"orbweaver-merger: warning: file:{flows} {said}\n")
        self.assertEqual(len(flow_lines(merged.stdout)), 200)


if __name__ == "__main__":
    support.main()
