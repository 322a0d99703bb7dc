# SPDX-License-Identifier: GPL-3.0-or-later
"""Live capture on a veth pair in a network namespace of its own, fed by tcpreplay."""

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


def in_namespace(pcap, flows, summary):
    """What runs inside: brings the pair up, measures on one end, replays into the other."""
    for command in ("ip link add ow0 type veth peer name ow1", "sysctl -q -w net.ipv6.conf.ow0.disable_ipv6=1",
                    "sysctl -q -w net.ipv6.conf.ow1.disable_ipv6=1", "ip link set ow0 up", "ip link set ow1 up"):
        if subprocess.run(command.split(), stderr=subprocess.PIPE).returncode != 0:
            print(f"cannot run {command}")
            sys.exit(77)
    session = f"e2e-live-{os.getpid()}"
    front = subprocess.Popen([ORBWEAVER, "observe", "-i", "ow1", "--session", session, "--observers", "2", "--output", flows,
                              "--summary", summary, "basic", "tcp"])

    def packets_read():
        stats = support.run(ORBWEAVER, "stats", session, "--json")
        stages = json.loads(stats.stdout)["stages"] if stats.returncode == 0 else []
        return stages[0]["counters"]["packets_read"] if stages and stages[-1]["state"] == "running" else -1

    wait_until(lambda: packets_read() >= 0 or front.poll() is not None, "the session")
    time.sleep(0.5)
    subprocess.run(["tcpreplay", "-q", "-i", "ow0", "--pps", "20000", pcap], check=True, stdout=subprocess.DEVNULL)
    wait_until(lambda: packets_read() >= PACKETS or front.poll() is not None, "the packets")
    front.send_signal(signal.SIGINT)
    sys.exit(front.wait(support.PATIENCE_S))


class Live(support.TestCase):
    def test_packets_replayed_into_a_veth_pair_come_out_as_flows(self):
        for tool in ("unshare", "ip", "tcpreplay", "sysctl"):
            if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
                self.skipTest(f"{tool} is not installed")
        pcap = support.write_pcap(self.path("x.pcap"), support.packets(FLOWS))
        flows, summary_path = self.path("flows"), self.path("summary")
        result = subprocess.run(["unshare", "--net", sys.executable, __file__, "--inside", pcap, flows, summary_path],
                                capture_output=True, text=True, timeout=2 * support.PATIENCE_S)
        if result.returncode == 77 or "unshare failed" in result.stderr:
            self.skipTest(f"no right to make a network namespace with a veth pair: {result.stdout}{result.stderr}")
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(summary_path) as file:
            summary = json.load(file)
        self.assert_balanced(summary)
        self.assertEqual(summary["end"], "interrupted")
        self.assertEqual(summary["packets"] + summary["dropped"], PACKETS)
        if summary["dropped"] == 0:
            with open(flows) as file:
                live = flow_lines(file.read())
            self.assertEqual(len(live), FLOWS)
            self.assertEqual(sum(json.loads(flow)["pkt_fwd"] + json.loads(flow)["pkt_rev"] for flow in live), PACKETS)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        in_namespace(*sys.argv[2:])
    support.main()
