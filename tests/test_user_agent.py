"""Browser, operating system and kind of device of an agent, in the field's terms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickmeter.ingest.user_agent import MAX_CHARACTERS, REMEMBERED, Agent, _describe, describe

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT}"
IPHONE = f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) {SAFARI}"
IPAD = f"Mozilla/5.0 (iPad; CPU OS 17_2 like Mac OS X) {SAFARI}"

VISITORS = {
    f"{WINDOWS} Chrome/120.0.0.0 Safari/537.36": ("Chrome", "Windows", "desktop"),
    f"{WINDOWS} Chrome/120.0.0.0 Safari/537.36 Edg/120.0.2210.91": ("Edge", "Windows", "desktop"),
    f"{WINDOWS} Chrome/120.0.0.0 Safari/537.36 OPR/106.0.0.0": ("Opera", "Windows", "desktop"),
    f"{WINDOWS} Chrome/118.0.0.0 YaBrowser/23.11.0.0 Safari/537.36": ("Yandex Browser", "Windows", "desktop"),
    f"{WINDOWS} Chrome/120.0.0.0 Safari/537.36 Vivaldi/6.5.3206.50": ("Vivaldi", "Windows", "desktop"),
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:121.0) Gecko/20100101 Firefox/121.0": (
        "Firefox",
        "Windows",
        "desktop",
    ),
    "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko": ("Internet Explorer", "Windows", "desktop"),
    "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; Tablet PC 2.0)": (
        "Internet Explorer",
        "Windows",
        "desktop",
    ),
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {SAFARI} Version/17.2 Safari/605.1.15": (
        "Safari",
        "macOS",
        "desktop",
    ),
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Chrome/120.0.0.0 Safari/537.36": (
        "Chrome",
        "macOS",
        "desktop",
    ),
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0": ("Firefox", "Linux", "desktop"),
    "Mozilla/5.0 (X11; Fedora; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0": ("Firefox", "Linux", "desktop"),
    f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} Ubuntu Chromium/80.0 Chrome/80.0 Safari/537.36": (
        "Chromium",
        "Linux",
        "desktop",
    ),
    f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/120.0.0.0 Safari/537.36": (
        "Chrome",
        "ChromeOS",
        "desktop",
    ),
    "Opera/9.80 (X11; Linux x86_64) Presto/2.12.388 Version/12.16": ("Opera", "Linux", "desktop"),
    "Mozilla/5.0 (X11; OpenBSD amd64; rv:121.0) Gecko/20100101 Firefox/121.0": ("Firefox", "OpenBSD", "desktop"),
    f"{IPHONE} Version/17.2 Mobile/15E148 Safari/604.1": ("Safari", "iOS", "mobile"),
    f"{IPHONE} CriOS/120.0.6099.101 Mobile/15E148 Safari/604.1": ("Chrome", "iOS", "mobile"),
    f"{IPHONE} FxiOS/121.0 Mobile/15E148 Safari/605.1.15": ("Firefox", "iOS", "mobile"),
    f"{IPHONE} EdgiOS/120.0.2210.99 Mobile/15E148 Safari/604.1": ("Edge", "iOS", "mobile"),
    f"{IPHONE} Mobile/15E148 Instagram 312.0.0.17.100 (iPhone14,5; iOS 17_2; en_US)": ("Instagram", "iOS", "mobile"),
    f"{IPHONE} Mobile/15E148 [FBAN/FBIOS;FBAV/442.0.0.28.108;FBDV/iPhone14,5]": ("Facebook", "iOS", "mobile"),
    f"{IPAD} Version/17.2 Mobile/15E148 Safari/604.1": ("Safari", "iPadOS", "tablet"),
    f"Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) {SAFARI} Version/12.1 Mobile/15E148 Safari/604.1": (
        "Safari",
        "iOS",
        "tablet",
    ),
    f"Mozilla/5.0 (Linux; Android 13; Pixel 7) {WEBKIT} Chrome/120.0.0.0 Mobile Safari/537.36": (
        "Chrome",
        "Android",
        "mobile",
    ),
    f"Mozilla/5.0 (Linux; Android 13; Pixel 7; wv) {WEBKIT} Version/4.0 Chrome/120.0 Mobile Safari/537.36": (
        "Chrome",
        "Android",
        "mobile",
    ),
    f"Mozilla/5.0 (Linux; Android 13; SM-S918B) {WEBKIT} SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36": (
        "Samsung Internet",
        "Android",
        "mobile",
    ),
    f"Mozilla/5.0 (Linux; Android 13; SM-X700) {WEBKIT} Chrome/120.0.0.0 Safari/537.36": (
        "Chrome",
        "Android",
        "tablet",
    ),
    "Mozilla/5.0 (Android 13; Mobile; rv:121.0) Gecko/121.0 Firefox/121.0": ("Firefox", "Android", "mobile"),
    "Mozilla/5.0 (Android 13; Tablet; rv:121.0) Gecko/121.0 Firefox/121.0": ("Firefox", "Android", "tablet"),
    f"Mozilla/5.0 (Linux; Android 10) {WEBKIT} Chrome/120.0.0.0 Mobile Safari/537.36 EdgA/120.0.0.0": (
        "Edge",
        "Android",
        "mobile",
    ),
    "Opera/9.80 (J2ME/MIDP; Opera Mini/7.1.32052/34.1244; U; en) Presto/2.8.119": ("Opera Mini", None, "mobile"),
    f"Mozilla/5.0 (Linux; Android 9; KFMAWI) {WEBKIT} Silk/120.2.4 like Chrome/120.0.6099.193 Safari/537.36": (
        "Amazon Silk",
        "Android",
        "tablet",
    ),
    "Mozilla/5.0 (Linux; U; Android 2.3.6; en-gb; GT-S5360) AppleWebKit/533.1 Version/4.0 Mobile Safari/533.1": (
        "Android Browser",
        "Android",
        "mobile",
    ),
    "Mozilla/5.0 (compatible; MSIE 10.0; Windows Phone 8.0; Trident/6.0; IEMobile/10.0; ARM; NOKIA; Lumia 920)": (
        "Internet Explorer",
        "Windows Phone",
        "mobile",
    ),
    f"Mozilla/5.0 (SMART-TV; LINUX; Tizen 5.0) {WEBKIT} Version/5.0 TV Safari/537.36": ("Safari", "Tizen", "tv"),
    f"Mozilla/5.0 (Web0S; Linux/SmartTV) {WEBKIT} Chrome/79.0.3945.79 Safari/537.36 WebAppManager": (
        "Chrome",
        "webOS",
        "tv",
    ),
    f"Mozilla/5.0 (Linux; Android 9; AFTKA Build/PS7) {WEBKIT} Chrome/90.0.0.0 Mobile Safari/537.36": (
        "Chrome",
        "Android",
        "tv",
    ),
    f"Mozilla/5.0 (Linux; Android 9; BRAVIA 4K UR2) {WEBKIT} Chrome/90.0.0.0 Safari/537.36": (
        "Chrome",
        "Android",
        "tv",
    ),
    f"Mozilla/5.0 (PlayStation; PlayStation 5/6.00) {SAFARI} Version/13.0 Safari/605.1.15": ("Safari", None, "console"),
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox One) {WEBKIT} Chrome/44.0 Safari/537.36 Edge/18.19041": (
        "Edge",
        "Windows",
        "console",
    ),
    f"Mozilla/5.0 (Linux; Android 11; SM-R890) {WEBKIT} SamsungBrowser/20.0 Chrome/106.0 Mobile Safari/537.36": (
        "Samsung Internet",
        "Android",
        "wearable",
    ),
}

TOOLS = {
    "curl/8.5.0": "curl",
    "Wget/1.21.4 (linux-gnu)": "Wget",
    "python-requests/2.31.0": "python-requests",
    "python-httpx/0.28.1": "httpx",
    "aiohttp/3.9.1": "aiohttp",
    "axios/1.6.5": "axios",
    "node": "Node.js",
    "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)": "node-fetch",
    "undici": "undici",
    "okhttp/4.12.0": "okhttp",
    "Go-http-client/2.0": "Go-http-client",
    "Java/17.0.9": "Java",
    "Apache-HttpClient/4.5.14 (Java/17.0.9)": "Apache-HttpClient",
    "PHP/8.2.14": "PHP",
    "GuzzleHttp/7": "Guzzle",
    "PostmanRuntime/7.36.0": "Postman",
    "insomnia/8.5.1": "Insomnia",
    "libwww-perl/6.72": "libwww-perl",
    "Ruby": "Ruby",
    "Faraday v2.7.12": "Faraday",
    "reqwest/0.11.23": "reqwest",
    "clickmeter-client/0.1.0": "clickmeter-client",
}


@pytest.mark.parametrize(("text", "expected"), VISITORS.items())
def test_visitors(text: str, expected: tuple[str | None, str | None, str]) -> None:
    browser, system, device = expected
    assert describe(text) == Agent(browser=browser, os=system, device=device, bot=False)


@pytest.mark.parametrize(("text", "name"), TOOLS.items())
def test_a_tool_is_named_and_has_no_device(text: str, name: str) -> None:
    agent = describe(text)
    assert (agent.browser, agent.device, agent.bot) == (name, None, False)


def test_a_tool_on_a_phone_has_no_device_either() -> None:
    agent = describe("okhttp/4.12.0 (Linux; Android 13; Mobile)")
    assert (agent.browser, agent.os, agent.device) == ("okhttp", "Android", None)


@pytest.mark.parametrize("text", [None, "", "-", "Mozilla/5.0", "?" * 100])
def test_an_agent_that_says_nothing_is_unknown(text: str | None) -> None:
    assert describe(text) == Agent()


def test_an_app_that_names_only_its_system_has_no_device() -> None:
    assert describe("Dalvik/2.1.0 (Linux; U; Android 13; Pixel 7 Build/TQ3A)").device is None


def test_a_crawler_that_plays_a_phone_is_a_bot_on_a_phone() -> None:
    agent = describe(
        f"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) {WEBKIT} Chrome/120.0.0.0 Mobile Safari/537.36 "
        "(compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
    )
    assert agent == Agent(browser="Googlebot", os="Android", device="mobile", bot=True)


def test_only_the_first_characters_are_looked_at() -> None:
    start = "x" * MAX_CHARACTERS
    assert describe(f"{start} Googlebot/2.1") == describe(start)
    assert not describe(f"{start} Googlebot/2.1").bot
    assert not describe(f"{start[:-5]} Googlebot/2.1").bot
    assert describe(f"{start[:-20]} Googlebot/2.1").bot


def test_what_is_remembered_is_bounded() -> None:
    _describe.cache_clear()
    for number in range(REMEMBERED + 50):
        describe(f"app{number}/1.0")
    assert _describe.cache_info().currsize == REMEMBERED


@given(st.text(st.characters(codec=None)))
def test_it_never_raises(text: str) -> None:
    agent = describe(text)
    assert agent.device in {None, "desktop", "mobile", "tablet", "tv", "console", "wearable"}
    assert agent.browser != ""
    assert agent.os != ""


@given(st.text(st.characters(codec=None), max_size=20), st.sampled_from(sorted(VISITORS)))
def test_it_never_raises_around_a_real_agent(noise: str, text: str) -> None:
    assert isinstance(describe(f"{text}{noise}"), Agent)
    assert isinstance(describe(f"{noise}{text}"), Agent)
