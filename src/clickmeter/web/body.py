"""A request's body, whole and decompressed, never more of it than the limit."""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import TYPE_CHECKING

from clickmeter.errors import Refusal

if TYPE_CHECKING:
    from starlette.types import Receive

MAX_BYTES = 1024 * 1024
GZIP_MAGIC = b"\x1f\x8b"
GZIP_WINDOW = 31
JSON_TYPES = ("", "application/json", "text/plain")
UTF8_NAMES = ("utf-8", "utf8", "us-ascii")


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete: there is nobody to answer."""


async def read_body(receive: Receive) -> bytes:
    """The body as it was sent; ``body_too_large`` as soon as it is."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BYTES:
            break
    if message["type"] == "http.disconnect":
        raise ClientGoneError
    if len(body) > MAX_BYTES:
        raise too_large()
    return body


@lru_cache(maxsize=256)
def require_json_type(content_type: str) -> None:
    """Refuse what says of itself that it is not JSON text in UTF-8; no type at all and text/plain are JSON."""
    media_type, *parameters = (part.strip() for part in content_type.lower().split(";"))
    if media_type not in JSON_TYPES:
        raise Refusal("unsupported_media_type", f"{content_type[:100]} is not JSON; send application/json.")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip(' "') not in UTF8_NAMES:
            raise Refusal("unsupported_media_type", f"The charset {value[:50]} is not supported; send UTF-8.")


def require_known_encoding(content_encoding: str) -> None:
    if content_encoding.strip().lower() not in ("", "identity", "gzip"):
        raise Refusal(
            "unsupported_encoding", f"The encoding {content_encoding[:50]} is not supported; send gzip or none."
        )


def plain(body: bytes, content_encoding: str) -> bytes:
    """The decompressed body. Gzip is known by its first bytes too: a browser that names it would have to preflight."""
    if content_encoding.strip().lower() != "gzip" and not body.startswith(GZIP_MAGIC):
        return body
    decompressor = zlib.decompressobj(GZIP_WINDOW)
    try:
        text = decompressor.decompress(body, MAX_BYTES + 1)
    except zlib.error as error:
        raise Refusal("bad_encoding", f"The body is not gzip: {error}.") from None
    if len(text) > MAX_BYTES:
        raise too_large()
    if not decompressor.eof or decompressor.unused_data:
        raise Refusal("bad_encoding", "The gzip body is cut off or has something after its end.")
    return text


def too_large() -> Refusal:
    return Refusal("body_too_large", f"The body is larger than {MAX_BYTES} bytes; send fewer events at a time.")
