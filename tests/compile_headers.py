#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiles each header of the tree alone, with the warnings and definitions of a build: a header includes what it uses.

usage: compile_headers.py SOURCE-ROOT BUILD-ROOT
Prints what does not compile; exit status 1 where there was any.
"""

import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys

FOLDERS = ["common", "capture", "observer", "spider", "merger", "tools", "tests"]
KEPT = ("-I", "-D", "-isystem", "-std=", "-W", "-pthread")


def compiler_and_flags(build):
    """The compiler, and every flag that says what headers mean, of any file of the build."""
    commands = [shlex.split(entry["command"]) for entry in json.loads((build / "compile_commands.json").read_text())]
    words = commands[0]
    compiler = words[: next(i for i, word in enumerate(words) if word.startswith("-"))]
    flags = dict.fromkeys(word for words in commands for word in words if word.startswith(KEPT))
    return compiler, list(flags)


def compile_alone(header, command, build):
    text = f'#include "{header}"\n'
    return subprocess.run(command, input=text, cwd=build, capture_output=True, text=True, check=False)


def main():
    source, build = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
    compiler, flags = compiler_and_flags(build)
    command = [*compiler, *flags, f"-I{source}", "-fsyntax-only", "-x", "c++", "-"]
    headers = sorted(path.relative_to(source) for folder in FOLDERS for path in (source / folder).rglob("*.hpp"))
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = pool.map(lambda header: compile_alone(header, command, build), headers)
        for number, (header, run) in enumerate(zip(headers, runs), 1):
            if run.returncode != 0:
                failed += 1
                print(f"{header} does not compile alone:\n{run.stderr}")
            print(f"[{number}/{len(headers)}] {header}", flush=True)
    print(f"{len(headers) - failed} headers compile alone, {failed} do not")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
