# SPDX-License-Identifier: GPL-3.0-or-later
"""What another user puts where the programs look: journals, rings, control segments and plugins. Root's programs believe,
load, wait for and remove none of it. All in namespaces of its own, with a /dev/shm and a /run of its own."""

import contextlib
import glob
import os
import shutil
import socket
import stat
import struct
import subprocess
import sys
import time

import support
from support import ORBWEAVER, program, run

NOBODY = 65534
SHM = "/dev/shm/"
STATE = "/run/orbweaver"  # root's folder of journals
ECN = "/proc/sys/net/ipv4/tcp_ecn"
HOSTNAME = "/proc/sys/kernel/hostname"
SO_NETNS_COOKIE = 71
ABSENT, ATTACHED = 0, 1  # the state of a ring's end
MARKER_OBJECT = """
#include <cstdio>
namespace { [[maybe_unused]] std::FILE* const loaded = std::fopen("%s", "w"); }
"""


def as_nobody(work):
    """Runs that in a process of another user, which ends with it."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            work()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise AssertionError("the other user could not plant it")


def write(path, content, mode=0o600):
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)


def read(path):
    with open(path) as file:
        return file.read().strip()


def plant(path, content, mode=0o600):
    as_nobody(lambda: write(path, content, mode))


def journal(session):
    return f"{STATE}/{session}.state"


def own_journal(*lines):
    """A journal of this network namespace, as text."""
    inode = os.stat("/proc/self/ns/net").st_ino
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        cookie = struct.unpack("Q", any_socket.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8))[0]
    return "".join(line + "\n" for line in (f"namespace {inode} {cookie}", *lines)).encode()


@contextlib.contextmanager
def process_of_nobody():
    """The id of a process of another user that lives meanwhile."""
    sleeper = subprocess.Popen(["sleep", "1000"], user=NOBODY, group=NOBODY, extra_groups=[])
    try:
        yield sleeper.pid
    finally:
        sleeper.kill()
        sleeper.wait()


class Planted(support.TestCase):
    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o755)
        for left in glob.glob(SHM + "*") + glob.glob("/run/*"):
            shutil.rmtree(left) if os.path.isdir(left) and not os.path.islink(left) else os.remove(left)
        os.mkdir(STATE, 0o700)
        self.jobs = self.path("jobs")
        write(self.jobs, b"")

    def start(self, check=0):
        """A measurement without jobs, which first puts back what killed sessions left; what it says on stderr."""
        return run(ORBWEAVER, "measure", "-i", "lo", "--input", self.jobs, "--output", self.path("results"), "ecn", check=check).stderr

    def state(self):
        return read(ECN), read(HOSTNAME)

    def other_ecn(self):
        return "0" if read(ECN) != "0" else "1"

    def lines(self):
        return own_journal("sysctl kernel.hostname planted", f"sysctl net.ipv4.tcp_ecn {self.other_ecn()}")

    def test_where_anybody_may_put_files_no_journal_is_looked_for(self):
        before = self.state()
        for who in (plant, write):
            who(f"{SHM}orbweaver.planted.state", self.lines())
            said = self.start()
            self.assertEqual(self.state(), before)
            self.assertNotIn("put back", said)
            self.assertNotIn("planted", said)
            with contextlib.suppress(FileNotFoundError):
                os.remove(f"{SHM}orbweaver.planted.state")

    def test_another_user_cannot_put_a_journal_where_one_is_looked_for(self):
        with self.assertRaisesRegex(AssertionError, "could not plant"):
            plant(journal("planted"), self.lines())
        os.rmdir(STATE)
        self.start()
        self.assertEqual(stat.S_IMODE(os.stat(STATE).st_mode), 0o700)

    def test_a_folder_of_journals_that_is_not_ours_alone_is_named_and_not_used(self):
        before = self.state()
        os.mkdir("/run/elsewhere", 0o700)

        def put(make, sentence):
            shutil.rmtree(STATE) if os.path.isdir(STATE) and not os.path.islink(STATE) else os.remove(STATE)
            make()
            write(journal("planted"), self.lines())
            said = self.start(check=1)
            self.assertEqual(self.state(), before)
            self.assertIn(f"nothing is put back: {STATE} {sentence}", said)
            self.assertEqual(read(journal("planted")), self.lines().decode().strip())

        def made(mode, owner=0):
            os.mkdir(STATE)
            os.chmod(STATE, mode)
            os.chown(STATE, owner, owner)

        put(lambda: made(0o755), "has mode 0755")
        put(lambda: made(0o777), "has mode 0777")
        put(lambda: made(0o700, NOBODY), f"belongs to user {NOBODY} (mode 0700)")
        put(lambda: os.symlink("/run/elsewhere", STATE), "is a symbolic link")

    def test_a_journal_of_another_user_changes_nothing_and_is_named(self):
        before = self.state()
        for mode in (0o600, 0o644, 0o666):
            write(journal("planted"), self.lines(), mode)
            os.chown(journal("planted"), NOBODY, NOBODY)
            said = self.start()
            self.assertEqual(self.state(), before)
            self.assertRegex(said, rf"nothing is put back: {journal('planted')} belongs to user {NOBODY} \(mode 0{mode:o}\)")
            self.assertTrue(os.path.exists(journal("planted")))
            os.remove(journal("planted"))

    def test_a_journal_of_ones_own_that_others_may_write_changes_nothing(self):
        before = self.state()
        for mode in (0o620, 0o602, 0o666):
            write(journal("open"), own_journal(f"sysctl net.ipv4.tcp_ecn {self.other_ecn()}"), mode)
            self.assertIn(f"has mode 0{mode:o}", self.start())
            self.assertEqual(self.state(), before)

    def test_a_journal_of_ones_own_puts_back_what_plugins_change_and_nothing_else(self):
        before, other = self.state(), self.other_ecn()
        write(journal("own"), own_journal("sysctl kernel.hostname planted", f"sysctl net.ipv4.tcp_ecn {other}"))
        try:
            said = self.start()
            self.assertIn(f"set net.ipv4.tcp_ecn back to {other}", said)
            self.assertIn("what no session writes there: 'sysctl kernel.hostname planted'", said)
            self.assertEqual(self.state(), (other, *before[1:]))
            self.assertFalse(os.path.exists(journal("own")))
        finally:
            write_sysctl(before[0])

    def test_a_file_name_is_no_line_of_a_message(self):
        before = self.state()
        names = [f"x{i}\nplanted{i}\ny" for i in range(3)] + ["", "a;b", "a b", "a" * 49]
        for name in names:
            write(journal(name), self.lines())
        said = self.start()
        self.assertEqual(self.state(), before)
        self.assertEqual(said.count("has no session's name (and 6 more)"), 1, said)
        self.assertEqual(said.count("nothing is put back"), 1, said)

    def test_what_is_no_file_is_not_waited_for(self):
        started = time.monotonic()
        self.start()
        usual_s = time.monotonic() - started
        plans = {"fifo": lambda path: os.mkfifo(path, 0o600), "folder": lambda path: os.mkdir(path, 0o700),
                 "link": lambda path: os.symlink("/proc/kmsg", path)}
        for name, make in plans.items():
            make(journal(name))
        for who in (as_nobody, lambda work: work()):
            for part in ("state", "control", "flows.0"):
                for name, make in plans.items():
                    who(lambda path=f"{SHM}orbweaver.{name}.{part}", make=make: make(path))
            planted = sorted(os.listdir(SHM))
            started = time.monotonic()
            said = self.start()
            self.assertLess(time.monotonic() - started, 2 + 2 * usual_s)
            self.assertIn("(and 2 more)", said)
            self.assertEqual(sorted(os.listdir(SHM)), planted)
            for name in planted:
                os.rmdir(SHM + name) if stat.S_ISDIR(os.lstat(SHM + name).st_mode) else os.remove(SHM + name)

    def ring(self, name, producer, creator_pid):
        """The octets of a ring of this build whose creator lives, and whose producer is in that state."""
        pcap = support.write_pcap(self.path("x.pcap"), support.packets(100))
        capture = subprocess.Popen([program("orbweaver-capture"), "-i", pcap, "--out", f"ring:{name}"])
        path = f"{SHM}orbweaver.{name}"
        try:
            support.wait_until(lambda: os.path.exists(path) and self.has_producer(path), "the ring")
        finally:
            capture.kill()
            capture.wait()
        with open(path, "rb") as file:
            octets = bytearray(file.read())
        os.remove(path)
        struct.pack_into("=QiI", octets, 32, 0, creator_pid, 0)  # as it marks itself: start, id, namespace; 0: not known
        struct.pack_into("=IQiI", octets, 132, producer, 0, creator_pid if producer == ATTACHED else 0, 0)
        return bytes(octets)

    @staticmethod
    def has_producer(path):
        with open(path, "rb") as file:
            file.seek(132)
            return file.read(4) not in (b"", struct.pack("I", ABSENT))

    def test_a_ring_of_another_user_is_not_written_to(self):
        pcap = support.write_pcap(self.path("y.pcap"), support.packets(100))
        with process_of_nobody() as pid:
            for mode in (0o600, 0o666):
                octets = self.ring("theirs", ABSENT, pid)
                plant(SHM + "orbweaver.theirs", octets, mode)
                capture = run(program("orbweaver-capture"), "-i", pcap, "--out", "ring:theirs", check=1)
                self.assertRegex(capture.stderr, rf"orbweaver\.theirs belongs to user {NOBODY} \(mode 0{mode:o}\)")
                with open(SHM + "orbweaver.theirs", "rb") as file:
                    self.assertEqual(file.read(), octets)
                os.remove(SHM + "orbweaver.theirs")

    def test_a_ring_of_another_user_is_not_read_nor_waited_for_nor_removed(self):
        with process_of_nobody() as pid:
            octets = self.ring("theirs", ATTACHED, pid)
            plant(SHM + "orbweaver.theirs", octets)
            started = time.monotonic()
            observer = run(program("orbweaver-observer"), "--attach-timeout", "50", "--in", "ring:theirs", "--out",
                           f"file:{self.path('flows')}", "basic", check=1)
            self.assertLess(time.monotonic() - started, 25)
            self.assertRegex(observer.stderr, rf"orbweaver\.theirs belongs to user {NOBODY} \(mode 0600\)")
        support.observe(support.write_pcap(self.path("z.pcap"), support.packets(10)), "basic")  # clears what dead ones left
        with open(SHM + "orbweaver.theirs", "rb") as file:
            self.assertEqual(file.read(), octets)

    def test_a_ring_of_ones_own_is_written_and_read(self):
        pcap = support.write_pcap(self.path("w.pcap"), support.packets(100))
        capture = subprocess.Popen([program("orbweaver-capture"), "-i", pcap, "--out", "ring:own"])
        try:
            run(program("orbweaver-observer"), "--in", "ring:own", "--out", f"file:{self.path('flows')}", "basic", check=0)
            self.assertEqual(capture.wait(support.PATIENCE_S), 0)
        finally:
            capture.kill()
            capture.wait()
        self.assertEqual(os.listdir(SHM), [])

    def test_a_session_of_another_user_is_no_session(self):
        for octets in (0, 8, 1 << 20):
            plant(f"{SHM}orbweaver.theirs{octets}.control", bytes(octets), 0o666)
        self.assertIn("no session is running", run(ORBWEAVER, "stats", check=1).stderr)
        self.assertIn(f"belongs to user {NOBODY}", run(ORBWEAVER, "stats", "theirs8", check=1).stderr)
        pcap = support.write_pcap(self.path("v.pcap"), support.packets(10))
        taken = support.observe(pcap, "--session", "theirs8", "basic", check=1)
        self.assertIn(f"belongs to user {NOBODY}", taken.stderr)
        support.observe(pcap, "--session", "ours", "basic")
        self.assertEqual(len(os.listdir(SHM)), 3)

    def object(self, folder, name="x.so"):
        """An object that leaves a file where it is loaded; where that file is."""
        marker = self.path("loaded")
        source = self.path("x.cpp")
        write(source, (MARKER_OBJECT % marker).encode())
        run("c++", "-shared", "-fPIC", "-o", os.path.join(folder, name), source, check=0)
        os.chmod(os.path.join(folder, name), 0o755)
        return marker

    def loads(self, folder, *command, marker, **options):
        """Whether the object was loaded by a program that looks for chains, and what that said."""
        with contextlib.suppress(FileNotFoundError):
            os.remove(marker)
        said = run(*(command or (program("orbweaver-observer"), "--describe-chains")), check=0,
                   env=dict(os.environ, ORBWEAVER_PLUGIN_PATH=folder), **options).stderr
        return os.path.exists(marker), said

    def test_a_plugin_is_loaded_from_where_nobody_else_may_write_only(self):
        if not shutil.which("c++"):
            self.skipTest("c++ is not in the path")
        folder = self.path("plugins")
        os.mkdir(folder, 0o755)
        marker = self.object(folder)
        path = os.path.join(folder, "x.so")
        loaded, said = self.loads(folder, marker=marker)
        self.assertTrue(loaded)
        self.assertIn(f"{path} exports neither chains", said)
        for what, owner, mode, sentence in (
                (folder, 0, 0o777, f"no plugins are loaded from {folder}: it has mode 0777"),
                (folder, 0, 0o775, f"no plugins are loaded from {folder}: it has mode 0775"),
                (folder, NOBODY, 0o755, f"no plugins are loaded from {folder}: it belongs to user {NOBODY} (mode 0755)"),
                (path, 0, 0o666, f"left out: {path} has mode 0666"),
                (path, NOBODY, 0o755, f"left out: {path} belongs to user {NOBODY} (mode 0755)")):
            with self.subTest(sentence):
                os.chown(what, owner, owner)
                os.chmod(what, mode)
                loaded, said = self.loads(folder, marker=marker)
                self.assertFalse(loaded)
                self.assertIn(sentence, said)
                os.chown(what, 0, 0)
                os.chmod(what, 0o755)
        self.assertTrue(self.loads(folder, marker=marker)[0])

    def test_a_program_with_more_rights_than_its_caller_does_not_look_at_the_callers_path(self):
        if not shutil.which("c++"):
            self.skipTest("c++ is not in the path")
        if os.statvfs(self.folder).f_flag & os.ST_NOSUID:
            self.skipTest(f"no set-user-ID programs in {self.folder}")
        folder = self.path("plugins")
        os.mkdir(folder, 0o755)
        marker = self.object(folder)
        observer = shutil.copy(program("orbweaver-observer"), self.path("observer"))
        nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        os.chmod(observer, 0o4755)
        self.assertFalse(self.loads(folder, observer, "--describe-chains", marker=marker, **nobody)[0])
        self.assertTrue(self.loads(folder, observer, "--describe-chains", marker=marker)[0])


def write_sysctl(value):
    with open(ECN, "w") as file:
        file.write(value)


def inside():
    """In the namespaces: a /dev/shm where all may make files, a /run, and a loopback interface."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/dev/shm"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    support.main()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        del sys.argv[1]
        inside()
    unshare = ["unshare", "--mount", "--net", "--uts"]
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "mount", "ip"))) or subprocess.call([*unshare, "true"]) != 0:
        print("skipped: it takes root, and namespaces of its own (unshare, mount, ip)")
        sys.exit(77)
    os.execvp("unshare", [*unshare, sys.executable, __file__, "--inside", *sys.argv[1:]])
