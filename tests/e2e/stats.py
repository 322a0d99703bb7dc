# SPDX-License-Identifier: GPL-3.0-or-later
"""`orbweaver stats` looks at a running session in three formats and does not disturb it."""

import json
import re
import subprocess

import support
from support import ORBWEAVER, Running, run


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
                sample = re.fullmatch(r'(orbweaver_[a-z0-9_]+)\{(?:[a-z]+="[^"]*",?)+\} \d+', line)
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

    def test_a_session_that_is_not_there_is_an_error(self):
        result = run(ORBWEAVER, "stats", "nobody", check=1)
        self.assertIn("no session 'nobody' is running", result.stderr)


if __name__ == "__main__":
    support.main()
