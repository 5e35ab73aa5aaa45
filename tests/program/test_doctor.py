# SPDX-License-Identifier: BSD-3-Clause
"""ptah doctor: each fault is planted for real, and must be found, named, and
nothing else with it.

The faults are planted into a set-up in which all is well (doctorsetup.py), so
each check has something to look at.  It takes its time: there are eighty such
machines, and each is looked at twice.
"""
import errno
import json
import os
import platform
import pwd
import re
import resource
import shutil
import socket
import subprocess
import time

import pytest

import doctorsetup
import harness
from doctorsetup import COOKIE, HAS_IPV6, USER, compiled, has_namespaces, refuse_call
from doctorsetup import fixture_setup, fixture_shim  # noqa: F401 pylint: disable=unused-import
from harness import F3S, MODULES, TEST_MODULES, Ptah, free_port

pytestmark = doctorsetup.marks


def checks():
    """The names of all checks, as the manual page has them."""
    page = subprocess.run([harness.program()[0], "manual"], capture_output=True, text=True,
                          env=harness.environment(), timeout=120 * harness.SLOW, check=True).stdout
    begin = page.index(".Ss What the doctor looks at")
    return set(re.findall(r"^\.It Li (\S+)", page[begin:page.index(".Sh", begin)], re.M))


# --- all is well ------------------------------------------------------------------

def test_a_healthy_machine_is_told_so(setup):
    """And each check has looked at something."""
    looked = set()
    for torrc in (False, True):
        found, bad = setup.found(torrc)
        assert bad == []
        looked |= {one["check"] for one in found}
        got = setup.look(torrc, json_too=False)
        assert got.returncode == 0 and got.stdout.endswith("\nall is well\n"), got
    assert looked | ({"ipv6"} if not HAS_IPV6 else set()) == checks() | {"user"}


def test_two_servers_may_have_one_port(setup):
    """One over TCP, one over UDP: each client is held against its own."""
    address = "127.0.0.1:%d" % free_port()
    far = {"role": "server", "transport": "dummy", "listen": address, "target": "127.0.0.1:%d" % setup.target}
    near = {"role": "client", "transport": "dummy", "listen": "127.0.0.1:0"}
    setup.services.update({
        "far": far, "near": {**near, "mode": "transparent-TCP", "options": {"serverAddress": address}},
        "far-udp": {**far, "mode": "transparent-UDP", "options": {"messages": True}},
        "near-udp": {**near, "mode": "transparent-UDP", "options": {"messages": True, "serverAddress": address}}})
    found, bad = setup.found(False)
    assert bad == [] and "identity" in {one["check"] for one in found}


def test_a_port_that_ptah_has_is_no_fault(setup):
    """It may be this very configuration that runs."""
    with Ptah(F3S(setup.target, bindport=setup.port)) as p:
        p.wait_done()
        found, bad = setup.found(False)
        assert bad == []
        assert [one["text"] for one in found if one["check"] == "bind"] == [
            "127.0.0.1:%d is in use by ptah itself (process %d)" % (setup.port, p.pid)]


# --- the faults ---------------------------------------------------------------------

SEEDS = []


def seed(check, text, cure, state="fault", torrc=False):
    """A fault that is planted by a function, and what must be said of it."""
    def add(plant):
        SEEDS.append(pytest.param(plant, check, text, cure, state, torrc,
                                  id="%s-%s" % (check, plant.__name__)))
        return plant
    return add


# Addresses.

@seed("bind", r"^127.0.0.1:{port} is in use by \S+ \(process {pid}\)$", 'change the port in "metrics" of {s.path}')
def metrics_port_held(s):
    s.conf["metrics"] = "127.0.0.1:%d" % s.listen()
    return {"port": s.open[-1].getsockname()[1], "pid": os.getpid()}


@seed("bind", r"^127.0.0.1:{port} is in use by \S+ \(process {pid}\)$", "change the port in services.web of {s.path}")
def port_held(s):
    sock = socket.socket()
    sock.bind(("127.0.0.1", s.port))
    sock.listen()
    s.open.append(sock)
    return {"port": s.port, "pid": os.getpid()}


@seed("bind", "^nobody may not listen on 127.0.0.1:443: ", '"listen": "fd:web" in services.web of(.|\n)*ptah.socket')
def privileged_port(s):
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
        if int(file.read()) <= 443:
            pytest.skip("no port is privileged here")
    s.services["web"]["listen"] = "127.0.0.1:443"


@seed("bind", "^nobody may not listen on 127.0.0.1:443: ", '^listen on a port of 1024 or above in "metrics" of {s.path}, or: sysctl [^\n]*=443$')
def privileged_port_of_metrics(s):
    privileged_port(s)
    s.services["web"]["listen"] = "127.0.0.1:%d" % s.port
    s.conf["metrics"] = "127.0.0.1:443"


@seed("bind", "nobody may not listen on 0.0.0.0:443", "setcap cap_net_bind_service=.ep {s.program}\n.*NoNewPrivileges=no", torrc=True)
def privileged_port_of_a_bridge(s):
    privileged_port(s)
    s.line("ServerTransportListenAddr", "ServerTransportListenAddr obfs4 0.0.0.0:443")


@seed("bind", r"^127.0.0.1:{port} is in use by", "change the port in services.udp")
def udp_port_held(s):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    s.open.append(sock)
    port = sock.getsockname()[1]
    s.services["udp"] = {"role": "client", "mode": "transparent-UDP", "transport": "dummy",
                         "listen": "127.0.0.1:%d" % port, "options": {"serverAddress": "192.0.2.1:1"}}
    return {"port": port}


@seed("bind", "192.0.2.1:4000 is not an address of this machine", "0.0.0.0:4000")
def address_of_another(s):
    s.services["web"]["listen"] = "192.0.2.1:4000"


@seed("bind", "no interface nosuch0", '"interface" in services.web')
def no_interface(s):
    s.services["web"]["interface"] = "nosuch0"


@seed("ipv6", r"\[::1\]:0 is an IPv6 address, and this machine has no IPv6", "disable_ipv6=0")
def no_ipv6(s):
    if not has_namespaces():
        pytest.skip("namespaces are not permitted")
    s.only("six")["listen"] = "[::1]:0"
    s.wrapper = ["unshare", "-n"]


@seed("outbound", "192.0.2.1.*not an address of this machine", '"outboundBindV4" in services.from')
def outbound_of_another(s):
    s.services["from"]["outboundBindV4"] = "192.0.2.1"


@seed("activation", "listens on fd:web, and no socket unit of ptah.service has that name", "FileDescriptorName=web")
def no_socket_of_that_name(s):
    s.make_unit(sockets="other")


@seed("activation", "ptah.socket, which opens fd:web, does not start", "systemctl enable --now ptah.socket", state="warning")
def socket_not_enabled(s):
    s.make_unit(enabled=False)


# Who is to answer.

@seed("target", "the target 127.0.0.1:{port} does not answer: nothing listens", '"target" in services.web')
def target_refuses(s):
    port = free_port()
    s.services["web"]["target"] = "127.0.0.1:%d" % port
    return {"port": port}


@seed("target", "does not answer: no answer within 3 seconds", '"target" in services.web')
def target_is_silent(s):
    """Its queue is full, so the kernel answers nobody."""
    port = s.listen(backlog=0)
    for _ in range(4):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", port))
        s.open.append(sock)
    s.services["web"]["target"] = "127.0.0.1:%d" % port
    return {"once": True}  # it takes these seconds


@seed("target", "the Extended ORPort 127.0.0.1:{port} does not answer", '"extorport" in services.tor')
def extorport_refuses(s):
    port = free_port()
    s.services["tor"]["extorport"] = "127.0.0.1:%d" % port
    return {"port": port}


@seed("target", "Tor does not answer on 127.0.0.1:{port}", "systemctl start tor", state="warning", torrc=True)
def tor_does_not_run(s):
    port = free_port()
    s.line("ExtORPort", "ExtORPort %d" % port)
    return {"port": port}


@seed("proxy", "the proxy 127.0.0.1:{port} does not answer: nothing listens", '"proxy" in services.via')
def proxy_refuses(s):
    port = free_port()
    s.services["via"]["proxy"] = "socks5://127.0.0.1:%d" % port
    return {"port": port}


# Files.

@seed("cookie", "cookie is no cookie of an Extended ORPort, which has 64 bytes", "restart")
def cookie_of_a_wrong_size(s):
    s.write(s.folder + "/cookie", COOKIE[:-1])


@seed("cookie", "nobody cannot read the cookie .*: Permission denied", "ExtORPortCookieAuthFileGroupReadable 1")
def cookie_unreadable(s):
    os.chmod(s.folder + "/cookie", 0o600)


@seed("cookie", "extended_orport_auth_cookie is no cookie", "restart", torrc=True)
def cookie_of_tor_damaged(s):
    s.write(s.data + "/extended_orport_auth_cookie", bytes(64))


@seed("state", "state/web belongs to root, and nobody cannot read and write it", "chown -R nobody {s.state}/web")
def state_of_root(s):
    s.own(s.state + "/web", "root")


@seed("state", "obfs4_state.json, of root, cannot be read", "chown nobody {s.state}/web/obfs4_state.json")
def state_file_of_root(s):
    os.chown(s.state + "/web/obfs4_state.json", 0, 0)
    os.chmod(s.state + "/web/obfs4_state.json", 0o600)


@seed("state", "state/none cannot be made by nobody", "install -d -m 700 -o nobody {s.state}/none")
def state_cannot_be_made(s):
    s.services["none"] = {**s.services.pop("web"), "listen": "127.0.0.1:0"}
    os.chown(s.state, 0, 0)
    os.chmod(s.state, 0o755)
    for label in set(s.services) - {"none"}:
        s.own(os.path.join(s.state, label))


@seed("state", "nobody cannot reach the state folder {s.folder}/closed/state/none: Permission denied", "namei -l {s.folder}/closed/state/none")
def state_in_a_closed_folder(s):
    s.conf["stateDir"] = s.folder + "/closed/state"
    s.services["none"] = {**s.services["web"], "listen": "127.0.0.1:0"}
    s.only("none")
    os.makedirs(s.conf["stateDir"], 0o755)
    os.chmod(s.folder + "/closed", 0o700)


@seed("state", "{s.state}/none cannot be there: {s.state}/none is a file", "mv {s.state}/none {s.state}/none.old")
def state_that_is_a_file(s):
    s.services["none"] = {**s.services.pop("web"), "listen": "127.0.0.1:0"}
    s.only("none")
    s.write(s.state + "/none", "")


@seed("state", "pt_state belongs to root, and nobody cannot", "chown -R nobody {s.data}/pt_state", torrc=True)
def state_of_tor_of_root(s):
    s.own(s.data + "/pt_state", "root")


@seed("reading", "nobody cannot read {s.path}", "chgrp nobody {s.path}; chmod 640 {s.path}")
def file_of_root(s):
    s.mode = 0o600


@seed("reading", "nobody cannot read {s.folder}/closed/options.json", "chgrp nobody {s.folder}/closed; chmod g.x")
def options_in_a_closed_folder(s):
    s.services["from"]["optionsFile"] = s.write(s.folder + "/closed/options.json", "{}", 0o600)
    shutil.chown(s.services["from"]["optionsFile"], USER)
    os.chmod(s.folder + "/closed", 0o700)


@seed("reading", "nobody cannot read {s.folder}/web.key", "chgrp nobody {s.folder}/web.key; chmod 640 {s.folder}/web.key")
def key_of_root(s):
    key_of(s, 0o600)


@seed("configuration", 'services.key.options.key: option "key": {s.folder}/web.key is a secret, and open to everybody',
      "^chmod 600 {s.folder}/web.key, and give it to who runs ptah$")
def key_for_everybody(s):
    key_of(s, 0o644)


def key_of(s, mode):
    """A service whose options name a file."""
    shutil.copy(os.path.join(TEST_MODULES, "folio.so"), s.modules)
    s.services["key"] = {"role": "server", "transport": "folio", "listen": "127.0.0.1:0",
                         "target": "127.0.0.1:%d" % s.target,
                         "options": {"file": s.write(s.folder + "/web.pem", "one"),
                                     "key": s.write(s.folder + "/web.key", "hush", mode)}}


@seed("writing", '"logFile" is in {s.folder}/none, which is not there', "install -d -m 750 -o nobody {s.folder}/none")
def no_folder_for_the_log(s):
    s.conf["logFile"] = s.folder + "/none/log"


@seed("writing", 'nobody may not write "control", {s.folder}/control', "chown nobody {s.folder}")
def control_not_writable(s):
    s.conf["control"] = s.folder + "/control"


@seed("unit", '"stateDir" is {s.state}, and ptah.service may not write there', "ReadWritePaths={s.state}")
def unit_keeps_from_the_state(s):
    s.make_unit("ProtectSystem=strict\nStateDirectory=ptah\nReadWritePaths=-%s/run/ /var/lib\n" % s.folder)


# Modules and programs.

@seed("folders", "modules in {s.modules} are refused: .* can be written to by everyone", "chmod go-w {s.modules}")
def folder_of_everybody(s):
    os.chmod(s.modules, 0o777)


@seed("folders", "{s.folder}/none, a folder of modules, cannot be read by nobody: No such file", "install -d -m 755 {s.folder}/none")
def folder_missing(s):
    s.env["PTAH_MODULE_PATH"] += ":" + s.folder + "/none"


@seed("folders", "modules in {s.modules} are refused: .* can be written to by everyone", "chown root {s.modules}; chmod go-w {s.modules}")
def folder_of_everybody_has_half_of_a_stack(s):
    """What follows from it is not told again: neither of the modules, nor where the file names them."""
    second = s.folder + "/second"
    os.mkdir(second, 0o755)
    shutil.move(s.modules + "/dummy.so", second)
    s.env["PTAH_MODULE_PATH"] = second + ":" + s.modules
    s.services["twofold"] = {"role": "client", "stack": [{"transport": "dummy"}, {"transport": "shadow"}],
                             "listen": "127.0.0.1:0"}
    os.chmod(s.modules, 0o777)


@seed("folders", "modules in {s.folder}/above/modules are refused: {s.folder}/above can be written to by everyone",
      "^chown root {s.folder}/above; chmod go-w {s.folder}/above$")
def folder_above_of_everybody(s):
    os.mkdir(s.folder + "/above", 0o755)
    shutil.copytree(s.modules, s.folder + "/above/modules")
    shutil.copytree(s.modules, s.folder + "/above/others")
    os.chmod(s.folder + "/above", 0o777)
    s.env["PTAH_MODULE_PATH"] = "%s/above/modules:%s/above/others" % (s.folder, s.folder)


@seed("configuration", "a configuration is an object, such as", "{s.path} line 1")
def file_of_another_kind(s):
    """Nobody knows which folders it means."""
    s.conf = ["no", "object"]
    del s.env["PTAH_MODULE_PATH"]


@seed("configuration", 'option "exec" is missing', "ptah info TRANSPORT says")
def option_missing(s):
    del s.services["odd"]["options"]


@seed("modules", "the stack is too high", "leave some out in services.from of {s.path}")
def stack_too_high(s):
    s.services["from"]["transport"] = "+".join(["dummy"] * 9)


@seed("configuration", 'modulePath: .* is not an array of absolute paths', "{s.path} line 1")
def modules_path_misread(s):
    """So the modules are not found, which is no other fault."""
    s.conf["modulePath"] = s.modules
    del s.env["PTAH_MODULE_PATH"]


@seed("folders", "{s.modules}, a folder of modules, is closed to nobody", r"chmod a.rx {s.modules}")
def folder_closed(s):
    os.chmod(s.modules, 0o700)


@seed("modules", "obfs4: {s.modules}/obfs4.so can be written to by everyone",
      "^chown root {s.modules}/obfs4.so; chmod go-w {s.modules}/obfs4.so$")
def module_of_everybody(s):
    os.chmod(s.modules + "/obfs4.so", 0o777)
    s.only("web", "six", "handed")


@seed("modules", "^nick: {s.modules}/nick.json: .* can be written to by everyone",
      "^chown root {s.modules}/nick.json; chmod go-w {s.modules}/nick.json$")
def definition_of_everybody(s):
    s.write(s.modules + "/nick.json", '{"module": "dummy"}', 0o666)
    s.services["from"]["transport"] = "nick"


@seed("modules", "^nick: {s.modules}/nick.json: {s.modules}/obfs4.so can be written to by everyone",
      "^chown root {s.modules}/obfs4.so; chmod go-w {s.modules}/obfs4.so$")
def module_of_a_definition_of_everybody(s):
    s.write(s.modules + "/nick.json", '{"module": "obfs4"}')
    s.only("from")["transport"] = "nick"
    os.chmod(s.modules + "/obfs4.so", 0o777)


@seed("modules", 'there is no transport "nosuch"', "put nosuch.so into {s.modules}")
def layer_missing(s):
    s.services["from"]["stack"] = [{"transport": "dummy"}, {"transport": "nosuch"}]
    del s.services["from"]["transport"]


@seed("modules", 'there is no transport "nosuch"', "put nosuch.so into {s.modules}")
def module_missing(s):
    s.services["from"]["transport"] = "nosuch"


@seed("modules", "^wrongabi: .* ABI", "ptah check-module")
def module_refused(s):
    shutil.copy(os.path.join(TEST_MODULES, "wrongabi.so"), s.modules)
    s.services["from"]["transport"] = "wrongabi"


@seed("modules", "liblostforptah.so", "install the library liblostforptah.so: apt-file")
def module_lacks_a_library(s):
    lost = compiled("int lost(void) { return 0; }", s.folder + "/liblostforptah.so", "-Wl,-soname,liblostforptah.so")
    compiled("int lost(void); int f(void) { return lost(); }", s.modules + "/loser.so", lost)
    os.unlink(lost)
    s.services["from"]["transport"] = "loser"


@seed("exec", "there is no program {s.folder}/none", "change the path in services.odd")
def program_missing(s):
    s.services["odd"]["options"]["exec"] = s.folder + "/none"


@seed("exec", "nobody may not start {s.folder}/bin/odd", "chmod a.rx {s.folder}/bin/odd")
def program_not_executable(s):
    os.chmod(s.folder + "/bin/odd", 0o644)


@seed("program", "nobody cannot start .*: the folder {s.folder}/bin/closed is closed", "chmod a.x {s.folder}/bin/closed", torrc=True)
def program_in_a_closed_folder(s):
    os.mkdir(s.folder + "/bin/closed", 0o700)
    shutil.move(s.program, s.folder + "/bin/closed/ptah")
    s.write("/etc/apparmor.d/local/system_tor", "  %s/** PUx,\n" % s.folder)
    for at, line in enumerate(s.torrc):
        s.torrc[at] = line.replace(s.program, s.folder + "/bin/closed/ptah")


@seed("program", "mounted noexec", "/usr/local/bin", torrc=True)
def program_on_a_noexec_mount(s):
    if not has_namespaces():
        pytest.skip("namespaces are not permitted")
    os.mkdir(s.folder + "/mounted")
    s.wrapper = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o noexec,mode=755 none "$0" && '
                 'cp %s "$0/ptah" && exec "$@"' % s.program, s.folder + "/mounted"]
    s.write("/etc/apparmor.d/local/system_tor", "  %s/** PUx,\n" % s.folder)
    for at, line in enumerate(s.torrc):
        s.torrc[at] = line.replace(s.program, s.folder + "/mounted/ptah")


@seed("apparmor", "AppArmor lets Tor not start {s.program}",
      "echo '{s.program} PUx,' >> /etc/apparmor.d/local/system_tor\napparmor_parser -r", torrc=True)
def apparmor_without_a_rule(s):
    s.write("/etc/apparmor.d/local/system_tor", "# nothing yet\n  %s r,\n" % s.program)


@seed("apparmor", "AppArmor lets Tor, if systemd starts it, not start", "apparmor_parser -r", state="warning", torrc=True)
def apparmor_for_another_tor(s):
    apparmor_without_a_rule(s)
    s.torrc_path = s.folder + "/torrc"


@seed("apparmor", "AppArmor lets ptah not write to its state folder {s.data}/pt_state",
      "echo 'owner {s.data}/pt_state/\\*\\* rwk,'", torrc=True)
def apparmor_without_the_state(s):
    s.write("/etc/apparmor.d/ptah", "profile ptah %s/bin/* {\n  /var/lib/tor/** rwk,\n}\n" % s.folder)


# What the configuration says.

@seed("configuration", 'services.app.options: option "cert" is missing', "{s.path} line 1, column .*ptah info")
def client_lacks_cert(s):
    del s.services["app"]["options"]["cert"]


@seed("configuration", '"transports" is empty', "{s.path} line 1, column .*ptah info TRANSPORT says")
def nothing_to_choose_from(s):
    shutil.copy(os.path.join(MODULES, "optimizer.so"), s.modules)
    options = s.write(s.folder + "/options.json", '{"transports": []}', 0o600)
    shutil.chown(options, USER)
    s.services["from"].update(transport="optimizer", optionsFile=options)


@seed("configuration", "services.key.options.password: this is a secret", "chmod o-r {s.path}", state="warning")
def secret_for_everybody(s):
    s.services["key"] = {"role": "client", "transport": "shadow", "listen": "127.0.0.1:0",
                         "options": {"method": "aes-256-gcm", "password": "one"}}


@seed("configuration", "services.from.optionsFile: others may read", "^chmod 600 {s.folder}/options.json, and", state="warning")
def options_for_everybody(s):
    s.services["from"]["optionsFile"] = s.write(s.folder + "/options.json", "{}")


@seed("configuration", r"services.six.files\[0\]: there is no such file: of its path only {s.folder} is there",
      "^put {s.folder}/none/web.pem there before the service starts, or change {s.path} line 1", state="warning")
def file_of_a_service_missing(s):
    s.services["six"]["files"] = [s.folder + "/none/web.pem"]


@seed("configuration", 'workres: .*did you mean "workers"', "{s.path} line 1")
def unknown_key(s):
    s.conf["workres"] = 2


@seed("identity", 'its "cert" is not that of "web"', "take cert from {s.state}/web/obfs4_bridgeline.txt into services.app")
def cert_of_another_server(s):
    other = os.path.join(s.folder, "other")
    s.services["app"]["options"]["cert"] = re.search(r"cert=(\S+)", s.invite(other, s.port)).group(1)


@seed("identity", 'its "password" is not that of "srv"', 'the same "password" into services.cli of .* and services.srv')
def passwords_differ(s):
    how = {"method": "aes-256-gcm"}
    s.services["srv"] = {"role": "server", "transport": "shadow", "listen": "0.0.0.0:%d" % free_port(),
                         "target": "127.0.0.1:%d" % s.target, "options": {**how, "password": "one"}}
    s.services["cli"] = {"role": "client", "transport": "shadow", "listen": "127.0.0.1:0", "mode": "transparent-TCP",
                         "options": {**how, "password": "two",
                                     "serverAddress": s.services["srv"]["listen"].replace("0.0.0.0", "127.0.0.1")}}
    for label in ("srv", "cli"):
        s.services[label]["optionsFile"] = s.write("%s/%s.json" % (s.folder, label),
                                                   json.dumps(s.services[label].pop("options")), 0o600)
        shutil.chown(s.services[label]["optionsFile"], USER)


@seed("identity", 'its "cert" is not that of "obfs4"', "torrc line 5", torrc=True)
def bridge_line_of_another_server(s):
    other = re.search(r"cert=(\S+)", s.invite(os.path.join(s.folder, "other"), s.port)).group(1)
    s.line("Bridge obfs4", s.bridge(cert=other))


@seed("identity", 'it speaks dummy\\+shadow, and "srv", the server that it connects to, shadow', "the same transports.* services.cli of .* and services.srv")
def stacks_differ(s):
    how = {"method": "aes-256-gcm", "password": "one"}
    secret = s.write(s.folder + "/options.json", json.dumps(how), 0o600)
    shutil.chown(secret, USER)
    address = "127.0.0.1:%d" % free_port()
    s.services["srv"] = {"role": "server", "transport": "shadow", "listen": address,
                         "target": "127.0.0.1:%d" % s.target, "optionsFile": secret}
    s.services["cli"] = {"role": "client", "listen": "127.0.0.1:0", "mode": "transparent-TCP", "transport": "dummy+shadow",
                         "options": {"serverAddress": address}, "optionsFile": secret}


@seed("identity", 'its mode is transparent-TCP, and that of "srv", the server that it connects to, transparent-UDP',
      'the same "mode" into services.cli of .* and services.srv')
def modes_differ(s):
    address = "127.0.0.1:%d" % free_port()
    s.services["srv"] = {"role": "server", "transport": "dummy", "mode": "transparent-UDP", "listen": address,
                         "target": "127.0.0.1:%d" % s.target}
    s.services["cli"] = {"role": "client", "transport": "dummy", "mode": "transparent-TCP", "listen": "127.0.0.1:0",
                         "options": {"serverAddress": address}}


@seed("identity", 'its "cert" is not that of "srv"', "take cert from {s.state}/srv/obfs4_bridgeline.txt")
def certs_differ_below(s):
    """In the layer below, whose options stand inside those of the one above."""
    port = free_port()
    s.invite(os.path.join(s.state, "srv"), port)
    s.services["srv"] = {"role": "server", "transport": "dummy+obfs4", "listen": "127.0.0.1:%d" % port,
                         "target": "127.0.0.1:%d" % s.target}
    s.services["cli"] = {"role": "client", "listen": "127.0.0.1:0", "mode": "transparent-TCP",
                         "stack": [{"transport": "dummy", "options": {"serverAddress": "127.0.0.1:%d" % port}},
                                   {"transport": "obfs4", "options": {"cert": s.cert, "iat-mode": 0}}]}
    s.own(s.state)


# The torrc.

@seed("bridge", 'option "cert" is missing', "torrc line 5: the whole line", torrc=True)
def bridge_line_without_cert(s):
    s.line("Bridge obfs4", s.bridge(cert=None))


@seed("torrc", '"0123" is no fingerprint', "torrc line 5: Bridge NAME IP:PORT FINGERPRINT", torrc=True)
def bridge_line_with_a_short_fingerprint(s):
    s.line("Bridge obfs4", s.bridge().replace("0123456789" * 4, "0123"))


@seed("torrc", "KEY=VALUE, which .* is not: was the line broken", "torrc line 5", torrc=True)
def bridge_line_broken(s):
    s.line("Bridge obfs4", s.bridge() + " dangling")


@seed("torrc", 'no ClientTransportPlugin is for .*"obfs4"', "add: ClientTransportPlugin obfs4 exec ", torrc=True)
def no_plugin_for_a_bridge(s):
    s.line("ClientTransportPlugin", None)


@seed("torrc", 'wants the word "exec" behind the names, and not "{s.program}"', "line 4: ClientTransportPlugin NAME,... exec", torrc=True)
def plugin_without_exec(s):
    s.line("ClientTransportPlugin", "ClientTransportPlugin obfs4 %s -flag" % s.program)
    s.line("Bridge obfs4", None)


@seed("torrc", "no line of it starts ptah", "add: ClientTransportPlugin NAME exec", state="warning", torrc=True)
def nothing_for_ptah(s):
    """So it does not matter which folders there are."""
    s.torrc = s.torrc[:2] + ["ServerTransportPlugin obfs4 exec /usr/bin/obfs4proxy"]
    s.env["PTAH_MODULE_PATH"] = s.folder + "/none"


@seed("torrc", 'is for "obfs5", which no ServerTransportPlugin starts', "line 10", torrc=True)
def listen_for_nobody(s):
    s.line("ServerTransportListenAddr", "ServerTransportListenAddr obfs5 127.0.0.1:0")


@seed("torrc", "sandbox", "line 11: Sandbox 0", torrc=True)
def sandbox_is_on(s):
    s.line("ClientTransportPlugin", None)
    s.line("Bridge obfs4", None)
    s.torrc += ["", "# a comment", "sandbox 1"]


@seed("torrc", "needs an ORPort", "add: ORPort 127.0.0.1:auto", torrc=True)
def no_orport(s):
    s.line("ORPort", None)


@seed("torrc", "Tor uses no bridges", "add: UseBridges 1", state="warning", torrc=True)
def bridges_not_used(s):
    s.line("UseBridges", "UseBridges 0")


@seed("torrc", "ptah would refuse .*-nosuchflag", "torrc line 4", torrc=True)
def flag_that_ptah_has_not(s):
    s.line("ClientTransportPlugin", "ClientTransportPlugin obfs4 exec %s -nosuchflag" % s.program)


@seed("tor", "/bin/tor is version 0.2.4, which is too old", "support.torproject.org", torrc=True)
def tor_too_old(s):
    s.write(s.folder + "/bin/tor", "#!/bin/sh\necho 'Tor version 0.2.4.27 (git-412e3f7dc9c6c01a).'\n", 0o755)


@seed("user", "will run as daemon, and only root can see", "sudo ptah doctor", state="warning", torrc=True)
def not_as_root(s):
    s.line("User", "User daemon")
    uid = pwd.getpwnam(USER).pw_uid
    s.before = lambda: os.setresuid(uid, uid, uid)


@seed("user", "there is no user nosuchuser", "adduser --system --group nosuchuser, or another name in {s.torrc_path}", torrc=True)
def user_of_tor_missing(s):
    s.line("User", "User nosuchuser")
    s.own(s.data, "root")


# The machine.

@seed("descriptors", "256 descriptors are few for the 5000 links .*limit of this shell", "ulimit -Hn 11556")
def descriptors_few(s):
    os.unlink(s.root + "/etc/systemd/system/ptah.service")
    del s.services["handed"]
    s.words = ["--user", USER]
    s.services["web"]["limits"]["links"] = 5000
    s.before = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))


@seed("descriptors", "100 descriptors are few for the 100 links .*limit of ptah.service", "LimitNOFILE=356")
def descriptors_few_in_the_unit(s):
    s.make_unit(more="LimitNOFILE=64:100\n")


def numbers():
    return {"x86_64": (318, 444), "aarch64": (278, 444)}.get(platform.machine()) or pytest.skip("calls of another machine")


def seccomp():
    return {"x86_64": 317, "aarch64": 277}.get(platform.machine()) or pytest.skip("calls of another machine")


@seed("isolation", "it is to be isolated, and the kernel has no Landlock", 'lsm=landlock(.|\n)*"isolate": false in services.six')
def no_landlock(s):
    number = numbers()[1]
    s.before = lambda: refuse_call(number, errno.ENOSYS)


@seed("isolation", r"it is to be isolated, and the kernel has no filters of system calls \(seccomp\)$",
      'CONFIG_SECCOMP_FILTER(.|\n)*"isolate": false in services.six')
def no_filters(s):
    """As a kernel that has seccomp, and no filters."""
    number = seccomp()
    s.before = lambda: refuse_call(number, errno.EINVAL)


@seed("isolation", "the kernel has no filters of system calls .*, nor Landlock: what is broken into",
      "lsm=landlock(.|\n)*CONFIG_SECCOMP_FILTER", state="warning")
def neither(s):
    """As an old one; nobody asks for isolation."""
    s.services["six"]["isolate"] = False
    numbers_of = (seccomp(), numbers()[1])
    s.before = lambda: [refuse_call(number, errno.ENOSYS) for number in numbers_of]


@seed("random", "no randomness yet", "virtio-rng")
def no_randomness(s):
    number = numbers()[0]
    s.before = lambda: refuse_call(number, errno.EAGAIN, argument=2, value=1)


@seed("clock", "the clock says 20..-.*, which is before this program was written", "timedatectl set-ntp true")
def clock_years_behind(s):
    s.env["SHIM_SHIFT"] = str(-20 * 365 * 86400)


@seed("clock", r"the clock was set by \+\d+ seconds while it was looked at", "timedatectl timesync-status")
def clock_jumps(s):
    s.env["SHIM_JUMPS"] = "1"
    return {"once": True}  # another time it is by another amount


@seed("dates", "obfs4_state.json is of 20.*, which is in the future", "touch {s.state}/web/obfs4_state.json")
def file_from_the_future(s):
    tomorrow = time.time() + 86400
    os.utime(s.state + "/web/obfs4_state.json", (tomorrow, tomorrow))


@seed("synchronised", "nothing keeps the clock right", "timedatectl set-ntp true", state="warning")
def clock_left_alone(s):
    s.env["SHIM_UNSYNC"] = "1"


# --- one by one -------------------------------------------------------------------

@pytest.mark.parametrize("plant, check, text, cure, state, torrc", SEEDS)
def test_each_fault_is_found(setup, plant, check, text, cure, state, torrc):
    words = plant(setup) or {}
    _, bad = setup.found(torrc)
    assert {one["check"] for one in bad} == {check}, bad
    assert {one["state"] for one in bad} == {state}, bad
    mine = bad[0]
    for pattern, said in ((text, mine["text"]), (cure, "\n".join(mine["cure"]))):
        pattern = re.sub(r"\{(s\.\w+|\w+)\}", lambda m: re.escape(m.group().format(s=setup, **words)), pattern)
        assert re.search(pattern, said), (pattern, said)
    if words.get("once"):
        return
    shown = setup.look(torrc, json_too=False).stdout
    assert mine["text"] in shown and all(line in shown for line in mine["cure"])


def test_no_cure_hangs_on_the_words_of_others():
    """A fault says what it is by a number: its words may change, and the cure stays."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "core", "doctor")
    texts = {name: open(os.path.join(folder, name), encoding="utf-8").read()  # pylint: disable=consider-using-with
             for name in os.listdir(folder) if name.endswith(".c")}
    assert "modules.c" in texts
    looked_into = re.compile(r"\b(?:str(?:case)?str|strn?(?:case)?cmp|fnmatch|regexec|memmem)\s*\(.*(?:\bwhy\b|fault->text|->text, (?:about|path))")
    assert [] == [(name, line) for name, text in texts.items() for line in text.splitlines() if looked_into.search(line)]


def test_each_check_has_a_fault_here():
    assert {one.values[1] for one in SEEDS} == checks() | {"user"}
    assert len(SEEDS) >= 20
