"""What a reader does with the pages: search, copy, switch to the dark, open the menu of a phone."""

import base64

import pytest

from tests.site.pages import SCHEMES, WIDTHS

#: What somebody types, and the page that must be among the first three found.
SEARCHES = {
    "retry_max_wait": "configuration.html",
    "orphans": "creates.html",
    "retry-after": "retry-after-replaces.html",
    "RetryPolicy": "reference.html",
    "log-json": "run.html",
    "--log-json": "run.html",
    "--operation": "operations.html",
    "--replay": "rehearse.html",
    "os-retries simulate --html": "simulate.html",
}
_VERSION = "import os_retries; print(os_retries.__version__)"


def search(page, typed):
    page.locator("[data-md-component=search-query]").click()
    page.keyboard.insert_text(typed)  # at once: of a word half typed other pages are found
    page.keyboard.press("End")
    page.locator(".md-search-result__link").first.wait_for()


@pytest.mark.parametrize(("typed", "expected"), SEARCHES.items())
def test_the_search_finds(opened, site, typed, expected):
    """From a folder too, where a browser starts no worker."""
    page = opened(f"{site}/index.html")
    search(page, typed)
    links = page.locator(".md-search-result__item > .md-search-result__link")
    found = links.evaluate_all("links => links.map(each => each.pathname.split('/').pop())")
    assert expected in found[:3]


def test_a_result_of_the_search_leads_to_its_place(opened, site):
    page = opened(f"{site}/design/index.html")
    search(page, "settle time")
    page.locator(".md-search-result__link").first.click()
    page.wait_for_url(lambda url: "design/index.html" not in url)
    page.locator("article mark").first.wait_for()


@pytest.mark.parametrize(
    ("address", "block", "copied"),
    [
        ("installation.html", 0, "pip install os-retries"),
        ("installation.html", 1, f"os-retries --version\npython -c '{_VERSION}'"),
        (
            "index.html",
            2,
            "from os_retries import execute_with_retries\n\nexecute_with_retries(nova.servers.get, server_id)",
        ),
    ],
    ids=["a command", "commands with output", "Python"],
)
def test_the_button_copies_what_is_to_be_typed(opened, site, address, block, copied):
    """The commands without the prompt and the output, and Python as it is."""
    page = opened(f"{site}/{address}")
    page.locator("article .highlight").nth(block).locator("button").click()
    page.get_by_text("Copied to clipboard").wait_for()
    page.evaluate("document.body.append(Object.assign(document.createElement('textarea'), {id: 'pasted'}))")
    page.locator("#pasted").focus()
    page.keyboard.press("Control+V")
    assert page.locator("#pasted").input_value() == copied


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_page_is_as_light_or_dark_as_the_system(opened, site, scheme):
    page = opened(f"{site}/index.html", scheme=scheme)
    assert page.locator("body").get_attribute("data-md-color-scheme") == SCHEMES[scheme]


def test_the_switch_is_remembered_on_other_pages(opened, site):
    page = opened(f"{site}/index.html", scheme="light")
    for _ in ("light", "dark"):
        page.locator("label[for^=__palette_]:visible").click()
    page.goto(f"{site}/run.html")
    assert page.locator("body").get_attribute("data-md-color-scheme") == "slate"


@pytest.mark.parametrize("name", ["index.html", "creates.html", "pacing.html", "services.html"])
def test_pictures_are_dark_in_the_dark(opened, site, name):
    page = opened(f"{site}/{name}", scheme="dark")
    assert all(lightness(page, picture) < 0.3 for picture in page.locator("article img").all())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_pictures_follow_the_switch_of_the_page_and_not_the_system(opened, site, scheme):
    page = opened(f"{site}/index.html", scheme=scheme)
    for _ in range(2 if scheme == "light" else 1):
        page.locator("label[for^=__palette_]:visible").click()
    other = "dark" if scheme == "light" else "light"
    page.locator(f"body[data-md-color-scheme={SCHEMES[other]}]").wait_for()
    dark = [lightness(page, picture) < 0.3 for picture in page.locator("article img").all()]
    assert dark == [other == "dark"] * 3


def lightness(page, picture):
    shot = "data:image/png;base64," + base64.b64encode(picture.screenshot()).decode()
    return page.evaluate(_LIGHTNESS, shot)


_LIGHTNESS = """async address => {
    const picture = Object.assign(new Image(), {src: address});
    await picture.decode();
    const canvas = new OffscreenCanvas(picture.width, picture.height), drawing = canvas.getContext("2d");
    drawing.drawImage(picture, 0, 0);
    const {data} = drawing.getImageData(0, 0, picture.width, picture.height);
    return data.filter((_, i) => i % 4 < 3).reduce((sum, each) => sum + each, 0) / (data.length * 0.75 * 255);
}"""


def test_the_menu_of_a_phone_leads_to_every_kind_of_page(opened, site):
    page = opened(f"{site}/run.html", width=WIDTHS["phone"])
    page.locator("label.md-header__button[for=__drawer]").click()
    sections = page.locator(".md-nav--primary > .md-nav__list > .md-nav__item--nested")
    # It opens at the section of the page, and one step back are the sections.
    sections.and_(page.locator(".md-nav__item--active")).locator("> nav > label").click()
    for link in ("Installation", "One call", "Configuration", "Creates"):
        section = sections.filter(has=page.get_by_role("link", name=link, exact=True, include_hidden=True))
        section.locator("> label").click()
        section.get_by_role("link", name=link, exact=True).click(trial=True)
        section.locator("> nav > label").click()
    assert sections.count() == 4
