# SPDX-License-Identifier: GPL-3.0-or-later
"""What flows say of directions, ends and times, whatever the clock does, is the same for any number of observers and any way to read."""

import json
import random
import re
import struct

import support
from support import flow_lines, observe, program, run

SYN, ACK, FIN, RST = 0x02, 0x10, 0x01, 0x04
START_S = 1_700_000_000


def segment(source, destination, ports, flags, payload=b""):
    """An Ethernet frame with a TCP segment; addresses are last octets."""
    tcp = struct.pack(">HHIIBBHHH", *ports, 1, 1, 0x50, flags, 8192, 0, 0) + payload
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, bytes((10, 0, 0, source)),
                     bytes((10, 0, 0, destination)))
    return bytes(12) + b"\x08\x00" + ip + tcp


def troubled(seed, packets=4000):
    """Connections on few ports, so that they come again, on a clock that pauses, leaps, and is set back and forth."""
    chance = random.Random(seed)
    now_us, offset_us = START_S * 1_000_000, 0
    for _ in range(packets):
        what = chance.random()
        now_us += 1 if what < 0.5 else chance.randrange(900_000)
        if what > 0.995:
            now_us += chance.randrange(200) * 1_000_000
        if what > 0.997:
            offset_us = chance.choice((0, -5000, 7000, -90)) * 1_000_000
        client, port = chance.randrange(1, 9), chance.randrange(1000, 1004)
        ends = (client, 100) if chance.random() < 0.5 else (100, client)
        flags = chance.choice((SYN, SYN | ACK, ACK, ACK, ACK, ACK | FIN, RST))
        frame = segment(*ends, (port, 80) if ends[1] == 100 else (80, port), flags, bytes(chance.randrange(3)))
        wrong_us = chance.choice((9_000_000_000, -2_000_000_000, 4_000_000_000_000)) * 100 if chance.random() < 0.004 else 0
        yield max(0, min(now_us + offset_us + wrong_us, 0xFFFFFFFF * 1_000_000)), frame


class Exact(support.TestCase):
    def digest(self, capture, *arguments):
        result = observe(capture, "--digest", *arguments, "basic", "tcp", "icmp", "dscp")
        found = re.search(r"^digest: ([0-9a-f]{32})$", result.stderr, re.MULTILINE)
        self.assertIsNotNone(found, result.stderr)
        return found[1], result

    def test_any_number_of_observers_and_any_reader_give_one_digest(self):
        for seed in range(4):
            capture = support.write_pcap(self.path("x.pcap"), troubled(seed))
            for timeouts in ([], ["--active-timeout", "20"], ["--idle-timeout", "7", "--complete-timeout", "0"]):
                first, result = self.digest(capture, *timeouts)
                self.assertGreater(len(result.stdout.splitlines()), 100)
                for options in (["--observers", "2"], ["--observers", "4"], ["--reader", "libtrace"]):
                    self.assertEqual(self.digest(capture, *timeouts, *options)[0], first, (seed, timeouts, options))

    def test_a_recording_gives_what_the_capture_gave(self):
        capture = support.write_pcap(self.path("x.pcap"), troubled(9))
        packets, flows = self.path("packets"), self.path("flows")
        run(program("orbweaver-capture"), "-i", capture, "--out", f"file:{packets}", "basic", "tcp", check=0)
        run(program("orbweaver-observer"), "--in", f"file:{packets}", "--out", f"file:{flows}", "basic", "tcp", check=0)
        merged = run(program("orbweaver-merger"), "--flows", f"file:{flows}", check=0)
        self.assertEqual(flow_lines(merged.stdout), flow_lines(observe(capture, "basic", "tcp").stdout))

    def test_no_flow_ends_before_it_begins_and_no_packet_is_lost(self):
        for seed in range(4):
            records = list(troubled(seed))
            result = observe(support.write_pcap(self.path("x.pcap"), records), "basic")
            flows = [json.loads(line) for line in result.stdout.splitlines()]
            self.assertTrue(all(flow["pkt_first"] <= flow["pkt_last"] for flow in flows))
            self.assertEqual(sum(flow["pkt_fwd"] + flow["pkt_rev"] for flow in flows), len(records))

    def test_a_wrong_time_and_a_clock_that_was_set_are_named_once(self):
        syn = segment(1, 2, (1000, 80), SYN)
        wrong = [(START_S * 1_000_000, syn), (4_102_444_800_000_000, syn), (START_S * 1_000_000 + 1, syn)]
        errors = observe(support.write_pcap(self.path("wrong.pcap"), wrong), "basic").stderr
        self.assertEqual(len(re.findall(r"packet 2 says 2100-01-01 00:00:00 UTC", errors)), 1, errors)
        filtered = observe(support.write_pcap(self.path("wrong.pcap"), [(wrong[0][0], segment(3, 4, (5, 6), ACK)), *wrong]),
                           "--filter", "host 10.0.0.1", "basic").stderr
        self.assertIn("packet 3 says 2100", filtered)
        back = [((START_S + second) * 1_000_000, syn) for second in (0, 1, -3600, -3599, -3560)]
        result = observe(support.write_pcap(self.path("back.pcap"), back), "basic")
        self.assertEqual(len(re.findall("was set from 2023-11-14 22:13:21 UTC to 2023-11-14 21:13:20 UTC", result.stderr)), 1,
                         result.stderr)
        # The flow goes on over the step; 39 s later another one begins.
        self.assertEqual([json.loads(line)["pkt_fwd"] for line in result.stdout.splitlines()], [4, 1])

    def test_a_clock_that_leaps_stops_no_flow_from_ending(self):
        records = [(START_S * 1_000_000, segment(1, 2, (1000, 80), SYN)), (4_102_444_800_000_000, segment(3, 4, (1, 2), SYN))]
        records += [((START_S + second) * 1_000_000, segment(5, 6, (second + 1, 80), SYN)) for second in range(1, 200)]
        flows = [json.loads(line) for line in
                 observe(support.write_pcap(self.path("x.pcap"), records), "basic").stdout.splitlines()]
        self.assertEqual(len(flows), 201)
        idle = sum(flow["flow_end_reason"] == "idle timeout" for flow in flows)
        self.assertGreaterEqual(idle, 168)


if __name__ == "__main__":
    support.main()
