# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams that do not go together are refused before anything is written, by name: what would come out otherwise looks
like a measurement."""

import os

import support
from support import ORBWEAVER, TROUBLES, program, run


class Refusals(support.TestCase):
    def flows(self, *chains):
        packets, flows = self.path("packets"), self.path("flows-" + "-".join(chains))
        run(program("orbweaver-capture"), "-i", TROUBLES, "--needs=all", "--out", f"file:{packets}", check=0)
        run(program("orbweaver-observer"), "--in", f"file:{packets}", "--out", f"file:{flows}", *chains, check=0)
        return flows

    def jobs(self, plugin, *options):
        jobs, stream = self.path("jobs.ndjson"), self.path("jobs-" + plugin)
        with open(jobs, "w") as file:
            file.write('{"dip":"127.0.0.1","dp":1}\n')
        run(program("orbweaver-spider"), "-i", "lo", "--input", jobs, "--out", f"file:{stream}", plugin, *options, check=0)
        return stream

    def refused(self, jobs, *arguments, flows=(), says, output=None):
        streams = [argument for flow in flows for argument in ("--flows", f"file:{flow}")]
        result = run(program("orbweaver-merger"), "--jobs", f"file:{jobs}", *streams, *arguments)
        self.assertIn(result.returncode, (1, 2), result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        self.assertIn(says, result.stderr)

    def test_flows_without_a_field_that_the_conditions_read(self):
        jobs = self.jobs("mss")
        with open(self.path("results"), "w") as file:
            file.write("of an earlier run\n")
        for chains in (["basic", "tcp"], ["basic"]):
            self.refused(jobs, "--output", self.path("results"), flows=[self.flows(*chains)], says=": the conditions of mss need the field ")
        self.refused(jobs, flows=[self.flows("basic", "tcp")],
                     says="the field mss_value_fwd of chain mss, which its flows do not have: run the observer with mss")
        self.refused(jobs, flows=[self.flows("basic", "tcp", "mss"), self.flows("basic")], says="flows-basic: the conditions of mss")
        with open(self.path("results")) as file:
            self.assertEqual(file.read(), "of an earlier run\n")
        self.assertFalse(os.path.exists(self.path("never")))
        self.refused(jobs, "--output", self.path("never"), flows=[self.flows("basic")], says="tcp_connected of chain tcp")
        self.assertFalse(os.path.exists(self.path("never")))
        result = run(program("orbweaver-merger"), "--jobs", f"file:{jobs}", "--flows",
                     f"file:{self.flows('basic', 'tcp', 'mss')}", check=0)
        self.assertIn("pathspider.not_observed", result.stdout)

    def test_no_flows_at_all(self):
        self.refused(self.jobs("mss"), says="the conditions of mss rest on flows: give --flows")

    def test_jobs_of_another_plugin(self):
        flows = self.flows("basic", "tcp", "mss", "tcpopt")
        self.refused(self.jobs("mss"), "--plugin", "tcpopt", flows=[flows],
                     says="its jobs are of the plugin mss (version ")
        self.refused(self.jobs("mss"), "--plugin", "nobodys", flows=[flows], says='no conditions for a plugin "nobodys"')
        run(program("orbweaver-merger"), "--jobs", f"file:{self.jobs('mss')}", "--plugin", "mss", "--flows",
            f"file:{flows}", check=0)

    def test_a_format_that_there_is_not(self):
        for arguments in (["--format", "xml"], ["--output", "xml://x"]):
            result = run(program("orbweaver-merger"), "--flows", f"file:{self.flows('basic')}", *arguments, check=2)
            self.assertIn("there is no format 'xml'; there are: ndjson, csv", result.stderr)

    def test_results_of_jobs_in_another_format(self):
        for output in (self.path("q.csv"), "csv:" + self.path("q")):
            for command in ([program("orbweaver-merger"), "--jobs", "file:missing"], [ORBWEAVER, "measure", "-i", "lo", "ecn", "--input", "/dev/null"]):
                result = run(*command, "--output", output, check=2)
                self.assertIn(f"results of jobs are written as ndjson, and --output {output} says csv", result.stderr)

    def test_streams_of_other_fields_in_one_csv_file(self):
        streams = [f"--flows=file:{self.flows(*chains)}" for chains in (["basic"], ["basic", "tcp"])]
        result = run(program("orbweaver-merger"), *streams, "--output", self.path("flows.csv"), check=1)
        self.assertRegex(result.stderr, r"flows-basic-tcp: its table 'flows' has other fields than that of \S*flows-basic,")
        self.assertFalse(os.path.exists(self.path("flows.csv")))
        run(program("orbweaver-merger"), *streams, "--output", self.path("flows.ndjson"), check=0)

    def test_the_digest_is_the_same_for_every_format(self):
        flows = f"file:{self.flows('basic', 'tcp')}"
        digests = {run(program("orbweaver-merger"), "--flows", flows, "--digest", *arguments, check=0).stderr
                   for arguments in ([], ["--format", "csv"], ["--output", self.path("flows.csv")])}
        self.assertEqual(len(digests), 1, digests)


if __name__ == "__main__":
    support.main()
