# SPDX-License-Identifier: BSD-3-Clause
"""Figures of ptah run: metrics, status.json, and who may read them."""
import http.client
import json
import re
import shutil
import socket
import subprocess

import pytest

import harness
from runner import Run, client, server

PORT = re.compile(r"metrics and the status page are on port (\d+) ")


def get(port, path, host="127.0.0.1", method="GET", **headers):
    """Status, headers and body of one request."""
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        conn.putrequest(method, path, skip_host=True)
        for name, value in {"Host": host, **headers}.items():
            conn.putheader(name, value)
        conn.endheaders()
        answer = conn.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        conn.close()


def raw(port, sent, shut=False):
    """All that is answered to these bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as conn:
        conn.sendall(sent)
        if shut:
            conn.shutdown(socket.SHUT_WR)
        got = b""
        while True:
            part = conn.recv(65536)
            if not part:
                return got
            got += part


def port_of(run):
    return int(PORT.search(run.wait_line(PORT.pattern, "err")).group(1))


def sample(text, name, **labels):
    """The value of the one sample that has these labels."""
    found = []
    for line in text.splitlines():
        m = re.match(r"([a-z_]+)\{(.*)\} (\S+)$", line)
        if m and m.group(1) == name and all('%s="%s"' % pair in m.group(2) for pair in labels.items()):
            found.append(float(m.group(3)))
    assert len(found) == 1, (name, labels, found)
    return found[0]


def add_client(run, services, **more):
    """A client of the service "far"."""
    since = len(run.err_lines)
    services = {**services, "near": client(run.where("far"), **more)}
    run.reload(services)
    run.where("near", since)
    return services


@pytest.fixture
def pair(tmp_path, echo):
    """A server, a client of it, and metrics on a port."""
    services = {"far": server(echo.port)}
    with Run(tmp_path, services, metrics="127.0.0.1:0") as run:
        run.wait_ready()
        add_client(run, services)
        yield run


@pytest.fixture
def closed():
    """A port at which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


def carry(run, n):
    """Let a link carry n bytes there and back, and end."""
    with socket.create_connection(run.where("near"), timeout=10) as conn:
        conn.sendall(b"x" * n)
        conn.shutdown(socket.SHUT_WR)
        got = 0
        while True:
            part = conn.recv(65536)
            if not part:
                break
            got += len(part)
        assert got == n


def wait_for(port, path, good):
    """The body, once it is as wanted."""
    seen = []

    def look():
        seen.append(get(port, path)[2])
        return good(seen[-1])

    harness.poll(look, what=path)
    return seen[-1]


def test_what_a_link_did_is_counted_per_service(pair):
    port = port_of(pair)
    carry(pair, 100000)
    text = wait_for(port, "/metrics", lambda body: all(sample(body, "ptah_links_open", service=s) == 0 for s in ("near", "far")) and
                    sample(body, "ptah_links_total", service="far") == 1)
    for service in ("near", "far"):
        assert sample(text, "ptah_service_up", service=service) == 1
        assert sample(text, "ptah_handshakes_completed_total", service=service) == 1
        assert sample(text, "ptah_plain_bytes_total", service=service, direction="received") == 100000
        assert sample(text, "ptah_plain_bytes_total", service=service, direction="sent") == 100000
        assert sample(text, "ptah_dial_duration_seconds_count", service=service) == 1
    assert sample(text, "ptah_wire_bytes_total", service="near", direction="sent") == \
        sample(text, "ptah_wire_bytes_total", service="far", direction="received") >= 100000


def test_a_failure_is_counted_by_its_reason(tmp_path, closed):
    """A client whose server is not there, and a server whose target is not."""
    services = {"lost": client(("127.0.0.1", closed)), "far": server(closed)}
    with Run(tmp_path, services, metrics="127.0.0.1:0") as run:
        run.wait_ready()
        add_client(run, services)
        for label in ("lost", "near"):
            with socket.create_connection(run.where(label), timeout=10) as conn:
                try:
                    conn.sendall(b"hello")
                    assert conn.recv(1) == b""
                except ConnectionError:
                    pass
        text = wait_for(port_of(run), "/metrics", lambda body: all(
            sample(body, "ptah_handshake_failures_total", service=s, reason=r) == 1 for s, r in (("far", "target"), ("lost", "dial"))))
        assert sample(text, "ptah_dial_failures_total", service="lost") == 1


def test_probes_that_are_held_are_counted(tmp_path, echo):
    """A stranger at an obfs4 server is kept, and seen."""
    with Run(tmp_path, {"bridge": server(echo.port, "obfs4")}, metrics="127.0.0.1:0") as run:
        run.wait_ready()
        port = port_of(run)
        with socket.create_connection(run.where("bridge"), timeout=10) as probe:
            probe.sendall(b"\x00" * 9000)
            text = wait_for(port, "/metrics", lambda body: sample(body, "ptah_probes_held", service="bridge") == 1)
            assert sample(text, "ptah_peers_rejected_total", service="bridge") == 1
            assert sample(text, "ptah_handshake_failures_total", service="bridge", reason="rejected") == 1
        wait_for(port, "/metrics", lambda body: sample(body, "ptah_probes_held", service="bridge") == 0)


def test_figures_never_go_back_at_a_reload(pair):
    """A changed service goes on counting where it was."""
    port = port_of(pair)
    carry(pair, 1000)
    services = json.loads(pair.path.read_text())["services"]
    since = len(pair.err_lines)
    services["near"]["dialTimeout"] = 21
    pair.reload(services, r"is read again: .* 1 changed")
    pair.where("near", since)
    carry(pair, 1000)
    text = wait_for(port, "/metrics", lambda body: sample(body, "ptah_links_open", service="near") == 0)
    assert sample(text, "ptah_links_total", service="near") == 2
    assert sample(text, "ptah_plain_bytes_total", service="near", direction="received") == 2000
    assert re.search(r'^ptah_reloads_total\{result="taken"\} 2$', text, re.M)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool")
def test_promtool_has_nothing_to_say(pair):
    """Names, units and types are as Prometheus wants them."""
    carry(pair, 1000)
    status, headers, text = get(port_of(pair), "/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_status_is_json_without_addresses(pair):
    status, headers, text = get(port_of(pair), "/status.json")
    assert status == 200 and headers["Content-Type"] == "application/json"
    assert [(s["service"], s["state"], s["role"]) for s in json.loads(text)["services"]] == \
        [("far", "serves", "server"), ("near", "serves", "client")]
    for body in (text, get(port_of(pair), "/metrics")[2]):
        assert "127.0.0.1" not in body


def test_metrics_on_a_socket_of_the_file_system(tmp_path, echo):
    path = tmp_path / "metrics"
    with Run(tmp_path, {"far": server(echo.port)}, metrics=str(path)) as run:
        run.wait_ready()
        assert path.stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as conn:
            conn.settimeout(10)
            conn.connect(str(path))
            conn.sendall(b"GET /metrics HTTP/1.1\r\nHost: anything\r\n\r\n")
            got = b"".join(iter(lambda: conn.recv(65536), b""))
        assert got.startswith(b"HTTP/1.1 200 OK\r\n") and b"\nptah_service_up{" in got
    assert not path.exists()


def test_off_by_default(tmp_path, echo):
    with Run(tmp_path, {"far": server(echo.port)}) as run:
        run.wait_ready()
        assert "metrics" not in "\n".join(run.err_lines)
        assert sorted(p.name for p in tmp_path.iterdir() if p.is_socket()) == []


def test_only_names_of_this_machine_are_served(pair):
    """A page of somebody else's, under a name that points here, reads nothing."""
    port = port_of(pair)
    for host in ("localhost", "127.0.0.1:%d" % port, "[::1]"):
        assert get(port, "/metrics", host)[0] == 200
    for host in ("evil.example", "evil.example:%d" % port, "192.0.2.1", "localhost.evil.example"):
        for path in ("/", "/metrics", "/status.json"):
            status, _, text = get(port, path, host)
            assert status == 421 and "ptah_" not in text
    assert raw(port, b"GET /metrics HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 421 ")


def test_what_a_browser_is_told(pair):
    port = port_of(pair)
    status, headers, text = get(port, "/")
    nonce = re.search(r"script-src 'nonce-([0-9a-f]{32})'", headers["Content-Security-Policy"]).group(1)
    assert status == 200 and text.count('nonce="%s"' % nonce) == 2 and "@NONCE@" not in text
    assert get(port, "/")[1]["Content-Security-Policy"] != headers["Content-Security-Policy"]
    for path in ("/", "/metrics", "/status.json", "/other"):
        headers = get(port, path)[1]
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
    # No resource of another place: no URL at all but our own paths.
    assert set(re.findall(r"(?:href|src)=\"([^\"]*)\"", text)) == {"data:,", "/metrics", "/status.json"}
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) == {"http://www.w3.org/2000/svg"}


def test_nothing_but_reading(pair):
    port = port_of(pair)
    assert get(port, "/metrics", method="HEAD")[::2] == (200, "")
    status, headers, _ = get(port, "/metrics", method="POST")
    assert status == 405 and headers["Allow"] == "GET, HEAD"
    assert get(port, "/../etc/passwd")[0] == 404
    assert get(port, "/metrics", **{"Content-Length": "5"})[0] == 413
    assert get(port, "/metrics", **{"X": "a" * 9000})[0] == 431
    assert raw(port, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_one_that_says_nothing_is_sent_away(pair):
    """In a few seconds, and without a word."""
    assert raw(port_of(pair), b"GET / HT") == b""


def test_a_crowd_waits_and_is_served(pair):
    """More than may be there at once: who comes late waits, and gets its answer."""
    port = port_of(pair)
    idle = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(40)]
    try:
        assert get(port, "/metrics")[0] == 200
    finally:
        for conn in idle:
            conn.close()
    assert get(port, "/metrics")[0] == 200
