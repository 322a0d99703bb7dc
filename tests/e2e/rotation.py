# SPDX-License-Identifier: GPL-3.0-or-later
"""Outputs as one file after another: each flow in the file of its second, all of them together what one file would have,
and none of them lost or half written whatever happens. `rotation.py --demo SECONDS` is a long live run that says what it does."""

import glob
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import unittest

import bed as beds
import bed_case
import support
from support import ORBWEAVER, observe, program, run, wait_until

PATTERN = "flows-%Y%m%dT%H%M%SZ"
START_S = 1_700_000_000
NOBODY = 65534


def churn(seconds, flows_a_second=40):
    """A capture of that many seconds in which flows come and go: each lasts two seconds and is idle then."""
    for second in range(seconds):
        for number in range(flows_a_second):
            for step in range(4):
                time_us = (START_S + second) * 1_000_000 + 10 + 20_000 * number + 700_000 * step
                yield time_us, support._frame(second * flows_a_second + number, step % 2)  # no FIN: it ends idle


def size_of(path):
    """0 where it has got its name in between."""
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def lines_of(path):
    if os.path.getsize(path) == 0:  # what a run that was killed at once leaves; zstd takes it for no file of its own
        return []
    if path.endswith(".zst"):
        text = subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True, text=True).stdout
    else:
        with open(path, newline="") as file:
            text = file.read()
    if text and not text.endswith("\n"):
        raise AssertionError(f"{path} ends in the middle of a line: {text[-60:]!r}")
    return text.splitlines()


def added(digests):
    halves = [(int(digest[:16], 16), int(digest[16:], 16)) for digest in digests]
    return "".join(f"{sum(half) % 2**64:016x}" for half in zip(*halves))


class Rotated(support.TestCase):
    """A folder of files with their manifest."""

    def setUp(self):
        super().setUp()
        self.out = self.path("out")
        os.mkdir(self.out)

    def output(self, suffix=".ndjson", pattern=PATTERN):
        return os.path.join(self.out, pattern + suffix)

    def manifest(self):
        with open(os.path.join(self.out, "flows.manifest")) as file:
            return [json.loads(line) for line in file]

    def files(self):
        return sorted(name for name in os.listdir(self.out) if name != "flows.manifest")

    def capture(self, seconds=600, **options):
        return support.write_pcap(self.path("churn.pcap"), sorted(churn(seconds, **options)))

    def assert_is_one_run(self, digest, summary):
        """The manifest's spans follow on one another, and their ledgers add up to that of the run."""
        spans = self.manifest()
        for before, after in zip(spans, spans[1:]):
            self.assertEqual(before["end_s"], after["begin_s"])
        self.assertEqual(added([span["digest"] for span in spans]), digest)
        self.assertEqual(sum(span["flows"] for span in spans), summary["flows"])
        merger = summary["stages"][-1]["counters"]
        self.assertEqual(sum(span["flows"] for span in spans), merger["flows_written"])
        self.assertEqual(sum(span["events"] for span in spans), merger["events_written"])
        self.assertEqual(sum(span["octets"] for span in spans), merger["octets_written"])
        self.assertEqual(sum(len(span["files"]) for span in spans), merger["files_complete"])
        observers = [stage["counters"] for stage in summary["stages"] if stage["stage"] == "observer"]
        delivered = sum(ring["delivered"] for ring in summary["packet_rings"])
        self.assertEqual(sum(span["packets"] for span in spans), delivered - sum(each["packets_ignored"] for each in observers))
        for place, observer in enumerate(observers):
            self.assertEqual(sum(span["observers"][place]["flows"] for span in spans), observer["flows_emitted"])
        return spans


class Replay(Rotated):
    def rotated(self, capture, *arguments, output=None, check=0):
        summary = self.path("run.json")
        result = observe(capture, "--digest", "--summary", summary, "--output", output or self.output(), *arguments, check=check)
        with open(summary) as file:
            return re.search("digest: (.*)", result.stderr)[1], json.load(file)

    def test_each_flow_is_in_the_file_of_its_second_however_many_observers_there_are(self):
        capture = self.capture()
        expected = observe(capture, "--digest", "basic", "tcp")
        files = {}
        for observers in ("1", "3"):
            shutil.rmtree(self.out)
            os.mkdir(self.out)
            digest, summary = self.rotated(capture, "--rotate", "2m", "--observers", observers, "basic", "tcp")
            self.assertIn(f"digest: {digest}\n", expected.stderr)
            spans = self.assert_is_one_run(digest, summary)
            self.assertEqual(spans[0]["begin_s"], START_S)
            self.assertEqual([span["cause"] for span in spans], ["time"] * (len(spans) - 1) + ["end"])
            for span in spans[:-1]:
                self.assertEqual(span["end_s"] % 120, 0)
            files[observers] = {name: sorted(lines_of(os.path.join(self.out, name))) for name in self.files()}
            self.assertEqual([span["files"][0]["file"] for span in spans], list(files[observers]))
            for span, lines in zip(spans, files[observers].values()):
                self.assertEqual(span["files"][0]["rows"], len(lines))
                for line in map(json.loads, lines):  # idle for 30 seconds, then some until it leaves
                    left = line["pkt_last"] if isinstance(line["pkt_last"], (int, float)) else None
                    if left is not None and span["cause"] == "time":
                        self.assertLess(left, span["end_s"])
        self.assertGreater(len(files["1"]), 4)
        self.assertEqual(files["1"], files["3"])
        self.assertEqual(sorted(sum(files["1"].values(), [])), support.flow_lines(expected.stdout))

    def test_a_file_of_its_size_ends_with_its_second_and_compressed_ones_are_whole(self):
        capture = self.capture()
        expected = observe(capture, "--digest", "basic", "tcp")
        for suffix in (".ndjson", ".ndjson.zst"):
            shutil.rmtree(self.out)
            os.mkdir(self.out)
            digest, summary = self.rotated(capture, "--rotate", "64KiB", "basic", "tcp", output=self.output(suffix))
            spans = self.assert_is_one_run(digest, summary)
            self.assertGreater(len(spans), 2)
            for span in spans[:-1]:
                self.assertEqual(span["cause"], "size")
                self.assertGreaterEqual(span["octets"], 64 << 10)
            found = sorted(sum((lines_of(os.path.join(self.out, name)) for name in self.files()), []))
            self.assertEqual(found, support.flow_lines(expected.stdout))

    def test_csv_has_a_file_a_table_with_its_heading_and_one_line_of_ledger(self):
        capture = self.capture()
        for suffix in (".csv", ".csv.zst"):
            shutil.rmtree(self.out)
            os.mkdir(self.out)
            digest, summary = self.rotated(capture, "--rotate", "2m", "basic", "dns", output=self.output(suffix))
            spans = self.assert_is_one_run(digest, summary)
            headings = set()
            for span in spans:
                for file in span["files"]:
                    lines = lines_of(os.path.join(self.out, file["file"]))
                    headings.add(lines[0])
                    self.assertEqual(len(lines) - 1, file["rows"])
                    self.assertEqual(os.path.getsize(os.path.join(self.out, file["file"])), file["octets"])
            self.assertEqual(len(headings), len(spans[0]["files"]))
            self.assertEqual(sum(len(span["files"]) for span in spans), len(self.files()))

    def test_an_output_that_is_compressed_without_rotation_is_gone_on_with(self):
        capture, output = self.capture(60), self.path("flows.ndjson.zst")
        expected = observe(capture, "basic")
        observe(capture, "--output", output, "basic")
        self.assertEqual(sorted(lines_of(output)), support.flow_lines(expected.stdout))
        packets, flows = self.path("packets"), self.path("recorded")
        run(program("orbweaver-capture"), "-i", capture, "--out", f"file:{packets}", check=0)
        run(program("orbweaver-observer"), "--in", f"file:{packets}", "--out", f"file:{flows}", "basic", check=0)
        with open(output, "r+b") as file:  # half a frame, as a killed run leaves
            file.write(file.read()[:1000])
        result = run(program("orbweaver-merger"), "--flows", f"file:{flows}", "--grow", "--output", output, check=0)
        self.assertIn("ended with half a frame", result.stderr)
        self.assertEqual(sorted(lines_of(output)), sorted(2 * support.flow_lines(expected.stdout)))
        for _ in range(2):
            run(program("orbweaver-merger"), "--flows", f"file:{flows}", "--grow", "--output", self.path("f.csv.zst"), check=0)
        lines = lines_of(self.path("f.csv.zst"))
        self.assertEqual(lines.count(lines[0]), 1)
        self.assertEqual(len(lines), 2 * len(expected.stdout.splitlines()) + 1)

    def test_a_merger_alone_rotates_and_replaces_no_file(self):
        capture = self.capture()
        packets, flows = self.path("packets"), [self.path(f"flows-{place}") for place in range(2)]
        for place, recorded in enumerate(flows):  # two recordings of one observer each: the same packets twice
            run(program("orbweaver-capture"), "-i", capture, "--out", f"file:{packets}-{place}", check=0)
            run(program("orbweaver-observer"), "--in", f"file:{packets}-{place}", "--out", f"file:{recorded}", "basic", check=0)
        merge = [program("orbweaver-merger"), *sum((["--flows", f"file:{each}"] for each in flows), []), "--digest", "--rotate", "2m",
                 "--output", self.output()]
        first = run(*merge, check=0)
        once = {name: sorted(lines_of(os.path.join(self.out, name))) for name in self.files()}
        again = run(*merge, check=0)
        self.assertEqual(first.stderr, again.stderr)
        self.assertEqual(len(self.files()), 2 * len(once))
        for name, lines in once.items():
            self.assertEqual(sorted(lines_of(os.path.join(self.out, name))), lines)
            self.assertEqual(sorted(lines_of(os.path.join(self.out, name.replace(".ndjson", ".1.ndjson")))), lines)
        spans = self.manifest()
        self.assertEqual(added([span["digest"] for span in spans[: len(once)]]), re.search("digest: (.*)", first.stderr)[1])
        for span in spans:
            self.assertEqual(*(share["flows"] for share in span["observers"]))

    def test_keep_removes_the_oldest_files_of_its_own_and_nothing_else(self):
        capture, victim = self.capture(), self.path("victim")
        with open(victim, "w") as file:
            file.write("precious")
        foreign = {"flows-20200101T000000Z.csv": "other suffix", "flows-20200101.ndjson": "other name", "notes.ndjson": "other name",
                   "flows-20200101T000000Z.ndjson.old": "more behind it"}
        for name, text in foreign.items():
            with open(os.path.join(self.out, name), "w") as file:
                file.write(text * 100_000)
        os.symlink(victim, os.path.join(self.out, "flows-20200102T000000Z.ndjson"))
        os.mkdir(os.path.join(self.out, "flows-20200103T000000Z.ndjson"))
        os.mkfifo(os.path.join(self.out, "flows-20200104T000000Z.ndjson"))
        planted = {*foreign, *(f"flows-2020010{day}T000000Z.ndjson" for day in (2, 3, 4))}
        own = os.path.join(self.out, "flows-20200106T000000Z.ndjson")
        others = os.path.join(self.out, "flows-20200105T000000Z.ndjson")
        for path in (own, others):
            with open(path, "w") as file:
                file.write("{}\n")
            os.utime(path, (1_600_000_000, 1_600_000_000))
        if os.geteuid() == 0:
            os.chown(others, NOBODY, NOBODY)
            planted.add(os.path.basename(others))
        digest, summary = self.rotated(capture, "--rotate", "1m", "--keep", "1h", "basic")
        self.assertFalse(os.path.exists(own))
        self.assertLessEqual(planted, set(self.files()))
        kept = [name for name in self.files() if name not in planted]
        self.assertEqual(len(kept), len(self.manifest()))
        digest, summary = self.rotated(capture, "--rotate", "1m", "--keep", "64KiB", "basic")
        spans = self.manifest()
        kept = [name for name in self.files() if name not in planted]
        sizes = [os.path.getsize(os.path.join(self.out, name)) for name in kept]
        self.assertLessEqual(sum(sizes), (64 << 10) + max(sizes))
        self.assertIn(spans[-1]["files"][0]["file"], kept)
        self.assertGreater(summary["stages"][-1]["counters"]["files_removed"], len(spans) // 2 - len(kept))
        with open(victim) as file:
            self.assertEqual(file.read(), "precious")

    def test_the_command_is_run_for_each_file_without_a_shell_and_its_failures_are_named(self):
        capture, seen = self.capture(), self.path("seen")
        command = self.path("tell")
        with open(command, "w") as file:
            file.write(f'#!/bin/sh\nprintf "%s %s\\n" "$#" "$1" >> {seen}\ncase $1 in *T22:16*) exit 3 ;; *T22:18*) kill -9 $$ ;; esac\n')
        os.chmod(command, 0o755)
        output = os.path.join(self.out, "flows $(touch pwned);%Y%m%dT%T.ndjson")
        summary = self.path("run.json")
        result = observe(capture, "--summary", summary, "--output", output, "--rotate", "2m", "--rotate-command", command, "basic")
        names = [name for name in self.files() if name.endswith(".ndjson")]
        with open(seen) as file:
            self.assertEqual(sorted(file.read().splitlines()), [f"1 {os.path.join(self.out, name)}" for name in names])
        self.assertGreater(len(names), 4)
        with open(summary) as file:
            self.assertEqual(json.load(file)["rotate_commands"], {"run": len(names), "failed": 2, "not_run": 0})
        self.assertRegex(result.stderr, r"warning: --rotate-command \S+ for .*T22:16:00.ndjson failed with exit status 3")
        self.assertRegex(result.stderr, r"warning: --rotate-command \S+ for .*T22:18:00.ndjson was killed by SIGKILL")

    @unittest.skipIf(os.geteuid() != 0, "only root may become another user")
    def test_the_command_is_run_for_files_that_another_user_writes(self):
        capture, summary, command = self.capture(), self.path("run.json"), shutil.which("true")
        for folder in (self.folder, self.out):
            os.chmod(folder, 0o755)
        os.chown(self.out, NOBODY, NOBODY)
        observe(capture, "--user", "nobody", "--summary", summary, "--output", self.output(), "--rotate", "2m", "--rotate-command",
                command, "basic")
        with open(summary) as file:
            self.assertEqual(json.load(file)["rotate_commands"], {"run": len(self.manifest()), "failed": 0, "not_run": 0})
        self.assertEqual({os.stat(os.path.join(self.out, name)).st_uid for name in self.files()}, {NOBODY})

    def test_a_command_that_never_ends_does_not_hold_up_the_run(self):
        capture, command, pids = self.capture(), self.path("hang"), self.path("pids")
        with open(command, "w") as file:
            file.write(f"#!/bin/sh\necho $$ >> {pids}\nsleep 600 & wait\n")
        os.chmod(command, 0o755)
        summary, start = self.path("run.json"), time.monotonic()
        result = observe(capture, "--summary", summary, "--output", self.output(), "--rotate", "30s", "--rotate-command", command, "basic")
        self.assertLess(time.monotonic() - start, 25)
        self.assertRegex(result.stderr, r"\d+ files are left without it, since it has not ended 10 s after the run")
        with open(summary) as file:
            commands = json.load(file)["rotate_commands"]
        self.assertEqual(commands, {"run": 0, "failed": 0, "not_run": len(self.manifest())})
        with open(pids) as file:
            started = [int(pid) for pid in file.read().split()]
        self.assertEqual(len(started), 4)
        self.assertFalse(any(map(support.process_runs, started)))

    def test_what_cannot_be_rotated_is_refused_by_name(self):
        capture, fifo = self.capture(2), self.path("fifo")
        os.mkfifo(fifo)
        rotate = ["--rotate", "5m"]
        for arguments, said in (
            (rotate, "standard output is none: give -o FILE"),
            ([*rotate, "-o", "-"], "standard output is none"),
            ([*rotate, "-o", fifo], f"{fifo} is a FIFO"),
            ([*rotate, "-o", "/dev/null"], "/dev/null is no regular file"),
            ([*rotate, "-o", self.path("flows.ndjson")], "give each its time, as in flows-%Y%m%dT%H%M%SZ.ndjson"),
            ([*rotate, "-o", self.path("%Y/flows-%H.ndjson")], "give the time in the file's name alone"),
            ([*rotate, "-o", self.path("flows-%Q.ndjson")], "%Q is none of the times that a file's name takes"),
            (["--rotate", "5 minutes", "-o", self.output()], "'5 minutes' is neither a time"),
            (["--rotate", "0s", "-o", self.output()], "'0s' is neither a time"),
            (["--keep", "7d", "-o", self.output()], "--keep removes files that --rotate made: give --rotate too"),
            (["--rotate-command", "true", "-o", self.output()], "give --rotate too"),
            ([*rotate, "-o", self.output(), "--rotate-command", "no-such-program"], "there is no such program in PATH"),
        ):
            self.assertIn(said, observe(capture, *arguments, "basic", check=2).stderr)
        writable = self.path("writable")
        shutil.copy("/bin/true", writable)
        os.chmod(writable, 0o777)
        self.assertIn("others may write it", observe(capture, *rotate, "-o", self.output(), "--rotate-command", writable, "basic", check=2).stderr)
        if os.geteuid() == 0:
            with open(os.path.join(self.out, "flows.manifest"), "w") as file:
                os.chown(file.fileno(), NOBODY, NOBODY)
            self.assertIn("flows.manifest, which lists the files that are complete: it belongs to user 65534",
                          observe(capture, *rotate, "-o", self.output(), "basic", check=1).stderr)

    def test_a_full_disk_between_two_files_is_waited_for_and_costs_nothing(self):
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", self.out], stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("no right to mount a small tmpfs")
        self.addCleanup(subprocess.run, ["umount", "-l", self.out])
        capture = self.capture(flows_a_second=120)
        expected = observe(capture, "--digest", "basic")
        stopped = observe(capture, "--output", self.output(), "--rotate", "1m", "--on-full", "stop", "basic", check=1)
        self.assertIn("No space left on device", stopped.stderr)
        complete = sum((lines_of(os.path.join(self.out, span["files"][0]["file"])) for span in self.manifest()), [])
        self.assertGreater(len(complete), 100)
        for name in self.files():
            lines_of(os.path.join(self.out, name))
            os.unlink(os.path.join(self.out, name))
        os.unlink(os.path.join(self.out, "flows.manifest"))
        session = f"e2e-{os.getpid()}-rotation"
        process = subprocess.Popen([ORBWEAVER, "observe", "-i", capture, "--session", session, "--digest", "--summary", self.path("run.json"),
                                    "--output", self.output(), "--rotate", "1m", "basic"], stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)

        def waited():
            stats = run(ORBWEAVER, "stats", session, "--json")
            stages = json.loads(stats.stdout)["stages"] if stats.returncode == 0 else []
            return stages and stages[-1]["counters"].get("disk_full_ns", 0) > 300_000_000

        wait_until(waited, "the disk to be full")
        for name in self.files():
            lines_of(os.path.join(self.out, name))
        subprocess.run(["mount", "-o", "remount,size=64m", self.out], check=True)
        _, errors = process.communicate(timeout=support.PATIENCE_S)
        self.assertEqual(process.returncode, 0, errors)
        with open(self.path("run.json")) as file:
            summary = json.load(file)
        self.assertIn(f"digest: {summary['digest']}\n", expected.stderr)
        self.assert_is_one_run(summary["digest"], summary)
        found = sorted(sum((lines_of(os.path.join(self.out, name)) for name in self.files()), []))
        self.assertEqual(found, support.flow_lines(expected.stdout))


class Going(Rotated):
    """A capture that never ends, whose clock goes forty seconds with each block."""

    def test_sighup_begins_the_next_file_and_does_not_end_the_run(self):
        running = support.Running(self, "--digest", "--rotate", "1TiB", "--output", self.output(), "basic")
        for count in range(3):
            running.wait_for_flows(1000 * (count + 1))
            os.kill(running.process.pid, signal.SIGHUP)
            wait_until(lambda: os.path.exists(os.path.join(self.out, "flows.manifest")) and len(self.manifest()) > count, "the next file")
        running.process.terminate()
        self.assertEqual(running.end()[0], 0)
        spans = self.assert_is_one_run(running.summary()["digest"], running.summary())
        self.assertEqual([span["cause"] for span in spans], ["signal"] * 3 + ["end"])
        self.assertGreater(min(span["flows"] for span in spans), 0)

    def kill_in_the_middle(self, how, suffix):
        """What is said of what a killed run left in its .part file."""
        running = support.Running(self, "--rotate", "2h", "--output", self.output(suffix), "--max-flows", "1000", "basic")
        before = len(self.files())
        wait_until(lambda: len(self.files()) > before + 3, "some files")
        wait_until(lambda: any(size_of(each) > 100_000 for each in self.parts()), "results")
        pids = [running.pid_of(stage) for stage in ("capture", "observer", "merger")]
        # The merger soon after the front command: without what it reads it would end in order.
        for pid in [pids[-1]] if how == "merger" else [running.process.pid, *reversed(pids)]:
            os.kill(pid, signal.SIGKILL)
        if how == "merger":
            status, said, _ = running.end()
            self.assertEqual(status, 1)
            return said
        running.process.wait(support.PATIENCE_S)
        running._feeder.stop()
        running.process.stderr.close()
        wait_until(lambda: not any(map(support.process_runs, pids)), "the stages to go")
        return observe(support.TROUBLES, "--rotate", "1h", "--output", self.output(suffix), "basic").stderr

    def parts(self):
        return glob.glob(os.path.join(self.out, "*.part"))

    def test_whoever_is_killed_what_was_complete_stays_and_the_rest_is_named(self):
        for suffix in (".ndjson", ".ndjson.zst"):
            for how in ("merger", "all"):
                for _ in range(5):
                    said = self.kill_in_the_middle(how, suffix)
                    if self.parts():
                        break  # a kill exactly between two files leaves none
                (part,) = self.parts()
                self.assertRegex(said, rf"warning: {re.escape(part)}: \d+ octets of whole lines that a run which was killed left")
                # What was left is cut to whole lines, and has its second in its name.
                os.rename(part, part.removesuffix(".part") + suffix)
                self.assertGreater(len(lines_of(part.removesuffix(".part") + suffix)), 100)
                self.assertRegex(os.path.basename(part), r"^flows-20\d{6}T\d{6}Z\.ndjson")
        for span in self.manifest():
            lines = lines_of(os.path.join(self.out, span["files"][0]["file"]))
            self.assertEqual(len(lines), span["flows"] + span["events"])

    def test_two_runs_do_not_write_the_same_files(self):
        running = support.Running(self, "--rotate", "1h", "--output", self.output(), "basic")
        running.wait_for_flows()
        self.assertIn("another run is writing files of that name",
                      observe(support.TROUBLES, "--rotate", "1h", "--output", self.output(), "basic", check=1).stderr)
        running.process.terminate()
        self.assertEqual(running.end()[0], 0)


class Measured(bed_case.BedCase):
    def test_results_of_a_measurement_are_in_files_of_their_seconds_and_none_is_lost(self):
        output, summary = self.path("results-%s.ndjson.zst"), self.path("run.json")
        jobs = list(beds.crowd(6000))
        measuring = bed_case.Measuring(self, "ecn", "--connect", "tcp", jobs=jobs, general=(
            "--output", output, "--rotate", "2s", "--summary", summary, "--rate", "1000", "-w", "50", "--complete-timeout", "0"))
        time.sleep(3.1)
        measuring.process.send_signal(signal.SIGHUP)
        status, errors, _ = measuring.end()
        self.assertEqual(status, 0, errors)
        with open(self.path("results.manifest")) as file:
            spans = [json.loads(line) for line in file]
        results = []
        for span in spans:
            (file,) = span["files"]
            lines = lines_of(self.path(file["file"]))
            self.assertEqual((len(lines), len(lines)), (file["rows"], span["jobs"]))
            self.assertIsNone(span["packets"])
            results += [json.loads(line)["dip"] for line in lines]
        self.assertEqual(sorted(results), sorted(job["dip"] for job in jobs))
        self.assertGreater(sum(span["jobs"] > 0 for span in spans), 1)
        for before, after in zip(spans, spans[1:]):
            self.assertEqual(before["end_s"], after["begin_s"])
        with open(summary) as file:
            summary = json.load(file)
        self.assert_balanced(summary)
        self.assertEqual(sum(span["flows"] for span in spans), summary["stages"][2]["counters"]["flows_received"])

    def test_a_measurement_without_flows_has_the_connections_clock(self):
        with open(self.path("jobs"), "w") as file:
            file.write('{"domain":"name.invalid"}\n')
        run(ORBWEAVER, "measure", "--input", self.path("jobs"), "--rotate", "1h", "-o", self.path("names-%s.ndjson"), "dnsresolv", check=0)
        self.assertEqual(glob.glob(self.path("*.part")), [])


class Traffic:
    """Datagrams and their answers on one end of a veth pair, of flows that come and go."""

    def __init__(self, interface):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.socket.bind((interface, 0))
        self.number = random.randrange(1 << 20)

    def send(self, seconds, packets_a_second=400):
        sent, start = 0, time.monotonic()
        while (now := time.monotonic() - start) < seconds:
            while sent < now * packets_a_second:
                self.socket.send(support._frame(self.number + sent // 4, sent % 2))
                sent += 1
            time.sleep(0.005)
        return sent


def demo(seconds):
    """In a network namespace of its own."""
    for command in ("ip link set lo up", "ip link add ow0 type veth peer name ow1", "sysctl -q -w net.ipv6.conf.ow0.disable_ipv6=1",
                    "sysctl -q -w net.ipv6.conf.ow1.disable_ipv6=1", "ip link set ow0 up", "ip link set ow1 up"):
        if subprocess.run(command.split(), stderr=subprocess.PIPE).returncode != 0:
            print(f"cannot run {command}")
            sys.exit(77)
    out = support.tempfile.mkdtemp(prefix="orbweaver-rotation-")
    pattern, seen = os.path.join(out, PATTERN + ".ndjson.zst"), os.path.join(out, "seen")
    command = os.path.join(out, "tell")
    with open(command, "w") as file:
        file.write(f'#!/bin/sh\nzstd -tq "$1" && echo "$1" >> {seen}\n')
    os.chmod(command, 0o755)
    traffic = Traffic("ow1")
    manifest = os.path.join(out, "flows.manifest")

    def spans():
        if not os.path.exists(manifest):
            return []
        with open(manifest) as file:
            return [json.loads(line) for line in file]

    def start(name):
        front = subprocess.Popen([ORBWEAVER, "observe", "-i", "ow0", "--session", f"rotation-{os.getpid()}-{name}", "--observers", "2", "--digest",
                                  "--rotate", f"{max(seconds // 10, 2)}s", "--keep", "1GiB", "--rotate-command", command, "--idle-timeout", "5",
                                  "--summary", os.path.join(out, f"{name}.json"), "-o", pattern, "basic"], stderr=subprocess.PIPE, text=True)
        wait_until(lambda: glob.glob(os.path.join(out, "*.part")), "the session")
        time.sleep(1)
        return front

    print(f"first run, {seconds // 2} s, then kill -9 of every process of it")
    front = start("first")
    traffic.send(seconds / 2 + max(seconds // 20, 1))
    stages = [int(pid) for pid in run("pgrep", "-P", str(front.pid)).stdout.split()]
    for pid in [front.pid, *stages]:
        os.kill(pid, signal.SIGKILL)
    front.communicate()
    wait_until(lambda: not any(map(support.process_runs, stages)), "the stages to go")
    (left,) = glob.glob(os.path.join(out, "*.part"))
    before = len(spans())
    print(f"{before} spans complete, left: {os.path.basename(left)}, {os.path.getsize(left)} octets")
    print(f"second run, {seconds // 2} s, with a SIGHUP in the middle")
    front = start("second")
    sent = traffic.send(seconds / 4)
    front.send_signal(signal.SIGHUP)
    sent += traffic.send(seconds / 4)
    time.sleep(1)
    front.send_signal(signal.SIGINT)
    _, errors = front.communicate(timeout=60)
    print(errors.rstrip())
    with open(os.path.join(out, "second.json")) as file:
        summary = json.load(file)
    lines = 0
    for place, span in enumerate(spans()):
        (file,) = span["files"]
        there = lines_of(os.path.join(out, file["file"]))
        lines += len(there) if place >= before else 0
        if len(there) != span["flows"] or os.path.getsize(os.path.join(out, file["file"])) != span["octets"]:
            raise AssertionError(f"{file['file']} is not what the manifest says")
        print(f"{file['file']}  [{span['begin_s']}, {span['end_s']}) {span['cause']:6} {span['flows']:6} flows {span['packets']:6} packets "
              f"{span['octets']:8} octets  {span['digest']}")
    second = spans()[before:]
    recovered = left.removesuffix(".part") + ".ndjson.zst"
    os.rename(left, recovered)
    print(f"what was left: {len(lines_of(recovered))} whole lines")
    with open(seen) as file:
        told = len(file.read().splitlines())
    print(f"sent {sent} packets; files have {sum(span['packets'] for span in second)} packets in {lines} flows; lost "
          f"{sum(share['lost_packets'] for span in second for share in span['observers'])}; "
          f"ledger balanced: {summary['ledger']['balanced']}; commands of the second run {summary['rotate_commands']}, in both {told}")
    print(f"digest of the run      {summary['digest']}\nsum of the files' ones {added([span['digest'] for span in second])}")
    ok = (summary["digest"] == added([span["digest"] for span in second]) and lines == summary["flows"] and summary["ledger"]["balanced"]
          and sum(span["packets"] for span in second) == sent and left in errors)
    print("all of it holds" if ok else "IT DOES NOT HOLD")
    shutil.rmtree(out)
    sys.exit(0 if ok else 1)


class Live(support.TestCase):
    def test_a_live_run_rotates_is_killed_and_goes_on(self):
        inside = [sys.executable, "-B", __file__, "--inside", "--demo", "20"]
        result = run("unshare", "--net", *inside) if shutil.which("unshare") else None
        if result is None or result.returncode == 77 or "unshare failed" in result.stderr:
            self.skipTest("no right to make a network namespace")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("all of it holds", result.stdout)


if __name__ == "__main__":
    # Small disks are mounted: in a namespace of its own where that is permitted, with a /dev/shm of its own, so that
    # nobody else's start clears what is killed here.
    if sys.argv[1:2] == ["--inside"]:
        del sys.argv[1]
    elif shutil.which("unshare") and subprocess.call(["unshare", "--mount", "true"], stderr=subprocess.DEVNULL) == 0:
        net = ["--net"] if sys.argv[1:2] == ["--demo"] else []
        script = 'mount -t tmpfs none /dev/shm && exec "$0" "$@"'
        os.execvp("unshare", ["unshare", "--mount", *net, "sh", "-c", script, sys.executable, "-B", __file__, "--inside", *sys.argv[1:]])
    if sys.argv[1:2] == ["--demo"]:
        demo(int(sys.argv[2]))
    support.main()
