"""The pages that `simulate --html` and `rehearse --html` write, in the hands of a reader."""

import subprocess

import pytest

from tests.site.browser import TOP
from tests.site.pages import SCHEMES, WIDTHS, pale

PAGES = ("simulate", "rehearse")

#: The colors on the canvas of a chart, as "r,g,b", with the number of their pixels.
_COLORS = """number => {
    const canvas = document.querySelectorAll("canvas")[number], found = {};
    const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    for (let at = 0; at < data.length; at += 4)
        if (data[at + 3] === 255) {
            const name = `${data[at]},${data[at + 1]},${data[at + 2]}`;
            found[name] = (found[name] ?? 0) + 1;
        }
    return found;
}"""
_COLOR = "name => getComputedStyle(document.documentElement).getPropertyValue(name)"


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    subprocess.run(
        [TOP / ".venv/bin/python", "-m", "tests.site.reports", folder], cwd=TOP, check=True, capture_output=True
    )
    return folder


@pytest.fixture(params=PAGES)
def address(request, folder):
    return (folder / f"{request.param}.html").as_uri()


def numbers(page):
    return page.evaluate("JSON.parse(document.getElementById('numbers').textContent)")


def color(page, policy):
    red, green, blue = (int(page.evaluate(_COLOR, f"--curve-{policy}").strip()[at : at + 2], 16) for at in (1, 3, 5))
    return f"{red},{green},{blue}"


def drawn(page, policy, chart=0):
    """How many pixels of a chart have the color of a policy, once all that waits to be drawn is drawn."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    return page.evaluate(_COLORS, chart).get(color(page, policy), 0)


def chart(page, number=0):
    """The place of a chart, in view."""
    over = page.locator(".u-over").nth(number)
    over.scroll_into_view_if_needed()
    return over.bounding_box()


def legend(page, number):
    """The numbers that a chart shows, the second first."""
    return [text.strip() for text in page.locator(".u-legend").nth(number).locator(".u-value").all_text_contents()]


def expected(page, second):
    """What the charts have to show at a second, by chart."""
    data = numbers(page)
    at = data["seconds"].index(second)
    return [[f"{second:g}", *(f"{curve[at]:g}" for curve in each["curves"])] for each in data["charts"]]


def shown_time(page):
    """The first and the last second that the charts show, after a look that all of them show the same."""
    place = page.locator("#charts")
    return float(place.get_attribute("data-from")), float(place.get_attribute("data-to"))


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_report_fits_its_window_and_can_be_read(opened, address, width, scheme):
    page = opened(address, width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("canvas").count() == 3
    assert all(box["width"] <= width for box in [chart(page, number) for number in range(3)])
    assert pale(page, "body") == []


def test_a_report_requests_nothing_and_may_not(browser, address):
    context = browser.new_context()
    page, requests, errors = context.new_page(), [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    page.locator("canvas").first.wait_for()
    assert requests == [address]
    assert page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'fetched', error => error.name)") == "TypeError"
    assert page.locator("b, img, link").count() == 0  # a name with "<b>" is text
    assert errors == []
    context.close()


def test_pointing_at_a_chart_shows_the_numbers_of_all_charts(opened, address):
    page = opened(address)
    box = chart(page)
    page.mouse.move(box["x"] + box["width"] * 0.45, box["y"] + box["height"] / 2)
    second = float(legend(page, 0)[0])
    assert second > 0
    assert [legend(page, number) for number in range(3)] == expected(page, second)


def test_a_tap_on_a_phone_shows_the_numbers(browser, address):
    context = browser.new_context(viewport={"width": WIDTHS["phone"], "height": 850}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(address)
    box = chart(page, 1)
    page.touchscreen.tap(box["x"] + box["width"] * 0.6, box["y"] + box["height"] / 2)
    second = float(legend(page, 1)[0])
    assert [legend(page, number) for number in range(3)] == expected(page, second)
    context.close()


def test_dragging_zooms_all_charts_and_a_double_click_shows_everything(opened, address):
    page = opened(address)
    start, end = shown_time(page)
    box = chart(page, 1)
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.25, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, y, steps=5)
    page.mouse.up()
    length = end - start
    assert shown_time(page) == pytest.approx((length * 0.25, length * 0.5), abs=length * 0.02)
    for number in range(3):  # at the left edge of each is the second at which the drag began
        box = chart(page, number)
        page.mouse.move(box["x"] + 1, box["y"] + box["height"] / 2)
        assert float(legend(page, number)[0]) == pytest.approx(length * 0.25, abs=length * 0.02)
    page.mouse.dblclick(box["x"] + 50, box["y"] + box["height"] / 2)
    assert shown_time(page) == (start, end)


def test_the_buttons_zoom_without_a_mouse(opened, address):
    page = opened(address)
    start, end = shown_time(page)
    page.get_by_role("button", name="Closer").press("Enter")
    low, high = shown_time(page)
    assert (high - low) == pytest.approx((end - start) / 2)
    page.get_by_role("button", name="Wider").press("Enter")
    assert shown_time(page) == (start, end)
    for _ in range(12):
        page.get_by_role("button", name="Closer").press("Enter")
    page.get_by_role("button", name="Everything").press("Enter")
    assert shown_time(page) == (start, end)


def test_the_trouble_is_grey_and_a_button_leads_there(opened, folder):
    page = opened((folder / "simulate.html").as_uri())
    page.get_by_role("button", name="The trouble").click()
    assert shown_time(page) == (15.0, 45.0)


def test_a_policy_is_taken_out_of_all_charts_and_put_back(opened, address):
    page = opened(address)
    before = [drawn(page, 1, number) for number in range(3)]
    assert before[0] > 20
    box = page.locator("tr[data-policy='1'] input")
    box.uncheck()
    assert [drawn(page, 1, number) for number in range(3)] == [0, 0, 0]
    assert page.locator(".u-legend .u-off").count() == 3
    assert all(each.is_hidden() for each in page.locator("section[data-policy='1']").all())
    assert page.locator("tr[data-policy='1'] td").first.is_visible()  # its numbers stay
    box.check()
    assert [drawn(page, 1, number) for number in range(3)] == before


def test_a_name_in_a_legend_takes_its_policy_out_too(opened, address):
    page = opened(address)
    page.locator(".u-legend").nth(2).locator("tr").nth(2).locator("th").click()
    assert not page.locator("tr[data-policy='1'] input").is_checked()
    assert drawn(page, 1, 0) == 0


def test_the_charts_change_their_colors_with_the_system(opened, address):
    page = opened(address, scheme="light")
    light = color(page, 1)
    page.emulate_media(color_scheme="dark")
    assert color(page, 1) != light
    assert drawn(page, 1) > 20
    assert light not in page.evaluate(_COLORS, 0)


def test_the_charts_follow_the_width_of_the_window(opened, address):
    page = opened(address)
    page.set_viewport_size({"width": WIDTHS["phone"], "height": 850})
    page.wait_for_function("document.querySelector('canvas').getBoundingClientRect().right <= innerWidth")
    assert page.evaluate("document.documentElement.scrollWidth") == WIDTHS["phone"]


@pytest.mark.parametrize("name", PAGES)
def test_the_numbers_of_each_policy_are_there_without_javascript(browser, folder, name):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / f"{name}.html").as_uri())
    assert page.locator("tr[data-policy]").count() == {"simulate": 5, "rehearse": 2}[name]
    assert page.get_by_text("The charts need JavaScript.").is_visible()
    context.close()
