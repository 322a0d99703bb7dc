# SPDX-License-Identifier: GPL-3.0-or-later
"""Where flows and summaries go, and what happens when they cannot."""

import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

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

    def disk(self, kib=512):
        """A small file system of its own, in this process's mount namespace."""
        folder = self.path("disk")
        os.mkdir(folder)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "none", folder], stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("no right to mount a small tmpfs")
        self.addCleanup(subprocess.run, ["umount", "-l", folder])
        return folder

    def assert_whole(self, path):
        """The flows of a file, all of them whole lines."""
        with open(path) as file:
            text = file.read()
        self.assertTrue(text.endswith("\n"), text[-80:])
        return flow_lines(text)

    def test_a_disk_that_fills_keeps_what_was_written_in_whole_lines_and_names_it(self):
        disk = self.disk()
        result = observe(self.volume(), "--output", os.path.join(disk, "flows"), "--on-full", "stop", "basic", "tcp", check=1)
        said = re.search(r"No space left on device; (\d+) flows written: they are in (\S+)", result.stderr)
        self.assertEqual(os.listdir(disk), [os.path.basename(said[2])])
        self.assertEqual(len(self.assert_whole(said[2])), int(said[1]))
        self.assertGreater(int(said[1]), 500)
        again = observe(TROUBLES, "--output", os.path.join(disk, "flows"), "--on-full", "stop", "basic", check=1)
        self.assertRegex(again.stderr, rf"warning: {re.escape(said[2])}: \d+ octets of whole lines that a run which was killed left")
        self.assertEqual(len(self.assert_whole(said[2])), int(said[1]))

    def test_a_full_disk_is_waited_for_and_costs_no_flow_and_no_half_line(self):
        disk = self.disk()
        ballast, output = os.path.join(disk, "ballast"), os.path.join(disk, "flows")
        with open(ballast, "wb") as file:
            file.write(bytes(480 << 10))
        session = f"e2e-{os.getpid()}-full"
        process = subprocess.Popen([ORBWEAVER, "observe", "-i", self.volume(), "--session", session, "--output", output, "--digest", "basic"],
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)

        def waited():
            stats = support.run(ORBWEAVER, "stats", session, "--json")
            stages = json.loads(stats.stdout)["stages"] if stats.returncode == 0 else []
            return stages and stages[-1]["counters"].get("disk_full_ns", 0) > 500_000_000

        support.wait_until(waited, "the disk to be full")
        (part,) = glob.glob(output + ".*.part")
        self.assert_whole(part)
        self.assertIsNone(process.poll())
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        _, errors = process.communicate(timeout=support.PATIENCE_S)
        self.assertEqual(process.returncode, 0, errors)
        self.assertEqual(errors.count(f"there is no room for {output} (No space left on device): waiting until there is"), 1, errors)
        expected = observe(self.volume(), "--digest", "basic")
        self.assertEqual(self.assert_whole(output), flow_lines(expected.stdout))
        self.assertEqual(re.search("digest: .*", errors)[0], re.search("digest: .*", expected.stderr)[0])

    def test_somebody_who_asks_for_the_end_does_not_wait_for_room(self):
        disk = self.disk()
        output = os.path.join(disk, "flows")
        process = subprocess.Popen([support.program("orbweaver-merger"), "--flows", f"file:{self.recorded()}", "--output", output],
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        support.wait_until(lambda: os.statvfs(disk).f_bavail == 0, "the disk to be full")
        time.sleep(0.3)
        process.terminate()
        _, errors = process.communicate(timeout=10)
        self.assertEqual(process.returncode, 1, errors)
        said = re.search(r"No space left on device; (\d+) flows written: they are in (\S+)", errors)
        self.assertEqual(len(self.assert_whole(said[2])), int(said[1]))

    def recorded(self):
        packets, flows = self.path("packets"), self.path("recorded")
        support.run(support.program("orbweaver-capture"), "-i", self.volume(), "--out", f"file:{packets}", check=0)
        support.run(support.program("orbweaver-observer"), "--in", f"file:{packets}", "--out", f"file:{flows}", "basic", check=0)
        return flows

    def test_a_live_run_writes_as_it_goes_behind_what_is_there_and_what_was_written_stays(self):
        output = self.path("flows.ndjson")
        with open(output, "w") as file:
            file.write('{"older":1}\n{"half')
        for how in ("merger", "all", "none"):
            before = os.path.getsize(output)
            running = support.Running(self, "basic", "--output", output, "--max-flows", "1000")
            support.wait_until(lambda: os.path.getsize(output) > before + 1_000_000, "the file to grow")
            if how == "merger":
                os.kill(running.pid_of("merger"), signal.SIGKILL)
                running.process.wait(support.PATIENCE_S)
            elif how == "all":
                pids = [running.pid_of(stage) for stage in ("capture", "observer", "merger")]
                for pid in [running.process.pid, *pids]:
                    os.kill(pid, signal.SIGKILL)
                running.process.wait(support.PATIENCE_S)
                support.wait_until(lambda: not any(map(support.process_runs, pids)), "the stages to go")
            else:
                running.process.terminate()
                self.assertEqual(running.end()[0], 0)
            self.assertGreater(os.path.getsize(output), before + 1_000_000)
            if how != "all":
                self.assert_whole(output)
        lines = self.assert_whole(output)
        self.assertIn('{"older":1}', lines)
        self.assertEqual([name for name in os.listdir(self.folder) if not name.endswith(".json")], ["flows.ndjson"])

    def test_csv_that_grows_has_one_heading_and_refuses_another_one(self):
        output = self.path("flows.csv")
        flows = self.recorded()
        merge = [support.program("orbweaver-merger"), "--flows", f"file:{flows}", "--grow", "--output", output]
        for _ in range(2):
            support.run(*merge, check=0)
        with open(output, newline="") as file:
            lines = file.read().split("\r\n")
        self.assertEqual(lines.count(lines[0]), 1)
        self.assertEqual(len(lines), 40_002)
        with open(output, "w") as file:
            file.write("a,b\r\n1,2\r\n")
        self.assertIn("has other columns already", support.run(*merge, check=1).stderr)
        with open(output) as file:
            self.assertEqual(file.read(), "a,b\n1,2\n")

    def test_a_replay_that_is_killed_leaves_what_it_wrote_and_the_older_output(self):
        output = self.path("flows.ndjson")
        with open(output, "w") as file:
            file.write('{"older":1}\nand no end of a line')
        volume = support.write_pcap(self.path("large.pcap"), support.packets(300_000, packets_a_flow=2))
        process = subprocess.Popen([ORBWEAVER, "observe", "-i", volume, "--output", output, "--max-flows", "1000", "basic"], stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        (part,), _ = support.wait_until(lambda: [part for part in glob.glob(output + ".*.part") if os.path.getsize(part) > 1_000_000], "results")
        merger = next(int(line.split()[0]) for line in support.run("ps", "-o", "pid=,args=", "--ppid", str(process.pid)).stdout.splitlines()
                      if "orbweaver-merger" in line)
        os.kill(merger, signal.SIGKILL)
        _, errors = process.communicate(timeout=support.PATIENCE_S)
        self.assertEqual(process.returncode, 1)
        self.assertRegex(errors, rf"warning: {re.escape(part)}: \d+ octets of whole lines")
        self.assertGreater(len(self.assert_whole(part)), 1000)
        with open(output) as file:
            self.assertEqual(file.read(), '{"older":1}\nand no end of a line')

    def test_a_planted_link_is_not_followed(self):
        if os.geteuid() != 0:
            self.skipTest("it takes root to be two users")
        victim, link = self.path("victim"), self.path("link")
        with open(victim, "w") as file:
            file.write("precious")
        os.symlink(victim, link)
        os.lchown(link, 65534, 65534)
        self.assertIn("is a symbolic link of user 65534, which is not followed", observe(TROUBLES, "-o", link, "basic", check=1).stderr)
        with open(victim) as file:
            self.assertEqual(file.read(), "precious")

    def test_a_planted_fifo_gets_nothing_and_a_pipe_that_was_handed_over_all(self):
        if os.geteuid() != 0:
            self.skipTest("it takes root to be two users")
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        os.chown(fifo, 65534, 65534)
        started = time.monotonic()
        self.assertIn("is a FIFO of user 65534, who would read it", observe(TROUBLES, "-o", fifo, "basic", check=1).stderr)
        self.assertLess(time.monotonic() - started, support.PATIENCE_S / 2)
        command = f'"{ORBWEAVER}" observe -i "{TROUBLES}" -o >(wc -l > "{self.path("count")}") basic; wait $!'
        self.assertEqual(subprocess.run(["bash", "-c", command], timeout=support.PATIENCE_S).returncode, 0)
        with open(self.path("count")) as file:
            self.assertGreater(int(file.read()), 0)

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
        self.assertIn("processed {packets} packets ({dropped} dropped, {short} short, {non_ip} non-ip, {filtered} filtered) into {flows} flows "
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
    # Small disks are mounted: in a namespace of its own where that is permitted.
    if sys.argv[1:2] == ["--inside"]:
        del sys.argv[1]
    elif shutil.which("unshare") and subprocess.call(["unshare", "--mount", "true"], stderr=subprocess.DEVNULL) == 0:
        os.execvp("unshare", ["unshare", "--mount", sys.executable, __file__, "--inside", *sys.argv[1:]])
    support.main()
