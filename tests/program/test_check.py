# SPDX-License-Identifier: BSD-3-Clause
"""ptah check: all that is wrong with a configuration, and where."""
import json
import subprocess

import pytest

import harness
from conffile import check


def client(**more):
    made = {"role": "client", "listen": "127.0.0.1:0", "transport": "dummy", **more}
    return {k: v for k, v in made.items() if v is not None}


def server(**more):
    return {"role": "server", "listen": "127.0.0.1:0", "transport": "dummy",
            "target": "127.0.0.1:80", **more}


def services(**named):
    return {"services": named}


def ptah(*words):
    return subprocess.run([harness.program()[0], *words], capture_output=True,
                          env=harness.environment(), text=True,
                          timeout=120 * harness.SLOW, check=False)


def test_a_good_file(tmp_path):
    got = check(tmp_path, services(a=client(), b=server()))
    assert got.rc == 0 and got.faults == []
    assert got.said.endswith(": fine: 2 services, 0 warnings\n")


def test_a_warning_is_no_error(tmp_path):
    got = check(tmp_path, services(a=client(listen="0.0.0.0:0")))
    assert got.rc == 0
    assert [f[2] for f in got.warnings] == ["services.a.listen"]


def test_each_fault_has_its_place(tmp_path):
    """Faults of the file and of the modules' options, in the order of the file."""
    got = check(tmp_path, """// a comment, which counts as a line
{
	"workres": 2,
	"services": {
		"one": {
			"role": "client", "listen": "127.0.0.1:0", "transport": "shadow",
			"options": {
				"half-close": "maybe",
				"passwort": "x" /* and here */
			}
		},
		"two": {"role": "server", "listen": "here", "transport": "dumy"}
	}
}
""")
    assert got.rc == 78
    assert [f[:3] for f in got.faults] == [
        (3, 2, "workres"),
        (8, 19, "services.one.options.half-close"),
        (9, 5, "services.one.options.passwort"),
        (12, 10, "services.two.target"),
        (12, 39, "services.two.listen"),
        (12, 60, "services.two.transport")], got.said
    texts = [f[3] for f in got.faults]
    assert 'did you mean "workers"?' in texts[0]
    assert '"maybe" is not one of' in texts[1]
    assert 'did you mean "password"?' in texts[2]
    assert 'did you mean "dummy"?' in texts[5]
    assert got.said.splitlines()[-1].endswith(": 6 errors, 0 warnings")


def said_json(path, *flags):
    got = ptah("check", str(path), "--json", *flags)
    assert got.stdout.endswith("\n") and got.stdout.count("\n") == 1 and got.stderr == ""
    return got.returncode, json.loads(got.stdout)


def test_json_says_the_same(tmp_path):
    """Each line is an object with these members, in the same order; the exit status is the same, too."""
    got = check(tmp_path, services(
        a=client(listen="0.0.0.0:0"), b=server(transport="dumy"), c=client(mode="no\n\"\u00e9")), mode=0o644)
    path = tmp_path / "ptah.json"
    rc, faults = said_json(path)
    assert rc == got.rc == 78 and len(got.errors) == 2 and len(got.warnings) == 1
    assert all(list(f) == ["file", "line", "column", "path", "level", "text"] for f in faults)
    assert {f["file"] for f in faults} == {str(path)}
    assert got.faults == [
        (f["line"], f["column"], f["path"], ("warning: " if f["level"] == "warning" else "") + f["text"]) for f in faults]
    check(tmp_path, services(a=client(listen="0.0.0.0:0")))
    assert [f["level"] for f in said_json(path)[1]] == ["warning"] and said_json(path)[0] == 0
    check(tmp_path, services(a=client()))
    assert said_json(path) == (0, [])


def test_json_of_the_file_as_a_whole(tmp_path):
    rc, [fault] = said_json(tmp_path / "none")
    assert rc == 78 and "No such file" in fault["text"]
    assert (fault["line"], fault["column"], fault["path"], fault["level"]) == (None, None, "", "error")
    # Not JSON at all has a place; more than are kept have none.
    check(tmp_path, "{ nonsense")
    rc, [fault] = said_json(tmp_path / "ptah.json")
    assert rc == 78 and fault["line"] == 1 and fault["column"] > 0
    got = check(tmp_path, {"services": {"a": client()}, **{"key%d" % i: 1 for i in range(1100)}})
    rc, faults = said_json(tmp_path / "ptah.json")
    assert rc == got.rc == 78 and len(faults) == 1001
    assert faults[-1] == {"file": str(tmp_path / "ptah.json"), "line": None, "column": None, "path": "",
                          "level": "error", "text": "and more, which are not shown"}


@pytest.mark.parametrize("service, where, text", [
    # options by the module's table
    (client(transport="obfs4", options={"iat-mode": "x", "cert": "short"}),
     "options", '"x" is not 0, 1 or 2'),
    (client(transport="obfs4", mode="transparent-TCP",
            options={"serverAddress": "192.0.2.1:1", "iat-mode": 0}), "options", "cert"),
    (server(transport="obfs4", options={"cert": "x"}), "options.cert", "is for a client"),
    (server(transport="obfs4", options={"node-id": "abc"}), "options.node-id", "hex"),
    (client(options={"serverAddress": "nowhere"}), "options.serverAddress", "nowhere"),
    (client(options={"half-close": "maybe"}), "options.half-close", "send, hold"),
    # modes, and what a transport can do in them
    (client(mode="transparent-TCP"), "transport", "no server to connect to"),
    (client(mode="transparent-UDP", proxy="socks5://127.0.0.1:1",
            options={"serverAddress": "192.0.2.1:1", "messages": True}), "options", "cannot go through the upstream proxy"),
    (server(mode="transparent-UDP", transport="obfs4", options={"messages": True}),
     "options", "cannot carry messages"),
    # stacks
    (client(transport="dummy+dufy"), "transport", 'there is no transport "dufy"'),
    (client(transport="dummy+shadow", options={
        "method": "aes-256-gcm", "password": "x", "over": {"paswort": "y"}}),
     "options.over.paswort", "is not known"),
    (client(transport="dummy", options={"over": 5}), "options.over", 'write "NAME"'),
    (client(transport=None, stack=[
        {"transport": "dummy"}, {"transport": "shadow", "options": {"half-close": 1}}]),
     "stack[1].options.half-close", "not one of"),
    (client(transport=None, stack=[{"transport": "dummy"}, {"transport": "dumy"}]),
     "stack[1].transport", 'did you mean "dummy"?'),
    # programs
    (client(isolate=True, transport="exec", options={"exec": "/bin/true"}),
     "isolate", "starts programs"),
    (client(isolate=True, transport="nodialer"), "isolate", "opens sockets by itself"),
    # a module that cannot be loaded
    (client(transport="wrongabi"), "transport", "wrongabi"),
])
def test_options_are_judged_by_the_modules(tmp_path, service, where, text):
    got = check(tmp_path, services(a=service))
    assert got.rc == 78
    assert any(text in said for said in got.of("services.a." + where)), got.said


def test_options_of_a_connection_may_come_later(tmp_path):
    """Only SOCKS brings options with a connection: there, none is missing."""
    assert check(tmp_path, services(a=client(transport="obfs4"))).rc == 0


def test_faults_of_an_options_file_are_told_at_its_name(tmp_path):
    options = tmp_path / "secret.json"
    options.write_text('{"method": "rot13", "password": "hush"}')
    options.chmod(0o600)
    got = check(tmp_path, services(a=client(transport="shadow", optionsFile=str(options))))
    assert got.rc == 78
    assert any("rot13" in said for said in got.of("services.a.optionsFile")), got.said
    assert "hush" not in got.said + got.error


PORTS = [
    # (address or keys of one, of the other, do they collide)
    ("127.0.0.1:4000", "127.0.0.1:4000", True),
    ("127.0.0.1:4000", "127.0.0.1:4001", False),
    ("127.0.0.1:0", "127.0.0.1:0", False),
    ("0.0.0.0:4000", "127.0.0.1:4000", True),
    ("127.0.0.2:4000", "127.0.0.1:4000", False),
    ("[::]:4000", "127.0.0.1:4000", True),
    ("[::1]:4000", "127.0.0.1:4000", False),
    (["127.0.0.1:1", "127.0.0.1:4000"], "127.0.0.1:4000", True),
    ({"listen": "[::]:4000", "family": "ipv6"}, "0.0.0.0:4000", False),
    ({"listen": "0.0.0.0:4000", "interface": "lo"},
     {"listen": "0.0.0.0:4000", "interface": "eth0"}, False),
    ({"listen": "0.0.0.0:4000", "interface": "lo"}, "0.0.0.0:4000", True),
    # UDP and TCP are two things
    ({"listen": "127.0.0.1:4000", "mode": "STUN", "options": {"serverAddress": "192.0.2.1:1"}},
     "127.0.0.1:4000", False),
    ({"listen": "127.0.0.1:4000", "mode": "STUN", "options": {"serverAddress": "192.0.2.1:1"}},
     {"listen": "127.0.0.1:4000", "mode": "STUN", "options": {"serverAddress": "192.0.2.1:1"}}, True),
    ("fd:web", "fd:web", True),
    ("fd:web", "fd:mail", False),
]


@pytest.mark.parametrize("one, two, collide", PORTS)
def test_two_services_on_one_port(tmp_path, one, two, collide):
    def made(what):
        return client(**(what if isinstance(what, dict) else {"listen": what}))
    got = check(tmp_path, services(one=made(one), two=made(two)))
    assert bool(got.of("services.two.listen")) == collide, got.said
    if collide:
        assert 'service "one"' in got.of("services.two.listen")[0]
    assert got.rc == (78 if collide else 0), got.said


def test_a_server_in_a_udp_mode_has_the_port_that_its_transport_wants(tmp_path):
    """obfs4 frames datagrams on TCP, dummy keeps messages on UDP."""
    def made(name):
        return server(transport=name, mode="transparent-UDP", listen="127.0.0.1:4000",
                      options={"messages": True} if name == "dummy" else {})
    assert check(tmp_path, services(a=made("dummy"), b=made("dummy"))).rc == 78
    assert check(tmp_path, services(a=made("obfs4"), b=made("obfs4"))).rc == 78
    assert check(tmp_path, services(a=made("obfs4"), b=made("dummy"))).rc == 0


def test_metrics_are_in_nobodys_way(tmp_path):
    got = check(tmp_path, {"metrics": "127.0.0.1:9100", **services(a=client(listen="0.0.0.0:9100"))})
    assert "taken by 127.0.0.1:9100 of metrics" in got.of("services.a.listen")[0]


def test_a_file_with_secrets_that_everybody_may_read(tmp_path):
    conf = services(a=client(transport="shadow", options={"method": "aes-256-gcm", "password": "hush"}))
    assert check(tmp_path, conf).faults == []
    got = check(tmp_path, conf, mode=0o644)
    assert got.rc == 0 and "hush" not in got.said
    assert [f[2] for f in got.warnings] == ["services.a.options.password"]
    assert check(tmp_path, services(a=client()), mode=0o644).faults == []


def test_files_of_a_service_that_are_not_there(tmp_path):
    """They may come later, so each is a warning: where it stands, and how far its path goes."""
    (tmp_path / "certs").mkdir()
    here = tmp_path / "certs" / "here.pem"
    here.write_text("one")
    of = {"lost": tmp_path / "certs" / "lost.pem", "deep": tmp_path / "none" / "at" / "all.pem",
          "below": here / "key.pem", "folder": tmp_path / "certs"}
    late = "; an isolated service can read only what is there when it starts"
    only = "warning: there is no such file: of its path only %s is there%s"
    paths = [str(path) for path in (here, of["lost"], of["deep"], of["below"], of["folder"])]
    got = check(tmp_path, services(a=client(files=paths), b=client(isolate=True, files=paths)))
    assert got.rc == 0 and got.errors == []
    assert [(f[2], f[3]) for f in got.warnings] == [
        ("services.%s.files[%d]" % (label, at), text) for label, more, each in (
            ("a", "", ""), ("b", late, ": an isolated service can read files only, so name each"))
        for at, text in ((1, only % (tmp_path / "certs", more)), (2, only % (tmp_path, more)),
                         (3, only % (here, ", and that is no folder" + more)),
                         (4, "warning: this is a folder, and no file" + each))]
    rc, told = said_json(tmp_path / "ptah.json")
    assert rc == 0 and [(f["line"], f["column"], f["path"], f["level"], "warning: " + f["text"]) for f in told] == [
        (*f[:3], "warning", f[3]) for f in got.warnings]
    for name in ("lost", "deep"):
        of[name].parent.mkdir(parents=True, exist_ok=True)
        of[name].write_text("one")
    assert check(tmp_path, services(b=client(isolate=True, files=[str(of["lost"]), str(of["deep"])]))).faults == []


def test_a_file_that_an_option_names_is_told_once(tmp_path):
    """As the error that it is."""
    lost = str(tmp_path / "lost.pem")
    got = check(tmp_path, services(a=server(transport="folio", isolate=True, files=[lost], options={"file": lost})))
    assert [f[2] for f in got.faults] == ["services.a.options.file"] and got.rc == 78


def test_files_that_are_none(tmp_path):
    missing = ptah("check", str(tmp_path / "none"))
    assert missing.returncode == 78
    assert "none: cannot be read: No such file or directory" in missing.stdout
    assert check(tmp_path, "{").rc == 78
    assert check(tmp_path, "").rc == 78
    assert check(tmp_path, " " * (1024 * 1024 + 1)).rc == 78
    assert ptah("check").returncode == 64


def test_nothing_is_started_and_nothing_is_written(tmp_path):
    """Not even the state folder."""
    state = tmp_path / "state"
    conf = {"stateDir": str(state), "logFile": str(tmp_path / "log"), "replayState": True,
            "control": str(tmp_path / "control"),
            **services(a=server(transport="obfs4"), b=server(transport="exec", options={
                "exec": "/bin/touch", "args": [str(tmp_path / "touched")]}))}
    check(tmp_path, conf)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["ptah.json"]


def test_another_folder_of_modules(tmp_path):
    conf = services(a=client(transport="veil"))
    assert check(tmp_path, conf).rc == 0
    env = harness.environment()
    env.pop("PTAH_MODULE_PATH")
    for flags, rc in (([], 78), (["--moduleDir", harness.TEST_MODULES], 0)):
        got = subprocess.run([harness.program()[0], "check", str(tmp_path / "ptah.json"), *flags],
                             capture_output=True, env=env, text=True,
                             timeout=120 * harness.SLOW, check=False)
        assert got.returncode == rc, got
    path = check(tmp_path, {"modulePath": [harness.TEST_MODULES], **conf})
    assert path.rc == 0
    assert json.loads((tmp_path / "ptah.json").read_text())["modulePath"]
