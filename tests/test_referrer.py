"""Hosts, paths, utm parameters and sources of urls."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickmeter.ingest.referrer import SOURCES, UTM_NAMES, host_of, path_of, referrer_host, source_of, utm_of

ANY_TEXT = st.text(st.characters(codec=None))
URL_LIKE = st.text(st.sampled_from("htps:/\\?#@[]%&=+.ab1\u00fc\ud800\x00 \n")).map("http".__add__)

HOSTS = {
    "https://example.com/products": "example.com",
    "http://example.com": "example.com",
    "HTTPS://WWW.Example.COM/A": "www.example.com",
    "https://example.com?x": "example.com",
    "https://example.com#x": "example.com",
    "https://example.com:8443/x": "example.com",
    "https://example.com:/x": "example.com",
    "http://example.com:99999/": "example.com",
    "https://example.com./x": "example.com",
    "https://user:pass@example.com/x": "example.com",
    "https://user:p@ss@example.com:80/x": "example.com",
    "https://google.com@evil.example/": "evil.example",
    "https://evil.example/@google.com": "evil.example",
    "https://evil.example?@google.com": "evil.example",
    "https://evil.example#@google.com": "evil.example",
    "https://evil.example\\@google.com/": "evil.example",
    "http://[::1]:8000/x": "[::1]",
    "http://[2001:DB8::1]/": "[2001:db8::1]",
    "http://192.0.2.1/": "192.0.2.1",
    "http://localhost:3000/": "localhost",
    "https://xn--bcher-kva.example/": "xn--bcher-kva.example",
    "https://Bücher.example/": "bücher.example",
    "https://a_b.example/": "a_b.example",
}

NO_HOSTS = (
    "", "/", "/a?b", "example.com", "example.com/x", "//example.com/x", "http:", "http:/", "http://", "http:///x",
    "http://[::1", "http://::1]/", "http://[]/", "http://[1.2.3.4]/", "http://%zz", "http://a b/", "http://a\x00b/",
    "http://a:b/", "http://a:80b/", "http://.", "http://..", "http://@/", "http://u@", "http://<x>/", "http://a\n.example",
    "http://" + ".".join("a" * 300), "http://" + "a" * 100_000, "javascript:alert(1)", "data:text/html,x",
    "file:///etc/passwd", "ftp://example.com/", "chrome-extension://abc/x", "android-app://com.google.android.gm/",
    "about:blank", "not a url", " https://example.com/", "httpss://example.com",
)  # fmt: skip


@pytest.mark.parametrize(("url", "host"), HOSTS.items())
def test_the_host_of_a_url(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize("url", NO_HOSTS)
def test_what_has_no_host(url: str) -> None:
    assert host_of(url) is None


@given(ANY_TEXT | URL_LIKE)
def test_a_host_never_raises_and_holds_nothing_of_the_rest(url: str) -> None:
    host = host_of(url)
    assert host is None or (host == host.lower() and host and not set(host) & set("/?#\\@% \x00\n"))


@pytest.mark.parametrize(
    ("referrer", "page_host", "expected"),
    [
        ("https://google.com/", "example.com", "google.com"),
        ("https://example.com/other", "example.com", None),
        ("https://EXAMPLE.com:443/other", "example.com", None),
        ("https://www.example.com/", "example.com", "www.example.com"),
        ("https://example.com/", "www.example.com", "example.com"),
        ("https://google.com/", None, "google.com"),
        ("", "example.com", None),
        (None, "example.com", None),
        (None, None, None),
        ("not a url", None, None),
        ("javascript:alert(1)", "example.com", None),
    ],
)
def test_a_referrer_is_another_host(referrer: str | None, page_host: str | None, expected: str | None) -> None:
    assert referrer_host(referrer, page_host) == expected


NAMED = {
    "google.com": "Google", "www.google.com": "Google", "www.google.de": "Google", "google.co.uk": "Google",
    "google.com.br": "Google", "mail.google.com": "Gmail", "gemini.google.com": "Gemini",
    "news.google.com": "Google News",
    "bing.com": "Bing", "www.bing.com": "Bing", "cn.bing.com": "Bing", "duckduckgo.com": "DuckDuckGo",
    "search.yahoo.com": "Yahoo", "de.search.yahoo.com": "Yahoo", "yandex.ru": "Yandex", "yandex.com.tr": "Yandex",
    "ya.ru": "Yandex", "m.baidu.com": "Baidu", "www.ecosia.org": "Ecosia", "www.startpage.com": "Startpage",
    "www.qwant.com": "Qwant", "search.brave.com": "Brave Search", "facebook.com": "Facebook",
    "l.facebook.com": "Facebook",
    "lm.facebook.com": "Facebook", "m.facebook.com": "Facebook", "www.facebook.com": "Facebook",
    "l.instagram.com": "Instagram", "t.co": "Twitter", "x.com": "Twitter", "twitter.com": "Twitter",
    "www.linkedin.com": "LinkedIn", "lnkd.in": "LinkedIn", "out.reddit.com": "Reddit", "old.reddit.com": "Reddit",
    "m.youtube.com": "YouTube", "youtu.be": "YouTube", "www.pinterest.de": "Pinterest", "www.tiktok.com": "TikTok",
    "web.whatsapp.com": "WhatsApp", "web.telegram.org": "Telegram", "t.me": "Telegram",
    "news.ycombinator.com": "Hacker News", "github.com": "GitHub", "stackoverflow.com": "Stack Overflow",
    "de.wikipedia.org": "Wikipedia", "en.m.wikipedia.org": "Wikipedia", "blog.medium.com": "Medium",
    "chatgpt.com": "ChatGPT", "chat.openai.com": "ChatGPT", "www.perplexity.ai": "Perplexity", "claude.ai": "Claude",
    "copilot.microsoft.com": "Copilot",
}  # fmt: skip

UNNAMED = (
    "example.com", "google.com.evil.example", "notgoogle.com", "google.evil", "com", "ycombinator.com", "xx.com",
    "ax.com",
    "at.co", "google", "brave.com", "microsoft.com", "openai.com", "mastodon.example", "github.io", "someone.github.io",
    "wikipedia.org.example", "[::1]", "192.0.2.1", "..", ".",
)  # fmt: skip


@pytest.mark.parametrize(("host", "name"), NAMED.items())
def test_listed_hosts_have_names(host: str, name: str) -> None:
    assert source_of(None, host) == name


@pytest.mark.parametrize("host", UNNAMED)
def test_other_hosts_are_their_own_source(host: str) -> None:
    assert source_of(None, host) == host


def test_the_utm_source_comes_first_as_written() -> None:
    assert source_of("News Letter", "www.google.com") == "News Letter"
    assert source_of("newsletter", None) == "newsletter"
    assert source_of("", "www.google.com") == "Google"
    assert source_of(None, None) is None


@pytest.mark.parametrize("host", SOURCES)
def test_every_entry_is_a_host_as_hosts_are_read(host: str) -> None:
    assert host_of(f"https://{host}/") == host
    assert source_of(None, f"sub.{host}") == source_of(None, host) == SOURCES[host]
    assert source_of(None, f"{host}.invalid") == f"{host}.invalid"


@given(ANY_TEXT | st.none(), ANY_TEXT | st.none())
def test_a_source_never_raises(utm_source: str | None, host: str | None) -> None:
    assert source_of(utm_source, host) or not (utm_source or host)


PATHS = {
    "https://example.com/products/sku1": "/products/sku1",
    "https://example.com/a?b#c": "/a",
    "https://example.com/a#c?b": "/a",
    "https://example.com": "/",
    "https://example.com/": "/",
    "https://example.com?x=/y": "/",
    "https://example.com#/x": "/",
    "https://example.com/A/": "/A/",
    "https://example.com/%61%2F": "/%61%2F",
    "https://example.com//a": "//a",
    "https://example.com/@me": "/@me",
    "https://user:pass@example.com/x": "/x",
    "https:user:pass@example.com/x": "/x",
    "HTTP://example.com:80/x": "/x",
    "http://[::1]:8000/x": "/x",
    "http://[::1": "/",
    "http://%zz": "/",
    "http://a b": "/",
    "http://a b/c d": "/c d",
    "//example.com/x": "/x",
    "//x": "/",
    "/a?b": "/a",
    "/a": "/a",
    "/": "/",
    "?a=1": "/",
    "#top": "/",
    "a/b": "a/b",
    "/a:b": "/a:b",
    "javascript:alert(1)": "alert(1)",
    "javascript:": "/",
    "data:text/html,<b>x</b>": "text/html,<b>x</b>",
    "file:///etc/passwd": "/etc/passwd",
    "chrome-extension://abcdef/page.html": "/page.html",
    "app://screen/settings": "/settings",
    '/"><img src=x onerror=alert(1)>': '/"><img src=x onerror=alert(1)>',
    "/\u202e\u200b": "/\u202e\u200b",
}


@pytest.mark.parametrize(("url", "path"), PATHS.items())
def test_the_path_of_a_url(url: str, path: str) -> None:
    assert path_of(url) == path


def test_no_url_has_no_path() -> None:
    assert path_of("") is None


@given(ANY_TEXT | URL_LIKE)
def test_a_path_never_raises_and_has_no_query(url: str) -> None:
    path = path_of(url)
    assert (path is None) == (url == "")
    assert path is None or (path and "?" not in path and "#" not in path)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "https://example.com/?utm_source=google&utm_medium=cpc&utm_campaign=winter-sale&utm_term=a+b&utm_content=x%20y",
            {
                "utm_source": "google",
                "utm_medium": "cpc",
                "utm_campaign": "winter-sale",
                "utm_term": "a b",
                "utm_content": "x y",
            },
        ),
        ("https://example.com/", {}),
        ("", {}),
        ("/a?x=1&utm_source=b", {"utm_source": "b"}),
        ("/a?utm_source=first&utm_source=second", {"utm_source": "first"}),
        ("/a?utm_source=&utm_source=second", {}),
        ("/a?utm_source", {}),
        ("/a?utm_source=a=b", {"utm_source": "a=b"}),
        ("/a?UTM_SOURCE=a&utm_Medium=b", {}),
        ("/a?xutm_source=a&utm_sourcex=b&utm_id=7", {}),
        ("/a#utm_source=fragment", {}),
        ("/a?b=1#?utm_source=fragment", {}),
        ("/utm_source=path", {}),
        ("/a?utm_source=%C3%BC%2B", {"utm_source": "ü+"}),
        ("/a?utm_source=%ff%zz%", {"utm_source": "\ufffd%zz%"}),
        ("/a?utm_source=a%00%0Ab%7F", {"utm_source": "a\ufffd\ufffdb\ufffd"}),
        ("/a?utm_source=%ED%A0%80", {"utm_source": "\ufffd\ufffd\ufffd"}),
        ("/a?utm_source=a?utm_medium=b", {"utm_source": "a?utm_medium=b"}),
    ],
)
def test_the_utm_parameters_of_a_url(url: str, expected: dict[str, str]) -> None:
    assert utm_of(url) == expected


@given(ANY_TEXT, ANY_TEXT)
def test_utm_never_raises(before: str, after: str) -> None:
    found = utm_of(f"{before}?utm_source={after}&utm_medium=%{after}")
    assert set(found) <= set(UTM_NAMES)
    assert all(found.values())
