# SPDX-License-Identifier: BSD-3-Clause
"""What a row expects, in the words of the table.

In a pattern `<P>` is a real port and `<m>` any text, printable and not
empty; everything else stands for itself.  The lists are complete: a
protocol line that a row does not name fails it.
"""
import re

from harness import Ptah, connect

EX_USAGE = 64
EX_UNAVAILABLE = 69
EX_CONFIG = 78

DONE = "CMETHODS DONE"
SDONE = "SMETHODS DONE"


def pattern(line):
    out = re.escape(line)
    out = out.replace("<P>", r"[1-9][0-9]{0,4}")
    out = out.replace("<m>", r"[!-~](?:[ -~]*[!-~])?")
    return re.compile(out)


def are(lines, patterns):
    """Are these lines exactly those patterns, in that order?"""
    assert len(lines) == len(patterns) and all(
        pattern(want).fullmatch(line)
        for line, want in zip(lines, patterns)), (lines, patterns)
    return True


def client(version="3.0", name="dummy", proto="socks5", host="127.0.0.1"):
    """The lines of a client that came up with one transport."""
    return ["VERSION " + version,
            "CMETHOD %s %s %s:<P>" % (name, proto, host), DONE]


def server(version="3.0", name="dummy", host="127.0.0.1"):
    return ["VERSION " + version, "SMETHOD %s %s:<P>" % (name, host), SDONE]


def comes_up(start, out, err=(), **kwargs):
    """Start-up ends with DONE, every method is there, and it lives on."""
    with Ptah(start, **kwargs) as p:
        p.wait_done()
        for proto, (host, port), _ in p.methods().values():
            if proto in (None, "socks5", "transparent-TCP"):
                connect(({"0.0.0.0": "127.0.0.1"}.get(host, host),
                         port)).close()
        assert p.stays_alive(0.05)
        assert p.finish() == 0
        assert are(p.out_lines, out)
        assert are(p.err_protocol(), list(err))
        return p


def gives_up(start, rc, out, err, **kwargs):
    with Ptah(start, **kwargs) as p:
        assert p.exit() == rc
        assert are(p.out_lines, out)
        assert are(p.err_protocol(), err)
        return p


def env_error(start, says=None, version="3.0", **kwargs):
    """"ENV" of the table; 'says' must be a part of the text."""
    out, err = ["VERSION " + version], []
    text = "ENV-ERROR <m>"
    if version.startswith("1"):
        out.append(text)
    else:
        err.append(text)
    p = gives_up(start, EX_USAGE, out, err, **kwargs)
    line = (p.out_lines + p.err_protocol())[-1]
    if says is not None:
        assert says in line, line
    return line
