# SPDX-License-Identifier: GPL-3.0-or-later
"""The cages of every stage, looked at from outside while a session runs, and tried from within: each forbidden call ends the
stage, named, and the rest of the session in order.
"""

import os
import pwd
import unittest

import bed as beds
import bed_case
import support
from support import ORBWEAVER, TROUBLES, Running, run, segments, wait_until

CALLS = {"open": "openat", "exec": "execve", "ptrace": "ptrace", "socket": "socket"}
CAP_NET_ADMIN, CAP_NET_RAW = 1 << 12, 1 << 13
NOBODY = pwd.getpwnam("nobody").pw_uid


def cage_of(pid):
    with open(f"/proc/{pid}/status") as status:
        lines = dict(line.rstrip("\n").split(":\t", 1) for line in status)
    return {name: lines[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Uid", "Groups")}


class Caged(support.TestCase):
    def assert_caged(self, stage, pid, user=None, kept=0):
        cage, _ = wait_until(lambda: (c := cage_of(pid))["Seccomp"] == "2" and c, f"the cage of {stage}")
        print(f"{stage}: {cage}", flush=True)
        self.assertEqual((cage["NoNewPrivs"], int(cage["CapEff"], 16), int(cage["CapPrm"], 16), int(cage["CapAmb"], 16)),
                         ("1", kept, kept, 0))
        if os.geteuid() == 0:
            self.assertEqual(int(cage["CapBnd"], 16), 0)
        if user is not None:
            self.assertEqual(set(cage["Uid"].split()), {str(user)})


@unittest.skipIf(support.is_instrumented(), "a sanitizer makes calls of its own: such builds have no list of calls")
class Observing(Caged):
    def assert_stages_caged(self, user=None, *options):
        running = Running(self, "--observers", "2", *options, "basic", "tcp")
        running.wait_for_flows()
        for stage, index in (("capture", 0), ("observer", 0), ("observer", 1), ("merger", 0)):
            self.assert_caged(stage, running.pid_of(stage, index), user)
        running.process.terminate()
        status, errors, _ = running.end()
        self.assertEqual(status, 0, errors)
        self.assertNotIn("not allowed", errors)
        self.assertEqual(segments(running.session), [])

    def test_every_stage_is_in_its_cage(self):
        self.assert_stages_caged()

    @unittest.skipIf(os.geteuid() != 0, "only root may become another user")
    def test_every_stage_becomes_the_user(self):
        self.assert_stages_caged(NOBODY, "--user", "nobody")

    def test_a_user_that_is_not_there_is_bad_usage(self):
        errors = run(ORBWEAVER, "observe", "-i", TROUBLES, "--user", "no-such-user", "basic", check=2).stderr
        self.assertIn("there is no user 'no-such-user'", errors)

    def test_a_forbidden_call_ends_the_stage_by_name(self):
        for stage in ("capture", "observer", "merger"):
            for tried, call in CALLS.items():
                with self.subTest(stage=stage, tried=tried):
                    session = f"e2e-{os.getpid()}-{stage}-{tried}"
                    errors = run(ORBWEAVER, "observe", "-i", TROUBLES, "--session", session, "--try-in-cage",
                                 f"{stage}:{tried}", "basic", check=1).stderr
                    self.assertIn(f"orbweaver-{stage}: error: the call {call} is not allowed in this stage's cage", errors)
                    self.assertNotIn("killed", errors)
                    self.assertEqual(segments(session), [])

    def test_the_merger_makes_files_only_in_its_folder(self):
        errors = run(ORBWEAVER, "observe", "-i", TROUBLES, "-o", self.path("flows"), "--try-in-cage", "merger:create",
                     "basic", check=1).stderr
        self.assertIn("tried create: refused with an error", errors)

    def test_a_folder_elsewhere_is_not_listed(self):
        for stage in ("capture", "observer", "merger"):
            errors = run(ORBWEAVER, "observe", "-i", TROUBLES, "--try-in-cage", f"{stage}:list", "basic", check=1).stderr
            self.assertIn("tried list: refused with an error", errors)

    def test_no_sandbox_says_so(self):
        errors = run(ORBWEAVER, "observe", "-i", TROUBLES, "--no-sandbox", "basic", check=0).stderr
        self.assertIn("--no-sandbox: NO CAGES", errors)


@unittest.skipIf(support.is_instrumented(), "a sanitizer makes calls of its own: such builds have no list of calls")
class Measuring(bed_case.BedCase, Caged):
    def start(self, *general, plugin="ecn"):
        return bed_case.Measuring(self, plugin, "--connect", "tcp", jobs=beds.crowd(20_000),
                                  general=("--rate", "1000", "-w", "50", "--complete-timeout", "0", *general))

    def assert_stages_caged(self, user=None, *options):
        measuring = self.start(*options)
        measuring.wait_for_results(50)
        stages = measuring.stages()
        for stage in ("capture", "observer", "merger", "spider"):
            # A link that comes back has a new socket.
            self.assert_caged(stage, stages[stage], user, CAP_NET_RAW if stage == "capture" else 0)
        helper = int(run("ps", "-o", "pid=", "--ppid", str(stages["spider"])).stdout)
        cage = cage_of(helper)
        print(f"helper: {cage}", flush=True)
        self.assertEqual((cage["NoNewPrivs"], int(cage["CapEff"], 16), int(cage["CapBnd"], 16)), ("1", CAP_NET_ADMIN, CAP_NET_ADMIN))
        measuring.process.terminate()
        status, errors, _ = measuring.end()
        self.assertEqual(status, 0, errors)
        self.assertNotIn("not allowed", errors)

    def test_every_stage_is_in_its_cage(self):
        before = self.system_state()
        self.assert_stages_caged()
        self.assertEqual(self.system_state(), before)

    def test_every_stage_becomes_the_user(self):
        os.chmod(self.folder, 0o777)
        self.assert_stages_caged(NOBODY, "--user", "nobody")

    def test_a_forbidden_call_ends_the_spider_by_name(self):
        before = self.system_state()
        for tried, call in CALLS.items():
            with self.subTest(tried=tried):
                measuring = self.start("--try-in-cage", f"spider:{tried}")
                status, errors, _ = measuring.end()
                self.assertEqual(status, 1, errors)
                self.assertIn(f"orbweaver-spider: error: the call {call} is not allowed in this stage's cage", errors)
                self.assertEqual(segments(measuring.session), [])
                self.assertEqual(self.system_state(), before)


if __name__ == "__main__":
    support.main()
