# SPDX-License-Identifier: GPL-3.0-or-later
"""One capture gives one set of flows: in any file format, with any number of observers, through rings or files."""

import os
import re
import subprocess

import support
from support import ALL_CHAINS, TROUBLES, flow_lines, observe, program, run


class EqualFlows(support.TestCase):
    def volume(self):
        return support.write_pcap(self.path("volume.pcap"), support.packets(20_000))

    def test_pcap_and_pcapng_give_equal_flows(self):
        records = list(support.packets(2_000))
        pcap = support.write_pcap(self.path("x.pcap"), records)
        pcapng = support.write_pcapng(self.path("x.pcapng"), records)
        flows = flow_lines(observe(pcap, *ALL_CHAINS).stdout)
        self.assertEqual(len(flows), 2_000)
        self.assertEqual(flows, flow_lines(observe(pcapng, *ALL_CHAINS).stdout))

    def test_both_readers_give_equal_flows(self):
        pcap = support.write_pcap(self.path("x.pcap"), support.packets(2_000))
        mapped = observe(pcap, "--reader", "mapped", *ALL_CHAINS)
        libtrace = observe(pcap, "--reader", "libtrace", *ALL_CHAINS)
        self.assertEqual(flow_lines(mapped.stdout), flow_lines(libtrace.stdout))

    def test_the_number_of_observers_and_the_size_of_rings_change_nothing(self):
        for capture in (TROUBLES, self.volume()):
            results = set()
            for options in (["--observers", "1"], ["--observers", "2", "--packet-ring-mib", "1"], ["--observers", "4"],
                            ["--observers", "2", "--flow-ring-mib", "1", "--busy-poll"]):
                result = observe(capture, "--digest", *options, *ALL_CHAINS)
                digest = re.search(r"^digest: ([0-9a-f]{32})$", result.stderr, re.MULTILINE)
                self.assertIsNotNone(digest, result.stderr)
                results.add((digest[1], "\n".join(flow_lines(result.stdout))))
            self.assertEqual(len(results), 1, capture)

    def test_each_stage_alone_over_files_gives_the_flows_of_the_pipeline(self):
        packets, flows = self.path("x.packets"), self.path("x.flows")
        for capture in (TROUBLES, self.volume()):
            run(program("orbweaver-capture"), "-i", capture, "--out", f"file:{packets}", *ALL_CHAINS, check=0)
            run(program("orbweaver-observer"), "--in", f"file:{packets}", "--out", f"file:{flows}", *ALL_CHAINS, check=0)
            merged = run(program("orbweaver-merger"), "--flows", f"file:{flows}", check=0)
            self.assertEqual(flow_lines(merged.stdout), flow_lines(observe(capture, *ALL_CHAINS).stdout))

    def test_stages_joined_by_rings_of_their_own_give_the_flows_of_the_pipeline(self):
        name = f"e2e-{os.getpid()}"
        capture = self.volume()
        with open(self.path("merged"), "w+") as merged:
            stages = [
                subprocess.Popen([program("orbweaver-merger"), "--flows", f"ring:{name}.f0", "--flows", f"ring:{name}.f1"],
                                 stdout=merged),
                *(subprocess.Popen([program("orbweaver-observer"), "--in", f"ring:{name}.p{i}", "--out",
                                    f"ring:{name}.f{i}", *ALL_CHAINS]) for i in range(2)),
                subprocess.Popen([program("orbweaver-capture"), "-i", capture, "--out", f"ring:{name}.p0", "--out",
                                  f"ring:{name}.p1", *ALL_CHAINS]),
            ]
            for stage in stages:
                self.assertEqual(stage.wait(support.PATIENCE_S), 0, stage.args)
            merged.seek(0)
            self.assertEqual(flow_lines(merged.read()), flow_lines(observe(capture, *ALL_CHAINS).stdout))
        self.assertEqual(support.segments(name), [])

    def test_a_capture_of_raw_octets_for_all_chains_serves_any(self):
        packets, flows = self.path("x.packets"), self.path("x.flows")
        run(program("orbweaver-capture"), "-i", TROUBLES, "--out", f"file:{packets}", check=0)
        for chains in (["basic"], ["basic", "mss"], ["dns", "icmp", "basic"]):
            run(program("orbweaver-observer"), "--in", f"file:{packets}", "--out", f"file:{flows}", *chains, check=0)
            merged = run(program("orbweaver-merger"), "--flows", f"file:{flows}", check=0)
            self.assertEqual(flow_lines(merged.stdout), flow_lines(observe(TROUBLES, *chains).stdout))


if __name__ == "__main__":
    support.main()
