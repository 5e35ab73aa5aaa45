# SPDX-License-Identifier: BSD-3-Clause
"""The status page, in a browser: what it shows, and that it needs nobody else."""
import re
import socket

import pytest

import browser
import harness
from runner import Run, client, server
from test_metrics import carry, port_of

pytestmark = pytest.mark.skipif(browser.PROGRAM is None, reason="no chromium")

CARDS = "[...document.querySelectorAll('article')]"
# Each text of the page against what is behind it, as WCAG 2 has it.
CONTRAST = """(() => {
const light = c => { const [r, g, b] = c.match(/[0-9.]+/g).slice(0, 3).map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
	return .2126 * r + .7152 * g + .0722 * b; };
const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
	if (!/, 0\\)$/.test(c)) return c; } return "rgb(255, 255, 255)"; };
const ratio = (a, b) => (Math.max(light(a), light(b)) + .05) / (Math.min(light(a), light(b)) + .05);
const texts = [...document.querySelectorAll("h1, h2, h3, p, dt, dd, span, a")].filter(e => e.offsetParent && e.textContent.trim() !== "");
const lines = [...document.querySelectorAll("path")].filter(e => e.checkVisibility());
return [Math.min(...texts.map(e => ratio(getComputedStyle(e).color, ground(e)))),
	Math.min(...lines.map(e => ratio(getComputedStyle(e).stroke, ground(e.closest("article")))))];
})()"""


@pytest.fixture
def page():
    with browser.Browser() as one:
        yield one


def show(page, run):
    page.open("http://127.0.0.1:%d/" % port_of(run))
    page.wait(CARDS + ".length > 0")


def test_page_shows_services_and_what_they_do(page, tmp_path, echo):
    """Text and chart of each service follow a link that comes and carries."""
    services = {"far": server(echo.port), "odd": server(echo.port, "obfs4")}
    with Run(tmp_path, services, metrics="127.0.0.1:0") as run:
        run.wait_ready()
        run.reload({**services, "near": client(run.where("far"))})
        run.where("near")
        show(page, run)
        assert page.eval(CARDS + ".map(card => card.querySelector('h2').textContent)") == ["far", "odd", "near"]
        page.wait("document.querySelectorAll('article path.one')[0].getAttribute('d')")
        with socket.create_connection(run.where("odd"), timeout=10) as probe:
            probe.sendall(b"\0" * 9000)
            carry(run, 2 << 20)
            page.wait(CARDS + "[0].textContent.includes('2.0 MiB in')")
            page.wait(CARDS + "[1].textContent.includes('held 1')")
        # The same in words, for who does not see the chart.
        label = page.eval(CARDS + "[1].querySelectorAll('svg')[3].getAttribute('aria-label')")
        assert re.match(r"Probes held: held \d+; at most 1$", label)
        assert "rejected 1" in page.eval(CARDS + "[1].textContent")
        assert page.eval("document.querySelectorAll('svg:not([role=img]), svg:not([aria-label])').length") == 0
        assert page.complaints() == []
        origin = "http://127.0.0.1:%d/" % port_of(run)
        assert page.fetched() == {origin, origin + "status.json"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1200])
def test_page_can_be_read(page, tmp_path, echo, scheme, width):
    """In the dark and on a phone: nothing is cut off, texts stand out 4.5 times, lines 3 times."""
    with harness.EchoServer() as taken:
        services = {"a-service-of-a-rather-long-name": server(echo.port),
                    "late": server(echo.port, listen="127.0.0.1:%d" % taken.port)}
        with Run(tmp_path, services, metrics="127.0.0.1:0") as run:
            run.wait_ready()
            page.look(width, 800, scheme, mobile=width < 500)
            show(page, run)
            page.wait("document.querySelectorAll('article path.two')[0].getAttribute('d')")
            assert page.eval("document.documentElement.scrollWidth") <= width
            text, line = page.eval(CONTRAST)
            assert text >= 4.5 and line >= 3
            dark = page.eval("getComputedStyle(document.body).backgroundColor") == "rgb(15, 18, 21)"
            assert dark == (scheme == "dark")
            late = page.eval(CARDS + "[1].innerText")
            assert "failed" in late and "in use" in late and "127.0.0.1" not in late


def test_page_says_when_nobody_answers(page, tmp_path, echo):
    # At a port that nobody else has when it is closed.
    with Run(tmp_path, {"far": server(echo.port)}, metrics="127.0.0.1:%d" % harness.free_port()) as run:
        run.wait_ready()
        show(page, run)
        assert page.eval("document.getElementById('note').hidden") is True
    page.wait("!document.getElementById('note').hidden")
    assert "does not answer" in page.eval("document.getElementById('note').textContent")


def test_names_of_services_are_text(page, tmp_path, echo):
    """What looks like HTML in a figure is shown, not obeyed."""
    with Run(tmp_path, {"far": server(echo.port)}, metrics="127.0.0.1:0") as run:
        run.wait_ready()
        show(page, run)
        page.eval("""fetch("/status.json").then(answer => answer.text()).then(text => {
            window.bad = 0;
            window.fetch = async () => ({ ok: true, json: async () => {
                const status = JSON.parse(text);
                status.services[0].service = "<img src=x onerror=bad=1>";
                status.services[0].reason = "<b>bold</b>";
                return status;
            } });
        })""")
        page.wait(CARDS + ".some(card => card.textContent.includes('<b>bold</b>') && card.textContent.includes('<img src=x'))")
        assert page.eval("document.images.length + document.querySelectorAll('b').length + bad") == 0
