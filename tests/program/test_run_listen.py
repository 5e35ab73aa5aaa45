# SPDX-License-Identifier: BSD-3-Clause
"""ptah run: services that listen on several addresses."""
import os
import re
import socket
import threading

import pytest

from harness import connect, echoes, free_port, poll
from runner import Run, client, server

HOSTS = ["127.0.0.1", "127.0.0.2", "::1"]


def addresses(port):
    return ["[%s]:%d" % (host, port) if ":" in host else "%s:%d" % (host, port) for host in HOSTS]


def datagram_passes(where, data=b"hello"):
    """One of ours comes back; they may be lost while all begins."""
    with socket.socket(socket.AF_INET6 if ":" in where[0] else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(where)
        s.settimeout(0.2)

        def answered():
            s.send(data)
            try:
                return s.recv(2000) == data
            except (TimeoutError, ConnectionRefusedError):
                return False
        poll(answered, what="an answer from %s" % (where,))


@pytest.fixture(name="udp_echo")
def fixture_udp_echo():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))

        def run():
            while True:
                data, peer = s.recvfrom(2000)
                if data == b"end":
                    return
                s.sendto(data, peer)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield s.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ender:
            ender.sendto(b"end", s.getsockname())
        thread.join(5)


@pytest.mark.parametrize("isolate", [False, True], ids=["here", "isolated"])
def test_streams_come_in_by_each_address(tmp_path, echo, isolate):
    """A server and a client, three addresses each; and again after a change of both, on the same sockets."""
    far, near = free_port(), free_port()

    def services(**more):
        return {"far": server(echo.port, listen=addresses(far), isolate=isolate, **more),
                "near": client(("127.0.0.2", far), listen=addresses(near), isolate=isolate, **more)}

    with Run(tmp_path, services()) as run:
        run.wait_ready()
        for host in HOSTS:
            with connect((host, near)) as sock:
                assert echoes(sock, os.urandom(30000))
        with connect((HOSTS[1], near)) as old:
            assert echoes(old)
            since = len(run.err_lines)
            assert "2 changed" in run.reload(services(dialTimeout=7))
            run.where("far", since)
            run.where("near", since)
            for host in HOSTS:
                with connect((host, near)) as sock:
                    assert echoes(sock, os.urandom(30000))
            assert echoes(old)
        run.check()


@pytest.mark.parametrize("messages", [False, True], ids=["framed", "messages"])
def test_datagrams_come_in_by_each_address(tmp_path, udp_echo, messages):
    """Each address of a UDP mode answers from itself, on both sides."""
    far, near = free_port(), free_port()
    services = {"far": server(udp_echo, mode="transparent-UDP", listen=addresses(far), options={"messages": messages}),
                **{"near%d" % i: {
                    "role": "client", "mode": "transparent-UDP", "transport": "dummy",
                    "listen": addresses(near) if i == 0 else "127.0.0.1:0",
                    "options": {"messages": messages, "serverAddress": where}}
                   for i, where in enumerate(addresses(far))}}
    with Run(tmp_path, services) as run:
        run.wait_ready()
        for host in HOSTS:
            datagram_passes((host, near))
        for i in range(1, len(HOSTS)):
            datagram_passes(run.where("near%d" % i))
        run.check()


def test_all_addresses_or_none(tmp_path, echo):
    """Where one is taken, the service does not start, and says which."""
    with socket.socket() as taken:
        port = free_port()      # on the other addresses, too
        taken.bind(("127.0.0.2", port))
        taken.listen()
        with Run(tmp_path, {"a": server(echo.port), "b": server(echo.port, listen=addresses(port))}) as run:
            line = run.wait_line(r"ready: \d+ of \d+", "err")
            assert re.search("ready: 1 of 2", line)
            run.wait_line("cannot listen on 127.0.0.2:%d: Address already in use" % port, "err")
            with pytest.raises(ConnectionRefusedError):
                connect(("127.0.0.1", port))
