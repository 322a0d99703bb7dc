# SPDX-License-Identifier: GPL-3.0-or-later
"""A stage of a measurement that dies is followed by another one: each job has one result, which is true or says why it is not
known, and the system's state is as it was.

    measure_restarts.py MeasureRestarts.test_killed_at_random      stages killed at random; for how long and how often say
                                                                   ORBWEAVER_KILL_S (6) and ORBWEAVER_KILL_EVERY_S (0.7)
"""

import functools
import json
import os
import random
import signal
import subprocess
import threading
import time

import bed as beds
import bed_case
import measure_failures
import rotation
import support
from measure_failures import ECN_SOUND, MSS_SOUND
from support import wait_until

KILL_S = float(os.environ.get("ORBWEAVER_KILL_S", "6"))
KILL_EVERY_S = float(os.environ.get("ORBWEAVER_KILL_EVERY_S", "0.7"))
WORKERS = 50
STAGES = ("capture", "observer", "spider", "merger")


FRAGILE = """
#include "merger/conditions.hpp"
#include "spider/plugin.hpp"
#include <csignal>
namespace {
struct Fragile final : orbweaver::Plugin {
  unsigned connections() const override { return 1; }
  void connect(orbweaver::ConnectRequest&, const orbweaver::Job& job, const orbweaver::PreConnect*, unsigned) override {
    if (!FRAGILE_CONDITIONS && (job.id == 300 || job.id == 600))
      std::raise(SIGSEGV);
  }
};
orbweaver::PluginEntry entry() {
  orbweaver::PluginDescription description;
  description.name = "fragile";
  description.chains = {"basic"};
  description.connect_kinds = {"tcp"};
  return {description, []() -> std::unique_ptr<orbweaver::Plugin> { return std::make_unique<Fragile>(); }};
}
const orbweaver::PluginEntry entries[] = {entry()};
void combine(const orbweaver::JobFlows& flows, orbweaver::Conditions& conditions) {
  if (FRAGILE_CONDITIONS && flows[0]->state() == orbweaver::ConnectionState::failed)
    std::raise(SIGSEGV);
  if (flows[0]->observed())
    conditions.add("fragile.seen");
  else
    conditions.add(std::string(orbweaver::Conditions::not_observed));
}
}
ORBWEAVER_EXPORT_PLUGINS(entries)
ORBWEAVER_EXPORT_CONDITIONS({"fragile", combine, 1, {}})
"""


class Fed(bed_case.Measuring):
    """A measurement whose jobs come through a pipe, a few at a time."""

    def __init__(self, test, *arguments, jobs, general=()):
        self.output, self.session = test.path("results-fed"), f"e2e-{os.getpid()}-fed"
        self._errors = open(test.path("errors-fed"), "w+b")
        self.process = test.bed.start(support.ORBWEAVER, "measure", "-i", beds.INTERFACE, "--session", self.session, "--output",
                                      self.output, *general, *arguments, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                      stderr=self._errors)
        test.addCleanup(self._end_by_force)
        self._feeder = threading.Thread(target=self._feed, args=(jobs,))
        self._feeder.start()
        test.addCleanup(self._feeder.join)

    def _feed(self, jobs):
        try:
            with self.process.stdin as pipe:
                for i, job in enumerate(jobs):
                    pipe.write(bed_case.ndjson([job, {"dip": "no address"}, jobs[i // 2]]).encode())
                    if i % 100 == 99:
                        pipe.flush()
                        time.sleep(0.1)
        except BrokenPipeError:
            pass


class Written(bed_case.Measuring):
    """A measurement whose results are compressed, one file after another, or come out of a pipe."""

    def __init__(self, test, *arguments, jobs, general=(), suffix="", through_pipe=False):
        Written._count += 1
        self.session, self.output = f"e2e-{os.getpid()}-w{Written._count}", test.path(f"written-{Written._count}{suffix}")
        self._errors = open(test.path(f"errors-w{Written._count}"), "w+b")
        self._folder, self._start = test.folder, f"written-{Written._count}"
        reader = subprocess.Popen(["sh", "-c", f"cat > {self.output}"], stdin=subprocess.PIPE) if through_pipe else None
        with open(test.path(f"jobs-w{Written._count}"), "w+") as file:
            file.write(bed_case.ndjson(jobs))
            file.seek(0)
            self.process = test.bed.start(support.ORBWEAVER, "measure", "-i", beds.INTERFACE, "--session", self.session, "--output",
                                          "-" if through_pipe else self.output, *general, *arguments, stdin=file,
                                          stdout=reader.stdin if reader else subprocess.DEVNULL, stderr=self._errors)
        test.addCleanup(self._end_by_force)
        if reader:
            test.addCleanup(reader.wait)
            reader.stdin.close()
        self._reader = reader

    def end(self, patience_s=support.PATIENCE_S):
        ended = super().end(patience_s)
        if self._reader:
            self._reader.wait(patience_s)
        return ended

    def results(self):
        results = []
        for name in sorted(os.listdir(self._folder)):
            if name.startswith(self._start) and not name.endswith(".manifest"):
                try:
                    results += map(json.loads, rotation.lines_of(os.path.join(self._folder, name)))
                except (subprocess.CalledProcessError, FileNotFoundError, AssertionError, UnicodeDecodeError):
                    if self.process.poll() is not None:  # while it writes, a name may be another one, or a frame not whole
                        raise
        return results


class MeasureRestarts(measure_failures.Measurement):
    def begin(self, plugin, *general, count, rate=1000, kind=bed_case.Measuring):
        self.summary_path = self.path("summary")
        return kind(self, plugin, "--connect", "tcp", jobs=list(beds.crowd(count)), general=(
            "--rate", str(rate), "-w", str(WORKERS), "--complete-timeout", "0", "--restart", "1000", "--summary",
            self.summary_path, *general))

    def stages_of(self, measuring):
        stats = support.run(support.ORBWEAVER, "stats", measuring.session, "--json", check=0)
        return json.loads(stats.stdout)["stages"]

    def restarts(self, measuring, name):
        return sum(stage["counters"]["restarts"] for stage in self.stages_of(measuring) if stage["stage"] == name)

    @staticmethod
    def helper_of(measuring):
        """What changes the system for the spider at work: its process, once there is one."""
        spider = measuring.stages().get("spider")
        found = support.run("ps", "-o", "pid=,comm=", "--ppid", str(spider)).stdout.split() if spider else []
        return int(found[0]) if "orbweaver-sys" in found else None

    def kill(self, measuring, name, stop=signal.SIGKILL):
        """Kills a stage, and waits until another one is at work in its place."""
        before = self.restarts(measuring, name)
        os.kill(measuring.stages()[name], stop)
        wait_until(lambda: self.restarts(measuring, name) > before and
                   all(stage["state"] == "running" for stage in self.stages_of(measuring)), f"another {name}", 30)

    def check(self, measuring, sound, count, kills):
        """Waits for its end, and looks at the result of each job."""
        status, errors, _ = measuring.end(120)
        self.assertEqual(status, 0, errors)
        results = measuring.results()
        unfinished = self.assert_true_results(results, sound, count)
        doubts = sum(any(word.startswith("pathspider.") for word in result["conditions"]) for result in results)
        with open(self.summary_path) as file:
            summary = json.load(file)
        self.assert_balanced(summary)
        sums = {}
        for stage in summary["stages"]:
            for name, value in stage["counters"].items():
                sums[name] = sums.get(name, 0) + (value if isinstance(value, int) else 0)
        print(f"{len(results)} results, {unfinished} unfinished, {doubts} in doubt; {sums['restarts']} restarts", flush=True)
        self.assertEqual(sums["restarts"], kills, errors)
        self.assertEqual(sums["jobs_taken"], count)
        self.assertEqual(sums["jobs_unfinished"], unfinished)
        self.assertEqual(sums["jobs_broken"], unfinished)
        self.assertGreater(len(results) - doubts, count / 2, errors)
        self.assert_all_put_back(measuring.session)
        return errors, sums

    def killed(self, stage, kills):
        """Measurements whose stage was killed so often: what each said, and its counters."""
        ended = []
        for plugin, sound in (("ecn", ECN_SOUND), ("mss", MSS_SOUND)):
            with self.subTest(plugin):
                # Slow enough that it goes on until the last one was killed and followed.
                measuring = self.begin(plugin, count=2500, rate=300 if support.is_instrumented() else 700)
                measuring.wait_for_results(100)
                for _ in range(kills):
                    self.kill(measuring, stage)
                    time.sleep(0.1)
                ended.append(self.check(measuring, sound, 2500, kills))
        return ended

    def test_a_spider_is_followed(self):
        for errors, _ in self.killed("spider", 3):
            self.assertIn("orbweaver-spider (process", errors)
            self.assertRegex(errors, r"goes on behind line \d+ of standard input: \d+ jobs that were under way are "
                                     "finished as they are")

    def test_what_changes_the_system_is_followed_with_its_spider(self):
        measuring = self.begin("ecn", count=2500)
        measuring.wait_for_results(100)
        for _ in range(2):
            before = self.restarts(measuring, "spider")
            helper, _ = wait_until(lambda: self.helper_of(measuring), "the helper")
            os.kill(helper, signal.SIGKILL)
            wait_until(lambda: self.restarts(measuring, "spider") > before, "another spider", 30)
        errors, _ = self.check(measuring, ECN_SOUND, 2500, 2)
        self.assertRegex(errors, r"what changes the system \(process \d+\) has ended: the spider goes with it")

    def fragile(self, conditions):
        """A folder with a plugin that kills its spider at two jobs, or whose conditions kill the merger where one failed."""
        return self.object_of(FRAGILE, f"-DFRAGILE_CONDITIONS={int(conditions)}")

    def test_a_plugin_that_kills_costs_the_jobs_under_way_and_is_named(self):
        with self.fragile(conditions=False):
            measuring = self.begin("fragile", count=1000)
            errors, _ = self.check(measuring, {"fragile.seen"}, 1000, 2)
        for line in (300, 600):
            self.assertIn(f"the last one died in the plugin's connect for job {line} (line {line} of standard input)", errors)

    def test_a_merger_is_followed(self):
        for _, sums in self.killed("merger", 5):
            self.assertEqual(sums["jobs_unfinished"], 0)
            self.assertEqual(sums["jobs_written"], 2500)

    def test_a_merger_is_followed_whatever_it_writes_to(self):
        cases = support.cases(("-%Y%m%dT%H%M%SZ.ndjson", False, ("--rotate", "1s")), (".zst", False, ()),
                              ("-%Y%m%dT%H%M%SZ.ndjson.zst", False, ("--rotate", "2s")), ("", True, ()))
        for suffix, through_pipe, arguments in cases:
            with self.subTest(suffix=suffix, through_pipe=through_pipe):
                kind = functools.partial(Written, suffix=suffix, through_pipe=through_pipe)
                measuring = self.begin("mss", *arguments, count=4000, kind=kind)
                measuring.wait_for_results(100)
                for _ in range(6):
                    self.kill(measuring, "merger")
                    time.sleep(random.uniform(0, 0.3))
                _, sums = self.check(measuring, MSS_SOUND, 4000, 6)
                self.assertEqual((sums["jobs_unfinished"], sums["jobs_written"]), (0, 4000))
                if "--rotate" in arguments:
                    with open(measuring.output[:measuring.output.index("-%")] + ".manifest") as file:
                        spans = [json.loads(line) for line in file]
                    self.assertGreater(len(spans), 1)
                    self.assertEqual(sum(span["jobs"] for span in spans), 4000)

    def test_a_job_whose_conditions_kill_is_in_doubt_and_given_out(self):
        with self.fragile(conditions=True):
            refused = {"dip": next(iter(beds.crowd(1)))["dip"], "dp": 1}
            self.summary_path = self.path("summary")
            measuring = bed_case.Measuring(
                self, "fragile", "--connect", "tcp", jobs=[*list(beds.crowd(1001))[1:601], refused, *list(beds.crowd(1001))[601:]],
                general=("--rate", "1000", "-w", str(WORKERS), "--complete-timeout", "0", "--restart", "1000", "--summary",
                         self.summary_path))
            errors, sums = self.check(measuring, {"fragile.seen"}, 1001, 2)
        self.assertEqual(sums["combiner_failures"], 1)
        self.assertRegex(errors, r"job 601: a merger died of its conditions twice")
        results = [result for result in measuring.results() if result["dip"] == refused["dip"]]
        self.assertEqual([result["conditions"] for result in results], [["pathspider.uncertain"]])
        # What was given out shows it again.
        jobs, flows = (self.path(f"poison-{measuring.session}-{number}.records") for number in (1, 2))
        with self.fragile(conditions=True):
            again = subprocess.run([support.program("orbweaver-merger"), "--jobs", f"file:{jobs}", "--flows",
                                    f"file:{flows}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.assertEqual(again.returncode, -signal.SIGSEGV)

    def test_jobs_of_a_pipe_come_but_once(self):
        measuring = self.begin("mss", count=2000, kind=Fed)
        measuring.wait_for_results(100)
        for _ in range(5):
            self.kill(measuring, "spider")
            time.sleep(0.1)
        _, sums = self.check(measuring, MSS_SOUND, 2000, 5)
        self.assertEqual((sums["lines_bad"], sums["lines_duplicate"]), (2000, 2000))

    def test_who_watches_is_followed(self):
        for stage, plugin, sound in (("capture", "mss", MSS_SOUND), ("observer", "ecn", ECN_SOUND)):
            with self.subTest(stage=stage, plugin=plugin):
                measuring = self.begin(plugin, count=2500)
                measuring.wait_for_results(100)
                for _ in range(3):
                    self.kill(measuring, stage)
                    time.sleep(0.1)
                self.check(measuring, sound, 2500, 3)

    def test_killed_at_random(self):
        seed = int(os.environ.get("ORBWEAVER_KILL_SEED", time.time()))
        print(f"seed {seed}", flush=True)
        dice = random.Random(seed)
        count = int(KILL_S * 1000) + 2000
        measuring = self.begin("ecn", count=count)
        measuring.wait_for_results(100)
        first, kills, until = dice.sample(STAGES, len(STAGES)), 0, time.monotonic() + KILL_S
        while time.monotonic() < until:
            time.sleep(dice.uniform(0.5, 1.5) * KILL_EVERY_S)
            pid = measuring.stages().get(first.pop() if first else dice.choice(STAGES))
            if pid:
                os.kill(pid, signal.SIGKILL)
                kills += 1
        self.check(measuring, ECN_SOUND, count, kills)


if __name__ == "__main__":
    support.main()
