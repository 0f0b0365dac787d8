"""The browser, the site on a server of its own, and what each of its pages has."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import threading

import pytest

from tests.site.browser import SITE, executable, launch
from tests.site.pages import PAGES, visit

# `make test` runs in an environment without Playwright. There these tests do not exist.
collect_ignore_glob = [] if importlib.util.find_spec("playwright") else ["test_*.py"]


@pytest.fixture(scope="session")
def browser():
    if executable() is None:
        pytest.skip("there is no Chromium: set CHROMIUM=/path/to/it, or install chromium or google-chrome on PATH")
    assert PAGES, "there is no site: run make docs first"
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Say nothing of each request."""


@pytest.fixture(scope="session")
def served():
    """The address of the site on a server of this machine."""
    handler = functools.partial(_Quiet, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(params=["server", "folder"])
def site(request, served):
    """The address of the site: once on a server, once in a folder of this machine."""
    return served if request.param == "server" else SITE.as_uri()


@pytest.fixture
def opened(browser):
    """Open a page: ``opened(address, width=..., scheme=...)``. Whatever the page logs as an error fails the test."""
    contexts, errors = [], []

    def open_page(address, *, width=1280, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 850}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture(scope="session")
def visits(browser, served):
    """What each page has, at each width and in light and dark. The pages are visited once."""
    context = browser.new_context()
    page = context.new_page()
    found = {name: visit(page, served, name) for name in PAGES}
    context.close()
    return found
