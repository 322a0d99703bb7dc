# SPDX-License-Identifier: GPL-3.0-or-later
"""Live capture on a veth pair in a network namespace of its own, fed by tcpreplay."""

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import support
from support import ORBWEAVER, flow_lines, wait_until

PACKETS, FLOWS = 6_000, 1_000


def in_namespace(source, pcap, flows, summary):
    """What runs inside: brings the pair up, measures on one end, replays into the other. Capture is stopped meanwhile where
    the source is an URI: of libtrace's own readers, whose buffers are small, the kernel then loses packets."""
    for command in ("ip link add ow0 type veth peer name ow1", "sysctl -q -w net.ipv6.conf.ow0.disable_ipv6=1",
                    "sysctl -q -w net.ipv6.conf.ow1.disable_ipv6=1", "ip link set ow0 up", "ip link set ow1 up"):
        if subprocess.run(command.split(), stderr=subprocess.PIPE).returncode != 0:
            print(f"cannot run {command}")
            sys.exit(77)
    session = f"e2e-live-{os.getpid()}"
    front = subprocess.Popen([ORBWEAVER, "observe", "-i", source, "--session", session, "--observers", "2", "--output", flows,
                              "--summary", summary, "basic", "tcp"])
    atexit.register(front.kill)  # nobody waits for it where this fails

    def stages():
        stats = support.run(ORBWEAVER, "stats", session, "--json")
        found = json.loads(stats.stdout)["stages"] if stats.returncode == 0 else []
        return found if found and found[-1]["state"] == "running" else None

    def packets_known():
        counters = (stages() or [{"counters": {}}])[0]["counters"]
        return counters.get("packets_read", -1) + counters.get("dropped_source", 0)

    wait_until(lambda: packets_known() >= 0 or front.poll() is not None, "the session")
    time.sleep(0.5)
    capture = int(support.run("pgrep", "-P", str(front.pid), "-f", "orbweaver-capture", check=0).stdout)
    if ":" in source:
        os.kill(capture, signal.SIGSTOP)
    subprocess.run(["tcpreplay", "-q", "-i", "ow0", "--pps", "20000", pcap], check=True, stdout=subprocess.DEVNULL)
    os.kill(capture, signal.SIGCONT)
    wait_until(lambda: packets_known() >= PACKETS or front.poll() is not None, "the packets")
    front.send_signal(signal.SIGINT)
    sys.exit(front.wait(support.PATIENCE_S))


class Live(support.TestCase):
    def replay(self, source):
        """The summary of a run, and where its flows are."""
        for tool in ("unshare", "ip", "tcpreplay", "sysctl"):
            if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
                self.skipTest(f"{tool} is not installed")
        pcap = support.write_pcap(self.path("x.pcap"), support.packets(FLOWS))
        flows, summary_path = self.path("flows"), self.path("summary")
        result = subprocess.run(["unshare", "--net", sys.executable, __file__, "--inside", source, pcap, flows, summary_path],
                                capture_output=True, text=True, timeout=2 * support.PATIENCE_S)
        if result.returncode == 77 or "unshare failed" in result.stderr:
            self.skipTest(f"no right to make a network namespace with a veth pair: {result.stdout}{result.stderr}")
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(summary_path) as file:
            summary = json.load(file)
        self.assert_balanced(summary)
        self.assertEqual(summary["end"], "interrupted")
        self.assertEqual(summary["packets"] + summary["dropped"], PACKETS)
        return summary, flows

    def test_packets_replayed_into_a_veth_pair_come_out_as_flows(self):
        summary, flows = self.replay("ow1")
        if summary["dropped"] == 0:
            with open(flows) as file:
                live = flow_lines(file.read())
            self.assertEqual(len(live), FLOWS)
            self.assertEqual(sum(json.loads(flow)["pkt_fwd"] + json.loads(flow)["pkt_rev"] for flow in live), PACKETS)

    def test_packets_that_the_kernel_lost_are_counted(self):
        for source in ("int:ow1", "ring:ow1"):
            with self.subTest(source):
                summary, flows = self.replay(source)
                self.assertGreater(summary["dropped"], 0)
                with open(flows) as file:
                    drops = [json.loads(line)["ring_drops"] for line in file]
                self.assertLessEqual(max(drops, default=0), summary["dropped"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        in_namespace(*sys.argv[2:])
    support.main()
