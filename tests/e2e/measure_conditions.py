# SPDX-License-Identifier: GPL-3.0-or-later
"""The conditions of every plugin, on a sound path and on each spoiled one, over IPv4 and IPv6: exactly these, no others.

For each plugin and connect kind there is a function from (path, kind, family) to the conditions that such a path must
give; most paths spoil nothing that a plugin looks at, and must give what the sound one gives.
"""

import bed as beds
import bed_case
import bed_paths
import support

TIMEOUT_S = 2  # time for a second SYN, which the kernel sends after one second
NO_ANSWER = {"silent", "unreachable", "reset", "closed"}
# What a request needs, and not only a handshake; the made-up SYN+ACKs have no server behind them.
NO_EXCHANGE = NO_ANSWER | {"reset-late", "unsolicited"}
NO_DATAGRAM = NO_ANSWER | {"unsolicited"}


def answers(path, kind):
    """Whether a connection of this kind succeeds."""
    if path == "large-dropped" and kind == "https":
        return False
    return path not in {"tcp": NO_ANSWER, "tcpsyn": NO_ANSWER, "dnsudp": NO_DATAGRAM}.get(kind, NO_EXCHANGE)


def ecn(path, kind, family):
    conditions = ["ecn.connectivity.works" if answers(path, kind) else "ecn.connectivity.offline"]
    if path in NO_ANSWER:
        return conditions
    if path == "ecn-syn-dropped":
        return ["ecn.connectivity.broken"]
    outcome = {"ecn-stripped": "failed", "unsolicited": "failed", "ecn-reflected": "reflected"}
    conditions.append("ecn.negotiation." + outcome.get(path, "succeeded"))
    # Only segments with data are marked, by a server that has negotiated ECN and sends any.
    mark = {"ecn-congested": "ce", "ecn-ect1": "ect1"}.get(path, "ect0")
    if kind == "tcp" or not answers(path, kind) or path in ("ecn-bleached", "ecn-stripped"):
        mark = None
    return conditions + [f"ecn.ipmark.{name}.{'seen' if name == mark else 'not_seen'}" for name in ("ect0", "ect1", "ce")]


def dscp(path, kind, family):
    if path in NO_ANSWER or kind == "dnsudp" and path in NO_DATAGRAM:
        return ["dscp.48.connectivity.offline"]  # no answer has a mark
    # The server's TCP answers with the code point that it gets; the DNS server's datagrams have 0.
    remarked = {"dscp-remarked": 10}.get(path)
    plain = 0 if remarked is None else remarked
    marked = 0 if kind == "dnsudp" or path in ("dscp-zeroed", "unsolicited") else 48
    conditions = [f"dscp.0.replymark:{plain}"]
    if path == "dscp-dropped":
        return conditions + ["dscp.48.connectivity.broken"]
    conditions.append("dscp.48.connectivity." + ("works" if answers(path, kind) else "offline"))
    return conditions + [f"dscp.48.replymark:{marked if remarked is None else remarked}"]


def tcpopt(path, kind, family):
    names = {"tsopt": "ts-stripped", "wsopt": "ws-stripped", "sack": "sack-stripped"}
    conditions = [f"{name}.connectivity.{'works' if answers(path, kind) else 'offline'}" for name in names]
    if path not in NO_ANSWER:
        for name, stripped in names.items():
            conditions.append(f"{name}.negotiation.{'failed' if path == stripped else 'succeeded'}")
            conditions.append(f"{name}.unsolicited.{'seen' if path == 'unsolicited' else 'not_seen'}")
    return conditions


def tfo(path, kind, family):
    if path == "reset-late" and kind != "https":
        # What goes with the SYN is no later request: the third connection gets its answer, as the first two did not.
        return ["tfo.connectivity.transient", "tfo.cookie.received", "tfo.syndata.acked"]
    if not answers(path, kind):
        return ["tfo.connectivity.offline"]
    if path in ("tfo-stripped", "tfo-off"):
        return ["tfo.connectivity.works", "tfo.cookie.not_received"]
    acked = "not_acked" if path in ("tfo-data-stripped", "tfo-data-dropped") else "acked"
    return ["tfo.connectivity.works", "tfo.cookie.received", f"tfo.syndata.{acked}"]


def mss(path, kind, family):
    if path in NO_ANSWER:
        return ["mss.connectivity.offline"]
    local = 1460 if family == 4 else 1440
    remote = {"mss-clamped": 1000, "mss-inflated": 8000, "unsolicited": 1460, "mss-absent": None}.get(path, local)
    conditions = ["mss.connectivity.online", f"mss.option.local.value:{local}"]
    if remote is None:
        return conditions + ["mss.option.received.absent"]
    change = "unchanged" if remote == local else "deflated" if remote < local else "inflated"
    return conditions + [f"mss.option.remote.value:{remote}", f"mss.option.received.{change}"]


def h2(path, kind, family):
    if not answers(path, kind):
        return ["h2.connectivity.offline"]
    success = path == "h2c" if kind == "http" else path != "h2-off"
    return ["h2.connectivity.works", f"h2.upgrade.{'success' if success else 'failed'}"]


def evilbit(path, kind, family):
    if family == 6:  # there is no such bit in IPv6: nothing is sent
        return ["pathspider.not_observed", "pathspider.missed_flows:2"]
    if not answers(path, kind):
        return ["evilbit.connectivity.offline"]
    if path == "evil-dropped":
        return ["evilbit.connectivity.broken"]
    return ["evilbit.connectivity.works", f"evilbit.mark.{'seen' if path == 'evil-marked' else 'not_seen'}"]


def udpzero(path, kind, family):
    if not answers(path, kind):
        return ["udpzero.connectivity.offline"]
    # Linux drops IPv6 datagrams without a checksum (RFC 8200, 8.1) where the receiver does not ask for them.
    broken = path == "udp-zero-dropped" or family == 6 and path != "udp-zero-taken"
    return ["udpzero.connectivity." + ("broken" if broken else "works")]


class ConditionsCase(bed_case.BedCase):
    _host = 1  # a host of its own for each run, so that no cookie or metric of another run is known there

    @classmethod
    def next_host(cls):
        cls._host += 1
        return bed_paths.ZERO_TAKEN_HOSTS + cls._host

    def check(self, plugin, expected, kind, *options, host=None, paths=None):
        """Measures all paths and compares. Where the measurement itself says that it could not see all (a busy machine
        loses packets; Linux, now and then, a Fast Open cookie), once more."""
        for attempts_left in (4, 3, 2, 1, 0):
            if self.compare(plugin, expected, kind, *options, host=host or self.next_host(), paths=paths):
                return
            self.assertGreater(attempts_left, 0, f"{plugin} --connect {kind}: packets lost, or uncertain, each time")

    def compare(self, plugin, expected, kind, *options, host, paths):
        """False where packets were lost, or for uncertain conditions; wrong ones fail where no packets were lost."""
        names = paths or list(bed_paths.BY_NAME)
        jobs = [dict(beds.job(name, family, host), family=family) for family in (4, 6) for name in names]
        measured = self.measure(plugin.replace("_", "-"), "--connect", kind, *options, jobs=jobs,
                                general=("--timeout", str(TIMEOUT_S), "-w", "200"))
        found = measured.by("bed_path", "family")
        self.assertEqual(len(found), len(jobs), "every job has a result")
        print(f"\n{plugin} --connect {kind} {' '.join(options)}: {len(jobs)} jobs in {measured.took_s:.1f} s", flush=True)
        wrong, as_sound = [], 0
        for family in (4, 6):
            sound = sorted(expected("sound", kind, family))
            for path in names:
                hint = ["pathspider.pmtu_suspect"] if path == "large-dropped" and kind == "https" else []
                want, got = sorted(expected(path, kind, family) + hint), sorted(found[path, family]["conditions"])
                if want == got == sound and path != "sound":
                    as_sound += 1
                    continue
                verdict = "got just these" if want == got else "BUT GOT " + (" ".join(got) or "none")
                row = f"  {path:18} IPv{family}  {' '.join(want)}: {verdict}"
                print(row, flush=True)
                if want != got:
                    wrong.append(row)
        print(f"  {as_sound} others as the sound ones, {len(wrong)} wrong", flush=True)
        excused = "(0 dropped" not in measured.errors or all("pathspider.uncertain" in row for row in wrong)
        self.assertTrue(not wrong or excused, "\n".join([f"wrong conditions of {plugin} --connect {kind}:", *wrong, measured.errors]))
        return not wrong


class Synchronized(ConditionsCase):
    """Plugins that change the system between the configurations."""

    def test_ecn(self):
        for kind in ("http", "https", "tcp", "dnstcp"):
            with self.subTest(kind):
                self.check("ecn", ecn, kind)

    def test_tcpopt(self):
        for kind in ("http", "https", "tcp", "dnstcp"):
            with self.subTest(kind):
                self.check("tcpopt", tcpopt, kind)


class Others(ConditionsCase):
    """Plugins that leave the system as it is."""

    def test_dscp(self):
        for kind in ("http", "tcp", "dnstcp"):
            with self.subTest(kind):
                self.check("dscp", dscp, kind)
        with self.subTest("dnsudp"):
            self.check("dscp", dscp, "dnsudp", host=1)

    def test_dscp_with_several_code_points(self):
        expected = ["dscp.0.replymark:0", "dscp.8.connectivity.works", "dscp.8.replymark:8", "dscp.48.connectivity.works",
                    "dscp.48.replymark:48", "dscp.63.connectivity.works", "dscp.63.replymark:63"]
        self.check("dscp", lambda *_: expected, "tcp", "--codepoint", "8", "48", "8", "--codepoint", "63",
                   paths=["sound"])

    def test_tfo(self):
        for kind in ("dnstcp", "http", "https"):
            with self.subTest(kind):
                self.check("tfo", tfo, kind)

    def test_mss(self):
        for kind in ("tcp", "http", "https", "dnstcp"):
            with self.subTest(kind):
                self.check("mss", mss, kind)

    def test_h2(self):
        for kind in ("http", "https"):
            with self.subTest(kind):
                self.check("h2", h2, kind)

    def test_evilbit(self):
        with self.subTest("tcpsyn"):
            self.check("evilbit", evilbit, "tcpsyn")
        with self.subTest("dnsudp"):
            self.check("evilbit", evilbit, "dnsudp", host=2)

    def test_udpzero(self):
        self.check("udpzero", udpzero, "dnsudp", host=3)

    def test_dnsresolv_gives_the_job_once_an_address(self):
        jobs = [{"domain": "many.bed.test", "rank": 1}, {"domain": "mss-clamped.bed.test", "rank": 2}]
        measured = self.measure("dnsresolv", jobs=jobs)
        expected = {(rank, bed_paths.address(path, family, host)) for family in (4, 6)
                    for rank, path, hosts in ((1, "sound", 3), (2, "mss-clamped", 1)) for host in range(1, hosts + 1)}
        self.assertEqual(set(measured.by("rank", "dip")), expected)
        self.assertFalse(any("conditions" in result for result in measured.results))


class Results(bed_case.BedCase):
    """What else a result says."""

    def test_a_job_is_carried_through_with_its_path_and_time(self):
        job = {"dip": bed_paths.address("sound", 4), "domain": "sound.bed.test", "rank": 7, "dip_asn": 65001, "_hidden": 1,
               "deep": {"list": [1, None, "\u00e4\"\\"]}}
        result, = self.measure("mss", jobs=[job]).results
        self.assertEqual({key: result[key] for key in job if not key.startswith("_")},
                         {key: job[key] for key in job if not key.startswith("_")})
        self.assertNotIn("_hidden", result)
        self.assertEqual(result["path"][0], beds.CLIENT_4)
        self.assertEqual(result["path"][-1], job["dip"])
        self.assertIn("65001", str(result["path"]))
        self.assertEqual(result["sip"], beds.CLIENT_4)
        self.assertLessEqual(result["time"]["from"], result["time"]["to"])
        self.assertNotIn("flow_results", result)

    def test_flow_results_come_in_the_order_of_configurations(self):
        jobs = list(beds.targets(["sound", "closed", "silent"]))
        measured = self.measure("ecn", "--connect", "tcp", jobs=jobs, general=("--output-flows", "--timeout", "1"))
        self.assertEqual(len(measured.results), len(jobs))
        for result in measured.results:
            flows = result["flow_results"]
            self.assertEqual([flow["config"] for flow in flows], [0, 1], result)
            self.assertEqual([flow["observed"] for flow in flows], [True, True], result)
            state = {"sound": 0, "closed": 1, "silent": 2}[result["bed_path"]]
            self.assertEqual([flow["spdr_state"] for flow in flows], [state, state], result)
            self.assertEqual([flow["tcp_synflags_fwd"] for flow in flows], [0x02, 0xC2], result)
            self.assertEqual({flow["dip"] for flow in flows}, {result["dip"]})
            self.assertEqual([flow["tcp_connected"] for flow in flows], [state == 0] * 2, result)

    def test_a_target_twice_is_measured_once_and_a_bad_line_is_named(self):
        target = bed_paths.address("sound", 4)
        process = self.bed.run(support.ORBWEAVER, "measure", "-i", beds.INTERFACE, "mss", capture_output=True, text=True,
                               input=f'{{"dip":"{target}"}}\nnot JSON\n{{"dip":"{target}"}}\n{{"dip":"nowhere"}}\n', timeout=60)
        self.assertEqual(len(process.stdout.splitlines()), 1, process.stderr)
        for line in ("2", "4"):
            self.assertRegex(process.stderr, rf"\b{line}\b")

    def test_comma_separated_jobs(self):
        v4, v6 = bed_paths.address("sound", 4, 9), bed_paths.address("sound", 6, 9)
        name = "sound.bed.test"
        for text, expected in ((f"{v4},80,{name}\n{v6},80,{name}\n", {(v4, name, None), (v6, name, None)}),
                               (f"{v4},80,{name},12\n", {(v4, name, 12)})):
            process = self.bed.run(support.ORBWEAVER, "measure", "-i", beds.INTERFACE, "--csv-input", "mss", input=text,
                                   capture_output=True, text=True, timeout=60, check=True)
            found = bed_case.Measured(0, [bed_case.json.loads(line) for line in process.stdout.splitlines()], "", 0)
            self.assertEqual({(dip, domain, rank and int(rank)) for dip, domain, rank in found.by("dip", "domain", "rank")},
                             expected)


if __name__ == "__main__":
    support.main()
