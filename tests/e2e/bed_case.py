# SPDX-License-Identifier: GPL-3.0-or-later
"""A test case that has a bed of its own, for all tests of a class; skipped with the reason where there can be none."""

import bed as beds
import support


class BedCase(support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.bed = cls.enterClassContext(beds.Bed())
        except beds.Unavailable as reason:
            cls.skipTest(cls, f"no test bed: {reason}")

    def sysctl(self, name, value):
        """Sets net.ipv4.NAME on the client's side."""
        self.bed.run("sysctl", "-q", "-w", f"net.ipv4.{name}={value}", check=True)
