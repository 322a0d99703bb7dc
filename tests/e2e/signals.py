# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGINT, SIGTERM and SIGHUP end a run in order with every flow written; a second one ends it at once."""

import contextlib
import json
import os
import signal
import subprocess
import time

import support
from support import Running, segments, wait_until


def has_started_capture(front):
    """Whether the front command has started its first stage: from then on it takes signals."""
    with open(f"/proc/{front.pid}/task/{front.pid}/children") as children:
        for child in children.read().split():
            with contextlib.suppress(OSError), open(f"/proc/{child}/cmdline") as command:
                if "orbweaver-capture" in command.read():
                    return True
    return False


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
        self.addCleanup(signal.signal, signal.SIGHUP, signal.signal(signal.SIGHUP, signal.SIG_DFL))  # not as under nohup
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

    def test_sigterm_to_the_whole_group_at_any_time_ends_in_order(self):
        capture = support.write_pcap(self.path("x.pcap"), support.packets(20_000))
        for delay_ms in (0, 1, 2, 3, 5, 8, 12, 20, 30, 50, 100, 300):
            for times in (1, 3):
                output, summary_path = self.path("flows"), self.path("summary.json")
                # The shell keeps the pipe open, so that the run does not end by itself.
                feed = subprocess.Popen(["sh", "-c", f"cat {capture}; exec sleep 60"], stdout=subprocess.PIPE)
                front = subprocess.Popen([support.ORBWEAVER, "observe", "-i", "-", "--observers", "2", "--output", output,
                                          "--summary", summary_path, "basic"],
                                         stdin=feed.stdout, stderr=subprocess.PIPE, start_new_session=True)
                feed.stdout.close()
                while not has_started_capture(front):
                    self.assertIsNone(front.poll())
                time.sleep(delay_ms / 1000)
                os.killpg(front.pid, signal.SIGTERM)
                for _ in range(times - 1):
                    self.tell_stages(front)
                errors = front.communicate(timeout=support.PATIENCE_S)[1].decode()
                feed.kill()
                feed.wait()
                self.assertEqual(front.returncode, 0, f"{delay_ms} ms: {errors}")
                with open(summary_path) as file:
                    summary = json.load(file)
                self.assertEqual(summary["end"], "interrupted", errors)
                self.assert_balanced(summary)
                if os.path.exists(output):
                    with open(output) as flows:
                        self.assertEqual(len(support.flow_lines(flows.read())), summary["flows"])
                    os.unlink(output)
                else:
                    self.assertEqual(summary["flows"], 0)

    def tell_stages(self, front):
        """Sends SIGTERM once more to the stages alone: a second one to the front command would end the run at once."""
        for pid in support.run("pgrep", "-P", str(front.pid)).stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGTERM)

    def test_one_signal_ends_a_run_whose_output_nobody_opens(self):
        output = self.path("fifo")
        os.mkfifo(output)
        running = Running(self, "--output", output, "basic")
        children = ("ps", "-o", "args=", "--ppid", str(running.process.pid))
        wait_until(lambda: "orbweaver-merger" in support.run(*children).stdout, "the merger")
        running.process.send_signal(signal.SIGINT)
        status, errors, took_s = running.end()
        self.assertEqual(status, 1, errors)
        self.assertIn(f"cannot write {output}: asked to end before anybody had opened it to read", errors)
        self.assertLess(took_s, 5)
        self.assertEqual(segments(running.session), [])

    def test_sigquit_ends_at_once_and_says_so(self):
        output = self.path("flows")
        running = Running(self, "--output", output, "basic")
        running.wait_for_flows()
        running.process.send_signal(signal.SIGQUIT)
        status, errors, _ = running.end()
        self.assertEqual(status, 1, errors)
        self.assertIn("SIGQUIT: ending at once", errors)
        self.assertEqual([name for name in os.listdir(self.folder) if name.endswith(".tmp")], [])

    def test_one_signal_waits_for_a_slow_reader_of_the_output(self):
        running = Running(self, "basic", stdout=subprocess.PIPE)
        self.addCleanup(running.process.stdout.close)
        wait_until(running.stats, "the session")
        time.sleep(2)  # until the pipe and every ring are full
        running.process.send_signal(signal.SIGINT)
        time.sleep(4)
        lines = running.process.stdout.read().count(b"\n")
        status, errors, _ = running.end()
        self.assertEqual(status, 0, errors)
        summary = running.summary()
        self.assertEqual((summary["end"], summary["dropped"], summary["flows"]), ("interrupted", 0, lines))
        self.assert_balanced(summary)

    def test_a_capture_that_somebody_else_ends_is_named(self):
        running = Running(self, "--output", self.path("flows"), "basic")
        running.wait_for_flows()
        os.kill(running.pid_of("capture"), signal.SIGTERM)
        status, errors, _ = running.end()
        self.assertEqual(status, 0, errors)
        self.assertRegex(errors, r"orbweaver-capture \(process \d+\) was told to end by somebody else")
        self.assertEqual(running.summary()["end"], "interrupted")

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
