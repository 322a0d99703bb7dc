# SPDX-License-Identifier: GPL-3.0-or-later
"""What people type wrong is answered in one line that helps, with exit status 2."""

import json
import os
import shutil

import support
from support import ORBWEAVER, TROUBLES, program, run


class Usage(support.TestCase):
    def assert_usage(self, *arguments, says):
        result = run(ORBWEAVER, *arguments, check=2)
        self.assertEqual(result.stdout, "")
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        self.assertIn(says, result.stderr)

    def test_mistyped_names_are_answered_with_the_nearest(self):
        self.assert_usage("obsrve", says="no command 'obsrve'; did you mean 'observe'?")
        self.assert_usage("observe", "-i", "x", "--observrs", "2", "basic", says="did you mean '--observers'?")
        self.assert_usage("observe", "-i", TROUBLES, "basci", says="no chain 'basci'; did you mean 'basic'?")
        self.assert_usage("observe", "-i", TROUBLES, "basic", "zzzzzzzz", says="there are basic tcp")

    def test_short_forms_are_answered_with_the_long_one(self):
        for short, long in (("--output-f", "--output-flows"), ("--work", "--workers"), ("--csv-i", "--csv-input"),
                            ("--interf", "--interface")):
            self.assert_usage("measure", short, "x", "ecn", says=f"no option '{short}'; did you mean '{long}'?")

    def test_what_pathspider_has_besides_is_named(self):
        for command, says in (("test", "tools/check"), ("analyse", "NDJSON"), ("report", "NDJSON"), ("trace", "traceroute"),
                              ("traceroute", "traceroute")):
            self.assert_usage(command, says=f"no command '{command}' as PATHspider has it: ")
            self.assert_usage(command, says=says)
        self.assert_usage("measure", "-i", "lo", "--trace", "ecn", says="no option '--trace' as PATHspider has it: ")
        self.assert_usage("measure", "-i", "lo", "h2", "--tor-path", "a", says="no option '--tor-path' as PATHspider has it: ")
        self.assert_usage("measure", "-i", "lo", "h2", "--connect", "torhttp", says="http")

    def test_what_is_missing_is_named(self):
        self.assert_usage("observe", "basic", says="-i SOURCE")
        self.assert_usage("observe", "-i", TROUBLES, says="at least one chain")

    def test_values_out_of_range_are_named(self):
        for option, value in (("--observers", "0"), ("--observers", "65"), ("--packet-ring-mib", "0"),
                              ("--flow-ring-mib", "many"), ("--reader", "mine"), ("--idle-timeout", "-1"),
                              ("--max-flows", "0"), ("--cpus", "1,,2"), ("--session", "a/b")):
            self.assert_usage("observe", "-i", TROUBLES, f"{option}={value}", "basic", says=option.strip("-").split("-")[0])

    def test_a_stage_takes_the_numbers_that_the_front_command_takes(self):
        ends = {"capture": ["-i", TROUBLES, "--out", "file:/dev/null"],
                "observer": ["--in", "file:" + self.path("x"), "--out", "file:/dev/null", "basic"],
                "merger": ["--flows", "file:" + self.path("x")]}
        options = {"capture": ["--count", "--snaplen", "--packet-ring-mib", "--attach-timeout"],
                   "observer": ["--idle-timeout", "--complete-timeout", "--active-timeout", "--max-flows", "--observers",
                                "--flow-ring-mib", "--attach-timeout"],
                   "merger": ["--attach-timeout"]}
        for stage, names in options.items():
            for name in names:
                for value in ("-1", "-18446744073709551615", "99999999999999999999", "1e3"):
                    result = run(program(f"orbweaver-{stage}"), *ends[stage], f"{name}={value}", check=2)
                    self.assertIn(f"'{value}' is not a whole number from", result.stderr)
        run(program("orbweaver-capture"), *ends["capture"], "--count=010", check=0)

    def test_an_empty_value_is_named_and_takes_no_other_argument_for_itself(self):
        for empty in (["--filter", ""], ["--filter="], ["--count="], ["--reader="]):
            option = empty[0].rstrip("=")
            self.assert_usage("observe", *empty, "-i", TROUBLES, "basic", "tcp", says=f"{option} has an empty value")

    def test_nobody_writes_over_what_is_read(self):
        capture = support.write_pcap(self.path("x.pcap"), support.packets(10))
        with open(capture, "rb") as file:
            before = file.read()
        os.symlink(capture, self.path("link"))
        for source in (capture, "pcapfile:" + capture):
            for option in ("--output", "--summary"):
                self.assert_usage("observe", "-i", source, option, self.path("link"), "basic", says="is the input as well")
        stage = program("orbweaver-capture")
        self.assertIn("is the input as well", run(stage, "-i", capture, "--out", f"file:{capture}", check=2).stderr)
        for other in ("out", "./out", "../" + os.path.basename(self.folder) + "/out"):
            twice = ["--out", "file:" + self.path("out"), "--out", "file:" + os.path.join(self.folder, other)]
            self.assertIn("was given twice", run(stage, "-i", capture, *twice, check=2).stderr)
        run(stage, "-i", capture, "--out", "file:" + self.path("out"), "--out", "file:" + self.path("out2"), check=0)
        os.symlink("out", self.path("out3"))
        twice = ["--out", "file:" + self.path("out"), "--out", "file:" + self.path("out3")]
        self.assertIn("was given twice", run(stage, "-i", capture, *twice, check=2).stderr)
        for summary in ("both", "./both"):
            self.assert_usage("observe", "-i", capture, "--output", self.path("both"), "--summary",
                              os.path.join(self.folder, summary), "basic", says="--output and --summary are one file")
        support.observe(capture, "--output", "/dev/null", "--summary", "/dev/null", "basic")
        with open(capture, "rb") as file:
            self.assertEqual(file.read(), before)

    def test_the_device_of_standard_input_is_standard_input(self):
        with open(TROUBLES, "rb") as capture:
            result = support.observe("/dev/stdin", "basic", stdin=capture)
        self.assertEqual(support.flow_lines(result.stdout), support.flow_lines(support.observe(TROUBLES, "basic").stdout))

    def test_a_core_that_is_not_there_is_named_by_the_stage(self):
        result = run(ORBWEAVER, "observe", "-i", TROUBLES, "--cpus", "1000", "basic", check=2)
        self.assertIn("cannot run on core 1000", result.stderr)

    def test_a_filter_that_cannot_be_compiled_is_named(self):
        result = run(ORBWEAVER, "observe", "-i", TROUBLES, "--filter", "tcp port", "basic")
        self.assertIn(result.returncode, (1, 2))
        self.assertIn("tcp port", result.stderr)

    def test_every_program_has_help_and_version(self):
        for name in ("orbweaver", "orbweaver-capture", "orbweaver-observer", "orbweaver-spider", "orbweaver-merger"):
            self.assertIn("--version", run(program(name), "--help", check=0).stdout)
            self.assertRegex(run(program(name), "--version", check=0).stdout, rf"^{name} \d+\.\d+\.\d+\n$")
        version = run(ORBWEAVER, "--version", check=0).stdout
        for line in (["observe", "-i", TROUBLES, "basic", "--version"], ["observe", "--version"], ["stats", "--version"],
                     ["measure", "--version"], ["measure", "ecn", "--version"]):
            self.assertEqual(run(ORBWEAVER, *line, check=0).stdout, version)

    def test_the_list_of_chains_says_what_each_field_is(self):
        lines = run(ORBWEAVER, "observe", "--list-chains", check=0).stdout.splitlines()
        named = [line.split(":")[0] for line in lines if line and line[0] != " "]
        self.assertEqual([name for name in named if name in support.ALL_CHAINS], support.ALL_CHAINS)
        self.assertRegex("\n".join(lines), r"(?m)^    oct_fwd +u64, octets +octets of the IP datagrams.* \(mirror oct_rev, IPFIX octetDeltaCount\)$")
        chains = json.loads(run(ORBWEAVER, "observe", "--list-chains", "--json", check=0).stdout)
        fields = {field["name"]: field for chain in chains for field in chain["fields"]}
        self.assertEqual(fields["mss_value_rev"]["mirror"], "mss_value_fwd")
        self.assertEqual(fields["pkt_fwd"]["unit"], "packets")
        self.assert_usage("observe", "-i", TROUBLES, "--json", "basic", says="--list-chains")

    def test_options_of_chains_are_checked_by_name_and_value(self):
        self.assert_usage("observe", "-i", TROUBLES, "--count", "1", "basic:packets=3", says="chain 'basic' has no option 'packets'")
        self.assert_usage("observe", "-i", TROUBLES, "--count", "1", "basic:packets", says="NAME:OPTION=VALUE")

    def test_the_programs_may_lie_under_any_name(self):
        folder = self.path("it's $(here)")
        os.mkdir(folder)
        for name in ("orbweaver", "orbweaver-observer", "orbweaver-spider"):
            shutil.copy(program(name), folder)
        front = os.path.join(folder, "orbweaver")
        self.assertIn("basic", run(front, "observe", "--list-chains", check=0).stdout)
        self.assertIn("ecn", run(front, "measure", "--help", check=0).stdout)

    def test_a_session_name_that_is_taken_is_refused(self):
        running = support.Running(self, "basic", "--output", "/dev/null")
        running.wait_for_flows()
        self.assert_usage("observe", "-i", TROUBLES, "--session", running.session, "basic", says="runs already")
        running.process.terminate()
        self.assertEqual(running.end()[0], 0)


if __name__ == "__main__":
    support.main()
