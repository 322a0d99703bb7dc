# SPDX-License-Identifier: GPL-3.0-or-later
"""A stage that is killed while it works is named, the others end in order, and nothing stays in shared memory."""

import json
import os
import signal

import support
from support import Running, process_runs, run, segments, wait_until

CALM_S = 5 if support.is_instrumented() else 1


class Kills(support.TestCase):
    def kill(self, stage, index, name, stop=signal.SIGKILL):
        output = self.path("flows.ndjson")
        running = Running(self, "--observers", "2", "--output", output, "--digest", "basic", "tcp")
        running.wait_for_flows()
        os.kill(running.pid_of(stage, index), stop)
        status, errors, took_s = running.end()
        print(f"{stage} {index}, {signal.Signals(stop).name}: ended after {took_s:.2f} s, status {status}", flush=True)
        self.assertEqual(status, 1, errors)
        self.assertIn(f"{name} (process", errors)
        self.assertIn(f"was killed by {signal.Signals(stop).name}", errors)
        self.assertLess(took_s, CALM_S)
        self.assertEqual(segments(running.session), [])
        summary = running.summary()
        self.assertEqual(summary["end"], "stage died")
        self.assertIn(name, summary["reason"])
        if stage == "merger":  # a digest of a part would look like one of all
            self.assertIn("digest: none: the merger did not write all flows", errors)
            self.assertIsNone(summary["digest"])
        return output, summary

    def test_capture_killed(self):
        output, summary = self.kill("capture", 0, "orbweaver-capture")
        with open(output) as flows:
            self.assertEqual(len(support.flow_lines(flows.read())), summary["flows"])
        received = sum(stage["counters"]["packets_received"] for stage in summary["stages"][1:3])
        self.assertGreaterEqual(summary["packets"], received)

    def test_an_observer_killed(self):
        output, summary = self.kill("observer", 1, "orbweaver-observer 1")
        with open(output) as flows:  # what the other observer had is all there
            self.assertGreaterEqual(len(support.flow_lines(flows.read())),
                                    summary["stages"][1]["counters"]["flows_emitted"])
        self.assertEqual(summary["stages"][2]["state"], "dead")

    def test_merger_killed(self):
        for stop in (signal.SIGKILL, signal.SIGABRT):
            self.kill("merger", 0, "orbweaver-merger", stop)
            self.assertEqual([name for name in os.listdir(self.folder) if name.endswith(".tmp")], [])

    def test_a_stage_that_crashes_is_named_with_its_signal(self):
        self.kill("observer", 0, "orbweaver-observer 0", signal.SIGABRT)

    def test_the_front_command_killed(self):
        running = Running(self, "--observers", "2", "--output", self.path("flows"), "basic")
        running.wait_for_flows()
        stages = [running.pid_of("capture"), running.pid_of("observer", 0), running.pid_of("observer", 1),
                  running.pid_of("merger")]
        running.process.kill()
        _, took_s = wait_until(lambda: not any(process_runs(pid) for pid in stages), "the stages to end")
        print(f"front command, SIGKILL: stages ended after {took_s:.2f} s", flush=True)
        self.assertLess(took_s, CALM_S)
        running.end()
        self.assertEqual(segments(running.session), [])

    def test_a_next_start_clears_what_a_killed_session_left(self):
        running = Running(self, "--observers", "2", "--output", self.path("flows"), "basic")
        running.wait_for_flows()
        stages = [running.pid_of("capture"), running.pid_of("observer", 0), running.pid_of("observer", 1),
                  running.pid_of("merger")]
        for pid in stages:
            os.kill(pid, signal.SIGSTOP)  # so that none of them clears up
        for pid in [running.process.pid, *stages]:
            os.kill(pid, signal.SIGKILL)
        running.end()
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in stages), "the stages to be gone")
        self.assertNotEqual(segments(running.session), [])
        support.observe(support.TROUBLES, "basic")
        self.assertEqual(segments(running.session), [])


if __name__ == "__main__":
    support.main()
