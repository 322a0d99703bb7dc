# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers that the test bed needs and no package gives: HTTP/2 by upgrade, DNS that takes UDP checksum 0 over IPv6,
and SYN+ACKs with options that nobody asked for. Runs in the server's namespace until it gets SIGTERM.
"""

import asyncio
import ctypes
import ipaddress
import socket
import struct

import bed_paths

UDP_NO_CHECK6_RX = 102  # linux/udp.h
SO_ATTACH_FILTER = 26  # asm-generic/socket.h
PAGE = b"a page of the test bed\n"


async def serve_h2c(reader, writer):
    """One request: HTTP/1.1, or HTTP/2 where the client asks for an upgrade (RFC 7540, 3.2) or knows beforehand (3.4)."""

    def frame(kind, flags, stream, payload=b""):
        return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload

    try:
        request = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        if request.startswith(b"PRI * HTTP/2.0"):
            await reader.readexactly(len(b"SM\r\n\r\n"))
        elif b"upgrade: h2c" in request.lower():
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(PAGE) + PAGE)
            return
        # SETTINGS, theirs acknowledged; on stream 1 HEADERS with ":status 200" (RFC 7541, static table 8) and DATA.
        writer.write(frame(4, 0, 0) + frame(4, 1, 0) + frame(1, 4, 1, b"\x88") + frame(0, 1, 1, PAGE))
        await writer.drain()
        await asyncio.wait_for(reader.read(), 10)  # until the client has read it all and leaves
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, OSError):
        pass
    finally:
        writer.close()


def dns_answer(query):
    """The answer 192.0.2.80 to a query for one name, or None for what is no query."""
    if len(query) < 12 or query[2] & 0x80:
        return None
    end = 12
    while end < len(query) and query[end]:
        end += query[end] + 1
    question = query[12:end + 5]
    return query[:2] + b"\x85\x80" + struct.pack(">HHHH", 1, 1, 0, 0) + question + \
        b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([192, 0, 2, 80])


async def serve_dns(reader, writer):
    try:
        while True:
            length, = struct.unpack(">H", await asyncio.wait_for(reader.readexactly(2), 10))
            answer = dns_answer(await asyncio.wait_for(reader.readexactly(length), 10))
            if answer is None:
                break
            writer.write(struct.pack(">H", len(answer)) + answer)
            await writer.drain()
    except (asyncio.IncompleteReadError, TimeoutError, OSError):
        pass
    finally:
        writer.close()


def answer_datagrams(server):
    while True:
        try:
            query, peer = server.recvfrom(2048)
        except BlockingIOError:
            return
        if answer := dns_answer(query):
            server.sendto(answer, peer)


def datagram_socket(family, host):
    """On port 53 of one address: nftables could not lead it elsewhere, it makes a wrong checksum of a missing one."""
    server = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    server.setblocking(False)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # beside unbound, which has every address
    if family == 6:
        server.setsockopt(socket.IPPROTO_UDP, UDP_NO_CHECK6_RX, 1)
    server.bind((bed_paths.address("udp-zero-taken", family, host), 53))
    return server


def checksum(data):
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def unsolicited_syn_ack(frame):
    """The SYN+ACK with every option for a SYN in an Ethernet frame; None for any other frame."""
    ip = frame[14:]
    version, header = ip[0] >> 4, 40 if ip[0] >> 4 == 6 else (ip[0] & 0xF) * 4
    protocol = ip[6] if version == 6 else ip[9]
    source, destination = (ip[8:24], ip[24:40]) if version == 6 else (ip[12:16], ip[16:20])
    if protocol != socket.IPPROTO_TCP or len(ip) < header + 20:
        return None
    source_port, destination_port, sequence, _, _, flags = struct.unpack(">HHIIBB", ip[header:header + 14])
    if flags & 0x17 != 0x02:
        return None
    options = struct.pack(">BBHBBBBIIBBB", 2, 4, 1460, 4, 2, 8, 10, 1, 0, 1, 3, 3) + b"\x07"
    segment = struct.pack(">HHIIBBHHH", destination_port, source_port, 1000, (sequence + 1) & 0xFFFFFFFF,
                          (20 + len(options)) << 2, 0x12, 65535, 0, 0) + options
    pseudo = destination + source + struct.pack(">II", len(segment), socket.IPPROTO_TCP)
    segment = segment[:16] + struct.pack(">H", checksum(pseudo + segment)) + segment[18:]
    if version == 6:
        ip = struct.pack(">IHBB", 0x60000000, len(segment), socket.IPPROTO_TCP, 64) + destination + source
    else:
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, 64, socket.IPPROTO_TCP, 0) + destination + source
        ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    return frame[6:12] + frame[:6] + frame[12:14] + ip + segment


def packet_socket(interface):
    """Sees the frames to the addresses of the path "unsolicited", and by a classic BPF filter no others."""
    number4 = int(ipaddress.ip_network(bed_paths.prefix("unsolicited", 4)).network_address)
    number6 = int(ipaddress.ip_network(bed_paths.prefix("unsolicited", 6)).network_address) & 0xFFFFFFFF
    load_half, load_word, and_with, equal, give = 0x28, 0x20, 0x54, 0x15, 0x06
    program = ((load_half, 0, 0, 12), (equal, 0, 3, 0x0800),
               (load_word, 0, 0, 30), (and_with, 0, 0, 0xFFFFFF00), (equal, 4, 5, number4),
               (equal, 0, 4, 0x86DD),
               (load_word, 0, 0, 50), (and_with, 0, 0, 0xFFFF0000), (equal, 0, 1, number6),
               (give, 0, 0, 0xFFFF), (give, 0, 0, 0))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *instruction) for instruction in program))
    server = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    server.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(program), ctypes.addressof(code)))
    server.setblocking(False)
    server.bind((interface, 0x0003))  # ETH_P_ALL
    return server


def answer_frames(server):
    while True:
        try:
            frame, where = server.recvfrom(2048)
        except BlockingIOError:
            return
        if where[2] != socket.PACKET_OUTGOING and (answer := unsolicited_syn_ack(frame)):
            server.send(answer)


async def serve(interface):
    loop = asyncio.get_running_loop()
    for family, where in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        await asyncio.start_server(serve_dns, where, bed_paths.PORT_DNS, family=family, backlog=4096)
        fast = socket.create_server((where, bed_paths.PORT_H2C), family=family, backlog=4096)
        fast.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 4096)
        await asyncio.start_server(serve_h2c, sock=fast)
    for family in (4, 6):
        for host in range(1, bed_paths.ZERO_TAKEN_HOSTS + 1):
            datagrams = datagram_socket(family, host)
            loop.add_reader(datagrams, answer_datagrams, datagrams)
    frames = packet_socket(interface)
    loop.add_reader(frames, answer_frames, frames)
    await asyncio.Event().wait()


if __name__ == "__main__":
    import sys
    asyncio.run(serve(sys.argv[1]))
