# SPDX-License-Identifier: GPL-3.0-or-later
"""The test bed itself: every server answers, and every path does what it says, by a raw look at the client's wire."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import time

import bed as beds
import bed_case
import bed_paths
import support

QUERY = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x05sound\x03bed\x04test\x00\x00\x01\x00\x01"
REQUEST = b"GET / HTTP/1.1\r\nHost: bed.test\r\nConnection: close\r\n\r\n"
SO_NO_CHECK, UDP_NO_CHECK6_TX, TCP_FASTOPEN_OPTION, MSG_FASTOPEN = 11, 101, 34, 0x20000000
FIN, SYN, RST, ACK, ECE, CWR = 0x01, 0x02, 0x04, 0x10, 0x40, 0x80
MSS, WINDOW_SCALE, SACK_PERMITTED, TIMESTAMPS = 2, 3, 4, 8
QUIET_S = 0.3  # how long the wire is watched for what should not come


class Packet:
    """What these tests look at in a frame: `out` is from the client to the server."""

    def __init__(self, frame):
        ip = frame[14:]
        self.version = ip[0] >> 4
        if self.version == 4:
            header, self.protocol, self.tos = (ip[0] & 0xF) * 4, ip[9], ip[1]
            source, destination, ip = ip[12:16], ip[16:20], ip[:int.from_bytes(ip[2:4], "big")]
            self.evil = bool(ip[6] & 0x80)
        else:
            header, self.protocol, self.tos = 40, ip[6], (ip[0] & 0xF) << 4 | ip[1] >> 4
            source, destination, ip = ip[8:24], ip[24:40], ip[:40 + int.from_bytes(ip[4:6], "big")]
        family = socket.AF_INET if self.version == 4 else socket.AF_INET6
        ends = socket.inet_ntop(family, source), socket.inet_ntop(family, destination)
        self.out = ends[0] in (beds.CLIENT_4, beds.CLIENT_6)
        self.peer = ends[1] if self.out else ends[0]
        body = ip[header:]
        self.flags, self.options, self.payload = 0, {}, b""
        if self.protocol == socket.IPPROTO_TCP:
            _, _, self.sequence, self.acknowledgement, offset, self.flags = struct.unpack(">HHIIBB", body[:14])
            self.options, self.payload = _options(body[20:(offset >> 4) * 4]), body[(offset >> 4) * 4:]
        elif self.protocol == socket.IPPROTO_UDP:
            self.checksum, self.payload = int.from_bytes(body[6:8], "big"), body[8:]
        elif self.protocol in (socket.IPPROTO_ICMP, socket.IPPROTO_ICMPV6):
            self.icmp = tuple(body[:2])
            self.peer = socket.inet_ntop(family, body[24:28] if self.version == 4 else body[32:48])  # of the packet quoted

    @property
    def ecn(self):
        return self.tos & 3

    @property
    def syn_ack(self):
        return self.flags & (SYN | ACK) == SYN | ACK


def _options(data):
    found, at = {}, 0
    while at < len(data) and data[at] != 0:
        if data[at] == 1:
            at += 1
            continue
        found[data[at]] = data[at + 2:at + data[at + 1]]
        at += data[at + 1]
    return found


def each_family(test):
    """A test for IPv4 and for IPv6."""

    def of_both(self):
        for family in (4, 6):
            with self.subTest(family=family):
                test(self, family)

    return of_both


class BedTest(bed_case.BedCase):
    # What happens on the wire between the client and an address.

    @contextlib.contextmanager
    def watching(self, address):
        """Gives a list; at the end it holds the packets from and to the address."""
        packets = []
        with self.bed.entered():
            wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            wire.bind((beds.INTERFACE, 3))
            with wire:
                yield packets
                time.sleep(0.02)
                wire.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        frame = wire.recv(65536)
                        if frame[12:14] in (b"\x08\x00", b"\x86\xdd") and (packet := Packet(frame)).peer == address:
                            packets.append(packet)

    def tcp(self, path, family, request=b"", port=80, tos=0, fast_open=False, host=1, timeout_s=5):
        """A connection, one request and its answer: the packets, and the answer or the error."""
        address = bed_paths.address(path, family, host)
        with self.watching(address) as packets:
            client = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6)
            with client:
                client.settimeout(timeout_s)
                if tos and family == 4:
                    client.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
                elif tos:
                    client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, tos)
                answer = b""
                try:
                    if fast_open:
                        client.settimeout(None)  # with a time-out there is no waiting for the handshake in it
                        client.sendto(request, MSG_FASTOPEN, (address, port))
                        client.settimeout(timeout_s)
                    else:
                        client.connect((address, port))
                        client.sendall(request)
                    while request and (more := client.recv(65536)):
                        answer += more
                        if port == 53:
                            break
                except OSError as error:
                    answer = error
                if not request:  # the connection's FIN and its answer belong to the look
                    with contextlib.suppress(OSError):
                        client.shutdown(socket.SHUT_WR)
                        client.recv(1)
        return packets, answer

    def udp(self, path, family, no_checksum=False, evil=False, timeout_s=5):
        """A DNS query by UDP: the packets, and the answer or the error."""
        address = bed_paths.address(path, family)
        with self.watching(address) as packets:
            if evil:
                client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                client.bind((beds.CLIENT_4, 0))
                datagram = struct.pack(">HHHH", client.getsockname()[1], 53, 8 + len(QUERY), 0) + QUERY
                header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(datagram), 1, 0x8000, 64, socket.IPPROTO_UDP, 0)
                raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
                with raw:
                    raw.sendto(header + socket.inet_aton(beds.CLIENT_4) + socket.inet_aton(address) + datagram, (address, 0))
            else:
                client = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
                if no_checksum and family == 4:
                    client.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
                elif no_checksum:
                    client.setsockopt(socket.IPPROTO_UDP, UDP_NO_CHECK6_TX, 1)
                client.connect((address, 53))
                client.send(QUERY)
            with client:
                client.settimeout(timeout_s)
                try:
                    answer = client.recv(2048)
                except OSError as error:
                    answer = error
        return packets, answer

    def syn_acks(self, packets):
        return [packet for packet in packets if not packet.out and packet.syn_ack]

    # The servers.

    @each_family
    def test_every_server_answers_on_a_sound_path(self, family):
        for host in (1, 77, 254):
            packets, answer = self.tcp("sound", family, REQUEST, host=host)
            self.assertIn(b"200 OK", answer)
            syn_ack, = self.syn_acks(packets)
            self.assertEqual(syn_ack.options.keys(), {MSS, WINDOW_SCALE, SACK_PERMITTED, TIMESTAMPS})
            self.assertEqual(int.from_bytes(syn_ack.options[MSS], "big"), 1460 if family == 4 else 1440)
            self.assertTrue(any(packet.flags & FIN for packet in packets if not packet.out))
        self.assertEqual(self.udp("sound", family)[1][:4], b"\x12\x34\x85\x80")
        _, answer = self.tcp("sound", family, struct.pack(">H", len(QUERY)) + QUERY, port=53)
        self.assertEqual(answer[2:6], b"\x12\x34\x85\x80")

    def test_a_crowd_of_addresses_answers(self):
        with self.bed.entered():
            for number in (0, 1, 249, 250, 20_000, 59_999):
                socket.create_connection((bed_paths.crowd_address(number), 80), timeout=5).close()

    def http_version(self, path, family, *options, scheme="https"):
        host = bed_paths.address(path, family)
        result = self.bed.run("curl", "-s", "-k", "-m", "5", "-w", "%{http_version} %{http_code}", "-o", "/dev/null", *options,
                              f"{scheme}://{host if family == 4 else f'[{host}]'}/", capture_output=True, text=True)
        return result.stdout

    @each_family
    def test_http2_is_where_it_is_said_to_be(self, family):
        self.assertEqual(self.http_version("sound", family), "2 200")
        self.assertEqual(self.http_version("h2-off", family), "1.1 200")
        self.assertEqual(self.http_version("tfo-off", family), "2 200")
        self.assertEqual(self.http_version("sound", family, "--http2", scheme="http"), "1.1 200")
        self.assertEqual(self.http_version("h2c", family, "--http2", scheme="http"), "2 200")
        self.assertEqual(self.http_version("h2c", family, "--http2-prior-knowledge", scheme="http"), "2 200")
        self.assertEqual(self.http_version("h2c", family, "--http1.1", scheme="http"), "1.1 200")

    def test_names_resolve_on_the_clients_side(self):
        result = self.bed.run("getent", "ahosts", "mss-clamped.bed.test", capture_output=True, text=True)
        self.assertIn(bed_paths.address("mss-clamped", 4), result.stdout)
        self.assertIn(bed_paths.address("mss-clamped", 6), result.stdout)

    # The paths.

    @each_family
    def test_ecn(self, family):
        self.sysctl("tcp_ecn", 1)
        self.addCleanup(self.sysctl, "tcp_ecn", 2)

        def ask(path):
            packets, answer = self.tcp(path, family, REQUEST)
            self.assertIn(b"200 OK", answer, path)
            self.assertEqual(packets[0].flags, SYN | ECE | CWR)
            marks = {packet.ecn for packet in packets if not packet.out and not packet.syn_ack and packet.payload}
            return packets, self.syn_acks(packets)[0].flags, marks

        self.assertEqual(ask("sound")[1:], (SYN | ACK | ECE, {2}))
        self.assertEqual(ask("ecn-stripped")[1:], (SYN | ACK, {0}))
        self.assertEqual(ask("ecn-reflected")[1], SYN | ACK | ECE | CWR)
        self.assertEqual(ask("ecn-bleached")[1:], (SYN | ACK | ECE, {0}))
        self.assertEqual(ask("ecn-congested")[1:], (SYN | ACK | ECE, {3}))
        self.assertEqual(ask("ecn-ect1")[1:], (SYN | ACK | ECE, {1}))
        packets, flags, _ = ask("ecn-syn-dropped")  # gets through by the kernel's second SYN, which has no ECN
        self.assertEqual((packets[1].out, packets[1].flags, flags), (True, SYN, SYN | ACK))

    @each_family
    def test_code_points(self, family):
        def ask(path, **options):
            packets, _ = self.tcp(path, family, REQUEST, tos=48 << 2, **options)
            self.assertEqual(packets[0].tos >> 2, 48)
            return [packet.tos >> 2 for packet in self.syn_acks(packets)]

        self.assertEqual(ask("sound"), [48])
        self.assertEqual(ask("dscp-zeroed"), [0])
        self.assertEqual(ask("dscp-dropped", timeout_s=QUIET_S), [])
        self.assertEqual(ask("dscp-remarked"), [10])

    @each_family
    def test_options(self, family):
        every = {MSS, WINDOW_SCALE, SACK_PERMITTED, TIMESTAMPS}
        for path, missing in (("sack-stripped", SACK_PERMITTED), ("ts-stripped", TIMESTAMPS), ("ws-stripped", WINDOW_SCALE),
                              ("mss-absent", MSS)):
            packets, answer = self.tcp(path, family, REQUEST)
            self.assertIn(b"200 OK", answer)
            self.assertEqual(packets[0].options.keys(), every)
            self.assertEqual(self.syn_acks(packets)[0].options.keys(), every - {missing}, path)

    @each_family
    def test_options_that_nobody_asked_for(self, family):
        names = ("tcp_timestamps", "tcp_window_scaling", "tcp_sack")
        for name in names:
            self.sysctl(name, 0)
            self.addCleanup(self.sysctl, name, 1)
        packets, _ = self.tcp("unsolicited", family, timeout_s=1)
        self.assertEqual(packets[0].options.keys(), {MSS})
        self.assertEqual(self.syn_acks(packets)[0].options.keys(), {MSS, WINDOW_SCALE, SACK_PERMITTED, TIMESTAMPS})
        self.assertTrue(any(packet.out and packet.flags == ACK for packet in packets))

    def test_segment_sizes(self):
        for family, whole in ((4, 1460), (6, 1440)):
            for path, expected in (("sound", whole), ("mss-clamped", 1000), ("mss-inflated", 8000)):
                packets, answer = self.tcp(path, family, REQUEST)
                self.assertIn(b"200 OK", answer)
                sizes = [int.from_bytes(packet.options[MSS], "big") for packet in packets if packet.flags & SYN]
                self.assertEqual(sizes, [whole, expected], path)

    def fast_open(self, path, family, port, request):
        """What the second connection by Fast Open shows: the SYN's cookie and data lengths, and how much the SYN+ACK acked."""
        self.tcp(path, family, request, port=port, fast_open=True)
        packets, answer = self.tcp(path, family, request, port=port, fast_open=True)
        self.assertNotIsInstance(answer, OSError, path)
        syn, syn_ack = packets[0], self.syn_acks(packets)[0]
        cookie = syn.options.get(TCP_FASTOPEN_OPTION) or syn.options.get(254, b"")[2:]
        return len(cookie), len(syn.payload), (syn_ack.acknowledgement - syn.sequence) % 2**32

    @each_family
    def test_fast_open(self, family):
        query = struct.pack(">H", len(QUERY)) + QUERY
        for port, request in ((80, REQUEST), (53, query)):
            size = len(request)
            self.assertEqual(self.fast_open("sound", family, port, request), (8, size, size + 1))
            self.assertEqual(self.fast_open("tfo-stripped", family, port, request), (0, 0, 1))
            self.assertEqual(self.fast_open("tfo-off", family, port, request), (0, 0, 1))
            self.assertEqual(self.fast_open("tfo-data-stripped", family, port, request), (8, size, 1))
            self.assertEqual(self.fast_open("tfo-data-dropped", family, port, request), (8, size, 1))

    def test_the_evil_bit(self):
        packets, answer = self.udp("sound", 4, evil=True)
        self.assertTrue(packets[0].evil)
        self.assertEqual(answer[:2], QUERY[:2])
        packets, answer = self.udp("evil-dropped", 4, evil=True, timeout_s=QUIET_S)
        self.assertEqual([packet.evil for packet in packets], [True])
        self.assertEqual(self.udp("evil-dropped", 4)[1][:2], QUERY[:2])
        packets, answer = self.udp("evil-marked", 4)
        self.assertEqual(([packet.evil for packet in packets], answer[:2]), ([False, True], QUERY[:2]))
        packets, _ = self.tcp("evil-marked", 4, REQUEST)
        self.assertTrue(all(packet.evil != packet.out for packet in packets))

    def test_checksum_zero(self):
        for path, families in (("sound", {4}), ("udp-zero-dropped", set()), ("udp-zero-taken", {4, 6})):
            for family in (4, 6):
                taken = family in families
                packets, answer = self.udp(path, family, no_checksum=True, **({} if taken else {"timeout_s": QUIET_S}))
                self.assertEqual(packets[0].checksum, 0)
                self.assertEqual(isinstance(answer, bytes), taken, path)
                packets, answer = self.udp(path, family)
                self.assertNotEqual(packets[0].checksum, 0)
                self.assertEqual(answer[:2], QUERY[:2])

    @each_family
    def test_targets_that_do_not_answer(self, family):
        unreachable = (3, 1) if family == 4 else (1, 3)
        packets, answer = self.tcp("unreachable", family)
        self.assertEqual(packets[1].icmp, unreachable)
        self.assertIsInstance(answer, OSError)
        packets, _ = self.udp("unreachable", family, timeout_s=1)
        self.assertEqual(packets[1].icmp, unreachable)
        packets, answer = self.tcp("silent", family, timeout_s=QUIET_S)
        self.assertIsInstance(answer, TimeoutError)
        self.assertEqual([packet.out for packet in packets], [True])
        for path, port in (("reset", 80), ("closed", 9)):
            packets, answer = self.tcp(path, family, port=port)
            self.assertIsInstance(answer, ConnectionRefusedError)
            self.assertEqual([packet.flags for packet in packets], [SYN, RST | ACK])
        packets, answer = self.tcp("reset-late", family, REQUEST)
        self.assertIsInstance(answer, ConnectionResetError)
        self.assertEqual(len(self.syn_acks(packets)), 1)


class Life(support.TestCase):
    """A bed leaves nothing, however it ended."""

    def bed_program(self, *arguments, **options):
        return subprocess.run([sys.executable, beds.__file__, *arguments], capture_output=True, text=True,
                              timeout=support.PATIENCE_S, **options)

    def remains(self, name):
        found = [f"/run/netns/ow-{name}-{side}" for side in "cs"] + [f"{beds.STATE}/{name}", f"/etc/netns/ow-{name}-c"]
        return [path for path in found if os.path.exists(path)]

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("making network namespaces takes root")

    def test_up_run_down_from_the_command_line(self):
        name = f"e2e.{os.getpid()}"
        self.addCleanup(self.bed_program, "down", "--name", name)
        up = self.bed_program("up", "--name", name)
        if up.returncode != 0:
            self.skipTest(up.stderr)
        self.assertNotEqual(self.bed_program("up", "--name", name).returncode, 0)
        page = subprocess.run(["ip", "netns", "exec", f"ow-{name}-c", "curl", "-s", f"http://{bed_paths.address('sound', 4)}/"],
                              capture_output=True, text=True)
        self.assertEqual(page.stdout, "a page of the test bed\n")
        self.assertEqual(self.bed_program("down", "--name", name).returncode, 0)
        self.assertEqual(self.remains(name), [])

    def test_run_gives_the_commands_status_and_leaves_nothing(self):
        result = self.bed_program("run", "--", "sh", "-c", "ip netns identify; exit 7")
        if "bed:" in result.stderr:
            self.skipTest(result.stderr)
        self.assertEqual(result.returncode, 7, result.stderr)
        pid = result.stdout.strip().removeprefix("ow-").removesuffix("-c")
        self.assertEqual(self.remains(pid), [])

    def test_a_killed_owner_is_cleared_by_the_next_bed(self):
        owner = subprocess.Popen([sys.executable, beds.__file__, "run", "--", "sh", "-c", "echo up; exec sleep 600"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(owner.stdout.close)
        self.addCleanup(owner.stderr.close)
        if owner.stdout.readline() != "up\n":
            self.skipTest(owner.stderr.read())
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        self.assertNotEqual(self.remains(owner.pid), [])
        self.assertEqual(self.bed_program("run", "--", "true").returncode, 0)
        self.assertEqual(self.remains(owner.pid), [])


if __name__ == "__main__":
    support.main()
