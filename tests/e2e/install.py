# SPDX-License-Identifier: GPL-3.0-or-later
"""What `meson install` puts where, and that the installed orbweaver runs from there."""

import glob
import os
import shutil
import subprocess

import support
from support import TROUBLES, flow_lines, observe, run


class Install(support.TestCase):
    def test_an_installed_orbweaver_finds_its_stages(self):
        meson = shutil.which("meson")
        if not meson:
            self.skipTest("meson is not in the path")
        root = self.path("root")
        run(meson, "install", "-C", support.BUILD, "--no-rebuild", "--destdir", root, "--quiet", check=0)
        installed = {os.path.relpath(os.path.join(folder, name), root): os.path.join(folder, name)
                     for folder, _, names in os.walk(root) for name in names}

        def find(ending):
            found = [path for name, path in installed.items() if name.endswith(ending)]
            self.assertEqual(len(found), 1, f"{ending}: {sorted(installed)}")
            return found[0]

        flows = run(find("bin/orbweaver"), "observe", "-i", TROUBLES, "basic", check=0).stdout
        self.assertEqual(flow_lines(flows), flow_lines(observe(TROUBLES, "basic").stdout))
        for stage in ("capture", "observer", "spider", "merger"):
            find(f"bin/orbweaver-{stage}")
            find(f"share/man/man1/orbweaver-{stage}.1")
        find("share/man/man1/orbweaver.1")
        find("share/man/man1/orbweaver-measure.1")
        find("share/bash-completion/completions/orbweaver")
        find("/_orbweaver")
        find("share/fish/vendor_completions.d/orbweaver.fish")
        for interface in ("chain", "plugin", "conditions"):
            find(f"include/orbweaver/{interface}.hpp")
        headers = [name.split("/include/")[1] for name in installed if "/include/" in name]
        self.assertEqual([name for name in headers if not name.startswith("orbweaver/")], [])
        for stays_inside in ("ring.hpp", "counters.hpp", "session.hpp", "flow_table.hpp", "chain_set.hpp", "engine.hpp", "command_line.hpp"):
            self.assertFalse([name for name in headers if name.endswith("/" + stays_inside)], stays_inside)

    def test_man_pages_name_every_option_and_have_no_mistakes(self):
        for page in glob.glob(os.path.join(support.SOURCE, "docs", "man", "*.1")):
            name = os.path.basename(page).removesuffix(".1")
            with open(page) as file:
                text = file.read().replace("\\-", "-")
            program, commands = {
                "orbweaver": (name, [[], ["observe"], ["stats"]]),
                "orbweaver-measure": ("orbweaver", [["measure"], ["filter"], ["metadata"], ["upload"]]),
            }.get(name, (name, [[]]))
            for command in commands:
                shown = run(support.program(program), *command, "--help", check=0).stdout
                for word in shown.split():
                    option = word.split(",")[-1].split("=")[0]
                    if word.startswith("-") and option.startswith("--") and option.strip("-").replace("-", "").isalpha():
                        self.assertIn(option, text, f"{name} {' '.join(command)}")
            if shutil.which("man"):
                result = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page],
                                        capture_output=True, text=True, env={**os.environ, "MANROFFSEQ": ""})
                self.assertEqual(result.stderr, "", page)


if __name__ == "__main__":
    support.main()
