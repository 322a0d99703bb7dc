# SPDX-License-Identifier: GPL-3.0-or-later
"""`orbweaver stats` looks at a running session in three formats and does not disturb it."""

import json
import os
import re
import signal
import subprocess
import time

import support
from support import ORBWEAVER, Running, run


class Messages(support.TestCase):
    def test_a_thousand_warnings_are_few_lines_and_one_entry_with_a_count(self):
        session, summary = f"e2e-{os.getpid()}-messages", self.path("summary")
        process = subprocess.Popen([ORBWEAVER, "measure", "--session", session, "--summary", summary, "dnsresolv"],
                                   stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        process.stdin.write("no job\n" * 1000)
        process.stdin.flush()

        def warned():
            result = run(ORBWEAVER, "stats", session, "--json")
            stages = json.loads(result.stdout)["stages"] if result.returncode == 0 else []
            spider = [stage for stage in stages if stage["stage"] == "spider"]
            return spider[0] if spider and spider[0]["counters"]["lines_bad"] == 1000 else None

        spider, _ = support.wait_until(warned, "1000 bad lines")
        message, = spider["messages"]
        self.assertEqual((message["level"], message["count"]), ("warning", 1000))
        self.assertRegex(message["text"], "^standard input, line 1: it is no JSON object")
        self.assertLessEqual(message["first_s"], message["last_s"])
        self.assertLess(abs(message["last_s"] - time.time()), support.PATIENCE_S)
        table = run(ORBWEAVER, "stats", session, check=0).stdout
        self.assertRegex(table, r"\nspider +0 warning +1,000 .* standard input, line 1: ")
        text = run(ORBWEAVER, "stats", session, "--prometheus", check=0).stdout
        self.assertRegex(text, r'\norbweaver_stage_messages\{.*stage="spider".*level="warning",message="standard .*"\} 1000\n')
        _, errors = process.communicate(timeout=support.PATIENCE_S)
        self.assertEqual(process.returncode, 1, errors)
        self.assertEqual(errors.count("warning: "), 12, errors)  # the first ten, the 100th, the 1000th
        self.assertIn("line 1000: ", errors)
        self.assertIn("(the 1000th of its kind)", errors)
        # The error that ended the stage is in the list too.
        with open(summary) as file:
            stages = json.load(file)["stages"]
        last = [stage for stage in stages if stage["stage"] == "spider"][0]["messages"][-1]
        self.assertEqual((last["level"], last["count"]), ("error", 1))
        self.assertIn("no line is a job, 1000 are bad", last["text"])


class Statistics(support.TestCase):
    def start(self):
        running = Running(self, "--observers", "2", "--output", self.path("flows"), "basic", "tcp")
        running.wait_for_flows()
        return running

    def stop(self, running):
        running.process.terminate()
        status, errors, _ = running.end()
        self.assertEqual(status, 0, errors)
        self.assert_balanced(running.summary())

    def test_json_has_all_stages_and_rings(self):
        running = self.start()
        stats = json.loads(run(ORBWEAVER, "stats", running.session, "--json", check=0).stdout)
        self.assertEqual([(s["stage"], s["index"], s["state"]) for s in stats["stages"]],
                         [("capture", 0, "running"), ("observer", 0, "running"), ("observer", 1, "running"),
                          ("merger", 0, "running")])
        self.assertEqual([r["ring"].removeprefix(running.session + ".") for r in stats["rings"]],
                         ["flows.0", "flows.1", "packets.0", "packets.1"])
        for ring in stats["rings"]:
            self.assertLessEqual(ring["fill_octets"], ring["capacity_octets"])
        self.stop(running)

    def test_the_table_is_for_people(self):
        running = self.start()
        table = run(ORBWEAVER, "stats", running.session, check=0).stdout
        for text in (f"session {running.session}", "capture", "merger", f"{running.session}.packets.1", "FILL"):
            self.assertIn(text, table)
        self.assertRegex(table, r"\nobserver +1 +\d+ +running +[\d,]+ packets +[\d,]+/s ")
        self.stop(running)

    def test_prometheus_text_is_well_formed(self):
        running = self.start()
        text = run(ORBWEAVER, "stats", running.session, "--prometheus", check=0).stdout
        declared = set()
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                name, kind = line.split()[2:]
                self.assertIn(kind, ("counter", "gauge"))
                self.assertNotIn(name, declared)
                declared.add(name)
            elif not line.startswith("# HELP "):
                sample = re.fullmatch(r'(orbweaver_[a-z0-9_]+)\{(?:[a-z]+="[^"]*",?)+\} \d+(?:\.\d+)?', line)
                self.assertIsNotNone(sample, line)
                self.assertIn(sample[1], declared)
        self.assertIn(f'orbweaver_capture_packets_read{{session="{running.session}",index="0"}}', text)
        self.assertIn(f'orbweaver_ring_fill_octets{{session="{running.session}",ring="{running.session}.flows.0"}}', text)
        self.stop(running)

    def test_watching_ends_with_the_session(self):
        running = self.start()
        watch = subprocess.Popen([ORBWEAVER, "stats", running.session, "--json", "--watch"], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
        first, second = (json.loads(watch.stdout.readline()) for _ in range(2))
        packets = [stats["stages"][0]["counters"]["packets_read"] for stats in (first, second)]
        self.assertLess(packets[0], packets[1])
        self.stop(running)
        _, errors = watch.communicate(timeout=support.PATIENCE_S)
        self.assertEqual(watch.returncode, 0)
        self.assertIn(f"session {running.session} has ended", errors)

    def test_a_stall_is_measured(self):
        running = self.start()
        observer = running.pid_of("observer", 1)
        os.kill(observer, signal.SIGSTOP)
        time.sleep(1.1)
        os.kill(observer, signal.SIGCONT)
        began_s = time.time() - 1.1

        def stalled():
            counters = running.stats()["stages"][2]["counters"]
            return counters if counters["stall_max_ns"] >= 1_000_000_000 else None

        counters, _ = support.wait_until(stalled, "the stall of the observer")
        self.assertLess(counters["stall_max_ns"], 20_000_000_000)
        self.assertGreaterEqual(counters["stall_max_second"], int(began_s))
        table = run(ORBWEAVER, "stats", running.session, check=0).stdout
        self.assertRegex(table, r"\nobserver +1 .* packets +[\d,]+/s +\d+\.\d\d s ")
        text = run(ORBWEAVER, "stats", running.session, "--prometheus", check=0).stdout
        self.assertRegex(text, r'\norbweaver_observer_stall_max_seconds\{[^}]*index="1"\} [1-9]\d*\.\d{9}\n')
        self.stop(running)

    def test_the_document_of_counters_is_what_the_program_prints(self):
        with open(os.path.join(os.path.dirname(__file__), "..", "..", "docs", "counters.md")) as file:
            self.assertEqual(file.read(), run(ORBWEAVER, "stats", "--describe-counters", check=0).stdout,
                             "docs/counters.md is not what the tables say; write it anew: "
                             "orbweaver stats --describe-counters > docs/counters.md")

    def test_a_session_that_is_not_there_is_an_error(self):
        result = run(ORBWEAVER, "stats", "nobody", check=1)
        self.assertIn("no session 'nobody' is running", result.stderr)


if __name__ == "__main__":
    support.main()
