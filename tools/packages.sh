# SPDX-License-Identifier: GPL-3.0-or-later
# The Debian packages that Orbweaver needs, and how they are installed; sourced by tools/demo and tools/check.

# libwandio1-dev: libtrace.h includes its header.
build_packages=(
  g++ libboost-dev libbz2-dev libc-ares-dev libcli11-dev libcurl4-openssl-dev libidn2-dev libldns-dev liblz4-dev liblzma-dev libpcap-dev
  libseccomp-dev libsimdjson-dev libspdlog-dev libsystemd-dev libtins-dev libtrace3-dev libwandio1-dev libxxhash-dev libzstd-dev meson ninja-build pkgconf
  python3 zlib1g-dev
)
bed_packages=(ethtool iproute2 nftables nginx-light openssl procps unbound)
demo_packages=(curl)
test_packages=(doctest-dev iproute2 lz4 procps tcpreplay zstd)
full_packages=(adduser clang debhelper dpkg-dev libclang-rt-14-dev lintian)

# Installs those of the named packages that are missing; says so, and names every package that cannot be installed.
# No service of theirs is started, neither now nor at the next start of the machine: the tests run servers of their own.
install_packages() {
  local package missing=() failed=() as_root=()
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
  done
  if [ ${#missing[@]} -eq 0 ]; then
    echo "packages: all ${#} are installed"
    return 0
  fi
  echo "packages: installing ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo)
    if ! command -v sudo >/dev/null; then
      echo "packages: no right to install, and no sudo; as root: apt-get install ${missing[*]}" >&2
      return 1
    fi
  fi
  local install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends)
  "${as_root[@]}" apt-get update -q >/dev/null || echo "packages: apt-get update failed; trying with what is known" >&2
  # What packages ask before they start a service (invoke-rc.d(8)); one of the machine's own says enough.
  local policy=/usr/sbin/policy-rc.d
  if [ -e "$policy" ]; then
    policy=
  else
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
  fi
  if ! "${install[@]}" "${missing[@]}" >/dev/null; then
    # One that fails keeps all from being installed: one by one tells which.
    for package in "${missing[@]}"; do
      "${install[@]}" "$package" >/dev/null 2>&1 || failed+=("$package")
    done
  fi
  [ -z "$policy" ] || "${as_root[@]}" rm -f "$policy"
  if [ -d /run/systemd/system ]; then
    for package in "${missing[@]}"; do
      case $package in nginx-light | unbound) "${as_root[@]}" systemctl -q disable "${package%-light}" || true ;; esac
    done
  fi
  if [ ${#failed[@]} -gt 0 ]; then
    echo "packages: could not install: ${failed[*]}" >&2
    return 1
  fi
}
