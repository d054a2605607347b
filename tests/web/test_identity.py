"""Who may come in: the secrets file, the claims of a sign-in, and what local mode turns away."""
# ruff: noqa: S104

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from churn.web import identity
from churn.web.identity import BadClaims, BadSecrets, OpenDoor

AUTH = {
    "redirect_uri": "https://desk.example/oauth2callback",
    "cookie_secret": "x" * 32,
    "client_id": "keepline",
    "client_secret": "y",
    "server_metadata_url": "https://id.example/.well-known/openid-configuration",
}
USER = {"is_logged_in": True, "email": "ann@desk.example", "iat": 1_780_000_000, "name": "Ann", "sub": "7"}


def test_without_auth_there_is_no_provider() -> None:
    assert identity.provider({"other": 1}) is None


def test_a_provider_is_read_off_the_secrets() -> None:
    found = identity.provider({"auth": AUTH, "keepline": {"role_claim": "groups", "roles": {"KL-Agents": "agent"}}})
    assert found is not None
    assert (found.origin, found.name, found.person_claim, found.role_claim) == (
        "https://desk.example",
        None,
        "email",
        "groups",
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"redirect_uri": "http://desk.example/oauth2callback"}, "https"),
        ({"redirect_uri": "https://desk.example/"}, "oauth2callback"),
        ({"redirect_uri": ""}, "oauth2callback"),
        ({"cookie_secret": "short"}, "32 random"),
        ({"client_id": None}, "one provider"),
    ],
)
def test_secrets_that_are_not_safe_are_refused(change: dict[str, str | None], words: str) -> None:
    auth = {name: value for name, value in (AUTH | change).items() if value is not None}
    with pytest.raises(BadSecrets, match=words):
        identity.provider({"auth": auth})


def test_plain_http_is_for_this_machine_only() -> None:
    found = identity.provider({"auth": AUTH | {"redirect_uri": "http://localhost:8501/oauth2callback"}})
    assert found is not None
    assert found.origin == "http://localhost:8501"


def test_of_several_providers_one_is_named() -> None:
    both = {key: AUTH[key] for key in ("redirect_uri", "cookie_secret")} | {
        "okta": {"client_id": "a"},
        "entra": {"client_id": "b"},
    }
    with pytest.raises(BadSecrets, match="name one"):
        identity.provider({"auth": both})
    chosen = identity.provider({"auth": both, "keepline": {"provider": "entra"}})
    assert chosen is not None
    assert chosen.name == "entra"
    with pytest.raises(BadSecrets, match=r"auth\.google"):
        identity.provider({"auth": both, "keepline": {"provider": "google"}})


def test_a_role_nobody_knows_in_the_secrets_is_named() -> None:
    with pytest.raises(BadSecrets, match="chief"):
        identity.provider({"auth": AUTH, "keepline": {"roles": {"x": "chief"}}})


def test_a_secrets_file_that_cannot_be_read_is_no_local_mode(tmp_path: Path) -> None:
    broken = tmp_path / "secrets.toml"
    broken.write_text("[auth\n")
    with pytest.raises(BadSecrets, match="cannot be read"):
        identity.provider_in([broken])
    assert identity.provider_in([tmp_path / "none"]) is None


def claimed(user: dict[str, object], **own: object) -> identity.Claimed:
    settings = identity.provider({"auth": AUTH, "keepline": own})
    assert settings is not None
    return identity.claimed(user, settings)


def test_claims_say_who_and_since_when() -> None:
    assert claimed(USER) == identity.Claimed(
        "ann@desk.example", datetime.fromtimestamp(1_780_000_000, UTC), "Ann", None, None
    )
    assert claimed(USER, person_claim="sub").subject == "7"


@pytest.mark.parametrize(
    ("change", "own", "words"),
    [
        ({"email": None}, {}, "does not say who"),
        ({"email": "  "}, {}, "does not say who"),
        ({"email": "a\u202eb@x.example"}, {}, "does not say who"),
        ({"email": "a" * 201}, {}, "does not say who"),
        ({"email": ["ann@desk.example"]}, {}, "does not say who"),
        ({"email_verified": False}, {}, "not verified"),
        ({"iat": None}, {}, "when it was given"),
        ({"iat": "1780000000"}, {}, "when it was given"),
        ({"iat": True}, {}, "when it was given"),
        ({"iat": 1e300}, {}, "impossible time"),
        ({}, {"role_claim": "roles"}, "gives you none"),
        ({"roles": ["chief"]}, {"role_claim": "roles"}, "gives you none"),
        ({"roles": ["agent", "administrator"]}, {"role_claim": "roles"}, "administrator, agent at once"),
        ({"roles": {"agent": 1}}, {"role_claim": "roles"}, "gives you none"),
    ],
)
def test_claims_that_cannot_be_used_are_refused(change: dict[str, object], own: dict[str, object], words: str) -> None:
    with pytest.raises(BadClaims, match=words):
        claimed(USER | change, **own)


@pytest.mark.parametrize("value", ["agent", ["agent"], ["everybody", "agent"], ["KL-Agents"], ["KL-Agents", "agent"]])
def test_one_role_of_ours_is_taken_from_the_claim(value: object) -> None:
    own = {"role_claim": "roles", "team_claim": "team", "roles": {"KL-Agents": "agent"}}
    found = claimed(USER | {"roles": value, "team": "north"}, **own)
    assert (found.role, found.team) == ("agent", "north")


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.4", "desk.example", "", "127.0.0.1.example"])
def test_without_sign_in_nobody_else_is_answered(address: str) -> None:
    with pytest.raises(OpenDoor, match="this machine only"):
        identity.refuse_open_door(address, None)
    identity.refuse_open_door(address, identity.provider({"auth": AUTH}))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost", "127.8.9.1"])
def test_this_machine_needs_no_sign_in(address: str) -> None:
    identity.refuse_open_door(address, None)


@pytest.mark.parametrize(
    ("address", "headers", "peer", "words"),
    [
        ("0.0.0.0", {"Host": "localhost:8501"}, None, "listens on 0.0.0.0"),
        (None, {"Host": "localhost"}, None, "every address"),
        ("127.0.0.1", {"Host": "desk.example"}, None, "another name"),
        ("127.0.0.1", {"Origin": "http://localhost"}, None, "another name"),
        ("127.0.0.1", {"Host": "127.0.0.1.evil.example:8501"}, None, "another name"),
        ("127.0.0.1", {"Host": "[::1"}, None, "another name"),
        ("127.0.0.1", {"host": "localhost:8501", "X-Forwarded-For": "1.2.3.4"}, None, "proxy"),
        ("127.0.0.1", {"host": "localhost:8501", "Forwarded": "for=1.2.3.4"}, None, "proxy"),
        ("127.0.0.1", {"host": "localhost:8501", "Via": "1.1 x"}, None, "proxy"),
        ("127.0.0.1", {"host": "localhost:8501"}, "10.0.0.9", "another machine"),
    ],
)
def test_local_mode_turns_away_what_is_not_from_here(
    address: str | None, headers: dict[str, str], peer: str | None, words: str
) -> None:
    assert words in (identity.why_not_local(address, headers, peer) or "")


@pytest.mark.parametrize("host", ["localhost:8501", "127.0.0.1:8501", "[::1]:8501", "LOCALHOST"])
def test_local_mode_serves_this_machine(host: str) -> None:
    assert identity.why_not_local("127.0.0.1", {"Host": host}, None) is None
