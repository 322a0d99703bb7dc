# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGINT, SIGTERM and SIGHUP end a run in order with every flow written; a second one ends it at once."""

import os
import signal
import subprocess
import time

import support
from support import Running, segments, wait_until


class Signals(support.TestCase):
    def ends_in_order(self, stop):
        output = self.path("flows.ndjson")
        running = Running(self, "--observers", "2", "--output", output, "basic", "tcp")
        running.wait_for_flows()
        running.process.send_signal(stop)
        status, errors, _ = running.end()
        self.assertEqual(status, 0, errors)
        self.assertIn(stop.name, errors)
        summary = running.summary()
        self.assertEqual(summary["end"], "interrupted")
        self.assert_balanced(summary)
        with open(output) as flows:
            self.assertEqual(len(support.flow_lines(flows.read())), summary["flows"])
        self.assertEqual(segments(running.session), [])

    def test_sigint_ends_in_order(self):
        self.ends_in_order(signal.SIGINT)

    def test_sigterm_ends_in_order(self):
        self.ends_in_order(signal.SIGTERM)

    def test_sighup_ends_in_order(self):
        self.ends_in_order(signal.SIGHUP)

    def test_ctrl_c_on_a_terminal_reaches_all_and_still_ends_in_order(self):
        capture = support.write_pcap(self.path("x.pcap"), support.packets(20_000))
        feed = subprocess.Popen(["sh", "-c", f"cat {capture}; sleep 60"], stdout=subprocess.PIPE, start_new_session=True)
        self.addCleanup(os.killpg, feed.pid, signal.SIGKILL)
        output = self.path("flows")
        front = subprocess.Popen([support.ORBWEAVER, "observe", "-i", "-", "--output", output, "basic"],
                                 stdin=feed.stdout, stderr=subprocess.PIPE, start_new_session=True)
        time.sleep(1)
        os.killpg(front.pid, signal.SIGINT)
        errors = front.communicate(timeout=support.PATIENCE_S)[1].decode()
        self.assertEqual(front.returncode, 0, errors)
        with open(output) as flows:
            self.assertEqual(len(support.flow_lines(flows.read())), 20_000)

    def test_sigquit_ends_at_once_and_says_so(self):
        output = self.path("flows")
        running = Running(self, "--output", output, "basic")
        running.wait_for_flows()
        running.process.send_signal(signal.SIGQUIT)
        status, errors, _ = running.end()
        self.assertEqual(status, 1, errors)
        self.assertIn("SIGQUIT: ending at once", errors)
        self.assertEqual([name for name in os.listdir(self.folder) if name.endswith(".tmp")], [])

    def test_a_second_signal_ends_at_once(self):
        running = Running(self, "--observers", "2", "basic", stdout=subprocess.PIPE)  # nobody reads it
        self.addCleanup(running.process.stdout.close)
        wait_until(running.stats, "the session")
        time.sleep(2)
        running.process.send_signal(signal.SIGINT)
        with self.assertRaises(subprocess.TimeoutExpired):
            running.process.wait(1)  # the flows have nowhere to go
        running.process.send_signal(signal.SIGINT)
        status, errors, took_s = running.end()
        self.assertEqual(status, 1, errors)
        self.assertLess(took_s, 5)
        self.assertEqual(running.summary()["end"], "stopped at once")
        self.assertEqual(segments(running.session), [])


if __name__ == "__main__":
    support.main()
