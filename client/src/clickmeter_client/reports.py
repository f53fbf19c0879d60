"""How reports are asked for: a method per endpoint with typed results, and the same answers raw or as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, Unpack
from urllib.parse import quote

from clickmeter_client.parameters import (
    AnyParameters,
    Endpoint,
    MetricsParameters,
    OverviewParameters,
    RealtimeParameters,
    TableEndpoint,
    TableParameters,
    TextFormat,
    encode,
)
from clickmeter_client.results import (
    Overview,
    Realtime,
    Schema,
    Table,
    TextPage,
    read_overview,
    read_realtime,
    read_schema,
    read_table,
)
from clickmeter_client.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clickmeter_client.transport import Answer, Credential


class Reports:
    """The reports of one property. `read_key` is a read key, a read token or an admin key.

    Every method raises `ApiError` when the server refuses (422 names the parameter in its `errors`), `Unreachable` when
    it does not answer, and `UnexpectedAnswer` when something else answers at this URL.
    """

    def __init__(self, url: str, *, property_id: str, read_key: Credential, timeout: float = 30.0) -> None:
        """`timeout` is in seconds, for the connection and for each wait for data; reports may take the server 10 s."""
        self._transport = Transport(url, credential=read_key, timeout=timeout)
        self._path = f"/v1/properties/{quote(property_id, safe='')}/"

    def overview(self, **parameters: Unpack[OverviewParameters]) -> Overview:
        """The metrics of the whole range: pageviews, unique visitors and sessions unless others are asked for."""
        return self._get("overview", parameters).read(read_overview)

    def pages(self, **parameters: Unpack[TableParameters]) -> Table:
        """Pageviews and unique visitors by ``path``."""
        return self._get("pages", parameters).read(read_table)

    def campaigns(self, **parameters: Unpack[TableParameters]) -> Table:
        """Pageviews and unique visitors by ``campaign``."""
        return self._get("campaigns", parameters).read(read_table)

    def metrics(self, **parameters: Unpack[MetricsParameters]) -> Table:
        """Any metrics, by any dimensions, over any interval."""
        return self._get("metrics", parameters).read(read_table)

    def realtime(self, **parameters: Unpack[RealtimeParameters]) -> Realtime:
        """The last minutes, one row each."""
        return self._get("realtime", parameters).read(read_realtime)

    def schema(self) -> Schema:
        """The metrics, dimensions, operators and limits there are, and the property's id, name and time zone."""
        return self._get("schema", {}).read(read_schema)

    def every_page(self, endpoint: TableEndpoint, **parameters: Unpack[MetricsParameters]) -> Iterator[Table]:
        """The pages of a report one after the other, asked for as they are needed, from `cursor` or the first one on.

        With a relative `period` the cursor belongs to the day it was made; give `from_` and `to` for a long walk.
        """
        wanted: dict[str, object] = {**parameters}
        while True:
            table = self._get(endpoint, wanted).read(read_table)
            yield table
            if table.meta.next_cursor is None:
                return
            wanted["cursor"] = table.meta.next_cursor

    def raw(self, endpoint: Endpoint, **parameters: Unpack[AnyParameters]) -> dict[str, Any]:
        """The JSON body of the answer just as it is, for what the typed results leave out."""
        return self._get(endpoint, parameters).read(dict)

    def text(self, endpoint: Endpoint, format_: TextFormat, **parameters: Unpack[AnyParameters]) -> str:
        """The answer as CSV (RFC 4180, with a header line) or as NDJSON (one JSON object a line).

        It is one page of at most `limit` groups; `text_page` says whether another follows.
        """
        return self.text_page(endpoint, format_, **parameters).text

    def text_page(self, endpoint: Endpoint, format_: TextFormat, **parameters: Unpack[AnyParameters]) -> TextPage:
        """`text`, and the `cursor` of the next page."""
        return self._text_page(endpoint, {**parameters, "format": format_})

    def every_text_page(
        self, endpoint: TableEndpoint, format_: TextFormat, **parameters: Unpack[MetricsParameters]
    ) -> Iterator[TextPage]:
        """The pages of a report as text, walked through as `every_page` does. Each page of CSV has its header line."""
        wanted: dict[str, object] = {**parameters, "format": format_}
        while True:
            page = self._text_page(endpoint, wanted)
            yield page
            if page.next_cursor is None:
                return
            wanted["cursor"] = page.next_cursor

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _text_page(self, endpoint: str, wanted: Mapping[str, object]) -> TextPage:
        answer = self._get(endpoint, wanted)
        return TextPage(answer.text(), answer.next_cursor)

    def _get(self, endpoint: str, parameters: Mapping[str, object]) -> Answer:
        return self._transport.request("GET", self._path + endpoint, query=encode(parameters))
