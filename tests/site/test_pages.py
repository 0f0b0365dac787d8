"""Each page: its links, its pictures, its width, its colors, and what it requests."""

import pytest

from tests.site.browser import SITE
from tests.site.pages import PAGES, SCHEMES, WIDTHS


@pytest.mark.parametrize("name", PAGES)
def test_every_link_within_the_site_leads_to_a_page_and_to_a_place_on_it(visits, served, name):
    broken = []
    for link in visits[name].links:
        target, _, anchor = link.removeprefix(f"{served}/").partition("#")
        if not link.startswith(f"{served}/"):
            continue
        page = visits.get(target)
        if not (anchor in page.ids | {""} if page else (SITE / target).is_file()):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("name", PAGES)
def test_every_picture_is_there_and_is_described(visits, name):
    assert [each for each in visits[name].images if not each["loaded"] or len(each["alt"].split()) < 3] == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_one_title(visits, name):
    assert visits[name].headings == 1


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_requested_from_another_host(visits, served, name):
    assert [each for each in visits[name].requests if not each.startswith((f"{served}/", "data:", "blob:"))] == []
    assert visits[name].errors == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_nothing_reaches_beyond_the_window(visits, name, width):
    """Tables, code and pictures scroll in their boxes."""
    assert visits[name].beyond[width] == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", PAGES)
def test_every_text_can_be_read(visits, name, scheme):
    """Its contrast is what WCAG 2.2 asks for at level AA, the colors of the code included."""
    assert visits[name].pale[scheme] == []
