# SPDX-License-Identifier: GPL-3.0-or-later
"""`orbweaver` as a service: what it tells a service manager (a socket of the test's own), and options from a file."""

import json
import os
import signal
import socket
import threading
import time

import support
from support import ORBWEAVER, TROUBLES, Running, flow_lines, observe, run, wait_until

WATCHDOG_S = 2


class Manager(threading.Thread):
    """Takes what is sent to NOTIFY_SOCKET."""

    def __init__(self, test):
        super().__init__(daemon=True)
        self.said = []  # (time, line)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = test.path(f"notify-{id(self)}")
        self._socket.bind(path)
        self._socket.settimeout(0.1)
        self._ended = False
        test.addCleanup(self.end)
        self.environment = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": str(WATCHDOG_S * 1_000_000)}
        self.start()

    def run(self):
        while not self._ended:
            try:
                text = self._socket.recv(65536).decode()
            except TimeoutError:
                continue
            self.said += [(time.monotonic(), line) for line in text.splitlines()]

    def end(self):
        self._ended = True
        self.join()
        self._socket.close()

    def heard(self, beginning, since=0.0):
        return [line for when, line in self.said if line.startswith(beginning) and when >= since]


class Service(support.TestCase):
    def start(self):
        manager = Manager(self)
        os.environ.update(manager.environment)
        try:
            running = Running(self, "--observers", "2", "basic")
        finally:
            for name in manager.environment:
                del os.environ[name]
        return manager, running

    def test_a_run_says_that_it_is_ready_how_it_goes_that_it_lives_and_that_it_ends(self):
        manager, running = self.start()
        running.wait_for_flows()
        wait_until(lambda: manager.heard("STATUS="), "a status", 10)
        self.assertEqual(len(manager.heard("READY=1")), 1)
        self.assertRegex(manager.heard("STATUS=")[0], r"^STATUS=[0-9,]+ packets, .*flows, 0 dropped")
        wait_until(lambda: len(manager.heard("WATCHDOG=1")) > 3, "signs of life", 10)
        self.assertEqual(manager.heard("STOPPING=1"), [])
        running.process.send_signal(signal.SIGTERM)
        status, errors, _ = running.end()
        self.assertEqual(status, 0, errors)
        time.sleep(0.2)
        self.assertEqual(len(manager.heard("STOPPING=1")), 1)

    def test_a_stage_that_hangs_is_no_sign_of_life(self):
        for stage, index in (("observer", 1), ("capture", 0), ("merger", 0)):
            with self.subTest(stage):
                manager, running = self.start()
                running.wait_for_flows()
                wait_until(lambda: manager.heard("WATCHDOG=1"), "a sign of life", 10)
                pid = running.pid_of(stage, index)
                os.kill(pid, signal.SIGSTOP)
                time.sleep(WATCHDOG_S)
                stopped = time.monotonic()
                time.sleep(WATCHDOG_S)
                self.assertEqual(manager.heard("WATCHDOG=1", stopped), [])
                os.kill(pid, signal.SIGCONT)
                wait_until(lambda: manager.heard("WATCHDOG=1", stopped + WATCHDOG_S), "a sign of life again", 10)
                running.process.send_signal(signal.SIGTERM)
                self.assertEqual(running.end()[0], 0)

    def test_without_a_manager_nothing_is_sent(self):
        observe(TROUBLES, "basic", env={name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"})


class Config(support.TestCase):
    def file(self, text):
        path = self.path("probe.toml")
        with open(path, "w") as file:
            file.write(text)
        return path

    def test_a_file_has_what_the_command_line_has(self):
        output = self.path("flows")
        path = self.file(f'# of a probe\ninput = "{TROUBLES}"\noutput = "{output}"\nchain = ["basic", "tcp"]\ndigest = true\n'
                         'idle-timeout = 20\n')
        said = run(ORBWEAVER, "observe", "--config", path, check=0).stderr
        self.assertIn("digest: ", said)
        with open(output) as file:
            flows = flow_lines(file.read())
        self.assertEqual(flows, flow_lines(observe(TROUBLES, "--idle-timeout", "20", "basic", "tcp").stdout))

    def test_what_the_command_line_says_goes_before(self):
        path = self.file(f'input = "/nowhere"\nchain = ["basic", "tcp"]\ncount = 1\n')
        flows = observe(TROUBLES, f"--config={path}", "--count", "0", "basic").stdout
        self.assertEqual(flow_lines(flows), flow_lines(observe(TROUBLES, "basic").stdout))

    def test_mistakes_are_named_with_file_line_and_key(self):
        for text, said in (('input = "x"\nsnapplen = 3\n', "line 2: there is no option 'snapplen' of observe"),
                           ('input = "x"\n\nsnaplen = "many"\n', "line 3: --snaplen: 'many' is not a whole number"),
                           ('on-link-loss = "perhaps"\n', "line 1: --on-link-loss: perhaps not in {wait,stop}"),
                           ("[packets]\nsnaplen = 3\n", "line 1: there is no section 'packets'"),
                           ('config = "other"\n', "line 1: 'config' is for the command line only")):
            with self.subTest(text):
                path = self.file(text)
                self.assertIn(f"{path}, {said}", run(ORBWEAVER, "observe", "--config", path, "basic", check=2).stderr)
        self.assertIn("nowhere.toml: cannot be read: No such file",
                      run(ORBWEAVER, "observe", "--config", "nowhere.toml", "basic", check=2).stderr)

    def test_a_measurement_s_plugin_and_its_options_stand_in_the_file(self):
        self.assertIn("there is no plugin 'ecm'",
                      run(ORBWEAVER, "measure", "--config", self.file('plugin = "ecm"\n'), check=2).stderr)
        self.assertIn("line 2: there is no option 'conect' of ecn",
                      run(ORBWEAVER, "measure", "--config", self.file('[ecn]\nconect = "tcp"\n'), "ecn", check=2).stderr)
        with open(self.path("jobs"), "w") as jobs:
            jobs.write(json.dumps({"dip": "127.0.0.1", "dp": 9}) + "\n")
        path = self.file(f'interface = "lo"\ninput = "{jobs.name}"\nplugin = "mss"\ncomplete-timeout = 0\n[mss]\nconnect = "tcp"\n')
        result = run(ORBWEAVER, "measure", "--config", path)
        if "CAP_NET_RAW" in result.stderr:
            self.skipTest("no right to capture")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(json.loads(result.stdout)["conditions"][0], "mss.connectivity.offline")


if __name__ == "__main__":
    support.main()
