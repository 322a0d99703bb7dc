# SPDX-License-Identifier: GPL-3.0-or-later
"""Several inputs are one flow table, what grows is followed, and what is wrong with one of them costs that one alone."""

import bz2
import gzip
import lzma
import os
import resource
import shutil
import signal
import struct
import subprocess
import time

import support
from support import ORBWEAVER, flow_lines, observe, run

CHAINS = ("basic", "tcp")


def tagged(frame):
    return frame[:12] + b"\x81\x00\x00\x07" + frame[12:]


class Inputs(support.TestCase):
    def setUp(self):
        super().setUp()
        self.records = list(support.packets(300))
        self.whole = support.write_pcap(self.path("whole.pcap"), self.records)

    def flows(self, *arguments, check=0):
        return run(ORBWEAVER, "observe", *arguments, "--digest", *CHAINS, check=check)

    def digest(self, *arguments):
        return self.flows(*arguments).stderr.splitlines()[-1]

    def make_folder(self, name):
        os.mkdir(self.path(name))
        return self.path(name)

    def parts(self, count):
        """The capture as files, each with packets of all its time."""
        return [support.write_pcap(self.path(f"part{i}.pcap"), self.records[i::count]) for i in range(count)]

    def test_a_capture_that_was_dealt_out_to_files_has_the_flows_of_the_whole_in_any_format_and_order(self):
        parts = self.parts(7)
        with open(parts[0], "rb") as file:
            octets = file.read()
        names = [self.path("0.pcap.gz"), support.write_pcapng(self.path("1.pcapng"), self.records[1::7]), *parts[2:]]
        with gzip.open(names[0], "wb") as file:
            file.write(octets)
        expected = self.digest("-i", self.whole)
        for order in (names, names[::-1]):
            self.assertEqual(self.digest(*(word for name in order for word in ("-i", name))), expected)
        night = self.make_folder("night")
        for name in names:
            shutil.move(name, night)
        self.assertEqual(self.digest("-i", night), expected)
        self.assertEqual(self.digest("-i", f"{night}/*"), expected)

    def test_the_order_is_that_of_mergecap(self):
        if not shutil.which("mergecap"):
            self.skipTest("mergecap is not installed")
        # Times step back within files, and none is equal to another.
        records = [(1_700_000_000_000_000 + (i * 7919 % 600) * 500_000 + i, frame)
                   for i, (_, frame) in enumerate(self.records[:600])]
        names = [support.write_pcap(self.path(f"{i}.pcap"), records[i * 100:i * 100 + 100]) for i in range(6)]
        merged = self.path("merged.pcap")
        run("mergecap", "-F", "pcap", "-w", merged, *names, check=0)
        once = ("--clock-tolerance", "0")
        self.assertEqual(self.digest(*once, *(word for name in names for word in ("-i", name))),
                         self.digest(*once, "-i", merged))

    def test_more_files_than_descriptors_and_all_of_them_at_a_time_as_far_as_there_are(self):
        many = self.make_folder("many")
        for i in range(150):
            support.write_pcap(f"{many}/{i:03}.pcap", self.records[i * 12:i * 12 + 12])
        few = 40  # soft and hard
        result = run(ORBWEAVER, "observe", "-i", many, "--digest", *CHAINS, check=0,
                     preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (few, few)))
        self.assertEqual(result.stderr.splitlines()[-1], self.digest("-i", self.whole))

    def test_one_that_is_damaged_or_missing_is_named_and_the_rest_goes_on(self):
        parts = self.parts(3)
        os.truncate(parts[1], os.path.getsize(parts[1]) - 10)
        empty = self.path("empty.pcap")
        open(empty, "w").close()
        result = self.flows("-i", parts[0], "-i", parts[1], "-i", empty, "-i", self.path("no*.pcap"), "-i", parts[2], "--summary",
                            self.path("s.json"), check=1)
        self.assertRegex(result.stderr, f"{parts[1]}: cut off in the middle of a packet: the record at offset [0-9]+")
        self.assertIn(f"{empty}: is empty", result.stderr)
        self.assertIn("no*.pcap: no file matches", result.stderr)
        self.assertIn("3 of 5 inputs could not be read to the end", result.stderr)
        self.assertIn(f"processed {len(self.records) - 1} packets", result.stderr)
        # Also where the run ends before the inputs do.
        result = self.flows("-i", empty, "-i", parts[0], "--count", "5", check=1)
        self.assertIn("processed 5 packets", result.stderr)

    def test_an_output_is_none_of_the_inputs_and_an_interface_is_read_alone(self):
        night = self.make_folder("night")
        shutil.copy(self.whole, night)
        for given in (night, f"{night}/*.pcap"):
            result = observe(given, "--output", f"{night}/whole.pcap", *CHAINS, check=2)
            self.assertIn("whole.pcap", result.stderr)
        result = self.flows("-i", self.whole, "-i", "lo", check=2)
        self.assertIn("lo: is read live", result.stderr)

    def test_standard_input_and_a_fifo_are_read_beside_a_file_compressed_or_not(self):
        parts = self.parts(3)
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        with open(parts[0], "rb") as file:
            packed = lzma.compress(file.read())
        feeder = subprocess.Popen(["sh", "-c", 'exec cat "$1" > "$2"', "sh", parts[1], fifo])
        result = subprocess.run([ORBWEAVER, "observe", "-i", "-", "-i", fifo, "-i", parts[2], "--digest", *CHAINS], input=packed,
                                capture_output=True, timeout=support.PATIENCE_S)
        feeder.wait()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr.decode().splitlines()[-1], self.digest("-i", self.whole))

    def test_a_compressed_capture_comes_through_a_pipe(self):
        with open(self.whole, "rb") as file:
            plain = file.read()
        expected = self.digest("-i", self.whole)
        packed = {"gzip": gzip.compress(plain), "bzip2": bz2.compress(plain), "xz": lzma.compress(plain)}
        for program in ("zstd", "lz4"):
            if shutil.which(program):
                packed[program] = subprocess.run([program, "-qc"], input=plain, capture_output=True, check=True).stdout
        for name, octets in packed.items():
            result = subprocess.run([ORBWEAVER, "observe", "-i", "-", "--digest", *CHAINS], input=octets, capture_output=True,
                                    timeout=support.PATIENCE_S)
            self.assertEqual(result.stderr.decode().splitlines()[-1], expected, name)

    def test_captures_put_end_to_end_are_one(self):
        joined = self.path("joined")
        halves = [self.records[:700], self.records[700:]]
        with open(joined, "wb") as file:
            for writer, half in ((support.write_pcap, halves[0]), (support.write_pcapng, halves[1])):
                with open(writer(self.path("half"), half), "rb") as part:
                    file.write(part.read())
        self.assertEqual(self.digest("-i", joined), self.digest("-i", self.whole))

    def test_a_filter_that_nothing_passes_says_behind_which_tags_it_would_match(self):
        capture = support.write_pcap(self.path("tagged.pcap"), [(time_us, tagged(frame)) for time_us, frame in self.records])
        result = observe(capture, "--filter", "tcp port 443", *CHAINS)
        self.assertRegex(result.stderr, r"none of 1800 packets passed it: their headers stand behind VLAN tags")
        self.assertIn("--filter 'vlan and (tcp port 443)'", result.stderr)
        self.assertIn("processed 1800 packets (0 dropped, 0 short, 0 non-ip, 1800 filtered) into 0 flows", result.stderr)
        result = observe(capture, "--filter", "vlan and (tcp port 443)", *CHAINS)
        self.assertIn("600 filtered) into 200 flows", result.stderr)
        self.assertNotIn("none of", result.stderr)

    def test_an_erf_record_that_is_not_known_kills_nothing(self):
        path = self.path("x.erf")
        for kind in (0, 3, 12, 27, 48, 63, 127):
            for size in (0, 15, 16, 17, 64, 65535):
                for wire in (0, 60, 65535):
                    with open(path, "wb") as file:
                        file.write(struct.pack("<Q", 1_700_000_000 << 32) + struct.pack(">BBHHH", kind, 0, size, 0, wire) + bytes(100))
                    result = run(support.program("orbweaver-capture"), "-i", f"rawerf:{path}", "--out", f"file:{self.path('out')}")
                    self.assertIn(result.returncode, (0, 1), (kind, size, wire, result.stderr))


class Follow(support.TestCase):
    def setUp(self):
        super().setUp()
        self.records = list(support.packets(300))
        self.output = self.path("flows.ndjson")

    def start(self, given):
        self.running = subprocess.Popen([ORBWEAVER, "observe", "--follow", "-i", given, "-o", self.output, "--summary",
                                         self.path("s.json"), *CHAINS], stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.running.wait)
        self.addCleanup(self.running.kill)

    def end(self, status=0):
        """When nothing has been written for a while; the flows that came of it."""
        time.sleep(2)
        self.running.send_signal(signal.SIGTERM)
        errors = self.running.communicate(timeout=support.PATIENCE_S)[1]
        self.assertEqual(self.running.returncode, status, errors)
        with open(self.output) as file:
            return flow_lines(file.read()), errors

    def append(self, path, octets):
        with open(path, "ab") as file:
            file.write(octets)

    def expected(self):
        return flow_lines(observe(support.write_pcap(self.path("all"), self.records), *CHAINS).stdout)

    def test_a_file_that_grows_in_pieces_and_is_renamed_gives_the_flows_of_the_whole(self):
        path = self.path("a.pcap")
        records = [support.pcap_record(*record) for record in self.records]
        self.start(path)
        octets = support.PCAP_HEADER + b"".join(records[:900])
        for at in range(0, len(octets), 20_000):
            self.append(path, octets[at:at + 20_000])
            time.sleep(0.05)
        os.rename(path, path + ".1")
        self.append(path, support.PCAP_HEADER + b"".join(records[900:]))
        flows, errors = self.end()
        self.assertEqual(flows, self.expected(), errors)

    def test_a_ring_of_numbered_files_is_followed_round(self):
        records = [support.pcap_record(*record) for record in self.records]
        self.start(self.path("a.pcap"))
        for turn in range(6):
            with open(self.path(f"a.pcap{turn % 3}"), "wb") as file:
                file.write(support.PCAP_HEADER + b"".join(records[turn * 300:turn * 300 + 300]))
            time.sleep(1)
        flows, errors = self.end()
        self.assertEqual(flows, self.expected(), errors)

    def test_what_dumpcap_writes_in_the_middle_of_a_run_is_read_and_a_cut_file_is_named(self):
        self.start(self.path("cap_*"))
        first = support.write_pcapng(self.path("cap_00001_20240101000000.pcapng"), self.records[:900])
        time.sleep(1)
        os.truncate(first, os.path.getsize(first))
        self.append(first, b"\x06\x00\x00\x00\x40\x00\x00\x00")
        support.write_pcapng(self.path("cap_00002_20240101000100.pcapng"), self.records[900:])
        flows, errors = self.end(status=1)
        self.assertEqual(flows, self.expected(), errors)
        self.assertIn(f"{first}: cut off in the middle of a packet", errors)

    def test_what_cannot_be_followed_is_refused(self):
        for given in ("-", "lo", "/dev/null", self.path("nowhere/a.pcap")):
            result = run(ORBWEAVER, "observe", "--follow", "-i", given, *CHAINS)
            self.assertIn(result.returncode, (1, 2), result.stderr)
            self.assertNotEqual(result.stderr, "")
        result = run(ORBWEAVER, "observe", "--follow", "-i", "a", "-i", "b", *CHAINS, check=2)
        self.assertIn("--follow follows one file", result.stderr)


if __name__ == "__main__":
    support.main()
