# SPDX-License-Identifier: GPL-3.0-or-later
"""From which address and by which interface targets are measured, where the client has several of both."""

import json
import os
import subprocess

import bed as beds
import bed_case
import bed_paths
import support

SECOND = "bed1"  # another interface of the client
OLD_6, NEW_6 = "2001:db8:77::1", "2001:db8:77::2"  # more addresses of bed0
SECOND_4, MOVED_4 = "198.51.100.1", "198.51.100.65"
NOT_MEASURED = ["pathspider.not_observed"]


class SourceCase(bed_case.BedCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for side, *lines in (
                ("client", f"link add {SECOND} type veth peer name {SECOND}p", f"link set {SECOND} up", f"link set {SECOND}p up"),
                ("server", f"route add {SECOND_4}/32 via {beds.CLIENT_4}", f"route add {MOVED_4}/32 via {beds.CLIENT_4}",
                 f"route add 2001:db8:77::/64 via {beds.CLIENT_6}")):
            for line in lines:
                cls.ip(line, side=side)

    @classmethod
    def ip(cls, line, side="client"):
        subprocess.run(["ip", "-n", cls.bed.namespaces[side], *line.split()], check=True)

    def for_now(self, what, arguments):
        """Adds something for one test: `address`, `route`, or `rule`; -6 where it says so."""
        version = "-6 " if ":" in arguments.split()[0] or "from 2001" in arguments else ""
        self.ip(f"{version}{what} add {arguments}")
        named = " ".join(arguments.split()[:3]) if what == "address" else arguments
        self.addCleanup(lambda: self.bed.run("ip", *version.split(), *what.split(), "del", *named.split(), capture_output=True))

    def kernel_source(self, target):
        answer = self.bed.run("ip", "-j", "route", "get", target, capture_output=True, text=True, check=True).stdout
        return json.loads(answer)[0]["prefsrc"]

    def sources(self, *arguments, jobs, general=()):
        """The `sip` of each target; every connection must have been seen from there."""
        measured = self.measure(*(arguments or ("mss",)), jobs=jobs, general=("--output-flows", "--timeout", "1", *general))
        for result in measured.results:
            if "not_measured" not in result:
                self.assertTrue(all(flow["observed"] for flow in result["flow_results"]), result)
        return {result["dip"]: result.get("sip") for result in measured.results}


class Addresses(SourceCase):
    def test_a_deprecated_address_is_left(self):
        self.for_now("address", f"{OLD_6}/64 dev {beds.INTERFACE} nodad preferred_lft 0")
        self.ip(f"-6 address change {beds.CLIENT_6}/126 dev {beds.INTERFACE} preferred_lft 0")
        self.addCleanup(self.ip, f"-6 address change {beds.CLIENT_6}/126 dev {beds.INTERFACE} preferred_lft forever valid_lft forever")
        self.for_now("address", f"{NEW_6}/64 dev {beds.INTERFACE} nodad")
        target = bed_paths.address("sound", 6)
        self.assertEqual(self.sources(jobs=[{"dip": target}]), {target: NEW_6})

    def test_a_temporary_address_is_taken_where_the_kernel_takes_it(self):
        self.bed.run("sysctl", "-q", "-w", f"net.ipv6.conf.{beds.INTERFACE}.use_tempaddr=2", check=True)
        self.addCleanup(self.bed.run, "sysctl", "-q", "-w", f"net.ipv6.conf.{beds.INTERFACE}.use_tempaddr=0")
        self.for_now("address", f"{NEW_6}/64 dev {beds.INTERFACE} nodad mngtmpaddr valid_lft 3600 preferred_lft 1800")
        target = bed_paths.address("sound", 6, 2)
        self.for_now("route", f"{target}/128 via {beds.SERVER_6} dev {beds.INTERFACE}")
        support.wait_until(lambda: " temporary" in self.bed.run(
            "ip", "-6", "address", "show", "dev", beds.INTERFACE, "-tentative", capture_output=True, text=True).stdout, "a temporary address")
        source, = self.sources(jobs=[{"dip": target}]).values()
        self.assertEqual(source, self.kernel_source(target))

    def test_a_route_says_its_source(self):
        self.for_now("address", f"{MOVED_4}/32 dev {beds.INTERFACE}")
        moved, other = bed_paths.address("sound", 4, 3), bed_paths.address("sound", 4, 4)
        self.for_now("route", f"{moved}/32 via {beds.SERVER_4} src {MOVED_4}")
        for plugin in (("mss",), ("ecn", "--connect", "tcp"), ("udpzero",)):
            with self.subTest(plugin=plugin):
                self.assertEqual(self.sources(*plugin, jobs=[{"dip": moved}, {"dip": other}]),
                                 {moved: MOVED_4, other: beds.CLIENT_4})

    def test_source_overrules_for_its_family(self):
        self.for_now("address", f"{MOVED_4}/32 dev {beds.INTERFACE}")
        targets = [bed_paths.address("sound", family) for family in (4, 6)]
        self.assertEqual(self.sources(jobs=[{"dip": target} for target in targets], general=("--source", MOVED_4)),
                         dict(zip(targets, (MOVED_4, beds.CLIENT_6))))

    def test_a_source_of_nobody_is_refused(self):
        for source, says in (("192.0.2.99", "no address of this machine"), ("nowhere", "is no address"), ("0.0.0.0", "no address of")):
            refused = self.bed.run(support.ORBWEAVER, "measure", "-i", beds.INTERFACE, "--source", source, "mss", input="",
                                   capture_output=True, text=True, timeout=60)
            self.assertEqual(refused.returncode, 2, refused.stderr)
            self.assertIn(f"--source {source}: that", refused.stderr)
            self.assertIn(says, refused.stderr)

    def test_addresses_and_routes_that_come_and_go(self):
        measuring = self.enterContext(self.bed.start(support.ORBWEAVER, "measure", "-i", beds.INTERFACE, "--output-flows", "mss", stdin=subprocess.PIPE,
                                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1))

        self.addCleanup(measuring.kill)

        def result_of(host):
            measuring.stdin.write(json.dumps({"dip": bed_paths.address("sound", 6, host)}) + "\n")
            return json.loads(measuring.stdout.readline())

        self.assertEqual(result_of(1)["sip"], beds.CLIENT_6)
        self.ip(f"-6 address add {NEW_6}/64 dev {beds.INTERFACE} nodad")
        self.ip(f"-6 address change {beds.CLIENT_6}/126 dev {beds.INTERFACE} preferred_lft 0")
        self.assertEqual(result_of(2)["sip"], NEW_6)
        self.ip(f"-6 address del {NEW_6}/64 dev {beds.INTERFACE}")
        self.assertEqual(result_of(3)["sip"], beds.CLIENT_6)
        self.ip(f"-6 route del {beds.SERVED_6} via {beds.SERVER_6}")
        gone = result_of(4)
        self.assertEqual(gone["not_measured"], "there is no route to it")
        self.assertEqual(gone["conditions"][0], "pathspider.not_observed")
        self.ip(f"-6 route add {beds.SERVED_6} via {beds.SERVER_6}")
        self.ip(f"-6 address change {beds.CLIENT_6}/126 dev {beds.INTERFACE} preferred_lft forever valid_lft forever")
        self.assertEqual(result_of(5)["conditions"][0], "mss.connectivity.online")
        self.assertEqual(measuring.communicate(timeout=60)[0], "")
        self.assertEqual(measuring.returncode, 0)


class Routes(SourceCase):
    PLUGINS = (("ecn", "--connect", "tcp"), ("dscp", "--connect", "tcp"), ("tfo",), ("mss",), ("evilbit",), ("udpzero",))

    def check_not_measured(self, target, why, error, plugins=(("mss",),), general=(), **more):
        """One target is named, counted and not measured; the other one beside it is."""
        other = bed_paths.address("sound", 4, 9)
        for plugin in plugins:
            with self.subTest(plugin=plugin, target=target):
                summary = self.path("summary")
                measured = self.measure(*plugin, jobs=[{"dip": target, **more}, {"dip": other}],
                                        general=("--output-flows", "--timeout", "0.5", "--summary", summary, *general))
                results = {result["dip"]: result for result in measured.results}
                result = results[target]
                self.assertEqual(result["not_measured"], why)
                self.assertEqual(result["path"], [target])
                self.assertNotIn("sip", result)
                self.assertGreater(result["dp"], 0)
                self.assertEqual(result["conditions"], [*NOT_MEASURED, f"pathspider.missed_flows:{len(result['flow_results'])}"])
                for flow in result["flow_results"]:
                    self.assertEqual((flow["dip"], flow["error"], flow["observed"]), (target, error, False))
                self.assertIn(f"job 1 is not measured: '{target}': {why}", measured.errors)
                self.assertIn("1 of them was not measured", measured.errors)
                with open(summary) as file:
                    self.assertEqual(json.load(file)["jobs"]["not_routed"], 1)
                self.assertNotIn("not_measured", results[other])
                self.assertNotIn("pathspider.not_observed", results[other]["conditions"])

    def test_a_route_by_another_interface(self):
        target = bed_paths.address("sound", 4, 5)
        self.for_now("route", f"{target}/32 dev {SECOND}")
        self.check_not_measured(target, f"its route leaves by {SECOND}, not by {beds.INTERFACE}", "other interface", self.PLUGINS)

    def test_routes_that_lead_nowhere(self):
        for host, (kind, why, error) in enumerate((("unreachable", "its route says unreachable", "EHOSTUNREACH"),
                                                   ("prohibit", "its route says prohibited", "EACCES"),
                                                   ("blackhole", "its route is a black hole", "EINVAL")), 20):
            target = bed_paths.address("sound", 4, host)
            self.for_now("route", f"{kind} {target}/32")
            self.check_not_measured(target, why, error, (("ecn", "--connect", "tcp"),))
        for target in ("203.0.113.7", "2001:db8:1::7"):
            self.check_not_measured(target, "there is no route to it", "ENETUNREACH", (("mss",), ("evilbit",)))

    def test_own_and_many_hosts_addresses(self):
        self.check_not_measured(beds.CLIENT_4, f"its route leaves by lo, not by {beds.INTERFACE}", "other interface")
        self.check_not_measured("192.0.2.3", "it is the address of many hosts, and of no path", "EADDRNOTAVAIL")

    def test_rules_by_source_and_by_port(self):
        target = bed_paths.address("sound", 4, 6)
        self.for_now("address", f"{MOVED_4}/32 dev {beds.INTERFACE}")
        self.for_now("route", f"{target}/32 dev {SECOND} table 77")
        self.for_now("rule", f"from {MOVED_4} lookup 77")
        self.assertEqual(self.sources(jobs=[{"dip": target}]), {target: beds.CLIENT_4})
        self.check_not_measured(target, f"its route leaves by {SECOND} from {MOVED_4}, not by {beds.INTERFACE}", "other interface",
                                general=("--source", MOVED_4))
        self.for_now("rule", "ipproto tcp dport 443 lookup 77")
        self.assertEqual(self.sources(jobs=[{"dip": target}]), {target: beds.CLIENT_4})
        self.check_not_measured(target, f"its route leaves by {SECOND}, not by {beds.INTERFACE}", "other interface",
                                (("ecn", "--connect", "https"),))


class Names(SourceCase):
    """What a name's addresses are: /etc/hosts, the order of nsswitch.conf, and the bed's own name server."""

    def system_file(self, name, text):
        path = f"/etc/netns/{self.bed.namespaces['client']}/{name}"
        with open(path, "w") as file:
            file.write(text)
        self.addCleanup(lambda: os.path.exists(path) and os.remove(path))

    def addresses(self, *arguments):
        measured = self.measure("dnsresolv", *arguments, jobs=[{"domain": "sound.bed.test"}, {"domain": "Only.Here"}])
        self.errors = measured.errors
        return sorted((result["domain"], result["dip"]) for result in measured.results)

    def test_hosts_come_as_the_system_has_them(self):
        dns = [("sound.bed.test", bed_paths.address("sound", family)) for family in (4, 6)]
        own = [("Only.Here", "10.9.9.8"), ("Only.Here", "2001:db8::98")]
        hosts = [("sound.bed.test", "10.9.9.9")]
        self.system_file("hosts", "10.9.9.9 sound.bed.test\n2001:db8::98 only.here\n10.9.9.8 x only.here # more\n")
        self.system_file("nsswitch.conf", "hosts: files mdns4_minimal [NOTFOUND=return] dns\n")
        self.assertEqual(self.addresses(), own + hosts)
        self.assertEqual(self.addresses("--nameserver", beds.SERVER_4), dns)
        self.assertIn("'Only.Here' has no result: ", self.errors)
        self.assertIn(f" from {beds.SERVER_4}\n", self.errors)
        self.system_file("nsswitch.conf", "hosts: dns files\n")
        self.assertEqual(self.addresses(), own + dns)


if __name__ == "__main__":
    support.main()
