"""How does an overloaded server say no for a fraction of what a yes costs?

Most requests of a client arrive whole, in one piece. While there is too much to do, such a batch of events is told
apart by its bytes alone and answered from a template: no parser, no scope, no task. Whatever is unusual about a
request, and whatever only looks like one, is left to the parser, which refuses it as well, only dearer.
"""

from __future__ import annotations

import functools
import re

from clickmeter.errors import Refusal
from clickmeter.web import cors
from clickmeter.web.cycle import refusal_bytes
from clickmeter.web.framing import ORIGIN
from clickmeter.web.problems import new_request_id

OVERLOADED = Refusal("overloaded", "More requests arrive than can be answered; send again later.", retry_after=1)

_BATCH = re.compile(rb'POST /v1/events(?:\?[!"$-~]*)? HTTP/1\.1\r\n')
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,7})[ \t]*\r\n")
_UNUSUAL = re.compile(rb"transfer-encoding|\r\n(?:expect|upgrade|connection:(?![ \t]*keep-alive\r)|[ \t])")
_ID = "?" * 32


def is_whole_batch(data: bytes, *, longest: int) -> bool:
    """Whether `data` is one ``POST /v1/events`` with its body, of `longest` bytes at most, that ends where it ends.

    Every reader agrees on that: there is one Content-Length, and nothing else that says anything about the end.
    """
    end = data.find(b"\r\n\r\n") + 4
    if end < 4 or _BATCH.match(data) is None:
        return False
    head = data[:end].lower()
    if head.count(b"content-length") != 1 or head.count(b"\n") != head.count(b"\r\n"):
        return False
    if _UNUSUAL.search(head) is not None:
        return False
    length = _LENGTH.search(head)
    return length is not None and len(data) - end == int(length[1]) <= longest


def refuse_batch(data: bytes) -> bytes:
    """The answer to a whole batch: ``overloaded``, readable by the page that sent it, and the connection stays."""
    origin = ORIGIN.search(data, 0, data.find(b"\r\n\r\n") + 2)
    return new_request_id().encode().join(_template(origin[1] if origin else None))


@functools.lru_cache(maxsize=256)  # pages of a few hundred sites make nearly all requests
def _template(origin: bytes | None) -> list[bytes]:
    """The answer, cut where the request's id belongs."""
    answer = refusal_bytes(OVERLOADED, cors.answer_headers(origin), request_id=_ID, keep_alive=True)
    return answer.split(_ID.encode())
