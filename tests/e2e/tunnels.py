# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnels taken off, longer flow keys, frames that come twice, and link types: on the command line, for any number of
observers and all readers."""

import json
import re
import struct
import subprocess

import support
from support import observe, run, program

T0 = 1_700_000_000_000_000


def checksum(octets):
    total = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    total = (total & 0xffff) + (total >> 16)
    return ~((total & 0xffff) + (total >> 16)) & 0xffff


def address(text):
    return bytes(int(part) for part in text.split("."))


def ip(source, destination, protocol, content, identification=1, fragment=0):
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(content), identification, fragment, 64, protocol, 0)
    head += address(source) + address(destination)
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + content


def udp(source, destination, content=b""):
    return struct.pack(">HHHH", source, destination, 8 + len(content), 0) + content


def ether(kind, content):
    return bytes([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]) + struct.pack(">H", kind) + content


def vlan(number, content):
    return ether(0x8100, struct.pack(">HH", number, 0x0800) + content)


def vxlan(network, inner, turned=False):
    ends = ("10.0.0.2", "10.0.0.1") if turned else ("10.0.0.1", "10.0.0.2")
    return ether(0x0800, ip(*ends, 17, udp(5, 4789, struct.pack(">II", 0x08000000, network << 8) + inner)))


THERE = ip("192.168.1.1", "192.168.1.2", 17, udp(7777, 80))
BACK = ip("192.168.1.2", "192.168.1.1", 17, udp(80, 7777))


class Tunnels(support.TestCase):
    def capture(self, *frames, step_us=1000):
        return support.write_pcap(self.path("x.pcap"), [(T0 + place * step_us, frame) for place, frame in
                                                        enumerate(frames)])

    def flows(self, capture, *arguments):
        return [json.loads(line) for line in observe(capture, *arguments).stdout.splitlines()]

    def test_both_directions_of_what_is_in_a_tunnel_are_a_flow(self):
        capture = self.capture(vxlan(7, ether(0x0800, THERE)), vxlan(7, ether(0x0800, BACK), True))
        for key in ([], ["--flow-key", "tunnel"]):
            (flow,) = self.flows(capture, "--decapsulate", "vxlan", *key, "basic", "tunnel")
            self.assertEqual((flow["sip"], flow["pkt_fwd"], flow["pkt_rev"]), ("192.168.1.1", 1, 1))
            self.assertEqual((flow["tunnel_type"], flow["tunnel_sip"], flow["tunnel_dip"], flow["tunnel_id"]),
                             ("vxlan", "10.0.0.1", "10.0.0.2", 7))
        self.assertEqual({flow["sip"] for flow in self.flows(capture, "basic")}, {"10.0.0.1", "10.0.0.2"})

    def test_nested_tunnels_are_lists(self):
        inner = ip("172.16.0.1", "172.16.0.2", 47, struct.pack(">HHI", 0x2000, 0x0800, 9) + THERE)
        (flow,) = self.flows(self.capture(vxlan(7, ether(0x0800, inner))), "--decapsulate", "all", "basic", "tunnel")
        self.assertEqual(flow["sip"], "192.168.1.1")
        self.assertEqual(flow["tunnel_type"], ["vxlan", "gre"])
        self.assertEqual(flow["tunnel_sip"], ["10.0.0.1", "172.16.0.1"])
        self.assertEqual(flow["tunnel_id"], [7, 9])

    def test_networks_with_the_same_addresses_are_told_apart(self):
        capture = self.capture(*(vxlan(network, ether(0x0800, THERE)) for network in (7, 8, 7)))
        self.assertEqual(len(self.flows(capture, "--decapsulate", "all", "basic")), 1)
        flows = self.flows(capture, "--decapsulate", "all", "--flow-key", "tunnel", "basic", "tunnel")
        self.assertEqual({flow["tunnel_id"]: flow["pkt_fwd"] for flow in flows}, {7: 2, 8: 1})

    def test_vlans_and_echoes_are_told_apart(self):
        capture = self.capture(vlan(5, THERE), vlan(6, THERE), vlan(5, BACK))
        flows = self.flows(capture, "--flow-key", "vlan", "basic", "vlan")
        self.assertEqual({tuple(flow["vlan_ids"]): flow["pkt_rev"] for flow in flows}, {(5,): 1, (6,): 0})
        echoes = self.capture(*(ether(0x0800, ip(*ends, 1, struct.pack(">BBHHH", kind, 0, 0, number, 1)))
                                for number in (1, 2) for kind, ends in
                                ((8, ("10.0.0.1", "10.0.0.2")), (0, ("10.0.0.2", "10.0.0.1")))))
        self.assertEqual(len(self.flows(echoes, "basic")), 1)
        flows = self.flows(echoes, "--flow-key", "icmp-id", "basic", "icmp")
        self.assertEqual([(flow["pkt_fwd"], flow["pkt_rev"], flow["sp"], flow["icmp_type_fwd"], flow["icmp_type_rev"])
                          for flow in flows], [(1, 1, None, 8, 0)] * 2)

    def test_later_fragments_of_a_tunnels_packet_have_its_ports(self):
        datagram = udp(5, 4789, struct.pack(">II", 0x08000000, 7 << 8) + ether(0x0800, THERE) + bytes(1000))
        capture = self.capture(*(ether(0x0800, ip("10.0.0.1", "10.0.0.2", 17, part, 9, fragment)) for part, fragment in
                                 ((datagram[504:], 504 // 8), (datagram[:504], 0x2000))))
        flows = {flow["sip"]: flow for flow in self.flows(capture, "--decapsulate", "all", "basic")}
        self.assertEqual(flows["192.168.1.1"]["pkt_fwd"], 1)
        self.assertEqual((flows["10.0.0.1"]["pkt_fwd"], flows["10.0.0.1"]["dp"]), (1, 4789))

    def test_what_comes_twice_is_left_out_and_counted(self):
        capture = self.capture(ether(0x0800, THERE), ether(0x0800, THERE), ether(0x0800, BACK), step_us=4000)
        summary = self.path("summary.json")
        (flow,) = self.flows(capture, "--deduplicate", "5", "--summary", summary, "basic")
        self.assertEqual((flow["pkt_fwd"], flow["pkt_rev"]), (1, 1))
        with open(summary) as file:
            self.assertIn('"duplicates":1', file.read().replace(" ", ""))
        (flow,) = self.flows(capture, "--deduplicate", "3", "basic")
        self.assertEqual(flow["pkt_fwd"], 2)

    def test_one_capture_has_one_digest(self):
        frames = []
        for number in range(400):
            inner = ip(f"192.168.{number % 7}.1", "192.168.1.2", 17, udp(1000 + number % 90, 80))
            frames += [vxlan(number % 5, ether(0x0800, inner)), vlan(number % 3 + 1, inner), ether(0x0800, inner),
                       ether(0x0800, ip("10.0.0.1", "10.0.0.2", 4, inner)),
                       ether(0x0800, ip("10.0.0.1", "10.0.0.2", 1, struct.pack(">BBHHH", 8, 0, 0, number % 9, 1)))]
        capture = self.capture(*frames)
        options = ["--decapsulate", "all", "--flow-key", "vlan,tunnel,icmp-id", "--digest", "basic", "vlan", "tunnel",
                   "icmp"]
        digests = set()
        for more in ([], ["--observers", "2"], ["--observers", "4"], ["--reader", "libtrace"]):
            result = observe(capture, *more, *options)
            digests.add(re.search(r"^digest: ([0-9a-f]{32})$", result.stderr, re.MULTILINE)[1])
        with open(capture, "rb") as octets:
            piped = subprocess.run([support.ORBWEAVER, "observe", "-i", "-", *options], stdin=octets,
                                   capture_output=True, text=True, check=True)
        digests.add(re.search(r"^digest: ([0-9a-f]{32})$", piped.stderr, re.MULTILINE)[1])
        self.assertEqual(len(digests), 1)
        # Stage by stage, over files: the stream says what its keys have.
        packets, flows = self.path("x.packets"), self.path("x.flows")
        run(program("orbweaver-capture"), "-i", capture, "--out", f"file:{packets}", *options[:4], check=0)
        run(program("orbweaver-observer"), "--in", f"file:{packets}", "--out", f"file:{flows}", *options[5:], check=0)
        merged = run(program("orbweaver-merger"), "--flows", f"file:{flows}", check=0)
        self.assertEqual(support.flow_lines(merged.stdout), support.flow_lines(observe(capture, *options).stdout))

    def test_what_there_is_not_is_refused(self):
        capture = self.capture(ether(0x0800, THERE))
        for option, value, said in (("--decapsulate", "gre,foo", "no tunnel is called 'foo'"),
                                    ("--flow-key", "mac", "'mac' cannot be part of a flow's key"),
                                    ("--deduplicate", "x", "--deduplicate")):
            self.assertIn(said, observe(capture, option, value, "basic", check=2).stderr)

    def test_packets_of_links_that_are_not_known_are_named_and_the_rest_goes_on(self):
        def block(kind, body):
            body += bytes(-len(body) % 4)
            return struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))

        def packet(interface, octets):
            return block(6, struct.pack("<IIIII", interface, 0, 1, len(octets), len(octets)) + octets)

        with open(self.path("x.pcapng"), "wb") as file:
            file.write(block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1)) +
                       b"".join(block(1, struct.pack("<HHI", link, 0, 0)) for link in (209, 104, 1)) +
                       packet(0, bytes(40)) + packet(1, b"\x0f\0\x08\0" + THERE) + packet(2, ether(0x0800, BACK)))
        result = observe(self.path("x.pcapng"), "basic")
        (flow,) = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual((flow["pkt_fwd"], flow["pkt_rev"]), (1, 1))
        self.assertIn("link type 209 (IPMB_LINUX) is not supported", result.stderr)


if __name__ == "__main__":
    support.main()
