# SPDX-License-Identifier: GPL-3.0-or-later
"""The paths of the test bed: which addresses each has, and what nftables does to their packets at the server.

Path number K has 10.66.K.0/24 and 2001:db8:66::K:0/112. `arriving` are nftables statements for what comes from the
client, before any other look at it; `leaving` are those for the answers, as the client's side will see them. `ports`
leads a port to a server that behaves otherwise, both ways and without connection tracking.
"""

import dataclasses

SYN = "tcp flags & (syn|ack) == syn"
SYN_ACK = "tcp flags & (syn|ack) == (syn|ack)"
# Longer than any SYN without data can be: the IP header and a TCP header of 60 octets.
SYN_WITH_DATA = (f"{SYN} meta nfproto ipv4 meta length > 80", f"{SYN} meta nfproto ipv6 meta length > 100")


@dataclasses.dataclass(frozen=True)
class Path:
    name: str
    what: str
    arriving: tuple = ()
    leaving: tuple = ()
    ports: tuple = ()  # (protocol, port that the client asks, port of the server)
    target_port: int = 0  # where jobs have to ask for it; 0: the plugin's own
    advertised_mss: int = 0


def _both(statement):
    """The same statement on the traffic class of IPv4 and of IPv6."""
    return statement, statement.replace("ip ", "ip6 ")


# Ports of servers beside the usual ones.
PORT_PLAIN_NO_TFO, PORT_TLS_NO_H2, PORT_TLS_NO_TFO, PORT_H2C, PORT_DNS = 8080, 8443, 8444, 8081, 5353
LARGEST = 640  # takes what a client says first in TLS, also on its SYN, and not a server's certificate
ZERO_TAKEN_HOSTS = 8  # where DNS takes UDP without checksum over IPv6

PATHS = (
    Path("sound", "nothing is spoiled"),
    Path("ecn-syn-dropped", "SYNs with ECE and CWR are dropped", ("tcp flags & (syn|ecn|cwr) == (syn|ecn|cwr) drop",)),
    Path("ecn-stripped", "ECE and CWR are taken off SYNs", (f"{SYN} tcp flags set syn",)),
    Path("ecn-reflected", "SYN+ACKs have ECE and CWR, as from a server that sends the flags back",
         leaving=(f"{SYN_ACK} tcp flags set 0xd2",)),
    Path("ecn-bleached", "ECN marks are set to not-ECT both ways", _both("ip ecn set not-ect"), _both("ip ecn set not-ect")),
    Path("ecn-congested", "answers that are ECT(0) arrive as CE", leaving=_both("ip ecn ect0 ip ecn set ce")),
    Path("ecn-ect1", "answers that are ECT(0) arrive as ECT(1)", leaving=_both("ip ecn ect0 ip ecn set ect1")),
    Path("dscp-zeroed", "code points are set to 0 on the way to the server", _both("ip dscp set cs0")),
    Path("dscp-dropped", "packets with code point 48 are dropped", _both("ip dscp 48 drop")),
    Path("dscp-remarked", "answers have code point 10", leaving=_both("ip dscp set 10")),
    Path("sack-stripped", "SACK permitted is taken off SYNs", (f"{SYN} reset tcp option sack-perm",)),
    Path("ts-stripped", "timestamps are taken off SYNs", (f"{SYN} reset tcp option timestamp",)),
    Path("ws-stripped", "window scale is taken off SYNs", (f"{SYN} reset tcp option window",)),
    Path("unsolicited", "SYN+ACKs have timestamps, window scale and SACK permitted, asked for or not", ("drop",)),
    Path("tfo-stripped", "the Fast Open option, in both its forms, is taken off SYNs",
         (f"{SYN} reset tcp option fastopen", f"{SYN} reset tcp option 254")),
    Path("tfo-off", "servers without Fast Open",
         ports=(("tcp", 80, PORT_PLAIN_NO_TFO), ("tcp", 443, PORT_TLS_NO_TFO), ("tcp", 53, PORT_DNS))),
    Path("tfo-data-stripped", "the Fast Open option is taken off SYNs with data, so that the data is ignored",
         tuple(f"{which} reset tcp option fastopen" for which in SYN_WITH_DATA)),
    Path("tfo-data-dropped", "SYNs with data are dropped", tuple(f"{which} drop" for which in SYN_WITH_DATA)),
    Path("mss-clamped", "the MSS option is lowered to 1000 on SYNs and SYN+ACKs",
         ("tcp flags syn tcp option maxseg size set 1000",),
         ("tcp flags syn tcp option maxseg size set 1000",)),
    Path("mss-absent", "SYN+ACKs have no MSS option", leaving=(f"{SYN_ACK} reset tcp option maxseg",)),
    Path("mss-inflated", "SYN+ACKs have an MSS of 8000", advertised_mss=8000),
    Path("evil-dropped", "IPv4 packets with the evil bit are dropped", ("meta nfproto ipv4 @nh,48,1 1 drop",)),
    Path("evil-marked", "IPv4 answers have the evil bit", leaving=("ip frag-off set 0xc000",)),
    Path("udp-zero-dropped", "UDP with checksum 0 is dropped", ("udp checksum 0 drop",)),
    Path("udp-zero-taken", f"hosts 1 to {ZERO_TAKEN_HOSTS}: DNS that takes checksum 0 over IPv6 too, as Linux does when asked"),
    Path("unreachable", "ICMP host unreachable comes back", ("reject with icmpx type host-unreachable",)),
    Path("silent", "nothing ever answers", ("drop",)),
    Path("reset", "SYNs are answered with RST, UDP with port unreachable",
         ("meta l4proto tcp reject with tcp reset", "meta l4proto udp reject")),
    Path("reset-late", "the handshake is left alone, the request is answered with RST",
         ("tcp flags & psh == psh reject with tcp reset",)),
    Path("closed", "a port where nobody listens", target_port=9),
    Path("large-dropped", f"packets of more than {LARGEST} octets are dropped both ways, and nobody is told",
         (f"meta length > {LARGEST} drop",), (f"meta length > {LARGEST} drop",)),
    Path("h2-off", "TLS without HTTP/2", ports=(("tcp", 443, PORT_TLS_NO_H2),)),
    Path("h2c", "HTTP/2 without TLS, by upgrade", ports=(("tcp", 80, PORT_H2C),)),
)

NUMBERS = {path.name: number for number, path in enumerate(PATHS, 1)}
BY_NAME = {path.name: path for path in PATHS}


def prefix(name, family):
    number = NUMBERS[name]
    return f"10.66.{number}.0/24" if family == 4 else f"2001:db8:66::{number:x}:0/112"


def address(name, family, host=1):
    """Address number `host` (1 to 254) of a path."""
    if not 1 <= host <= 254:
        raise ValueError(f"a path has hosts 1 to 254, not {host}")
    number = NUMBERS[name]
    return f"10.66.{number}.{host}" if family == 4 else f"2001:db8:66::{number:x}:{host:x}"


def crowd_address(number):
    """One of 60,000 IPv4 addresses on a sound path of their own, for benchmarks; from 0."""
    if not 0 <= number < 60_000:
        raise ValueError(f"the crowd has addresses 0 to 59999, not {number}")
    return f"10.67.{number // 250}.{number % 250 + 1}"


def ruleset():
    """What `nft -f` takes: a chain for each path and direction, and two hooks that lead to them by address."""
    chains, arriving, leaving = [], {4: [], 6: []}, {4: [], 6: []}
    for path in PATHS:
        into = [f"{protocol} dport {known} {protocol} dport set {real}" for protocol, known, real in path.ports]
        out = [f"{protocol} sport {real} {protocol} sport set {known}" for protocol, known, real in path.ports]
        for kind, statements, verdicts in (("arriving", path.arriving + tuple(into), arriving),
                                           ("leaving", path.leaving + tuple(out), leaving)):
            if statements:
                chain = f"{path.name}-{kind}".replace("-", "_")
                chains.append(f"  chain {chain} {{\n" + "".join(f"    {line}\n" for line in statements) + "  }\n")
                for family, entries in verdicts.items():
                    entries.append(f"{prefix(path.name, family)} : goto {chain}")

    def hook(name, end, verdicts):
        maps = (f"    {protocol} {end} vmap {{ {', '.join(verdicts[family])} }}\n"
                for family, protocol in ((4, "ip"), (6, "ip6")))
        return f"  chain {name} {{\n    type filter hook {name} priority raw; policy accept;\n{''.join(maps)}  }}\n"

    hooks = hook("prerouting", "daddr", arriving) + hook("output", "saddr", leaving)
    return f"table inet bed {{\n{''.join(chains)}{hooks}}}\n"
