"""Every view, in a browser, with hostile callers in all of them."""

from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page

from pbx_bridge.core.roles import Role
from pbx_bridge.web.routes import Route
from pbx_bridge.web.views import routes

from .chromium import judged, overflow
from .conftest import Visit
from .house import FORBIDDEN, House
from .writes import ROUTES, used

#: What stands in the paths of views that are about one thing, by the pattern of the path.
ABOUT: dict[str, str] = {
    "/rules/edit/{form:[a-z]+}": "/rules/edit/hours",
    "/rules/edit/reason/{reason:[a-z_]+}": "/rules/edit/reason/busy",
    r"/calls/{call:\d{1,18}}": "/calls/CALL",
    "/conversation/{number:[^/]{1,64}}": "/conversation/NUMBER",
    r"/deliveries/messages/{message:\d{1,18}}": "/deliveries/messages/MESSAGE",
    "/welcome": "/welcome?link=LINK",
    r"/contacts/{contact:\d{1,18}}": "/contacts/CONTACT",
    r"/contacts/{contact:\d{1,18}}/edit": "/contacts/CONTACT/edit",
    r"/contacts/{contact:\d{1,18}}/merge": "/contacts/CONTACT/merge",
}
#: Routes that answer with no page, and why.
NO_PAGE = {
    "/events": "a stream",
    "/figures.csv": "a file",
    "/healthz": "for programs",
    "/metrics": "for programs",
    r"/call-back/{call:\d{1,12}}": "a part of others",
    r"/voicemail/{recording:\d{1,18}}": "a sound",
    "/setup/progress": "a part of another",
    "/login/oidc": "leads to a provider",
    "/login/oidc/callback": "comes from a provider",
}


def _views() -> list[Route]:
    return [
        route
        for route in routes()
        if route.method == "GET" and not route.api and route.path not in NO_PAGE
    ]


VIEWS = {ABOUT.get(route.path, route.path): route for route in _views()}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
#: The Tab key is pressed so often on a page.
MOST_STOPS = 30
EVERY_VIEW = pytest.mark.parametrize("path", VIEWS)


def test_every_view_is_among_those_tried() -> None:
    assert [path for path in VIEWS if "{" in path] == []
    assert set(ABOUT) | set(NO_PAGE) <= {route.path for route in routes()}


@EVERY_VIEW
async def test_it_is_for_everyone(visit: Visit, house: House, axe: str, path: str) -> None:
    """One look at a view, as whoever comes with a screen reader, a phone, a keyboard or a wall.

    That nothing of what strangers wrote ran, and nothing was asked for elsewhere, every visit
    proves at its end.
    """
    page = await visit(Role.ADMIN, reduced_motion="reduce")
    answer = await page.goto(house.path(path))
    assert answer is not None
    assert answer.status == 200
    assert await page.locator("h1").count() == 1
    assert await _out_of_texts(page) == []
    assert await _unseen_focus(page) == []
    assert await _wider_than_its_window(page) == {}
    await page.evaluate("scrollTo(0, 0)")  # what stands below the bar at the top is no small target
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        objections = await judged(page, axe)
        assert objections == [], "\n".join([scheme, *objections])


@EVERY_VIEW
async def test_it_works_without_javascript(visit: Visit, house: House, path: str) -> None:
    page = await visit(Role.ADMIN, java_script_enabled=False)
    answer = await page.goto(house.path(path))
    assert answer is not None
    assert answer.status == 200
    assert (await page.locator("h1").inner_text()).strip()
    assert await page.locator("main").inner_text()
    assert await page.evaluate(_OF_NO_USE) == []


@pytest.mark.parametrize("role", [None, *Role])
async def test_views_are_shown_to_whom_they_are_for(house: House, role: Role | None) -> None:
    """Nobody sees what they may not see, nor is offered what they would be refused."""
    watched, page = await house.visit(role)
    seen: dict[str, str] = {}
    offered: set[str] = set()
    with watched.expecting("403"):
        for path in VIEWS:
            answer = await page.goto(house.path(path))
            assert answer is not None
            refused = answer.status == 403 and await page.locator("h1").inner_text()
            to_login = role is None and "/login?next=" in page.url
            seen[path] = refused or ("login" if to_login else str(answer.status))
            offered |= {
                f"{method} {urlsplit(url).path}" for method, url in await page.evaluate(_OFFERED)
            }
    assert seen == {path: _expected(route, role) for path, route in VIEWS.items()}
    named = {one: used(*one.split(" ", 1)) for one in offered}
    assert [one for one in offered if not named[one] and "/static/" not in one] == []
    allowed = {one for one in named.values() if one and _expected(ROUTES[one], role) == "200"}
    assert set(named.values()) - {""} - allowed == set()
    await watched.close()


def _expected(route: Route, role: Role | None) -> str:
    if route.role is None or (role is not None and role.may(route.role)):
        return "200"
    return "login" if role is None else "Not allowed"


async def _out_of_texts(page: Page) -> list[str]:
    """Give what has come out of a text: elements with handlers, characters that turn lines."""
    found: list[str] = await page.evaluate(_HANDLERS)
    text: str = await page.evaluate("document.body.innerText + document.title")
    return found + [repr(character) for character in FORBIDDEN if character in text]


async def _unseen_focus(page: Page) -> list[str]:
    """Go through a page by the Tab key; give what had the focus and was not to be seen."""
    unseen = []
    for _ in range(MOST_STOPS):
        await page.keyboard.press("Tab")
        where = await page.evaluate(_FOCUS)
        if where is None:
            break
        if not where["seen"]:
            unseen.append(where["what"])
    return unseen


async def _wider_than_its_window(page: Page) -> dict[int, int]:
    """Give by how much a page is wider than windows of such widths, from phone to wall."""
    wider = {}
    for width in (320, 375, 768, 1024, 1440, 2560):
        await page.set_viewport_size({"width": width, "height": 900})
        wider[width] = await overflow(page)
    await page.set_viewport_size({"width": 1280, "height": 900})
    return {width: by for width, by in wider.items() if by}


#: Elements with handlers, scripts without a source, links that run.
_HANDLERS = """
[...document.querySelectorAll('*')].filter(element =>
  element.getAttributeNames().some(name => name.startsWith('on'))
  || (element.tagName === 'SCRIPT' && !element.src)
  || /^\\s*javascript:/i.test(element.getAttribute('href') || '')
).map(element => element.outerHTML.slice(0, 200))
"""
#: Where forms, buttons and links of a page lead, by method.
_OFFERED = """
[...document.querySelectorAll('form, [formaction], [hx-post], [hx-get], a[href], audio[src]')]
.map(element => {
  const own = name => element.getAttribute(name)  // a field may be called "action"
  const posts = own('method') === 'post' || own('formaction') || own('hx-post')
  const where = ['action', 'formaction', 'hx-post', 'hx-get', 'href', 'src'].map(own).find(Boolean)
  return [posts ? 'POST' : 'GET', new URL(where || '', location).href]
}).filter(([_, url]) => url.startsWith(location.origin) && !url.endsWith('#main'))
"""
#: What does nothing without JavaScript, but is there to be pressed, or is to come by itself.
_OF_NO_USE = """
[...document.querySelectorAll(
  'button[type=button], [hx-trigger*=load], [hx-get]:is(a:not([href]), button), '
  + 'form:not(:has(button:not([type=button])))'
)].filter(element => !element.closest('dialog') && getComputedStyle(element).display !== 'none')
.map(element => element.outerHTML.slice(0, 200))
"""
#: What has the focus, and whether an eye finds it: in the window, uncovered, with an outline.
_FOCUS = """
(() => {
  const it = document.activeElement
  if (!it || it === document.body) return null
  const box = it.getBoundingClientRect()
  const style = getComputedStyle(it)
  // A date has parts of its own, on which the browser draws its ring.
  const marked = (it.type || '').startsWith('date') || style.boxShadow !== 'none'
    || (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1)
  const x = Math.min(Math.max(box.left + box.width / 2, 0), innerWidth - 1)
  // Of what is larger than the window a part is enough: its beginning may be under the bar on top.
  const [first, last] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)]
  const uncovered = [Math.min(20, (last - first) / 2), (last - first) / 2].some(below => {
    const top = document.elementFromPoint(x, first + below)
    return top && (it.contains(top) || top.contains(it) || top.closest('label'))
  })
  return {seen: Boolean(marked && uncovered && box.bottom > 0 && box.top < innerHeight),
          what: it.outerHTML.slice(0, 160)}
})()
"""
