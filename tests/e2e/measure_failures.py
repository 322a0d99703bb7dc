# SPDX-License-Identifier: GPL-3.0-or-later
"""A measurement that something goes wrong with: processes killed, interrupted, a ring that loses packets. What was finished is
in the output, the rest is named, the system's state is as it was, nothing hangs and nothing is left.
"""

import os
import re
import signal
import subprocess
import sys
import time

import bed as beds
import bed_case
import support
from support import process_runs, segments, wait_until

CALM_S = 8  # the goal is a second or two on a quiet machine
JOBS = 20_000
STAGES = ("capture", "observer", "spider", "merger")

ECN_SOUND = {"ecn.connectivity.works", "ecn.negotiation.succeeded", "ecn.ipmark.ect0.not_seen", "ecn.ipmark.ect1.not_seen",
             "ecn.ipmark.ce.not_seen"}
DSCP_SOUND = {"dscp.0.replymark:0", "dscp.48.connectivity.works", "dscp.48.replymark:48"}
MSS_SOUND = {"mss.connectivity.online", "mss.option.local.value:1460", "mss.option.remote.value:1460",
             "mss.option.received.unchanged"}
TCPOPT_SOUND = {f"{name}.{said}" for name in ("tsopt", "wsopt", "sack")
                for said in ("connectivity.works", "negotiation.succeeded", "unsolicited.not_seen")}


def host_state():
    """A sysctl of the network namespace that the tests run in: no measurement in the bed may touch it."""
    with open("/proc/sys/net/ipv4/tcp_ecn") as file:
        return file.read()


class Measurement(bed_case.BedCase):
    def setUp(self):
        super().setUp()
        self.before, self.host_before = self.system_state(), host_state()

    def start(self, plugin="ecn", *general, rate=1000, workers=50, count=JOBS):
        """A measurement that takes as long as it may; flows come quickly, so that results do."""
        return bed_case.Measuring(self, plugin, "--connect", "tcp", jobs=beds.crowd(count), general=(
            "--rate", str(rate), "-w", str(workers), "--complete-timeout", "0", *general))

    def assert_true_results(self, results, sound, count=None):
        """No job twice, and each either has the conditions of a sound path or says why it has not: never a wrong one."""
        targets = [result["dip"] for result in results]
        self.assertEqual(len(targets), len(set(targets)))
        if count is not None:
            self.assertEqual(len(targets), count)
        for result in results:
            said = set(result["conditions"])
            doubts = {word for word in said if word.startswith("pathspider.")}
            self.assertLessEqual(said - doubts, sound, result)
            if not doubts:
                self.assertEqual(said, sound, result)
        return sum("pathspider.unfinished" in result["conditions"] for result in results)

    def assert_all_put_back(self, session):
        self.assertEqual(self.system_state(), self.before)
        self.assertEqual(host_state(), self.host_before)
        self.assertEqual(segments(session), [])


class Failures(Measurement):
    def kill(self, stage, plugin, sound):
        measuring = self.start(plugin, "--restart", "never")
        measuring.wait_for_results(200)
        finished = {result["dip"] for result in measuring.results()}
        os.kill(measuring.stages()[stage], signal.SIGKILL)
        status, errors, took_s = measuring.end()
        results = measuring.results()
        unfinished = self.assert_true_results(results, sound)
        print(f"{plugin}, {stage} killed: ended after {took_s:.2f} s, status {status}, {len(results)} results, "
              f"{unfinished} of them named unfinished\n  " + errors.strip().replace("\n", "\n  "), flush=True)
        self.assertEqual(status, 1, errors)
        self.assertRegex(errors, rf"orbweaver-{stage}( 0)? \(process")
        self.assertIn("was killed by SIGKILL", errors)
        self.assertLess(took_s, CALM_S)
        self.assertLessEqual(finished, {result["dip"] for result in results})
        # Each job that the spider took has a result, one that says so, or is among those that the merger did not write.
        taken = int(re.search(r"measured (\d+) jobs", errors)[1])
        unwritten = re.search(r"(\d+) jobs are unfinished: the merger", errors)
        # One that changes the system has a batch of jobs under way at any time, others have none now and then.
        must = self.assertEqual if plugin == "ecn" else self.assertLessEqual
        must(unwritten is not None, stage == "merger", errors)
        self.assertGreaterEqual(len(results) + (int(unwritten[1]) if unwritten else 0), taken)
        must(unfinished > 0, stage == "spider", errors)
        self.assert_all_put_back(measuring.session)

    def test_a_stage_killed(self):
        for stage in STAGES:
            for plugin, sound in (("ecn", ECN_SOUND), ("dscp", DSCP_SOUND))[:2 if support.is_full() else 1]:
                with self.subTest(stage=stage, plugin=plugin):
                    self.kill(stage, plugin, sound)

    def starting(self, last):
        """A measurement that is starting, and the stages that there are as soon as that one is."""
        measuring = self.start("ecn", "--restart", "never")

        def begun():
            self.assertIsNone(measuring.process.poll(), measuring.errors())
            found = measuring.stages()
            return found if last in found else None

        return measuring, wait_until(begun, last)[0]

    def test_a_stage_killed_while_the_others_start(self):
        for stage, last in (("capture", "observer"), ("capture", "merger"), ("observer", "merger"), ("merger", "spider")):
            with self.subTest(stage=stage, last=last):
                measuring, stages = self.starting(last)
                os.kill(stages[stage], signal.SIGKILL)
                status, errors, took_s = measuring.end()
                self.assertEqual(status, 1, errors)
                self.assertLess(took_s, CALM_S)
                self.assertLess(len(measuring.results()), JOBS)
                self.assert_all_put_back(measuring.session)

    def test_no_connection_is_made_where_the_observer_died_before_the_spider_began(self):
        os.mkfifo(self.path("nobody-reads"))  # so that the merger gets ready only when somebody does
        with open(self.path("no-errors"), "w+") as errors:
            process = self.bed.start(support.ORBWEAVER, "measure", "-i", beds.INTERFACE, "--output", self.path("nobody-reads"),
                                     "mss", stdin=subprocess.DEVNULL, stderr=errors)
            self.addCleanup(process.kill)

            def children():
                found = support.run("ps", "-o", "comm=,pid=", "--ppid", str(process.pid)).stdout.split()
                return dict(zip(found[::2], map(int, found[1::2])))

            wait_until(lambda: "orbweaver-merge" in children(), "the merger")
            self.assertNotIn("orbweaver-spide", children())
            os.kill(children()["orbweaver-obser"], signal.SIGKILL)
            self.assertEqual(process.wait(CALM_S), 1)
            errors.seek(0)
            self.assertNotIn("measured", errors.read())

    def test_a_signal_at_the_very_beginning_leaves_nothing(self):
        for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT) * 3:
            with self.subTest(stop.name):
                measuring = self.start()
                while not segments(measuring.session):  # without a pause: the moment is short
                    self.assertIsNone(measuring.process.poll(), measuring.errors())
                measuring.process.send_signal(stop)
                self.assertIn(measuring.end()[0], (0, 1))
                self.assert_all_put_back(measuring.session)

    def test_the_front_command_killed_while_the_stages_start(self):
        for last in STAGES:
            with self.subTest(last):
                measuring, stages = self.starting(last)
                measuring.process.kill()
                measuring.process.wait()
                wait_until(lambda: not any(process_runs(pid) for pid in stages.values()), "the stages to end")
                # One that was started last waits a while for a ring that nobody writes.
                wait_until(lambda: not segments(measuring.session), "the last stage to clear up", 20)
                self.assert_all_put_back(measuring.session)

    def killed_front(self, plugin, *with_it):
        """Kills the front command, and with it some stages before they can do anything about it."""
        measuring = self.start(plugin, "--restart", "never")
        measuring.wait_for_results(200)
        finished = {result["dip"] for result in measuring.results()}
        stages = measuring.stages()
        self.assertEqual(set(stages), set(STAGES))
        victims = [measuring.process.pid, *(stages[name] for name in with_it)]
        for pid in victims:
            os.kill(pid, signal.SIGSTOP)
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        measuring.process.wait()
        _, took_s = wait_until(lambda: not any(process_runs(pid) for pid in stages.values()), "the stages to end")
        print(f"{plugin}, front command{''.join(' and ' + name for name in with_it)} killed: all ended after {took_s:.2f} s",
              flush=True)
        self.assertLess(took_s, CALM_S)
        self.assertLessEqual(finished, {result["dip"] for result in measuring.results()})
        return measuring

    def test_the_front_command_killed(self):
        for plugin in ("ecn", "dscp"):
            with self.subTest(plugin):
                self.assert_all_put_back(self.killed_front(plugin).session)

    def test_a_next_start_puts_back_what_a_killed_session_left(self):
        for plugin, sound in (("ecn", ECN_SOUND), ("dscp", DSCP_SOUND)):
            for with_it in (("spider",), STAGES):
                with self.subTest(plugin=plugin, with_it=with_it):
                    measuring = self.killed_front(plugin, *with_it)
                    self.measure("mss", "--connect", "tcp", jobs=list(beds.crowd(10)))
                    self.assert_all_put_back(measuring.session)
                    # What was left is no configuration of the next measurement's own: that one is true as well.
                    measured = self.measure(plugin, "--connect", "tcp", jobs=list(beds.crowd(10)))
                    self.assertEqual(self.assert_true_results(measured.results, sound, 10), 0)
                    self.assert_all_put_back(measuring.session)

    def test_two_at_once_do_not_change_the_system_under_each_other(self):
        first = self.start()
        first.wait_for_results(50)
        second = self.bed.run(support.ORBWEAVER, "measure", "-i", beds.INTERFACE, "ecn", input="", capture_output=True,
                              text=True, timeout=60)
        self.assertEqual(second.returncode, 1, second.stderr)
        self.assertIn(first.session, second.stderr)
        first.process.send_signal(signal.SIGINT)
        self.assertEqual(first.end()[0], 0)
        self.assert_all_put_back(first.session)

    def test_an_interrupted_measurement_finishes_the_jobs_under_way(self):
        for stop in (signal.SIGINT, signal.SIGTERM):
            for plugin, sound in (("ecn", ECN_SOUND), ("dscp", DSCP_SOUND), ("mss", MSS_SOUND)):
                with self.subTest(plugin=plugin, stop=stop.name):
                    measuring = self.start(plugin)
                    measuring.wait_for_results(200)
                    measuring.process.send_signal(stop)
                    status, errors, took_s = measuring.end()
                    results = measuring.results()
                    print(f"{plugin}, {stop.name}: ended after {took_s:.2f} s with {len(results)} results", flush=True)
                    self.assertEqual(status, 0, errors)
                    self.assertLess(len(results), JOBS)
                    self.assertEqual(self.assert_true_results(results, sound), 0, "unfinished jobs")
                    if "(0 dropped" in errors:  # else the machine was too busy, and results that doubt are right
                        for result in results:
                            self.assertEqual(set(result["conditions"]), sound, result)
                    self.assertLess(took_s, CALM_S)
                    self.assert_all_put_back(measuring.session)

    def test_without_the_right_to_change_the_system_nothing_is_sent(self):
        nobody = ("--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=+net_raw", "--ambient-caps=+net_raw")
        for plugin, rights in (("ecn", nobody), ("tcpopt", nobody)):
            with self.subTest(plugin=plugin, rights=rights):
                process = self.bed.run("setpriv", *rights, "--", support.ORBWEAVER, "measure", "-i", beds.INTERFACE, plugin,
                                       input=bed_case.ndjson(beds.crowd(3)), capture_output=True, text=True, timeout=60)
                self.assertEqual(process.returncode, 1, process.stderr)
                self.assertEqual(process.stdout, "")
                self.assertIn("CAP_NET_ADMIN", process.stderr)
                self.assertEqual(self.system_state(), self.before)


# Answers each DNS query at the server's port 5399 after a while, from the address that it went to.
LATE_ANSWERS = """
import heapq, select, socket, struct, time
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.setsockopt(socket.SOL_IP, 8, 1)  # IP_PKTINFO
server.bind(("0.0.0.0", 5399))
print("ready", flush=True)
waiting = []
while True:
    patience = max(0, waiting[0][0] - time.monotonic()) if waiting else None
    if select.select([server], [], [], patience)[0]:
        query, ancillary, _, client = server.recvmsg(2048, 256)
        to = ancillary[0][2][8:12]
        heapq.heappush(waiting, (time.monotonic() + 0.4, query, to, client))
    while waiting and waiting[0][0] <= time.monotonic():
        _, query, source, client = heapq.heappop(waiting)
        answer = query[:2] + bytes([query[2] | 0x80]) + query[3:]
        server.sendmsg([answer], [(socket.SOL_IP, 8, struct.pack("=I4s4x", 0, source))], 0, client)
"""


class LateAnswers(Measurement):
    """Who watched is killed while answers are under way: they were not seen, which is not that they did not come."""

    def setUp(self):
        super().setUp()
        server = self.bed.start(sys.executable, "-c", LATE_ANSWERS, side="server", stdout=subprocess.PIPE)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        self.assertEqual(server.stdout.readline(), b"ready\n")

    def measure_and_kill(self, stage, name=signal.SIGKILL, restart="never"):
        jobs = [dict(job, dp=5399) for job in beds.crowd(3000)]
        measuring = bed_case.Measuring(self, "udpzero", jobs=jobs, general=("--rate", "500", "--complete-timeout", "0",
                                                                           "--timeout", "2", "--output-flows", "--restart",
                                                                           restart))
        measuring.wait_for_results(200)
        stages = measuring.stages()
        os.kill(stages.get(stage, measuring.process.pid), name)
        status, errors, _ = measuring.end()
        wait_until(lambda: not any(process_runs(pid) for pid in stages.values()), "the stages to end")
        results = measuring.results()
        is_followed = restart != "never" and "another one takes its place" in errors
        self.assertEqual(status == 0, is_followed, errors)
        if is_followed:
            self.assertEqual(len(results), len(jobs))
        self.assert_true_results(results, {"udpzero.connectivity.works"})
        causes = {flow.get("missed_cause") for result in results for flow in result["flow_results"]} - {None}
        self.assertLessEqual(causes, {"ring_drop"}, errors)
        doubts = sum(result["conditions"] != ["udpzero.connectivity.works"] for result in results)
        print(f"udpzero, {stage} {name.name}: {len(results)} results, {doubts} of them doubtful", flush=True)
        self.assertGreater(doubts, 0)

    def test_who_watched_is_killed(self):
        for stage, restart in support.cases(("capture", "20"), ("capture", "never"), ("front command", "20"), ("observer", "20")):
            with self.subTest(stage=stage, restart=restart):
                self.measure_and_kill(stage, restart=restart)

    def test_capture_is_ended_by_somebody_else(self):
        self.measure_and_kill("capture", signal.SIGTERM)

    def test_flows_that_a_limit_cuts(self):
        for option, plugin, sound in (("--max-flows=5", "ecn", ECN_SOUND), ("--active-timeout=1", "mss", MSS_SOUND)):
            with self.subTest(option=option):
                measured = self.measure(plugin, "--connect", "tcp", jobs=beds.crowd(300), general=("--rate", "300", option))
                self.assert_true_results(measured.results, sound, 300)


class Losses(Measurement):
    def test_a_ring_that_loses_packets_gives_doubts_and_never_a_wrong_condition(self):
        jobs = 10_000
        for plugin, sound in (("ecn", ECN_SOUND), ("dscp", DSCP_SOUND), ("tcpopt", TCPOPT_SOUND), ("mss", MSS_SOUND)):
            with self.subTest(plugin):
                measuring = self.start(plugin, "--packet-ring-mib", "1", "--missed-after", "5", rate=100_000, workers=500,
                                       count=jobs)
                observer = wait_until(lambda: measuring.stages().get("observer"), "the observer")[0]
                wait_until(lambda: len(measuring.results()) > 100, "some results")
                os.kill(observer, signal.SIGSTOP)  # nobody reads the ring meanwhile
                time.sleep(2)
                os.kill(observer, signal.SIGCONT)
                status, errors, _ = measuring.end(120)
                results = measuring.results()
                self.assertEqual(status, 0, errors)
                self.assert_true_results(results, sound, jobs)
                self.assertIn("(0 never seen,", errors)  # all were there; the ring, or the kernel, lost them
                doubtful = sum(set(result["conditions"]) != sound for result in results)
                print(f"{plugin} with a ring that loses packets: {doubtful} of {len(results)} results in doubt", flush=True)
                self.assertGreater(doubtful, 0, "the ring lost nothing: the test shows nothing")
                self.assert_all_put_back(measuring.session)


if __name__ == "__main__":
    support.main()
