"""Are signing keys found again, tokens judged by every byte, and is what is remembered of them bounded?"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import apsw
import jwt
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from jwts import Signer, signed
from starlette.requests import Request

from clickmeter import keys, tokens
from clickmeter.cli import commands
from clickmeter.config import ConfigError, load
from clickmeter.errors import Refusal
from clickmeter.model import Property
from clickmeter.query.fields import DIMENSIONS
from clickmeter.query.filters import matches, parse_group, plan
from clickmeter.storage.open import open_metadata
from clickmeter.storage.sqlite.migrations import APPLICATION_ID, MIGRATIONS
from clickmeter.web import auth
from clickmeter.web.access import Access
from clickmeter.web.auth import Gate, Metadata
from clickmeter.web.limits import REPORT_KEY, Limits
from clickmeter.web.problems import RateLimited
from service import SERVER_SECRET, sqlite_url

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000
OLD, NEW = "old" * 4 + "0123456789abcdefghij", "new" * 4 + "0123456789abcdefghij"
MADE = keys.new_signing_key("shop", now=0, server_secrets=[OLD])
SIGNER = Signer("shop", MADE.key.id, MADE.text)


def verified(text: str) -> tokens.Token:
    tokens.key_id_of(text)
    return tokens.verify(text, SIGNER.key, now=NOW)


def refusal(text: str) -> str:
    with pytest.raises(Refusal) as caught:
        verified(text)
    return caught.value.code


# Signing keys


def test_a_signing_key_has_the_shape_that_is_promised() -> None:
    assert keys.SIGNING_SHAPE.fullmatch(MADE.text)
    assert keys.read_key(MADE.text) == ("signing", MADE.key.id)
    assert len(MADE.text.rpartition(f"{MADE.key.id}_")[2]) == 43
    assert MADE.text != keys.new_signing_key("shop", now=0, server_secrets=[OLD]).text


def test_a_derived_key_is_not_stored_and_found_again_with_its_secret_alone() -> None:
    assert MADE.key.text is None
    assert keys.text_of(MADE.key, [OLD]) == MADE.text
    assert keys.text_of(MADE.key, [NEW, OLD]) == MADE.text, "while a secret is replaced both are given"
    assert keys.text_of(MADE.key, [NEW]) is None
    assert keys.text_of(MADE.key, []) is None


def test_without_a_secret_a_key_is_stored_and_outlives_the_setting_of_one() -> None:
    made = keys.new_signing_key("shop", now=0, server_secrets=[])
    assert made.key.text == made.text
    assert keys.text_of(made.key, [NEW]) == keys.text_of(made.key, []) == made.text


@pytest.mark.parametrize(
    "secret", ["short", "x" * 40, "a secret with spaces 0123456789abcdef", "é" * 40, "abc,def" * 10]
)
def test_a_secret_that_can_be_guessed_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(ConfigError, match="CLICKMETER_SECRET_KEY") as caught:
        load({"CLICKMETER_SECRET_KEY": secret})
    assert secret not in str(caught.value)
    assert "openssl" in str(caught.value)


def test_several_secrets_are_separated_by_commas() -> None:
    assert load({"CLICKMETER_SECRET_KEY": f"{NEW}, {OLD}"}).secret_key == (NEW, OLD)
    assert load({}).secret_key == ()


# Tokens


@pytest.mark.parametrize("step", range(1, 256, 51))
def test_every_changed_byte_is_noticed(step: int) -> None:
    text = SIGNER.token(exp=NOW)
    for place, character in enumerate(text):
        changed = text[:place] + chr((ord(character) + step) % 256) + text[place + 1 :]
        assert refusal(changed) == "invalid_credential", place


@given(st.dictionaries(st.sampled_from([*tokens.CLAIMS["read"], "visitor_id", "x"]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["read", "clickmeter", NOW]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)))  # fmt: skip
def test_any_claims_are_a_token_or_a_refusal(changes: dict[str, Any]) -> None:
    claims = {"aud": "clickmeter", "property_id": "shop", "exp": NOW, **changes}
    try:
        token = verified(SIGNER.sign(SIGNER.header(), json.dumps(claims)))
    except Refusal as refused:
        problem: tuple[int, bool] | None = (refused.status, len(refused.detail) < 1_000)
    else:
        problem = None
    if problem is not None:
        assert problem == (401, True)
        return
    assert token.scope == claims.get("scope", "ingest")
    assert NOW - 60 <= token.expires_at <= NOW + tokens.LIFETIME_SECONDS[token.scope] + 60
    assert list(token.filters) == claims.get("filters", [])


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_rightly_signed_are_a_token_or_a_refusal(header: bytes, payload: bytes) -> None:
    assert refusal(SIGNER.sign(header, payload)) == "invalid_credential"
    assert refusal(SIGNER.sign(SIGNER.header(), payload)) in ("invalid_token", "invalid_credential")


@given(st.text(max_size=300))
def test_any_text_is_a_refusal(text: str) -> None:
    assert refusal(text) == "invalid_credential"


def test_what_a_library_makes_is_what_is_read() -> None:
    """The control: the same claims through PyJWT and by hand; and PyJWT's own reading is laxer than this one."""
    claims = SIGNER.claims(exp=NOW)
    minted = tokens.mint(claims, key_id=SIGNER.key_id, signing_key=SIGNER.key)
    assert verified(minted) == verified(SIGNER.token(exp=NOW))
    lax = signed(SIGNER.header(), {"aud": "clickmeter", "property_id": "shop"}, SIGNER.key.encode())
    assert jwt.decode(lax, SIGNER.key, algorithms=["HS256"], audience="clickmeter")["property_id"] == "shop"
    assert refusal(lax) == "invalid_token"


def test_nothing_is_read_before_the_signature_fits() -> None:
    forged = SIGNER._replace(key="x" * 60)
    assert refusal(forged.token(exp=1)) == refusal(forged.sign(SIGNER.header(), "no claims")) == "invalid_credential"
    assert refusal(SIGNER.token(exp=1)) == "token_expired"


def test_a_message_says_what_to_do() -> None:
    with pytest.raises(Refusal, match="perhaps filters is meant"):
        verified(SIGNER.reading(exp=NOW, filter=["path:is:/a"]))
    with pytest.raises(Refusal, match="alg must be HS256"):
        verified(SIGNER.token(SIGNER.header(alg="none")))
    with pytest.raises(Refusal, match="perhaps path is meant"):
        verified(SIGNER.reading(exp=NOW, filters=["pth:is:/a"]))


@given(st.data(), st.sampled_from([name for name in DIMENSIONS if not name.startswith("data.")]))
def test_a_tokens_group_only_narrows_on_every_dimension(data: st.DataObject, dimension: str) -> None:
    operators = st.sampled_from(["is:a", "is:b", "is_not:a", "contains:a", "like:*b", "is_set", "is_not_set"])
    groups = st.lists(operators.map(lambda text: f"{dimension}:{text}"), max_size=3)
    own, asked = parse_group(data.draw(groups)), parse_group(data.draw(groups))
    for value in (None, "a", "b", "ab", "c"):
        both = all(any(matches(one, value) for one in clause.alternatives) for clause in plan([asked, own]))
        each = [
            all(any(matches(one, value) for one in clause.alternatives) for clause in plan([group]))
            for group in (own, asked)
        ]
        assert both == all(each)


def test_the_control_one_flat_list_would_widen() -> None:
    own, asked = parse_group(["path:is:/a"]), parse_group(["path:is:/b"])
    [flat] = plan([(*own, *asked)])
    assert any(matches(one, "/b") for one in flat.alternatives)
    assert len(plan([own, asked])) == 2


# What the server remembers


def with_gate(path: Path, server_secrets: list[str], made: keys.NewKey, texts: list[str]) -> tuple[Gate, list[str]]:
    """A gate that was shown these credentials, and what each was: "granted", or the code of the refusal."""
    store = open_metadata(sqlite_url(path))
    store.create_property(Property(id="shop", name="Shop", created_at=0), [made.key])
    store.close()

    async def show() -> tuple[Gate, list[str]]:
        metadata = Metadata(lambda: open_metadata(sqlite_url(path)))
        await metadata.start()
        gate = Gate(metadata, limits=Limits(enabled=False), server_secrets=server_secrets)
        await gate.start()
        answers = []
        for text in texts:
            try:
                await gate.grant(text, "127.0.0.1")
                answers.append("granted")
            except Refusal as refused:
                answers.append(refused.code)
        await gate.stop()
        await metadata.stop()
        return gate, answers

    return asyncio.run(show())


def test_a_bounded_number_of_tokens_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "MAX_TOKENS", 5)
    texts = [SIGNER.token(jti=str(number)) for number in range(8)]
    gate, answers = with_gate(
        tmp_path, [OLD], MADE, [*texts, texts[0], texts[0], SIGNER.token()[:-1], "x" * 10_000 + "."]
    )
    assert answers == ["granted"] * 10 + ["invalid_credential"] * 2
    assert list(gate._tokens) == [*texts[4:], texts[0]]
    gate.forget()
    assert not gate._tokens
    assert not gate._signers


def test_the_operator_hears_once_of_a_key_that_cannot_be_found_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "clickmeter.auth"):
        _, answers = with_gate(tmp_path, [NEW], MADE, [SIGNER.token(), SIGNER.token(jti="2")])
    assert answers == ["invalid_credential"] * 2
    assert [record.getMessage().count(MADE.key.id) for record in caplog.records] == [1]
    assert MADE.text not in caplog.text


def test_the_operator_hears_once_of_a_key_that_is_stored_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = keys.new_signing_key("shop", now=0, server_secrets=[])
    own = Signer("shop", made.key.id, made.text)
    with caplog.at_level(logging.WARNING, "clickmeter.auth"):
        _, answers = with_gate(tmp_path, [NEW], made, [own.token(), own.token(jti="2")])
    assert answers == ["granted"] * 2
    assert [record.getMessage().count("stored as it is") for record in caplog.records] == [1]
    assert made.text not in caplog.text


def test_one_viewer_cannot_use_up_what_all_may_read(tmp_path: Path) -> None:
    """The control: a read key's requests are counted together, whoever makes them."""
    store = open_metadata(sqlite_url(tmp_path))
    read = keys.new_key("read", "shop", now=0)
    store.create_property(Property(id="shop", name="Shop", created_at=0), [MADE.key, read.key])
    store.close()

    async def show() -> list[bool]:
        metadata = Metadata(lambda: open_metadata(sqlite_url(tmp_path)))
        await metadata.start()
        limits = Limits(enabled=True)
        gate = Gate(metadata, limits=limits, server_secrets=[OLD])
        access = Access(gate=gate, metadata=metadata, limits=limits, proxies=())
        token = SIGNER.reading()
        passes = [
            await reads_until_limited(access, token, "192.0.2.1"),
            await reads(access, token, "192.0.2.2"),
            await reads_until_limited(access, read.text, "192.0.2.3"),
            await reads(access, read.text, "192.0.2.4"),
        ]
        await metadata.stop()
        return passes

    assert asyncio.run(show()) == [True, True, True, False]


async def reads(access: Access, credential: str, client: str) -> bool:
    """Whether a request for a report with this credential, from this address, passes."""
    scope = {
        "type": "http",
        "headers": [(b"authorization", f"Bearer {credential}".encode())],
        "client": (client, 1),
        "path_params": {"property_id": "shop"},
    }
    try:
        reader = await access.reader(Request(scope))
    except RateLimited:
        return False
    return reader.property.id == "shop"


async def reads_until_limited(access: Access, credential: str, client: str) -> bool:
    """Whether requests pass at first, and then, within twenty times what is allowed at once, one does not."""
    for number in range(20 * REPORT_KEY.burst):
        if not await reads(access, credential, client):
            return number >= REPORT_KEY.burst
    return False


# The command line


def command(path: Path, *args: str, secret: str = SERVER_SECRET) -> tuple[int, str, str]:
    environment = {"CLICKMETER_DATABASE_URL": sqlite_url(path), "CLICKMETER_SECRET_KEY": secret}
    result = CliRunner().invoke(commands, args, env=environment)
    return result.exit_code, result.stdout.strip(), result.stderr


def test_the_command_line_makes_tokens_and_share_links(tmp_path: Path) -> None:
    command(tmp_path, "property", "create", "Shop", "--id", "shop")
    code, out, err = command(tmp_path, "token", "shop")
    assert (code, out) == (1, "")
    assert "key create shop --type signing" in err
    made = json.loads(command(tmp_path, "key", "create", "shop", "--type", "signing", "--json")[1])
    code, text, err = command(tmp_path, "token", "shop", "--filter", "path:is:/a", "--hours", "2")
    assert (code, err) == (0, "")
    assert tokens.key_id_of(text) == made["id"]
    claims = jwt.decode(text, made["key"], algorithms=["HS256"], audience="clickmeter")
    assert (claims["scope"], claims["filters"], claims["property_id"]) == ("read", ["path:is:/a"], "shop")
    code, link, _ = command(tmp_path, "token", "shop", "--share", "--url", "https://stats.example/")
    assert link.startswith("https://stats.example/#/share/ey")
    assert command(tmp_path, "token", "shop", "--share")[1].startswith("http://127.0.0.1:8000/#/share/ey")
    told = json.loads(command(tmp_path, "token", "shop", "--scope", "ingest", "--visitor-id", "v", "--json")[1])
    assert list(told) == ["token", "expires_at"]
    claims = jwt.decode(told["token"], made["key"], algorithms=["HS256"], audience="clickmeter")
    assert (claims["visitor_id"], "scope" in claims) == ("v", False)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["--hours", "25"], 2),
        (["--hours", "nan"], 2),
        (["--hours", "0"], 2),
        (["--scope", "ingest", "--hours", "2"], 2),
        (["--share", "--origin", "https://a.example"], 2),
        (["--share", "--scope", "ingest"], 2),
        (["--filter", "pth:is:/a"], 1),
        (["--visitor-id", "v"], 1),
        (["--origin", "a.example"], 1),
        (["--scope", "ingest", "--filter", "path:is:/a"], 1),
    ],
)
def test_the_command_line_makes_no_token_that_would_be_refused(tmp_path: Path, args: list[str], code: int) -> None:
    command(tmp_path, "property", "create", "Shop", "--id", "shop")
    command(tmp_path, "key", "create", "shop", "--type", "signing")
    assert command(tmp_path, "token", "shop", *args)[:2] == (code, "")


def test_a_signing_key_without_a_secret_comes_with_a_warning(tmp_path: Path) -> None:
    command(tmp_path, "property", "create", "Shop", "--id", "shop")
    code, out, err = command(tmp_path, "key", "create", "shop", "--type", "signing", "--json", secret="")
    assert code == 0
    assert "CLICKMETER_SECRET_KEY" in err
    assert keys.read_key(json.loads(out)["key"])
    assert command(tmp_path, "key", "create", "shop", "--type", "signing", "--json")[2] == ""
    code, out, err = command(tmp_path, "key", "create", "shop", "--type", "signing", secret="short")
    assert code == 1
    assert "'short'" not in err


def test_signing_keys_of_a_lost_secret_make_no_token(tmp_path: Path) -> None:
    command(tmp_path, "property", "create", "Shop", "--id", "shop")
    command(tmp_path, "key", "create", "shop", "--type", "signing", secret=OLD)
    code, _, err = command(tmp_path, "token", "shop", secret=NEW)
    assert code == 1
    assert "another CLICKMETER_SECRET_KEY" in err
    assert command(tmp_path, "token", "shop", secret=f"{NEW},{OLD}")[0] == 0


def test_a_database_of_before_tokens_is_brought_up_to_date(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "clickmeter.db"))
    connection.execute(MIGRATIONS[0])
    connection.execute(f"PRAGMA user_version = 1; PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("INSERT INTO properties VALUES (1, 'shop', 'Shop', 'UTC', '[]', 'flag', 0, NULL)")
    connection.execute("INSERT INTO keys VALUES ('0123456789ab', 'write', 1, x'00', 0, NULL)")
    connection.close()
    store = open_metadata(sqlite_url(tmp_path))
    [key] = store.keys("shop")
    assert (key.type, key.text) == ("write", None)
    assert store.property("shop") == Property(id="shop", name="Shop", created_at=0)
    changed = store.update_property("shop", {"tokens_only": True})
    assert changed is not None
    assert changed.tokens_only is True
    store.close()
