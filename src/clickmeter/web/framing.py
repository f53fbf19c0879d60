"""Is this the head of exactly one HTTP/1.x request, and how long is its body?

Pure checks, stricter than the parser behind them: whatever two programs could read in two ways is refused. A head
is the request line and the header fields with the empty line that ends them; the limits are in bytes.
"""

from __future__ import annotations

import functools
import re

from clickmeter.errors import Refusal

TARGET_BYTES = 8 * 1024
FIELDS_BYTES = 16 * 1024
FIELDS = 64
ORIGIN = re.compile(rb"\r\norigin:[ \t]*([!-~]{1,300})[ \t]*(?=\r\n)", re.IGNORECASE)
"""An Origin that can be echoed as it is, found in the bytes of a head."""

_LINE_BYTES = TARGET_BYTES + 32  # the target, and room for the longest method and the version
_REQUEST_LINE = re.compile(rb'(?!CONNECT )[A-Z]{1,20} (/[!"$-~]*) HTTP/1\.[01]\r\n')
_LINE_START = re.compile(rb'[A-Z]{1,20}(?: (?:/[!"$-~]*(?: [HTP/1.0]{0,8}\r?)?)?)?')
_LINE_START_BYTES = 64  # a line that is not HTTP shows it this early
_LEGIBLE_LINE = re.compile(rb'[A-Z]{1,20} (/[!"$-~]*)')
_HOST = re.compile(rb"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_LENGTH_DIGITS = 18
_UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)
_OTHER_PROTOCOLS = (b"\x16\x03", b"PRI * HTTP/2")  # a TLS hello, the preface of HTTP/2

_ONCE = (b"host", b"content-length", b"transfer-encoding", b"expect")
_CHUNK_BYTES = 20  # the framing of one chunk: 16 digits and two line ends
_CHUNK_EXTRA_BYTES = 4 * 1024  # extensions and trailers of one body, all of which are ignored


def check_head(head: bytes) -> None:
    """Refuse a complete head whose request line is not plain HTTP/1.x or that is over the limits of size."""
    if _REQUEST_LINE.match(head) is None or len(head) > TARGET_BYTES:
        _check_line(head)
        if len(head) - head.find(b"\r\n") - 4 > FIELDS_BYTES:
            raise _fields_too_large()


def check_partial(head: bytes, seen: int) -> None:
    """Refuse the beginning of a head as soon as no ending could save it; the first `seen` bytes were checked before."""
    if head.count(b"\n", seen) != head.count(b"\r\n", max(0, seen - 1)):
        raise Refusal("bad_request", "Every line of a request head must end with CR and LF; this one has a bare LF.")
    line_end = head.find(b"\r\n", 0, _LINE_BYTES)
    if line_end < 0:
        _check_line_start(head)
        return
    if line_end + 1 >= seen:
        _check_line(head)
    if len(head) - line_end - 4 > FIELDS_BYTES:
        raise _fields_too_large()


def check_fields(fields: list[tuple[bytes, bytes]], *, version: str) -> tuple[int | None, bool]:
    """The length of the body in bytes (None when it is chunked), and whether the client waits for 100 Continue.

    `fields` are the header fields with their names in lower case; `version` is "1.0" or "1.1".
    """
    if len(fields) > FIELDS:
        raise Refusal("headers_too_large", f"A request may have {FIELDS} headers; send fewer.")
    found = dict(fields)
    if len(found) != len(fields):
        _check_repeated([name for name, _ in fields])
    _check_host(found.get(b"host"), version=version)
    length = _body_length(found.get(b"content-length"), found.get(b"transfer-encoding"), version=version)
    # RFC 9110 10.1.1: a client of HTTP/1.0 does not know what 100 means
    return length, b"expect" in found and _is_100_continue(found[b"expect"]) and version != "1.0"


def check_chunk_framing(overhead: int, chunks: int) -> None:
    """Refuse a chunked body with more bytes of framing (`overhead`) than so many chunks can need."""
    if overhead > _CHUNK_BYTES * chunks + _CHUNK_EXTRA_BYTES:
        raise Refusal("bad_request", "The extensions and trailers of the chunked body are too long; send none.")


def legible(head: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """What a refused client must be answered by, as far as its head has come and whatever is wrong with it.

    The target, empty when there is none, and the fields that say where the request is from.
    """
    line = _LEGIBLE_LINE.match(head)
    return line[1] if line else b"", [(b"origin", value) for value in ORIGIN.findall(head)]


def without_upgrade(head: bytes) -> bytes:
    """The head without its Upgrade fields: a server may ignore them, and no other protocol is spoken here."""
    return _UPGRADE.sub(b"", head)


def is_other_protocol(head: bytes) -> bool:
    """Whether these first bytes come from a client that could not read an HTTP/1.1 answer."""
    return head.startswith(_OTHER_PROTOCOLS)


def _check_line(head: bytes) -> None:
    line = _REQUEST_LINE.match(head)
    if line is None:
        raise _bad_line()
    if len(line[1]) > TARGET_BYTES:
        raise _target_too_long()


def _check_line_start(head: bytes) -> None:
    if _LINE_START.fullmatch(head[:_LINE_START_BYTES]) is None:
        raise _bad_line()
    if len(head) >= _LINE_BYTES:
        raise _target_too_long()


def _check_host(host: bytes | None, *, version: str) -> None:
    if host is None:
        if version != "1.0":
            raise Refusal("bad_request", "HTTP/1.1 needs a Host header; send one.")
    elif not _is_host(host):
        raise Refusal("bad_request", "The Host header is not a host name or address with an optional port.")


@functools.lru_cache(maxsize=64)  # a server has few names
def _is_host(host: bytes) -> bool:
    return _HOST.fullmatch(host.strip(b" \t")) is not None


def _check_repeated(names: list[bytes]) -> None:
    for name in _ONCE:
        if names.count(name) > 1:
            raise Refusal("bad_request", f"The header {name.decode()} is there twice; send it once.")


def _is_100_continue(expectation: bytes) -> bool:
    if expectation.strip(b" \t").lower() != b"100-continue":
        raise Refusal("expectation_failed", "The only expectation that can be met is 100-continue; leave Expect out.")
    return True


def _body_length(length: bytes | None, encoding: bytes | None, *, version: str) -> int | None:
    if encoding is None:
        if length is None:
            return 0
        length = length.strip(b" \t")
        if not length.isdigit() or len(length) > _LENGTH_DIGITS:
            raise Refusal("bad_request", f"Content-Length must be a number of 1 to {_LENGTH_DIGITS} digits.")
        return int(length)
    if length is not None:
        raise Refusal("bad_request", "Content-Length and Transfer-Encoding are both there; send one of them.")
    if version == "1.0" or encoding.strip(b" \t").lower() != b"chunked":
        raise Refusal("bad_request", "Transfer-Encoding must be exactly `chunked`, and needs HTTP/1.1.")
    return None


def _bad_line() -> Refusal:
    return Refusal("bad_request", "The first line must be a method in capitals, one path, and HTTP/1.1 or HTTP/1.0.")


def _target_too_long() -> Refusal:
    return Refusal("uri_too_long", f"The path with its query may have {TARGET_BYTES:,} bytes; send a shorter one.")


def _fields_too_large() -> Refusal:
    return Refusal("headers_too_large", f"The headers may have {FIELDS_BYTES:,} bytes in all; send fewer or shorter.")
