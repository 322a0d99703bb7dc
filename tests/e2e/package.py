# SPDX-License-Identifier: GPL-3.0-or-later
"""The Debian packages in a clean root: an overlay of this machine's, whose changes are in a place of their own. They install,
run, and go without leaving anything. `package.py FOLDER`: where tools/package put them; not one of Meson's tests, since
building them takes a minute or two (tools/check --full).
"""

import glob
import os
import shutil
import subprocess
import sys

import support

PACKAGES = None  # the folder

# What a package manager leaves of any package.
BOOKKEEPING = ("var/lib/dpkg", "var/log", "var/cache", "var/lib/systemd/deb-systemd-helper-enabled", "var/lib/man-db",
               "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/.pwd.lock", "tmp", "packages", "run")

INSIDE = r"""
set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay none -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc none "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mount -t tmpfs none "$1/root/run"
mkdir "$1/root/packages"
cp "$2"/*.deb "$3" "$1/root/packages"
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
in_root() { chroot "$1" sh -ec "$2"; }
in_root "$1/root" '
  ! command -v orbweaver
  dpkg -i /packages/*.deb >/packages/log 2>&1 || { cat /packages/log; exit 1; }
  orbweaver --version
  orbweaver observe -i /packages/troubles.pcap --output /packages/flows.ndjson basic tcp
  wc -l </packages/flows.ndjson
  install -d -o orbweaver /var/lib/orbweaver
  orbweaver observe -i /packages/troubles.pcap --user orbweaver --output /var/lib/orbweaver/flows.ndjson basic tcp
  cmp /packages/flows.ndjson /var/lib/orbweaver/flows.ndjson
  stat --format "written by %U" /var/lib/orbweaver/flows.ndjson
  for stage in capture observer spider merger; do orbweaver-$stage --version; done
  id -u orbweaver >/dev/null
  ls /lib/systemd/system/orbweaver-observe@.service /lib/systemd/system/orbweaver-measure@.service
  ls /usr/share/bash-completion/completions/orbweaver /usr/share/zsh/vendor-completions/_orbweaver
  ls /usr/share/man/man1/orbweaver.1.gz /usr/include/orbweaver/chain.hpp /usr/share/doc/orbweaver/changes.md*
  ! command -v systemd-analyze >/dev/null || systemd-analyze verify /lib/systemd/system/orbweaver-*.service
  pkg-config --cflags orbweaver
  mkdir -p /var/lib/orbweaver && touch /var/lib/orbweaver/results
  dpkg --purge orbweaver-dev orbweaver >>/packages/log 2>&1 || { cat /packages/log; exit 1; }
  ! command -v orbweaver
  ! id -u orbweaver 2>/dev/null
'
cd "$1/upper"
find . -mindepth 1 ! -type d -printf '%P\n' | while read -r file; do cmp -s "$file" "/$file" || echo "left: $file"; done
find . -mindepth 1 -type d -name '*orbweaver*' -printf 'left: %P\n'
"""


class Package(support.TestCase):
    def test_the_package_installs_runs_and_leaves_nothing_behind(self):
        packages = glob.glob(os.path.join(PACKAGES, "*.deb"))
        self.assertEqual(len(packages), 2, packages)
        if os.geteuid() != 0 or not shutil.which("unshare"):
            self.skipTest("a clean root takes root")
        result = subprocess.run(["unshare", "--mount", "--pid", "--fork", "sh", "-c", INSIDE, "sh", self.folder, PACKAGES,
                                 support.TROUBLES], capture_output=True, text=True, timeout=120)
        if "unshare failed" in result.stderr or "unknown filesystem type 'overlay'" in result.stderr:
            self.skipTest(f"no right to make a root of its own: {result.stderr}")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("orbweaver 0.2", result.stdout)
        self.assertIn("written by orbweaver", result.stdout)
        left = [line.removeprefix("left: ") for line in result.stdout.splitlines() if line.startswith("left: ")]
        left = [path for path in left if not path.startswith(BOOKKEEPING)]
        self.assertEqual(left, [], result.stdout)


if __name__ == "__main__":
    PACKAGES = os.path.abspath(sys.argv.pop(1))
    support.main()
