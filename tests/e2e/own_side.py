# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe's own side at fault: no verdict may speak of a path that is sound, or of none that was tried.

Each state of the client's side is met by every plugin, on a path that is sound. Whatever is said must be what the sound
path gives, or begin with `pathspider.`; where nothing left, or left as another packet, that is named.
"""

import json
import os
import signal
import time
import unittest

import bed as beds
import bed_case
import bed_paths
import measure_conditions
import support
from support import wait_until

# Plugin and kind of connection.
PLUGINS = (("ecn", "http"), ("tcpopt", "http"), ("dscp", "http"), ("dscp", "dnsudp"), ("tfo", "http"), ("tfo", "dnstcp"),
           ("mss", "tcp"), ("h2", "http"), ("evilbit", "tcpsyn"), ("evilbit", "dnsudp"), ("udpzero", "dnsudp"))
MARK_BITS = "@nh,48,1"  # the reserved bit of the IPv4 header


def table(hook, *rules, priority="filter"):
    lines = "".join(f"    {rule}\n" for rule in rules)
    return f"table inet own {{\n  chain own {{\n    type filter hook {hook} priority {priority};\n{lines}  }}\n}}\n"


class State:
    """A state of the client's side: commands that bring it about and take it back; rules are nftables' own."""

    def __init__(self, name, begin=(), end=(), rules=None, family=4):
        self.name, self.begin, self.end, self.rules, self.family = name, begin, end, rules, family

    def set(self, bed):
        for command in self.begin:
            bed.run(*command.split(), check=True)
        if self.rules:
            bed.run("nft", "-f", "-", input=self.rules, text=True, check=True)

    def clear(self, bed):
        for command in self.end:
            bed.run(*command.split(), check=True)
        if self.rules:
            bed.run("nft", "delete", *self.rules.split()[:3], check=True)


ROUTE = f"ip route {{}} {beds.SERVED_4} via {beds.SERVER_4}"
ADDRESS = f"ip address {{}} {beds.CLIENT_4}/30 dev {beds.INTERFACE}"


def instead_of_the_route(what):
    """Of IPv6: a socket that is bound to an interface takes a target without a route over IPv4 for a neighbour."""
    return State(f"{what} route", (f"ip -6 route del {beds.SERVED_6}", f"ip -6 route add {what} {beds.SERVED_6}"),
                 (f"ip -6 route del {what} {beds.SERVED_6}", f"ip -6 route add {beds.SERVED_6} via {beds.SERVER_6}"), family=6)


NO_ROUTE_6 = State("no route", (f"ip -6 route del {beds.SERVED_6}",), (f"ip -6 route add {beds.SERVED_6} via {beds.SERVER_6}",),
                   family=6)
OUTPUT_DROPPED = State("output is dropped", rules=table("output", f"oifname {beds.INTERFACE} drop"))
# What keeps every packet from leaving.
NOTHING_LEAVES = (
    OUTPUT_DROPPED,
    State("output is rejected", rules=table("output", f"oifname {beds.INTERFACE} reject")),
    State("TCP output is answered with RST, UDP dropped", rules=table(
        "output", f"oifname {beds.INTERFACE} meta l4proto tcp reject with tcp reset", f"oifname {beds.INTERFACE} drop")),
    State("postrouting is dropped", rules=table("postrouting", f"oifname {beds.INTERFACE} drop")),
    State("no neighbour answers", (f"ip route del {beds.SERVED_4}", f"ip route add {beds.SERVED_4} dev {beds.INTERFACE}"),
          (f"ip route del {beds.SERVED_4}", ROUTE.format("add")),
          rules="table arp own {\n  chain own {\n    type filter hook output priority 0; policy drop;\n  }\n}\n"),
    NO_ROUTE_6,
    *map(instead_of_the_route, ("unreachable", "prohibit", "blackhole")),
)

# What comes is not taken, or what leaves is another packet, or one that is not to leave.
SPOILED = (
    State("input is dropped", rules=table("input", f"iifname {beds.INTERFACE} drop")),
    State("data is dropped on its way out", rules=table("output", "tcp flags & psh == psh drop")),
    State("data is dropped on its way in", rules=table("input", f"iifname {beds.INTERFACE} tcp flags & psh == psh drop")),
    State("bare ACKs are dropped on their way out", rules=table("output", "tcp flags == ack drop")),
    State("SYNs with ECN are dropped", rules=table("output", "tcp flags & (syn|ecn|cwr) == (syn|ecn|cwr) drop")),
    State("ECN is taken off SYNs", rules=table("postrouting", "tcp flags & (syn|ack) == syn tcp flags set syn")),
    State("every code point is set to 0", rules=table("postrouting", "ip dscp set 0", priority="mangle")),
    State("every code point is set to 10", rules=table("postrouting", "ip dscp set 10", priority="mangle")),
    State("packets with a code point are dropped", rules=table("output", "ip dscp != 0 drop")),
    State("options are taken off SYNs", rules=table(
        "postrouting", "tcp flags & (syn|ack) == syn reset tcp option timestamp",
        "tcp flags & (syn|ack) == syn reset tcp option sack-perm", "tcp flags & (syn|ack) == syn reset tcp option window",
        "tcp flags & (syn|ack) == syn reset tcp option maxseg", "tcp flags & (syn|ack) == syn reset tcp option fastopen",
        "tcp flags & (syn|ack) == syn reset tcp option 254")),
    State("the reserved bit is dropped", rules=table("output", f"meta nfproto ipv4 {MARK_BITS} 1 drop")),
    State("UDP without a checksum is dropped", rules=table("output", "udp checksum 0 drop")),
    State("Fast Open is off", begin=("sysctl -q -w net.ipv4.tcp_fastopen=0",), end=("sysctl -q -w net.ipv4.tcp_fastopen=1",)),
)


def expected_of(plugin, kind, family=4):
    return set(getattr(measure_conditions, plugin)("sound", kind, family))


class Judged(bed_case.BedCase):
    def assert_only_of_the_path(self, results, sound, where):
        """What is said is said of a sound path, or that nothing can be said."""
        for result in results:
            wrong = {word for word in result["conditions"] if not word.startswith("pathspider.")} - sound
            self.assertEqual(wrong, set(), f"{where}: {result['conditions']}\n{json.dumps(result, indent=1)}")
            self.assertNotIn("pathspider.pmtu_suspect", result["conditions"], where)

    def during(self, plugin, kind, begin, end, count=400):
        """A measurement in the middle of which something happens, and is taken back."""
        jobs = beds.crowd(count)
        measuring = bed_case.Measuring(self, plugin, "--connect", kind, jobs=jobs, general=(
            "--rate", "200", "-w", "20", "--complete-timeout", "0", "--timeout", "0.5", "--output-flows"))
        measuring.wait_for_results(20)
        begin()
        time.sleep(0.7)
        end()
        status, errors, _ = measuring.end(120)
        self.assertEqual(status, 0, errors)
        results = measuring.results()
        self.assertEqual(len(results), count)
        self.assert_only_of_the_path(results, expected_of(plugin, kind), plugin)
        doubts = sum(any(word.startswith("pathspider.") for word in result["conditions"]) for result in results)
        print(f"{self._testMethodName}, {plugin}: {doubts} of {count} results say that they cannot tell", flush=True)
        return doubts


class OwnSide(Judged):
    _used = 0

    @classmethod
    def next_jobs(cls, family):
        """Targets that no other run has met: a Fast Open cookie or metrics would be known of them."""
        OwnSide._used += 2
        if family == 4:
            return [{"dip": bed_paths.crowd_address(50_000 + OwnSide._used + i), "domain": "sound.bed.test"} for i in range(2)]
        return [beds.job("sound", 6, 100 + (OwnSide._used + i) % 150) for i in range(2)]

    def run_in(self, state, plugin, kind):
        state.set(self.bed)
        try:
            return self.measure(plugin, "--connect", kind, jobs=self.next_jobs(state.family),
                                general=("--output-flows", "--timeout", "0.5")).results
        finally:
            state.clear(self.bed)

    def matrix(self, states, check=lambda result, where: None):
        for number, state in enumerate(states):
            print(f"\n{state.name}", flush=True)
            every = {"": 4, "all": 1}.get(os.environ.get("ORBWEAVER_FULL", ""), 3)
            for plugin, kind in PLUGINS[number % every::every]:
                where = f"{state.name}, {plugin} --connect {kind}"
                with self.subTest(where):
                    results = self.run_in(state, plugin, kind)
                    flows = [flow for result in results for flow in result["flow_results"]]
                    causes = sorted({f"{flow.get('missed_cause', 'seen')} {flow.get('error', '')}".strip() for flow in flows})
                    said = sorted({word for result in results for word in result["conditions"]})
                    print(f"  {plugin} {kind}: {' '.join(said)} [{', '.join(causes)}]", flush=True)
                    self.assertEqual(len(results), 2, where)
                    self.assert_only_of_the_path(results, expected_of(plugin, kind, state.family), where)
                    for result in results:
                        check(result, where)

    def test_nothing_is_said_of_a_path_that_nothing_was_sent_on(self):
        def check(result, where):
            self.assertTrue(all(word.startswith("pathspider.") for word in result["conditions"]), f"{where}: {result}")
            self.assertIn("pathspider.not_observed", result["conditions"], f"{where}: {result}")
            for flow in result["flow_results"]:
                self.assertFalse(flow["observed"], f"{where}: {flow}")
                if "error" in flow:
                    self.assertEqual(flow["missed_cause"], "not_sent", f"{where}: {flow}")

        self.matrix(NOTHING_LEAVES if support.is_full() else NOTHING_LEAVES[::2], check)

    def test_what_our_own_side_spoils_is_none_of_the_paths(self):
        self.matrix(SPOILED if support.is_full() else SPOILED[::2])

    def test_a_system_that_refuses_says_why(self):
        errors = {"ENETUNREACH", "EHOSTUNREACH", "EACCES", "EINVAL"}  # which of them, kernels differ in
        for state in support.cases(*NOTHING_LEAVES[5:]):
            for plugin, kind in (("ecn", "tcp"), ("mss", "http"), ("dscp", "dnsudp"), ("udpzero", "dnsudp")):
                with self.subTest(f"{state.name}, {plugin} {kind}"):
                    for result in self.run_in(state, plugin, kind):
                        for flow in result["flow_results"]:
                            self.assertEqual(flow["missed_cause"], "not_sent", flow)
                            self.assertIn(flow["error"], errors, flow)
        for plugin in ("evilbit", "udpzero", "dscp"):  # what netfilter drops of a datagram is told to who sends it
            with self.subTest(f"output is dropped, {plugin}"):
                for result in self.run_in(OUTPUT_DROPPED, plugin, "dnsudp"):
                    for flow in result["flow_results"]:
                        self.assertEqual((flow["missed_cause"], flow["error"]), ("not_sent", "EPERM"), flow)

    def test_a_treatment_that_did_not_leave_is_named(self):
        by_name = {state.name: state for state in SPOILED}
        for name, plugin, kind in (("ECN is taken off SYNs", "ecn", "tcp"), ("every code point is set to 10", "dscp", "tcp"),
                                   ("options are taken off SYNs", "tcpopt", "tcp"), ("options are taken off SYNs", "mss", "tcp"),
                                   ("options are taken off SYNs", "tfo", "dnstcp"), ("Fast Open is off", "tfo", "dnstcp")):
            with self.subTest(f"{name}, {plugin}"):
                for result in self.run_in(by_name[name], plugin, kind):
                    said = set(result["conditions"])
                    self.assertIn("pathspider.untreated", said, result)
                    self.assertFalse({word for word in said if "connectivity" in word or "negotiation" in word or "cookie" in word},
                                     result)

    def test_sysctls_that_somebody_sets_meanwhile(self):
        for plugin, names in (("ecn", ("tcp_ecn", "tcp_ecn_fallback")),
                              ("tcpopt", ("tcp_sack", "tcp_timestamps", "tcp_window_scaling"))):
            with self.subTest(plugin):
                sound = expected_of(plugin, "tcp")
                before = self.system_state()
                measuring = bed_case.Measuring(self, plugin, "--connect", "tcp", jobs=beds.crowd(600),
                                               general=("--rate", "300", "-w", "30", "--complete-timeout", "0"))
                measuring.wait_for_results(30)
                while len(measuring.results()) < 450:
                    for name in names:
                        for value in (0, 1):
                            self.sysctl(name, value)
                status, errors, _ = measuring.end()
                self.assertEqual(status, 0, errors)
                results = measuring.results()
                self.assertEqual(len(results), 600)
                self.assert_only_of_the_path(results, sound | {"sack.unsolicited.not_seen"}, plugin)
                untreated = sum("pathspider.untreated" in result["conditions"] for result in results)
                print(f"{plugin}: {untreated} of {len(results)} results untreated", flush=True)
                self.assertGreater(untreated, 0)
                self.assertEqual(self.system_state(), before)

    def test_states_that_come_and_go_in_the_middle(self):
        run = lambda *command: self.bed.run(*command, check=True)
        link = lambda state, side: lambda: self.bed.run("ip", "link", "set", beds.INTERFACE, state, side=side, check=True)

        def own_link(state):
            def change():
                link(state, "client")()
                if state == "up":  # routes and addresses of IPv6 went with it
                    self.bed.run(*ROUTE.format("replace").split(), check=True)
                    self.bed.run(*f"ip neighbour replace {beds.SERVER_4} lladdr {beds.SERVER_MAC} dev {beds.INTERFACE} nud permanent".split(), check=True)
                    self.bed.run(*f"ip -6 address replace {beds.CLIENT_6}/126 dev {beds.INTERFACE} nodad".split(), check=True)
                    self.bed.run(*f"ip -6 route replace {beds.SERVED_6} via {beds.SERVER_6}".split(), check=True)
            return change

        drops, drops_in = OUTPUT_DROPPED, SPOILED[0]
        changes = {  # what happens, how it ends, and whether it keeps anything in or out
            "output is dropped": (True, lambda: drops.set(self.bed), lambda: drops.clear(self.bed)),
            "input is dropped": (False, lambda: drops_in.set(self.bed), lambda: drops_in.clear(self.bed)),
            "the route goes": (False, lambda: run(*f"ip route del {beds.SERVED_4}".split()), lambda: run(*ROUTE.format("add").split())),
            "the carrier goes": (True, link("down", "server"), link("up", "server")),
            "the interface is down": (True, own_link("down"), own_link("up")),
            "the address goes": (False, lambda: run(*ADDRESS.format("del").split()),
                                 lambda: (run(*ADDRESS.format("add").split()), run(*ROUTE.format("replace").split()))),
        }
        plugins = (("ecn", "http"), ("dscp", "tcp"), ("h2", "http"), ("mss", "tcp"), ("udpzero", "dnsudp"), ("evilbit", "tcpsyn"))
        if os.environ.get("ORBWEAVER_FULL") != "all":
            # A carrier that is gone for less than a second is not always told by the kernel in time: by hand, until it is.
            del changes["the carrier goes"]
        for number, (name, (spoils, begin, end)) in enumerate(changes.items()):
            for plugin, kind in plugins if support.is_full() else plugins[number::len(changes)]:
                with self.subTest(f"{name}, {plugin}"):
                    print(name, flush=True)
                    doubts = self.during(plugin, kind, begin, end)
                    if spoils:
                        self.assertGreater(doubts, 0)


class Clock(Judged):
    """The clock of the whole machine, which has no namespaces: only where somebody says so."""

    def set_by(self, seconds):
        time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME) + seconds)

    @unittest.skipUnless(os.environ.get("ORBWEAVER_SET_CLOCK") and os.geteuid() == 0,
                         "it sets the clock of this machine: ORBWEAVER_SET_CLOCK=1 where nothing else runs")
    def test_a_clock_that_is_set_in_the_middle(self):
        for seconds in (3600, -3600, 45, -45):
            for plugin, kind in (("ecn", "http"), ("dscp", "tcp"), ("tfo", "dnstcp"), ("mss", "tcp"), ("udpzero", "dnsudp")):
                with self.subTest(f"{seconds} s, {plugin}"):
                    print(f"{seconds} s", flush=True)
                    self.during(plugin, kind, lambda: self.set_by(seconds), lambda: self.set_by(-seconds))

    @unittest.skipUnless(os.environ.get("ORBWEAVER_SET_CLOCK") and os.geteuid() == 0,
                         "it sets the clock of this machine: ORBWEAVER_SET_CLOCK=1 where nothing else runs")
    def test_a_clock_that_is_set_for_good(self):
        for seconds in (3600, -3600):
            for plugin, kind in (("ecn", "tcp"), ("dscp", "tcp")):
                with self.subTest(f"{seconds} s, {plugin}"):
                    try:
                        doubts = self.during(plugin, kind, lambda: self.set_by(seconds), lambda: None)
                    finally:
                        self.set_by(-seconds)
                    self.assertLess(doubts, 200)  # of 400: what comes after it is measured as before


class Exclusion(bed_case.BedCase):
    """Who changes the system is alone in its network namespace."""

    def second(self, *arguments, status):
        process = self.bed.run(support.ORBWEAVER, "measure", "-i", beds.INTERFACE, *arguments, input=bed_case.ndjson(beds.crowd(3)),
                               capture_output=True, text=True, timeout=60)
        self.assertEqual(process.returncode, status, process.stderr)
        return process.stderr

    def test_sessions_beside_one_another(self):
        slow = ("--rate", "100", "--complete-timeout", "0")
        for first, others in (("ecn", {"tcpopt": 1, "mss": 1, "dscp": 1, "udpzero": 1}), ("mss", {"ecn": 1, "h2": 0, "evilbit": 0})):
            measuring = bed_case.Measuring(self, first, jobs=beds.crowd(20_000), general=slow)
            measuring.wait_for_results(5)
            for other, status in others.items():
                with self.subTest(f"{first}, then {other}"):
                    said = self.second(other, status=status)
                    if status:
                        self.assertIn(measuring.session, said)
                        self.assertIn(str(measuring.stages()["spider"]), said)
            measuring.process.terminate()
            self.assertEqual(measuring.end()[0], 0)
            self.second("ecn", status=0)

    def test_a_spider_that_another_one_follows_stays_alone(self):
        measuring = bed_case.Measuring(self, "ecn", "--connect", "tcp", jobs=beds.crowd(20_000),
                                       general=("--rate", "100", "--complete-timeout", "0"))
        measuring.wait_for_results(5)
        killed = measuring.stages()["spider"]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: measuring.stages().get("spider", killed) != killed, "another spider")
        done = len(measuring.results())
        measuring.wait_for_results(done + 20)
        self.assertIn(measuring.session, self.second("mss", status=1))
        measuring.process.terminate()
        self.assertEqual(measuring.end()[0], 0)


class BlackHole(bed_case.BedCase):
    """A path that loses what is large."""

    def test_a_path_that_loses_large_packets_is_hinted_at(self):
        for plugin, kind in (("h2", "https"), ("ecn", "https"), ("mss", "https")):
            with self.subTest(f"{plugin} {kind}"):
                jobs = [beds.job(name, family, 40) for name in ("large-dropped", "sound", "silent", "closed") for family in (4, 6)]
                measured = self.measure(plugin, "--connect", kind, jobs=jobs, general=("--timeout", "1", "--output-flows"))
                for result in measured.results:
                    self.assertEqual("pathspider.pmtu_suspect" in result["conditions"], result["bed_path"] == "large-dropped", result)


if __name__ == "__main__":
    support.main()
