# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that mean harm: each connection to one ends in time, with the state that is right for it, in bounded memory, and
the jobs beside it are as they would have been.
"""

import asyncio
import contextlib
import os
import socket
import ssl
import struct
import threading
import time
from datetime import datetime

import bed_case
import bed_paths
import support

TIMEOUT_S = 3
SLACK_S = 2  # how much later than its timeout a connection may end, on a busy machine
OK, FAILED, TIMEOUT = 0, 1, 2
SOUND_JOBS, FIRST_HOST = 20, 100  # hosts 1 to 20 of the sound path, and from 100 on the others
MEMORY_MIB = 2000 if support.is_instrumented() else 200  # what the spider may have at most, whatever it is sent
STATUS = b"HTTP/1.1 200 OK\r\n"


async def forever(writer, data, pause_s=0.0):
    while True:
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(pause_s)


# Each takes a connection, and is cancelled at the end. `dns_*` first read the query, `http_*` the request.


async def http_endless_headers(reader, writer):
    writer.write(STATUS)
    for number in range(1 << 40):
        writer.write(b"X-Header-%d: %s\r\n" % (number, b"x" * 1000))
        await writer.drain()


async def http_endless_header_line(reader, writer):
    writer.write(STATUS + b"X-Header: ")
    await forever(writer, b"x" * 65536)


async def http_endless_status_line(reader, writer):
    writer.write(b"HTTP/1.1 200 ")
    await forever(writer, b"x" * 65536)


async def http_many_small_headers(reader, writer):
    writer.write(STATUS)
    await forever(writer, b"a:\r\n" * 10_000)


async def http_endless_informational(reader, writer):
    await forever(writer, b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n" * 1000)


async def http_body_of_gigabytes(reader, writer):
    writer.write(STATUS + b"Content-Length: 8589934592\r\n\r\n")
    await forever(writer, b"body" * 65536)


async def http_body_without_end(reader, writer):
    writer.write(STATUS + b"Transfer-Encoding: chunked\r\n\r\n")
    await forever(writer, b"10000\r\n" + b"x" * 65536 + b"\r\n")


async def http_chunk_that_lies(reader, writer):
    writer.write(STATUS + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFFFF\r\nbody\r\n")
    await writer.drain()


async def http_length_that_lies(reader, writer):
    writer.write(STATUS + b"Content-Length: 99999999999999999999999999\r\n\r\nshort")
    await writer.drain()


async def http_redirect(reader, writer):
    writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.2:80/\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


async def http_octets_of_all_kinds(reader, writer):
    writer.write(STATUS + b"Connection: close\r\nX-\xff\x80: \xc3\x28\x00\"\\\r\n\r\n" + bytes(range(256)))
    await writer.drain()


async def http_drip(reader, writer):
    for octet in b"HTTP/1.1 200 OK never comes to its end":
        writer.write(bytes([octet]))
        await writer.drain()
        await asyncio.sleep(TIMEOUT_S / 8)


async def http_garbage(reader, writer):
    writer.write(os.urandom(4096).replace(b"HTTP", b"xxxx"))
    await writer.drain()


async def http_upgrade_to_garbage(reader, writer):
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    await forever(writer, os.urandom(65536))


async def silence(reader, writer):
    await asyncio.sleep(3600)


async def end_at_once(reader, writer):
    pass


async def reset_at_once(reader, writer):
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def tls_garbage(reader, writer):
    writer.write(os.urandom(4096))
    await writer.drain()


async def tls_endless_garbage(reader, writer):
    await forever(writer, b"\x16\x03\x03\x40\x00" + os.urandom(16384))


async def tls_endless_alerts(reader, writer):
    await forever(writer, b"\x15\x03\x03\x00\x02\x01\x5a" * 1000)


async def tls_record_never_filled(reader, writer):
    writer.write(b"\x16\x03\x03\x3f\xff\x02\x00\xff\xff")
    await writer.drain()
    await asyncio.sleep(3600)


async def dns_length_never_filled(reader, writer):
    writer.write(b"\xff\xff" + bytes(100))
    await writer.drain()
    await asyncio.sleep(3600)


async def dns_length_and_end(reader, writer):
    writer.write(b"\x00\x64" + bytes(10))
    await writer.drain()


async def dns_length_zero(reader, writer):
    writer.write(b"\x00\x00")
    await writer.drain()
    await asyncio.sleep(3600)


async def dns_half_a_length(reader, writer):
    writer.write(b"\x00")
    await writer.drain()


async def dns_drip(reader, writer):
    writer.write(b"\x01\x00")
    for _ in range(256):
        writer.write(b"\x00")
        await writer.drain()
        await asyncio.sleep(TIMEOUT_S / 8)


def lying_message(query_id, what):
    """A DNS response whose numbers are not true."""
    header = query_id + b"\x85\x80"
    question = b"\x05sound\x03bed\x04test\x00\x00\x01\x00\x01"
    return {
        "counts": header + b"\xff\xff\xff\xff\xff\xff\xff\xff" + question,
        "rdlength": header + b"\x00\x01\x00\x01\x00\x00\x00\x00" + question +
                    b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\xff\xff\x01\x02",
        "pointer": header + b"\x00\x01\x00\x00\x00\x00\x00\x00" + b"\xc0\x0c\x00\x01\x00\x01",
        "label": header + b"\x00\x01\x00\x00\x00\x00\x00\x00" + b"\x3fshort",
        "empty": b"",
        "another": b"\x00\x00\x85\x80\x00\x01\x00\x00\x00\x00\x00\x00" + b"\x05other\x04test\x00\x00\x01\x00\x01",
    }[what]


LIES = ("counts", "rdlength", "pointer", "label", "another")


def dns_lie(what):
    async def serve(reader, writer):
        query_id = (await reader.read(2048))[2:4]
        message = lying_message(query_id, what)
        writer.write(struct.pack(">H", len(message)) + message)
        await writer.drain()
        await asyncio.sleep(3600)

    serve.reads = True
    return serve


class Hostile(threading.Thread):
    """The servers, on ports of their own in the server's namespace, in a thread of this process."""

    def __init__(self, bed):
        super().__init__(daemon=True)
        self._sockets, self._loop = [], asyncio.new_event_loop()
        self._bed, self._datagrams = bed, []

    def listen(self, behaviour, secured=None):
        """Serves connections so; returns the port. With a context, after a TLS handshake."""
        with self._bed.entered("server"):
            listener = socket.create_server(("0.0.0.0", 0), backlog=128)
        self._sockets.append((listener, behaviour, secured))
        return listener.getsockname()[1]

    def answer_datagrams(self, what, host):
        with self._bed.entered("server"):
            server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            server.bind((bed_paths.address("sound", 4, host), 0))
        server.setblocking(False)
        self._datagrams.append((server, what))
        return server.getsockname()[1]

    def run(self):
        asyncio.set_event_loop(self._loop)

        async def serve(reader, writer, behaviour):
            with contextlib.suppress(OSError, asyncio.CancelledError):
                if not hasattr(behaviour, "reads"):
                    await reader.read(1)
                await behaviour(reader, writer)
            with contextlib.suppress(Exception):
                writer.close()

        def answer(server, what):
            query, peer = server.recvfrom(2048)
            server.sendto(lying_message(query[:2], what), peer)

        async def start():
            for listener, behaviour, secured in self._sockets:
                await asyncio.start_server(lambda r, w, b=behaviour: serve(r, w, b), sock=listener, ssl=secured)
            for server, what in self._datagrams:
                self._loop.add_reader(server, answer, server, what)

        self._loop.run_until_complete(start())
        self._loop.run_forever()
        self._loop.close()

    def stop(self):
        def end():
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.call_later(0.1, self._loop.stop)

        self._loop.call_soon_threadsafe(end)
        self.join(support.PATIENCE_S)
        for server, *_ in self._sockets + self._datagrams:
            server.close()


def peak_kib(parent, name):
    """The most memory that a child of that name has had until now; 0 where there is none, or it has just gone."""
    with contextlib.suppress(OSError, StopIteration):
        with open(f"/proc/{parent}/task/{parent}/children") as children:
            for child in children.read().split():
                with open(f"/proc/{child}/comm") as comm, open(f"/proc/{child}/status") as status:
                    if name.startswith(comm.read().strip()):
                        return int(next(line for line in status if line.startswith("VmHWM")).split()[1])
    return 0


class HostileServers(bed_case.BedCase):
    def against(self, plugin, kind, expected, servers, *options):
        """Measures hostile targets and sound ones in one run. `expected`: by behaviour, the state and what else to check."""
        servers.start()
        self.addCleanup(servers.stop)
        # A target twice is measured once: an address for each.
        jobs = [{"dip": bed_paths.address("sound", 4, FIRST_HOST + number), "dp": port, "domain": "sound.bed.test",
                 "behaviour": name} for number, (name, port) in enumerate(expected)]
        jobs += [{"dip": bed_paths.address("sound", 4, host), "domain": "sound.bed.test", "behaviour": f"sound {host}"}
                 for host in range(1, SOUND_JOBS + 1)]
        measuring = bed_case.Measuring(self, plugin, "--connect", kind, *options, jobs=jobs,
                                       general=("--timeout", str(TIMEOUT_S), "--output-flows", "-w", "100"))
        peak = 0
        start = time.monotonic()
        while measuring.process.poll() is None:
            peak = max(peak, peak_kib(measuring.process.pid, "orbweaver-spider"))
            self.assertLess(time.monotonic() - start, 60, "it hangs")
            time.sleep(0.02)
        status, errors, _ = measuring.end()
        self.assertEqual(status, 0, errors)
        print(f"\n{plugin} --connect {kind}: {time.monotonic() - start:.1f} s, the spider had {peak / 1024:.1f} MiB at most",
              flush=True)
        self.assertGreater(peak, 0)
        self.assertLess(peak / 1024, MEMORY_MIB)
        found = {result["behaviour"]: result for result in measuring.results()}
        self.assertEqual(len(found), len(jobs), "every job has a result")
        for name, result in found.items():
            for flow in result["flow_results"]:
                took = datetime.fromisoformat(flow["spdr_stop"]) - datetime.fromisoformat(flow["spdr_start"])
                self.assertLess(took.total_seconds(), TIMEOUT_S + SLACK_S, name)
        return found

    def report(self, found, expected):
        """Compares the states; prints each."""
        wrong = []
        for (name, _), (state, check) in expected.items():
            flow = found[name]["flow_results"][-1]
            good = flow["spdr_state"] == state and check(flow)
            print(f"  {name:28} state {state} expected, got {flow['spdr_state']}{'' if good else ', OR WRONG MEMBERS'}",
                  flush=True)
            if not good:
                wrong.append(f"{name}: {str(flow)[:600]}")
        for name, result in found.items():
            if name.startswith("sound"):
                if [flow["spdr_state"] for flow in result["flow_results"]] != [OK] * len(result["flow_results"]):
                    wrong.append(f"{name}: {str(result)[:600]}")
        self.assertEqual(wrong, [])

    def serve_all(self, servers, behaviours, secured=None):
        return {(behaviour.__name__, servers.listen(behaviour, secured)): (state, check)
                for behaviour, (state, check) in behaviours.items()}

    # A status line makes the exchange one that came about, whatever follows it.
    HTTP = {
        http_endless_headers: (OK, lambda flow: flow["http_info"]["header_truncated"] and len(str(flow)) < 1 << 20),
        http_endless_header_line: (OK, lambda flow: len(str(flow)) < 1 << 20),
        http_endless_status_line: (FAILED, lambda flow: "http_response_code" not in flow),
        http_many_small_headers: (OK, lambda flow: flow["http_info"]["header_truncated"]),
        http_endless_informational: (OK, lambda flow: len(str(flow)) < 1 << 20),
        http_body_of_gigabytes: (OK, lambda flow: flow["http_info"]["body_truncated"] and len(str(flow)) < 1 << 20),
        http_body_without_end: (OK, lambda flow: flow["http_info"]["body_truncated"] and len(str(flow)) < 1 << 20),
        http_chunk_that_lies: (OK, lambda flow: flow["http_response_code"] == 200 and flow["http_info"]["error"]),
        http_length_that_lies: (OK, lambda flow: flow["http_response_code"] == 200),
        http_redirect: (OK, lambda flow: flow["http_response_code"] == 302),
        http_octets_of_all_kinds: (OK, lambda flow: flow["http_response_code"] == 200),
        http_drip: (TIMEOUT, bool),
        http_garbage: (FAILED, bool),
        silence: (TIMEOUT, bool),
        end_at_once: (FAILED, bool),
        reset_at_once: (FAILED, bool),
    }
    TLS = {
        tls_garbage: (FAILED, bool),
        tls_endless_garbage: (FAILED, bool),
        tls_endless_alerts: (FAILED, bool),
        tls_record_never_filled: (TIMEOUT, bool),
        silence: (TIMEOUT, bool),
        end_at_once: (FAILED, bool),
        reset_at_once: (FAILED, bool),
    }
    DNS = {
        dns_length_never_filled: (TIMEOUT, bool),
        dns_length_and_end: (FAILED, bool),
        dns_length_zero: (FAILED, bool),
        dns_half_a_length: (FAILED, bool),
        dns_drip: (TIMEOUT, bool),
        silence: (TIMEOUT, bool),
        end_at_once: (FAILED, bool),
        reset_at_once: (FAILED, bool),
    }

    def test_http(self):
        servers = Hostile(self.bed)
        expected = self.serve_all(servers, self.HTTP)
        self.report(self.against("mss", "http", expected, servers), expected)

    def test_https(self):
        servers = Hostile(self.bed)
        expected = self.serve_all(servers, self.TLS)
        secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        secured.load_cert_chain(os.path.join(self.bed.folder, "certificate.pem"), os.path.join(self.bed.folder, "key.pem"))
        expected |= {(f"secured {name[0]}", name[1]): outcome for name, outcome in
                     self.serve_all(servers, {http_body_of_gigabytes: self.HTTP[http_body_of_gigabytes],
                                              http_drip: self.HTTP[http_drip]}, secured).items()}
        self.report(self.against("mss", "https", expected, servers), expected)

    def test_http2_after_an_upgrade(self):
        servers = Hostile(self.bed)
        expected = self.serve_all(servers, {http_upgrade_to_garbage: (OK, bool), http_drip: (TIMEOUT, bool)})
        found = self.against("h2", "http", expected, servers)
        self.assertIn(found["http_upgrade_to_garbage"]["flow_results"][1]["spdr_state"], (OK, FAILED))
        self.assertNotIn("h2.upgrade.success", found["http_drip"]["conditions"])

    def test_dns_by_tcp(self):
        servers = Hostile(self.bed)
        expected = self.serve_all(servers, self.DNS)
        expected |= {(f"a lie: {what}", servers.listen(dns_lie(what))): (FAILED, bool) for what in LIES}
        self.report(self.against("mss", "dnstcp", expected, servers), expected)

    def test_dns_by_tcp_with_fast_open(self):
        servers = Hostile(self.bed)
        expected = self.serve_all(servers, self.DNS)
        self.report(self.against("tfo", "dnstcp", expected, servers), expected)

    def test_dns_by_udp(self):
        servers = Hostile(self.bed)
        expected = {(f"a lie: {what}", servers.answer_datagrams(what, FIRST_HOST + number)): (FAILED, bool)
                    for number, what in enumerate(LIES + ("empty",))}
        self.report(self.against("dscp", "dnsudp", expected, servers), expected)


if __name__ == "__main__":
    support.main()
