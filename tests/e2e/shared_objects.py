# SPDX-License-Identifier: GPL-3.0-or-later
"""Chains, plugins and conditions of others: the example project of docs/, built against the installed headers, is
listed, loaded and measures; what cannot be loaded is named and left out."""

import csv
import json
import os
import re
import shutil
import subprocess
import tempfile

import bed as beds
import bed_case
import support
from support import ORBWEAVER, SOURCE, TROUBLES, flow_lines, observe, run

BUILD_PATIENCE_S = 240
BROKEN = """
#include <orbweaver/chain.hpp>
extern "C" {
[[gnu::visibility("default")]] extern const orbweaver::SharedTable orbweaver_chains;
const orbweaver::SharedTable orbweaver_chains{orbweaver::chain_interface_version + 1, 0, nullptr};
}
"""

CARELESS = """
#include <orbweaver/conditions.hpp>
#include <orbweaver/plugin.hpp>
namespace {
struct Careless final : orbweaver::Plugin {
  unsigned connections() const override { return 1; }
  void post_connect(orbweaver::ConnectResult& result, const orbweaver::Job& job, const orbweaver::PreConnect*, unsigned) override {
    result.members.add_members("\\"a\\":\\"un\\"escaped\\"");
    result.members.add("number", job.id);
  }
};
orbweaver::PluginEntry entry() {
  orbweaver::PluginDescription description;
  description.name = "careless";
  description.connect_kinds = {"tcp"};
  return {description, []() -> std::unique_ptr<orbweaver::Plugin> { return std::make_unique<Careless>(); }};
}
const orbweaver::PluginEntry entries[] = {entry()};
void combine(const orbweaver::JobFlows& flows, orbweaver::Conditions& conditions) {
  conditions.add("careless.number:" + *flows[0]->member("/number"));
}
}
ORBWEAVER_EXPORT_PLUGINS(entries)
ORBWEAVER_EXPORT_CONDITIONS({"careless", combine, 1, {}})
"""


class SharedObjects(support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="orbweaver-e2e-"))
        for tool in ("meson", "ninja", "pkg-config"):
            if not shutil.which(tool):
                cls.skipTest(cls, f"{tool} is not in the path")
        root, build = os.path.join(folder, "root"), os.path.join(folder, "build")
        run("meson", "install", "-C", support.BUILD, "--no-rebuild", "--destdir", root, "--quiet", check=0)
        pc = next(os.path.join(at, "pkgconfig") for at, folders, _ in os.walk(root) if "pkgconfig" in folders)
        environment = dict(os.environ, PKG_CONFIG_PATH=pc, PKG_CONFIG_SYSROOT_DIR=root)
        for command in (["meson", "setup", build, os.path.join(SOURCE, "docs", "example-plugin")], ["ninja", "-C", build]):
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, timeout=BUILD_PATIENCE_S)
        cls.include = next(at for at, folders, _ in os.walk(root)
                           if os.path.basename(at) == "include" and "orbweaver" in folders)
        cls.objects = build
        os.environ["ORBWEAVER_PLUGIN_PATH"] = build
        cls.addClassCleanup(os.environ.pop, "ORBWEAVER_PLUGIN_PATH")

    def test_its_chain_is_listed_and_runs_beside_the_built_in_ones(self):
        self.assertRegex(run(ORBWEAVER, "observe", "--list-chains", check=0).stdout,
                         r"(?m)^ttl: TTL of both.*\n +ttl_last_fwd +u8_or_null, hops +TTL of the last")
        plain = observe(TROUBLES, "basic", "tcp").stdout
        with_ttl = [json.loads(line) for line in observe(TROUBLES, "basic", "ttl", "tcp").stdout.splitlines()]
        self.assertTrue(any(flow["ttl_last_fwd"] is not None for flow in with_ttl))
        without = []
        for flow in with_ttl:
            self.assertEqual(flow["ttl_last_rev"] is None, flow["pkt_rev"] == 0, flow)
            without.append({name: value for name, value in flow.items() if not name.startswith("ttl_")})
        key = lambda flow: sorted(map(str, flow.items()))
        self.assertEqual(sorted(without, key=key), sorted(map(json.loads, plain.splitlines()), key=key))

    def test_its_plugin_is_listed_and_has_a_help(self):
        self.assertRegex(run(ORBWEAVER, "measure", "--help", check=0).stdout, r"(?m)^ +ttl +TTL of the answers.* \(/.*\.so\)$")
        self.assertIn("--connect", run(ORBWEAVER, "measure", "ttl", "--help", check=0).stdout)

    def test_its_plugin_has_options_and_adds_members_to_its_connections(self):
        jobs, stream = self.path("jobs"), self.path("stream")
        with open(jobs, "w") as file:
            file.write('{"dip":"127.0.0.1","dp":1}\n{"dip":"127.0.0.2","dp":1,"domain":"a.example"}\n')
        spider = [support.program("orbweaver-spider"), "-i", "lo", "--input", jobs, "--out", f"file:{stream}", "ttl"]
        run(*spider, "--label=042", check=0)
        packets, seen = self.path("packets"), self.path("flows")
        run(support.program("orbweaver-capture"), "-i", TROUBLES, "--out", f"file:{packets}", check=0)
        run(support.program("orbweaver-observer"), "--in", f"file:{packets}", "--out", f"file:{seen}", "basic", "tcp", "ttl",
            check=0)
        results = run(support.program("orbweaver-merger"), "--jobs", f"file:{stream}", "--flows", f"file:{seen}",
                      "--output-flows", check=0).stdout
        flows = [json.loads(line)["flow_results"][0] for line in results.splitlines()]
        self.assertEqual([(flow["ttl_label"], flow["ttl_domain"]) for flow in sorted(flows, key=lambda flow: flow["dip"])],
                         [(42, False), (42, True)])
        self.assertIn("--label", run(*spider, "--label=1000", check=2).stderr)

    def test_a_plugin_that_forgets_to_escape_loses_that_text_and_no_result(self):
        source, jobs, stream = self.path("careless.cpp"), self.path("jobs"), self.path("stream")
        with open(source, "w") as file:
            file.write(CARELESS)
        run("c++", "-std=c++20", "-shared", "-fPIC", "-fvisibility=hidden", f"-I{self.include}", "-o", self.path("careless.so"), source, check=0)
        with open(jobs, "w") as file:
            file.writelines('{"dip":"127.0.0.%d","dp":1}\n' % number for number in range(1, 7))
        environment = dict(os.environ, ORBWEAVER_PLUGIN_PATH=self.folder)
        spider = run(support.program("orbweaver-spider"), "-i", "lo", "--input", jobs, "--out", f"file:{stream}", "careless",
                     check=0, env=environment)
        self.assertRegex(spider.stderr, r"\A\S+: warning: plugin careless, job \d: members are left out of connection 0: "
                         r"a comma is expected at octet 8; .*\n\Z")
        merger = run(support.program("orbweaver-merger"), "--jobs", f"file:{stream}", "--plugin", "careless", check=0,
                     env=environment)
        self.assertEqual(merger.stderr, "")
        numbers = [json.loads(line)["conditions"][0] for line in merger.stdout.splitlines()]
        self.assertEqual(sorted(numbers), [f"careless.number:{number}" for number in range(1, 7)])

    def careless(self, *changes):
        """What the spider says of a CARELESS that was changed, and what there is."""
        source = CARELESS
        for old, new in changes:
            self.assertIn(old, source)
            source = source.replace(old, new)
        built = self.build_object("careless", source)
        self.assertEqual(built.returncode, 0, built.stderr)
        environment = dict(os.environ, ORBWEAVER_PLUGIN_PATH=self.folder)
        listed = run(support.program("orbweaver-spider"), "--describe-plugins", check=0, env=environment)
        return listed.stderr, [plugin["name"] for plugin in json.loads(listed.stdout)], environment

    def test_a_plugin_that_no_command_line_can_have_is_left_out_and_named(self):
        option = 'description.options.push_back({.name = "%s", .help = "", .default_value = "%s", .several = false, .minimum = 0, .maximum = 9});'
        kinds = 'description.connect_kinds = {"tcp"};'
        wrongs = {
            option % ("connect", "1"): "its option --connect is one that every plugin has",
            option % ("", "1"): "the name of its option '' is not letters, digits and dashes",
            option % ("a b", "1"): "the name of its option 'a b' is not letters",
            option % ("--x", "1"): "the name of its option '--x' is not letters",
            option % ("good", "77"): "the default of its option --good, 77, is not within its bounds",
            2 * (option % ("good", "7")): "it has two options --good",
            (option % ("good", "7")).replace(".minimum = 0", ".minimum = std::nullopt"): "its option --good has one bound and not the other",
            'description.connect_kinds = {"htp"};': "there is no kind of connection 'htp'",
            'description.connect_kinds = {"tcpsyn"};': "the kind of connection tcpsyn is of the model forge alone"}
        entries = [f"""
orbweaver::PluginEntry entry_{number}() {{
  auto [description, make] = entry();
  description.name = "wrong-{number}";
  {wrong}
  return {{description, make}};
}}""" for number, wrong in enumerate(wrongs)]
        listed = "const orbweaver::PluginEntry entries[] = {entry()"
        said, names, environment = self.careless(
            (listed, "".join(entries) + listed + "".join(f", entry_{number}()" for number in range(len(wrongs)))))
        for number, says in enumerate(wrongs.values()):
            self.assertRegex(said, f"careless.so: plugin 'wrong-{number}' is left out: {re.escape(says)}")
        self.assertEqual([name for name in names if name in ("careless", "ecn") or name.startswith("wrong")], ["careless", "ecn"])
        run(ORBWEAVER, "measure", "ecn", "--help", check=0, env=environment)

    def measure_carelessly(self, *changes, status=0):
        said, names, environment = self.careless(*changes)
        self.assertEqual((said, "careless" in names), ("", True))
        jobs, stream = self.path("jobs"), self.path("stream")
        with open(jobs, "w") as file:
            file.writelines('{"dip":"127.0.0.%d","dp":1}\n' % number for number in range(1, 4))
        spider = run(support.program("orbweaver-spider"), "-i", "lo", "--input", jobs, "--out", f"file:{stream}", "careless",
                     check=status, env=environment)
        if status:
            return spider.stderr, []
        merger = run(support.program("orbweaver-merger"), "--jobs", f"file:{stream}", "--plugin", "careless", check=0,
                     env=environment)
        return spider.stderr + merger.stderr, [json.loads(line)["conditions"][0] for line in merger.stdout.splitlines()]

    def test_a_plugin_that_throws_costs_what_it_was_called_for_and_no_job(self):
        number = 'result.members.add("number", job.id);'
        said, conditions = self.measure_carelessly((number, number + 'if (job.id == 2) throw std::string("boom");'))
        self.assertIn("plugin careless, job 2: post_connect failed: something that is no std::exception", said)
        self.assertEqual(sorted(conditions), ["careless.number:1", "careless.number:3", "pathspider.discarded"])
        made = "unsigned connections() const override { return 1; }"
        said, conditions = self.measure_carelessly((made, made + """
  std::unique_ptr<orbweaver::PreConnect> pre_connect(const orbweaver::Job& job) override {
    if (job.id == 3)
      throw std::runtime_error("no luck");
    return nullptr;
  }"""))
        self.assertIn("plugin careless, job 3: pre_connect failed: no luck", said)
        self.assertEqual(sorted(conditions), ["careless.number:1", "careless.number:2", "pathspider.not_observed"])

    def test_conditions_that_read_past_a_jobs_flows_are_named_and_end_nothing(self):
        said, conditions = self.measure_carelessly(("*flows[0]->", "*flows[5]->"))
        self.assertEqual(said.count("its conditions failed: it reads flow 5 (from 0), and the job has 1"), 1)
        self.assertEqual(conditions, 3 * ["pathspider.uncertain"])

    def test_a_plugin_whose_connections_and_configurations_differ_is_refused_by_name(self):
        kinds = 'description.connect_kinds = {"tcp"};'
        for change, says in (((kinds, kinds + "description.model = orbweaver::Model::synchronized;"),
                              "it makes 1 connections for each job, and has 0 configurations"),
                             (("override { return 1; }", "override { return 0; }"), "it makes no connections")):
            self.assertRegex(self.measure_carelessly(change, status=1)[0], f"plugin careless cannot be run: {says}.*careless.so")

    def test_the_first_of_two_conditions_of_a_plugin_counts_and_the_other_is_named(self):
        said, conditions = self.measure_carelessly(('{"careless", combine, 1, {}}', '{"careless", combine, 1, {}}, {"careless", combine, 9, {}}'))
        self.assertIn("careless.so: its conditions of careless are left out: there are some already", said)
        self.assertEqual(len(conditions), 3)

    def test_an_object_whose_names_others_can_see_is_left_out(self):
        chain = """
#include <orbweaver/chain.hpp>
namespace orbweaver {
struct DscpChain {
  static constexpr std::string_view name = "mine", summary = "named like one of the library's";
  static constexpr std::uint32_t needs = Need::none;
  struct State { std::uint32_t packets = 0; };
  inline static const auto fields = std::array{field("mine_packets", "packets", &State::packets)};
  static bool ip(State& state, PacketView, bool) noexcept { ++state.packets; return true; }
};
}
ORBWEAVER_EXPORT_CHAINS(orbweaver::DscpChain)
"""
        environment = dict(os.environ, ORBWEAVER_PLUGIN_PATH=self.folder)
        self.assertEqual(self.build_object("mine", chain, "-fvisibility=default").returncode, 0)
        said = observe(TROUBLES, "basic", "mine", check=2, env=environment).stderr
        self.assertRegex(said, r"left out: .*mine\.so was built without -fvisibility=hidden")
        self.assertEqual(self.build_object("mine", chain).returncode, 0)
        flows = observe(TROUBLES, "basic", "dscp", "mine", check=0, env=environment).stdout.splitlines()
        for flow in map(json.loads, flows):
            self.assertEqual(flow["mine_packets"], flow["pkt_fwd"] + flow["pkt_rev"])

    def build_object(self, name, source, *flags):
        path = self.path(name + ".cpp")
        with open(path, "w") as file:
            file.write(source)
        return run("c++", "-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden", *flags,
                   f"-I{self.include}", "-o", self.path(name + ".so"), path)

    def test_a_chain_with_a_field_of_every_type_events_options_and_an_end_prints_as_ndjson_and_csv(self):
        with open(os.path.join(SOURCE, "tests", "unit", "observer", "every_type_chain.hpp")) as file:
            chain = re.sub(r'#include "observer/chain.hpp"', "#include <orbweaver/chain.hpp>", file.read())
        built = self.build_object("every", chain.replace("#pragma once", "") + "\nORBWEAVER_EXPORT_CHAINS(orbweaver::test::EveryTypeChain)\n")
        self.assertEqual(built.returncode, 0, built.stderr)
        environment = dict(os.environ, ORBWEAVER_PLUGIN_PATH=self.folder)
        lines = observe(TROUBLES, "basic", "every:loud=true,packets=2", env=environment).stdout.splitlines()
        rows = [json.loads(line) for line in lines]
        flows = [row for row in rows if "event" not in row]
        seen = [row for row in rows if row.get("event") == "every_seen"]
        ended = [row for row in rows if row.get("event") == "every_ended"]
        self.assertEqual(len(ended), len(flows))
        self.assertEqual(sorted(flow_lines(observe(TROUBLES, "basic").stdout)),
                         sorted(json.dumps({name: value for name, value in flow.items() if not name.startswith("every_")},
                                           separators=(",", ":")) for flow in flows))
        flow = flows[0]
        self.assertEqual(flow["every_u64"], 2**64 - 1)
        self.assertEqual(flow["every_colour"], "green")
        self.assertEqual(flow["every_mac"], "00:01:02:03:04:05")
        self.assertEqual(flow["every_f64"], 0.5)
        self.assertIsNone(flow["every_u32_or_null"])
        self.assertEqual(flow["every_i64_or_null"], -1)
        self.assertEqual(flow["every_octets"][:4], "00ff")
        self.assertEqual(flow["every_words"][0], "forward")
        self.assertEqual(len(flow["every_text"]), len(flow["every_lengths"]))
        self.assertEqual(seen[0]["words"], ["a", "", "b,c"])
        self.assertEqual(list(seen[0])[:7], ["event", "time", "sip", "dip", "proto", "sp", "dp"])
        output = self.path("flows.csv")
        observe(TROUBLES, "basic", "every:loud=true,packets=2", "--output", output, env=environment)
        with open(output, newline="") as file:
            table = list(csv.DictReader(file))
        self.assertEqual(len(table), len(flows))
        self.assertEqual(table[0]["every_u32_or_null"], "")
        self.assertEqual(json.loads(table[0]["every_words"])[0], "forward")
        with open(self.path("flows.every_seen.csv"), newline="") as file:
            events = list(csv.DictReader(file))
        self.assertEqual(len(events), len(seen))
        self.assertEqual(json.loads(events[0]["words"]), ["a", "", "b,c"])

    def test_what_no_observer_could_run_does_not_compile_and_says_what_to_write(self):
        chain = """
#include <orbweaver/chain.hpp>
using namespace orbweaver;
enum class Size : std::uint32_t { small };
struct Trap {
  static constexpr std::string_view name = "trap", summary = "a trap";
  static constexpr std::uint32_t needs = Need::none;
  struct Another { bool x = false; };
  struct State { %s };
  inline static const auto fields = std::array{field("%s", "a trap", &State::x)};
  %s
};
ORBWEAVER_EXPORT_CHAINS(Trap)
"""
        good = ("bool x = false;", "trap_x", "static bool tcp(State&, PacketView, bool) noexcept { return true; }")
        self.assertEqual(self.build_object("good", chain % good).returncode, 0)
        traps = {
            ("float x = 0;", good[1], good[2]): "use double",
            ("char x[8]{};", good[1], good[2]): "text is Text",
            ("Size x{};", good[1], good[2]): "enum class E : std::uint8_t",
            ("const char* x = nullptr;", good[1], good[2]): "a pointer says nothing in another process",
            (good[0], "a name", good[2]): "a name has 1 to 63 letters, digits or underscores",
            (good[0], 'quo\\"te', good[2]): "a name has 1 to 63 letters, digits or underscores",
            (good[0], good[1], "static bool tcp(State&, PacketView) noexcept { return true; }"): "the hook tcp would never be called",
            (good[0], good[1], "static bool icmp(State&, PacketView, bool) noexcept { return true; }"): "they are icmp4 and icmp6",
            (good[0], good[1], "static bool new_flow(State&, PacketView, bool) noexcept { return true; }"):
                "the hook new_flow would never be called",
            (good[0], good[1], "static void end(State&) noexcept {}"): "the hook end would never be called",
            (good[0], good[1], ""): "this chain has no hook that is called",
            (good[0], good[1], "static bool tpc(State&, PacketView, bool) noexcept { return true; }"): "this chain has no hook that is called",
            (good[0], good[1], good[2] + " struct Options { int a = 0; }; inline static const auto options = std::array{option(\"b\", \"\", &State::x)};"):
                "an option of another struct than the chain's Options",
            (good[0], good[1], good[2] + " struct E { bool y = false; }; inline static const auto events = "
             "std::tuple{event_table<E>(\"t\", \"\", std::array{field(\"x\", \"\", &State::x)})};"):
                "a field of another struct than the table's event",
            (good[0] + " Nullable<Size> y;", good[1], good[2] + " inline static const auto more = field(\"y\", \"\", &State::y);"):
                "no type of a field",
            (good[0], good[1], good[2] + " static bool tpc(State&, PacketView, bool) noexcept { return true; }"): "it is tcp",
            ("Text x;", good[1], "static bool tcp(State& state, PacketView, bool) noexcept { auto copy = state.x; return copy.is_null(); }"):
                "deleted function",
            ("Text x, y;", good[1], "static bool tcp(State& state, PacketView, bool) noexcept { state.x = state.y; return true; }"):
                "deleted function",
            (good[0], good[1], "static bool newflow(State&, PacketView) noexcept { return true; }"): "it is new_flow",
        }
        sources = {chain % trap: says for trap, says in traps.items()}
        sources[(chain % good).replace("&State::x", "&Another::x")] = "a field of another struct than the chain's State"
        sources[(chain % good).replace("Need::none", "1u << 30")] = "this chain needs what there is not"
        for trap, says in sources.items():
            built = self.build_object("trap", trap)
            self.assertNotEqual(built.returncode, 0, trap)
            self.assertIn(says, built.stderr, trap)

    def test_a_combiner_that_misspells_a_field_does_not_compile(self):
        combiner = """
#include <orbweaver/conditions.hpp>
namespace {
constexpr orbweaver::CombinerFields fields{orbweaver::FieldUse{"ttl", "ttl_last_rev"}};
void combine(const orbweaver::JobFlows& flows, orbweaver::Conditions& conditions) {
  if (flows[0]->number(fields["%s"]))
    conditions.add("ttl.seen");
}
}
ORBWEAVER_EXPORT_CONDITIONS({"ttl", combine, 1, fields})
"""
        self.assertEqual(self.build_object("good", combiner % "ttl_last_rev").returncode, 0)
        built = self.build_object("bad", combiner % "ttl_last_rve")
        self.assertNotEqual(built.returncode, 0)
        self.assertIn("the_list_of_fields_has_no_field_of_that_name", built.stderr)

    def test_two_chains_with_one_field_are_refused_by_the_names_of_both(self):
        twin = """
#include <orbweaver/chain.hpp>
struct Twin {
  static constexpr std::string_view name = "twin", summary = "says \\"so\\"";
  static constexpr std::uint32_t needs = orbweaver::Need::none;
  struct State { bool x = false; };
  inline static const auto fields = std::array{orbweaver::field("pkt_fwd", "packets", &State::x)};
  static bool ip(State&, orbweaver::PacketView, bool) noexcept { return true; }
};
ORBWEAVER_EXPORT_CHAINS(Twin)
"""
        self.assertEqual(self.build_object("twin", twin).returncode, 0)
        environment = dict(os.environ, ORBWEAVER_PLUGIN_PATH=self.folder)
        self.assertIn('says "so"', run(ORBWEAVER, "observe", "--list-chains", check=0, env=environment).stdout)
        refused = observe(TROUBLES, "basic", "twin", check=2, env=environment)
        self.assertIn("chain 'basic' and chain 'twin' both have a field 'pkt_fwd'", refused.stderr)
        self.assertEqual(observe(TROUBLES, "tcp", "twin", env=environment).returncode, 0)

    def test_an_object_of_another_interface_version_is_named_and_left_out(self):
        source = self.path("old.cpp")
        with open(source, "w") as file:
            file.write(BROKEN)
        run("c++", "-std=c++20", "-shared", "-fPIC", "-fvisibility=hidden", f"-I{self.include}", "-o", self.path("old.so"), source, check=0)
        with open(self.path("text.so"), "w") as file:
            file.write("not an object")
        environment = dict(os.environ, ORBWEAVER_PLUGIN_PATH=f"{self.folder}:{self.objects}")
        listed = run(ORBWEAVER, "observe", "--list-chains", check=0, env=environment)
        self.assertIn("ttl", listed.stdout)
        self.assertRegex(listed.stderr, r"left out: orbweaver_chains of .*old\.so was built for interface version \d+, this is \d+")
        self.assertRegex(listed.stderr, r"left out, it cannot be loaded: .*text\.so")

    def test_it_measures_on_a_real_path(self):
        try:
            with beds.Bed() as bed:
                jobs = [{"dip": beds.bed_paths.address("sound", family)} for family in (4, 6)]
                process = bed.run(ORBWEAVER, "measure", "-i", beds.INTERFACE, "ttl", input=bed_case.ndjson(jobs),
                                  capture_output=True, text=True, timeout=support.PATIENCE_S)
        except beds.Unavailable as reason:
            self.skipTest(f"no test bed: {reason}")
        self.assertEqual(process.returncode, 0, process.stderr)
        results = [json.loads(line) for line in process.stdout.splitlines()]
        self.assertEqual([result["conditions"] for result in results],
                         2 * [["ttl.connectivity.online", "ttl.reply.value:64", "ttl.reply.stable"]])


if __name__ == "__main__":
    support.main()
