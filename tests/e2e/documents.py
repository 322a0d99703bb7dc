# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference of all chains, docs/chains.md, says what the code says. `documents.py --write` writes it anew."""

import json
import os
import re
import subprocess
import sys

import support
from support import ORBWEAVER, SOURCE, run

CHAINS = os.path.join(SOURCE, "docs", "chains.md")
HEAD = """# The chains

What `orbweaver observe CHAIN...` can be asked for, and what each chain says of a flow. Written from what the programs say of
themselves (`tests/e2e/documents.py --write`), as `orbweaver observe --list-chains` is; a test compares the two.

A type ending in `_or_null` is null until something was seen. `forward` is the direction from who opened the flow. The mirror of
a field says the same of the other direction. An IPFIX element named for IPv4 stands for the IPv6 one too. Every flow also has
`pkt_first`, `pkt_last`, `flow_end_reason` (IPFIX 136) and `ring_drops`; every event has `event`, `time` and the addresses, ports and
protocol of its flow.
"""


def table(fields):
    lines = ["| field | type | unit | what it says | mirror | IPFIX |", "| --- | --- | --- | --- | --- | --- |"]
    for field in fields:
        says = field["help"]
        if names := [name for name in field.get("names", []) if name]:
            says += ": " + ", ".join(f"`{name}`" for name in names)
        cells = [f"`{field['name']}`", field["type"], field["unit"] or "", says,
                 f"`{field['mirror']}`" if field["mirror"] else "", field["ipfix"] or ""]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def document(chains):
    text = HEAD
    for chain in chains:
        text += f"\n## {chain['name']}\n\n{chain['summary'][0].upper()}{chain['summary'][1:]}."
        text += " May say that a flow is complete.\n" if chain["completes"] else "\n"
        if chain["fields"]:
            text += "\n" + table(chain["fields"])
        for event in chain["events"]:
            text += f"\nEvent `{event['name']}`: {event['help']}.\n\n{table(event['fields'])}"
        if chain["options"]:
            text += "\n| option | default | takes | what it does |\n| --- | --- | --- | --- |\n"
            for option in chain["options"]:
                text += f"| `{option['name']}` | {option['default']} | {option['values']} | {option['help']} |\n"
    return text


class Documents(support.TestCase):
    def test_the_reference_of_chains_says_what_the_code_says(self):
        chains = json.loads(run(ORBWEAVER, "observe", "--list-chains", "--json", check=0).stdout)
        with open(CHAINS) as file:
            self.assertEqual(file.read(), document(chains), "docs/chains.md: write it with tests/e2e/documents.py --write")

    def test_files_that_sources_and_documents_name_exist(self):
        named = re.compile(r"(?<![\w/.<-])((?:common|capture|observer|spider|merger|tools|tests|docs)/[\w/.-]+\.(?:hpp|cpp|md|py|sh))")
        files = subprocess.run(["git", "ls-files"], cwd=SOURCE, capture_output=True, text=True)
        if files.returncode != 0:
            self.skipTest("not a checkout: which files are the project's own is not known")
        bare = re.compile(r"(?<![\w/.`\[(-])([A-Z]{4,}\.md)\b")
        missing = set()
        for path in files.stdout.split("\n"):
            if not re.search(r"\.(hpp|cpp|md|py|build)$", path):
                continue
            with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
                text = file.read()
                missing.update(f"{path} names {name}" for name in bare.findall(text)
                               if not os.path.exists(os.path.join(SOURCE, name)))
                for name in named.findall(text):
                    if not os.path.exists(os.path.join(SOURCE, name)) and "ttl" not in name and "NAME" not in name:
                        missing.add(f"{path} names {name}")
        self.assertEqual(missing, set())


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        with open(CHAINS, "w") as file:
            file.write(document(json.loads(run(ORBWEAVER, "observe", "--list-chains", "--json", check=0).stdout)))
        sys.exit(0)
    support.main()
