# SPDX-License-Identifier: GPL-3.0-or-later
"""The cages of every stage, looked at from outside while a session runs, and tried from within: each forbidden call ends the
stage, named, and the rest of the session in order.
"""

import json
import os
import pwd
import signal
import subprocess
import tempfile
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


has_lists = unittest.skipIf(support.is_instrumented(), "a sanitizer makes calls and opens files of its own: such builds have "
                            "neither the lists nor Landlock")


class Caged(support.TestCase):
    def use_folder_of_all(self):
        """A folder that any user can reach, and write: TMPDIR may be in one of our own."""
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="orbweaver-e2e-", dir="/tmp"))
        os.chmod(self.folder, 0o777)

    def assert_caged(self, stage, pid, user=None, kept=0):
        name, shut = ("CapEff", f"{kept:016x}") if support.is_instrumented() else ("Seccomp", "2")  # what comes last
        cage, _ = wait_until(lambda: (c := cage_of(pid))[name] == shut and c, f"the cage of {stage}")
        print(f"{stage}: {cage}", flush=True)
        self.assertEqual((cage["NoNewPrivs"], int(cage["CapEff"], 16), int(cage["CapPrm"], 16), int(cage["CapAmb"], 16)),
                         ("1", kept, kept, 0))
        if os.geteuid() == 0:
            self.assertEqual(int(cage["CapBnd"], 16), 0)
        if user is not None:
            self.assertEqual(set(cage["Uid"].split()), {str(user)})


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

    @has_lists
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

    @has_lists
    def test_the_merger_makes_files_only_in_its_folder(self):
        errors = run(ORBWEAVER, "observe", "-i", TROUBLES, "-o", self.path("flows"), "--try-in-cage", "merger:create",
                     "basic", check=1).stderr
        self.assertIn("tried create: refused with an error", errors)

    @has_lists
    def test_nothing_elsewhere_is_listed_or_read(self):
        for stage in ("capture", "observer", "merger"):
            for tried in ("list", "read"):
                errors = run(ORBWEAVER, "observe", "-i", TROUBLES, "--try-in-cage", f"{stage}:{tried}", "basic", check=1).stderr
                self.assertIn(f"tried {tried}: refused with an error: Permission denied", errors)

    @has_lists
    def test_a_forbidden_call_is_counted_by_name(self):
        summary = self.path("summary")
        run(ORBWEAVER, "observe", "-i", TROUBLES, "--summary", summary, "--try-in-cage", "observer:exec", "basic", check=1)
        with open(summary) as file:
            stages = {stage["stage"]: stage for stage in json.load(file)["stages"]}
        self.assertEqual(stages["observer"]["state"], "failed")
        self.assertEqual([(said["level"], said["text"], said["count"]) for said in stages["observer"]["messages"]],
                         [("error", "refused call execve", 1)])

    def test_no_sandbox_says_so(self):
        for tried in ("capture:open", "observer:socket", "merger:exec"):
            errors = run(ORBWEAVER, "observe", "-i", TROUBLES, "--no-sandbox", "--try-in-cage", tried, "basic", check=0).stderr
            self.assertIn("--no-sandbox: NO CAGES", errors)
        self.assertIn("--no-sandbox", run(ORBWEAVER, "observe", "-i", TROUBLES, "--no-sandbox", "--user", "nobody", "basic",
                                          check=2).stderr)

    @unittest.skipIf(os.geteuid() != 0, "only root may become another user")
    def test_what_the_user_may_not_write_is_told_at_the_start(self):
        self.use_folder_of_all()
        os.chmod(self.folder, 0o755)
        errors = run(ORBWEAVER, "observe", "-i", TROUBLES, "--user", "nobody", "-o", self.path("flows"), "basic", check=1).stderr
        self.assertIn(f"cannot write {self.path('flows')}: Permission denied", errors)
        self.assertEqual(os.listdir(self.folder), [])
        os.chmod(self.folder, 0o777)
        run(ORBWEAVER, "observe", "-i", TROUBLES, "--user", "nobody", "-o", self.path("flows"), "basic", check=0)
        self.assertEqual(os.stat(self.path("flows")).st_uid, NOBODY)

    @unittest.skipIf(os.geteuid() != 0, "only root may become another user")
    def test_stages_of_their_own_become_the_user_and_leave_nothing(self):
        self.use_folder_of_all()
        for name, arguments in (("capture", ("-i", TROUBLES, "--clock-tolerance", "0", "--out", "file:packets")),
                                ("observer", ("--in", "file:packets", "--out", "file:flows", "basic")),
                                ("merger", ("--flows", "file:flows", "-o", "flows.ndjson"))):
            with subprocess.Popen([support.program(f"orbweaver-{name}"), *arguments, "--user", "nobody"], cwd=self.folder,
                                  stderr=subprocess.PIPE, text=True) as process:
                errors = process.communicate(timeout=support.PATIENCE_S)[1]
            self.assertEqual((process.returncode, errors), (0, ""))
            self.assertEqual(segments(f"{name}-{process.pid}"), [])
        self.assertEqual({os.stat(self.path(name)).st_uid for name in ("packets", "flows", "flows.ndjson")}, {NOBODY})


class Measuring(bed_case.BedCase, Caged):
    def start(self, *general, plugin="ecn"):
        return bed_case.Measuring(self, plugin, "--connect", "tcp", jobs=beds.crowd(20_000),
                                  general=("--rate", "1000", "-w", "50", "--complete-timeout", "0", *general))

    def helper_of(self, measuring):
        return int(run("ps", "-o", "pid=", "--ppid", str(measuring.stages()["spider"])).stdout)

    def assert_stages_caged(self, user=None, *options):
        measuring = self.start(*options)
        measuring.wait_for_results(50)
        stages = measuring.stages()
        for stage in ("capture", "observer", "merger", "spider"):
            # A link that comes back has a new socket.
            self.assert_caged(stage, stages[stage], user, CAP_NET_RAW if stage == "capture" else 0)
        cage = cage_of(self.helper_of(measuring))
        print(f"helper: {cage}", flush=True)
        self.assertEqual((cage["NoNewPrivs"], int(cage["CapEff"], 16), int(cage["CapBnd"], 16)), ("1", CAP_NET_ADMIN, 0))
        measuring.process.terminate()
        status, errors, _ = measuring.end()
        self.assertEqual(status, 0, errors)
        self.assertNotIn("not allowed", errors)

    def test_every_stage_is_in_its_cage(self):
        before = self.system_state()
        self.assert_stages_caged()
        self.assertEqual(self.system_state(), before)

    def test_every_stage_becomes_the_user(self):
        self.use_folder_of_all()
        self.assert_stages_caged(NOBODY, "--user", "nobody")

    @has_lists
    def test_a_forbidden_call_ends_the_stage_by_name(self):
        before = self.system_state()
        for stage in ("capture", "spider"):
            for tried, call in CALLS.items():
                with self.subTest(stage=stage, tried=tried):
                    measuring = self.start("--try-in-cage", f"{stage}:{tried}")
                    status, errors, _ = measuring.end()
                    self.assertEqual(status, 1, errors)
                    self.assertIn(f"orbweaver-{stage}: error: the call {call} is not allowed in this stage's cage", errors)
                    self.assertEqual(segments(measuring.session), [])
                    self.assertEqual(self.system_state(), before)

    @has_lists
    def test_nothing_elsewhere_is_listed_or_read(self):
        for stage in ("capture", "spider"):
            for tried in ("list", "read"):
                with self.subTest(stage=stage, tried=tried):
                    status, errors, _ = self.start("--try-in-cage", f"{stage}:{tried}").end()
                    self.assertEqual(status, 1, errors)
                    self.assertIn(f"tried {tried}: refused with an error: Permission denied", errors)

    def test_a_helper_that_is_killed_ends_the_measurement_and_the_system_is_as_before(self):
        before = self.system_state()
        measuring = self.start("--restart", "never")
        measuring.wait_for_results(50)
        helper = self.helper_of(measuring)
        os.kill(helper, signal.SIGKILL)
        status, errors, _ = measuring.end()
        self.assertEqual(status, 1, errors)
        self.assertIn(f"what changes the system (process {helper}) has ended", errors)
        self.assertEqual(self.system_state(), before)

    def test_a_spider_that_is_killed_leaves_the_system_as_it_was(self):
        before = self.system_state()
        measuring = self.start("--restart", "never")
        measuring.wait_for_results(50)
        os.kill(measuring.stages()["spider"], signal.SIGKILL)
        status, errors, _ = measuring.end()
        self.assertEqual(status, 1, errors)
        self.assertEqual(self.system_state(), before)

    @has_lists
    def test_the_helper_changes_no_other_file(self):
        before = self.system_state()
        for tried in ("open", "create"):
            with self.subTest(tried=tried):
                measuring = self.start("--try-in-cage", f"helper:{tried}")
                status, errors, _ = measuring.end()
                self.assertEqual(status, 1, errors)
                self.assertIn(f"tried {tried}: refused with an error: Permission denied", errors)
                self.assertEqual(self.system_state(), before)

    def test_a_user_with_ambient_rights_measures_as_the_service_of_the_package_does(self):
        self.use_folder_of_all()
        runtime = self.path("runtime")
        os.mkdir(runtime, 0o700)
        os.chown(runtime, NOBODY, -1)
        rights = "-all,+net_raw,+net_admin,+sys_nice"
        before = self.system_state()
        jobs = list(beds.crowd(20))
        for plugin, arguments in (("ecn", ("--connect", "tcp")), ("dscp", ("--connect", "tcp")), ("evilbit", ())):
            with self.subTest(plugin=plugin):
                done = self.bed.run("setpriv", f"--reuid={NOBODY}", "--regid=65534", "--clear-groups", f"--inh-caps={rights}",
                                    f"--ambient-caps={rights}", f"--bounding-set={rights}", "--no-new-privs", "env",
                                    f"XDG_RUNTIME_DIR={runtime}", ORBWEAVER, "measure", "-i", beds.INTERFACE,
                                    "--complete-timeout", "0", plugin, *arguments, input=bed_case.ndjson(jobs),
                                    capture_output=True, text=True, timeout=support.PATIENCE_S)
                self.assertEqual(done.returncode, 0, done.stderr)
                results = [json.loads(line) for line in done.stdout.splitlines()]
                self.assertEqual(len(results), len(jobs), done.stderr)
                self.assertTrue(all(result["conditions"] for result in results))
                self.assertEqual(os.listdir(os.path.join(runtime, "orbweaver")) if plugin != "evilbit" else [], [])
                self.assertEqual(self.system_state(), before)


if __name__ == "__main__":
    support.main()
