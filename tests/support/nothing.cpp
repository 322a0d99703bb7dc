// SPDX-License-Identifier: GPL-3.0-or-later
// A program of nothing but what it is linked with.
int main() {}
