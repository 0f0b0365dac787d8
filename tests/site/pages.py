"""The pages of the site, and one visit to each."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.site.browser import SITE

PAGES = sorted(str(path.relative_to(SITE)) for path in SITE.rglob("*.html") if path.name != "404.html")
WIDTHS = {"desktop": 1280, "phone": 390}
#: And what the theme calls them.
SCHEMES = {"light": "default", "dark": "slate"}

_CONTENT = """() => ({
    ids: [...document.querySelectorAll("[id]")].map(each => each.id),
    links: [...document.querySelectorAll("a[href]")].map(each => each.href),
    images: [...document.images].map(each => ({
        src: each.src, alt: each.alt.trim(), loaded: each.complete && each.naturalWidth > 0
    })),
    heading: document.querySelectorAll("h1").length,
})"""

# What reaches beyond the window, unless it is in a box that scrolls. A drawer that is closed waits outside.
_BEYOND = """() => {
    const scrolls = each => ["auto", "scroll"].includes(getComputedStyle(each).overflowX);
    const width = document.documentElement.clientWidth;
    const beyond = document.documentElement.scrollWidth > width ? ["the page"] : [];
    for (const each of document.querySelectorAll("article *")) {
        const box = each.getBoundingClientRect();
        if (box.width < 2 || box.height < 2 || box.right <= width + 1 && box.left >= -1) continue;
        let above = each;
        while (above && !(scrolls(above) && above.getBoundingClientRect().right <= width + 1)) above = above.parentElement;
        if (!above)
            beyond.push(each.tagName + ": " + each.textContent.trim().slice(0, 60));
    }
    return beyond;
}"""

# The contrast of WCAG 2, 1.4.3: of each text against the ground below it, 4.5 at least, and 3 if it is large.
_PALE = """root => {
    const channels = text => {
        const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
        return {rgb: [r, g, b], a};
    };
    const over = (top, below) => top.rgb.map((each, i) => each * top.a + below[i] * (1 - top.a));
    const light = rgb => {
        const [r, g, b] = rgb.map(each => each / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = each => {
        if (!each) return [255, 255, 255];
        const own = channels(getComputedStyle(each).backgroundColor);
        return own.a === 1 ? own.rgb : over(own, ground(each.parentElement));
    };
    const pale = new Set();
    const texts = document.createTreeWalker(document.querySelector(root), NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const text = texts.currentNode.textContent.trim(), each = texts.currentNode.parentElement;
        if (!text || each.closest(".headerlink, .md-clipboard, script, style") || !each.checkVisibility()) continue;
        const style = getComputedStyle(each), size = parseFloat(style.fontSize);
        const large = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
        const below = ground(each);
        const [high, low] = [light(over(channels(style.color), below)), light(below)].sort((a, b) => b - a);
        const contrast = (high + 0.05) / (low + 0.05);
        if (contrast < (large ? 3 : 4.5)) pale.add(`${each.tagName}.${each.className} ${contrast.toFixed(2)}: ${text.slice(0, 40)}`);
    }
    return [...pale];
}"""


@dataclass
class Visit:
    """What one page has."""

    ids: set[str]
    links: list[str]
    images: list[dict]
    headings: int
    #: By width: what reaches beyond the window.
    beyond: dict[str, list[str]] = field(default_factory=dict)
    #: By scheme: the texts that can hardly be read.
    pale: dict[str, list[str]] = field(default_factory=dict)
    #: The addresses of all that was requested.
    requests: list[str] = field(default_factory=list)
    #: What the page logged as an error.
    errors: list[str] = field(default_factory=list)


def pale(page, root="article"):
    """The texts below an element that can hardly be read in the colors of the moment."""
    return page.evaluate(_PALE, root)


def visit(page, address, name):
    requests, errors = [], []
    listeners = {
        "request": lambda request: requests.append(request.url),
        "pageerror": lambda error: errors.append(str(error)),
        "console": lambda message: errors.append(message.text) if message.type == "error" else None,
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    page.set_viewport_size({"width": WIDTHS["desktop"], "height": 850})
    page.emulate_media(color_scheme="light")
    page.goto(f"{address}/{name}")
    content = page.evaluate(_CONTENT)
    found = Visit(set(content["ids"]), content["links"], content["images"], content["heading"])
    for width, pixels in WIDTHS.items():
        page.set_viewport_size({"width": pixels, "height": 850})
        found.beyond[width] = page.evaluate(_BEYOND)
    page.add_style_tag(content="*, ::before, ::after { transition: none !important }")
    for scheme, name_of_it in SCHEMES.items():
        page.emulate_media(color_scheme=scheme)
        page.wait_for_selector(f"body[data-md-color-scheme={name_of_it}]")
        found.pale[scheme] = pale(page)
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    found.requests, found.errors = requests, errors
    return found
