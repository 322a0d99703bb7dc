# SPDX-License-Identifier: GPL-3.0-or-later
"""Where flows and summaries go, and what happens when they cannot."""

import json
import os
import subprocess

import support
from support import ORBWEAVER, TROUBLES, flow_lines, observe


class Outputs(support.TestCase):
    def volume(self):
        return support.write_pcap(self.path("volume.pcap"), support.packets(20_000, packets_a_flow=2))

    def test_a_file_appears_when_it_is_complete_and_has_what_stdout_would_have(self):
        output = self.path("flows.ndjson")
        result = observe(TROUBLES, "--output", output, "basic")
        self.assertEqual(result.stdout, "")
        with open(output) as file:
            self.assertEqual(flow_lines(file.read()), flow_lines(observe(TROUBLES, "basic").stdout))
        self.assertEqual(os.listdir(self.folder), ["flows.ndjson"])

    def test_a_full_device_is_an_error_with_the_count_of_what_was_written(self):
        result = observe(self.volume(), "--output", "/dev/full", "basic", check=1)
        self.assertIn("/dev/full: No space left on device; 0 flows written", result.stderr)

    def test_a_disk_that_fills_is_an_error_and_leaves_no_part_of_a_file(self):
        script = ('mount -t tmpfs -o size=512k none "$1" || exit 77; shift; cd "$0"; "$@"; status=$?; ls -A "$0"; exit $status')
        disk = self.path("disk")
        os.mkdir(disk)
        result = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, disk, disk, ORBWEAVER, "observe", "-i", self.volume(), "--output",
             os.path.join(disk, "flows"), "basic", "tcp"], capture_output=True, text=True, timeout=support.PATIENCE_S)
        if result.returncode == 77 or "unshare failed" in result.stderr:
            self.skipTest("no right to mount a small tmpfs")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stderr, r"No space left on device; \d+ flows written")
        self.assertEqual(result.stdout, "")

    def test_a_closed_pipe_is_an_error_and_what_was_read_is_whole(self):
        command = f'"{ORBWEAVER}" observe -i "{self.volume()}" basic | head -n 1; echo "${{PIPESTATUS[0]}}"'
        result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=support.PATIENCE_S)
        flow, status = result.stdout.splitlines()
        self.assertIsInstance(json.loads(flow), dict)
        self.assertEqual(status, "1", result.stderr)
        self.assertIn("Broken pipe", result.stderr)

    def test_nothing_but_the_closing_line_is_said_in_a_pipe(self):
        result = observe(self.volume(), "basic")
        self.assertEqual(result.stderr, "processed 40000 packets (0 dropped, 0 short, 0 non-ip) into 20000 flows (0 ignored)\n")

    def test_the_summary_says_what_the_closing_line_says_and_its_ledger_balances(self):
        summary_path = self.path("run.json")
        result = observe(self.volume(), "--observers", "2", "--summary", summary_path, "--digest", "--filter", "tcp",
                         "basic", "tcp")
        with open(summary_path) as file:
            summary = json.load(file)
        self.assert_balanced(summary)
        self.assertEqual(summary["end"], "complete")
        self.assertEqual(summary["exit_status"], 0)
        self.assertIn("processed {packets} packets ({dropped} dropped, {short} short, {non_ip} non-ip) into {flows} flows "
                      "({ignored} ignored)".format(**summary), result.stderr)
        self.assertIn("digest: " + summary["digest"], result.stderr)
        self.assertEqual(summary["flows"], len(flow_lines(result.stdout)))
        self.assertEqual([stage["state"] for stage in summary["stages"]], ["finished"] * 4)
        capture = summary["stages"][0]["counters"]
        self.assertGreater(capture["filtered"], 0)
        self.assertEqual(capture["packets_read"], capture["filtered"] + sum(r["delivered"] for r in summary["packet_rings"]))

    def test_a_summary_that_cannot_be_written_is_told_before_the_run(self):
        result = observe(TROUBLES, "--summary", self.path("missing/run.json"), "basic", check=1)
        self.assertEqual(result.stdout, "")
        self.assertIn("missing/run.json: No such file or directory", result.stderr)

    def test_a_file_that_is_replaced_keeps_its_mode_and_a_place_that_is_not_there_is_named(self):
        output = self.path("flows")
        with open(output, "w"):
            os.chmod(output, 0o600)
        observe(TROUBLES, "--output", output, "basic")
        self.assertEqual(os.stat(output).st_mode & 0o777, 0o600)
        missing = self.path("missing/flows")
        result = observe(TROUBLES, "--output", missing, "basic", check=None)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(f"cannot write {missing}: No such file or directory", result.stderr)

    def test_lists_and_statistics_that_cannot_be_written_are_an_error_of_one_line(self):
        running = support.Running(self, "basic", "--output", "/dev/null")
        running.wait_for_flows()
        commands = [[ORBWEAVER, "observe", "--list-chains"], [support.program("orbweaver-observer"), "--describe-chains"],
                    [support.program("orbweaver-spider"), "--describe-plugins"], [ORBWEAVER, "measure", "ecn", "--help"]]
        programs = [ORBWEAVER, *(support.program(f"orbweaver-{stage}") for stage in ("capture", "observer", "spider", "merger"))]
        commands += [[name, option] for name in programs for option in ("--help", "--version")]
        commands += [[ORBWEAVER, "stats", running.session, *more] for more in ([], ["--json"], ["--watch"])]
        for command in commands:
            with open("/dev/full", "w") as full:
                result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=support.PATIENCE_S)
            self.assertEqual(result.returncode, 1, command)
            self.assertRegex(result.stderr, r"\A\S+: error: cannot write standard output: No space left on device\n\Z")
        running.process.terminate()
        self.assertEqual(running.end()[0], 0)


if __name__ == "__main__":
    support.main()
