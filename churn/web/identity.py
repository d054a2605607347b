"""Who an OpenID provider says somebody is: read off the secrets file and the claims, before the database is asked."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from churn.core.language import t
from churn.web import secrets_file

ROLES = ("agent", "supervisor", "leader", "finance", "analyst", "administrator")
SHORTEST_COOKIE_SECRET = 32  # characters: whoever guesses it signs in as anybody
LONGEST_CLAIM = 200  # characters
CALLBACK = "/oauth2callback"
# What a proxy leaves in a request it passes on; in local mode there is none.
PASSED_ON = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


class BadSecrets(ValueError):
    """The secrets file does not say how to sign in."""


class BadClaims(ValueError):
    """What the provider says of a person cannot be used."""


class OpenDoor(ValueError):
    """Without a provider the app would be open to others."""


@dataclass(frozen=True, slots=True)
class Provider:
    """How people sign in: `[auth]` of the secrets file, and Keepline's own `[keepline]` beside it."""

    origin: str  # where the browser finds this app, as in redirect_uri
    name: str | None  # of several providers the one in use; None: the only one, unnamed
    person_claim: str  # knows the person: what desk.staff.sign_in holds
    role_claim: str | None  # None: roles are those of desk.staff
    team_claim: str | None
    roles: Mapping[str, str]  # a value of the role claim → a role, where they differ


@dataclass(frozen=True, slots=True)
class Claimed:
    """One person's sign-in, as the provider vouches for it."""

    subject: str
    issued_at: datetime
    name: str | None
    role: str | None
    team: str | None


def provider(secrets: Mapping[str, Any]) -> Provider | None:
    """The provider in use; None: no `[auth]`, local mode. Raises BadSecrets."""
    if "auth" not in secrets:
        return None
    auth, own = secrets["auth"], secrets.get("keepline", {})
    redirect = urlsplit(str(auth.get("redirect_uri", "")))
    if redirect.path.rstrip("/").endswith(CALLBACK) is False or not redirect.hostname:
        raise BadSecrets(t("redirect_uri of [auth] must be this app's own address and end with {path}.", path=CALLBACK))
    if redirect.scheme != "https" and not is_loopback(redirect.hostname):
        raise BadSecrets(t("redirect_uri of [auth] must begin with https, for the sign-in cookie travels with it."))
    if len(str(auth.get("cookie_secret", ""))) < SHORTEST_COOKIE_SECRET:
        raise BadSecrets(
            t(
                "cookie_secret of [auth] must have {n} random characters or more: "
                "`python3 -c 'import secrets; print(secrets.token_urlsafe(48))'` makes one.",
                n=SHORTEST_COOKIE_SECRET,
            )
        )
    roles = {str(key): str(value) for key, value in own.get("roles", {}).items()}
    if unknown := sorted(set(roles.values()) - set(ROLES)):
        raise BadSecrets(
            t(
                "[keepline.roles] names no role of Keepline: {unknown}. There are {roles}.",
                unknown=_list(unknown),
                roles=_list(ROLES),
            )
        )
    return Provider(
        origin=f"{redirect.scheme}://{redirect.netloc}",
        name=_name(auth, own.get("provider")),
        person_claim=str(own.get("person_claim", "email")),
        role_claim=own.get("role_claim"),
        team_claim=own.get("team_claim"),
        roles=roles,
    )


def provider_in(files: Sequence[Path]) -> Provider | None:
    """The provider the secrets files name, a later one before an earlier. Raises BadSecrets."""
    secrets: dict[str, Any] = {}
    try:
        for held in secrets_file.contents(files):
            secrets |= held
    except secrets_file.NoSecret as fault:
        raise BadSecrets(str(fault)) from None
    return provider(secrets)


def claimed(user: Mapping[str, Any], settings: Provider) -> Claimed:
    """Who the claims of an identity token say has signed in. Raises BadClaims."""
    subject = _text(user.get(settings.person_claim))
    if subject is None:
        raise BadClaims(
            t(
                "Your sign-in does not say who you are: the claim '{claim}' is missing. "
                "Ask whoever runs your company's sign-in.",
                claim=settings.person_claim,
            )
        )
    if settings.person_claim == "email" and user.get("email_verified") in {False, "false"}:
        raise BadClaims(t("Your company's sign-in has not verified your e-mail address; ask whoever runs it."))
    return Claimed(
        subject=subject,
        issued_at=_instant(user.get("iat")),
        name=_text(user.get("name")),
        role=_role(user, settings),
        team=_text(user.get(settings.team_claim)) if settings.team_claim else None,
    )


def refuse_open_door(address: str, settings: Provider | None) -> None:
    """Without a provider, this machine only. Raises OpenDoor."""
    if settings is None and not is_loopback(address):
        raise OpenDoor(
            f"Without sign-in Keepline answers this machine only, not {address}: whoever reached it could be anybody. "
            "Put [auth] into .streamlit/secrets.toml (docs/security.md says how), or leave --address out."
        )


def why_not_local(address: str | None, headers: Mapping[str, str], peer: str | None) -> str | None:
    """Why a request must not be served in local mode, or None. `peer` is the address it came from, if not this machine.

    Tests without a server have no headers at all; any real request names a host.
    """
    held = {name.lower(): value for name, value in headers.items()}
    if not is_loopback(address or ""):
        return t("it listens on {address}", address=address) if address else t("it listens on every address")
    if not held:
        return None
    if not is_loopback(_hostname(held.get("host", ""))):
        return t("it was asked for by another name than this machine's own")
    if any(name in held for name in PASSED_ON):
        return t("the request came through a proxy")
    if peer is not None and not is_loopback(peer):
        return t("the request came from another machine")
    return None


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine and nothing else."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _name(auth: Mapping[str, Any], chosen: str | None) -> str | None:
    named = [key for key, value in auth.items() if isinstance(value, Mapping) and "client_id" in value]
    if chosen is not None:
        if chosen not in named:
            raise BadSecrets(t("[keepline] picks the provider '{name}', but there is no [auth.{name}].", name=chosen))
        return chosen
    if "client_id" in auth:
        return None
    if len(named) != 1:
        raise BadSecrets(t('[auth] needs one provider; of several, name one: provider = "…" under [keepline].'))
    return named[0]


def _role(user: Mapping[str, Any], settings: Provider) -> str | None:
    if settings.role_claim is None:
        return None
    held = user.get(settings.role_claim)
    values = [held] if isinstance(held, str) else list(held) if isinstance(held, Sequence) else []
    known = sorted({settings.roles.get(str(value), str(value)) for value in values} & set(ROLES))
    if len(known) != 1:
        if known:
            raise BadClaims(
                t(
                    "Your sign-in must give you one role of Keepline, but it gives you {roles} at once. "
                    "Ask whoever runs your company's sign-in.",
                    roles=_list(known),
                )
            )
        raise BadClaims(
            t(
                "Your sign-in must give you one role of Keepline, but it gives you none. "
                "Ask whoever runs your company's sign-in."
            )
        )
    return known[0]


def _instant(seconds: object) -> datetime:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise BadClaims(t("Your sign-in does not say when it was given; ask whoever runs your company's sign-in."))
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        raise BadClaims(t("Your sign-in says an impossible time; ask whoever runs your company's sign-in.")) from None


def _text(value: object) -> str | None:
    text = value.strip() if isinstance(value, str) else ""
    return text if text and len(text) <= LONGEST_CLAIM and text.isprintable() else None


def _list(words: Sequence[str]) -> str:
    return ", ".join(words)
