"""A browser tab without a browser: Streamlit's own websocket protocol, and the screen as the browser would hold it.

Messages of more than ten kilobytes are kept by their hash as the browser keeps them, so the server sends them once.
What a fragment asks for by itself (`run_every`) is not run here.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

KEPT_RUNS = 2  # how long the browser keeps a large message, as Streamlit's `global.maxCachedMessageAge` says
WAIT_SECONDS = 60.0
ERROR = 1  # the kind of an alert


class NotOnScreen(LookupError):
    """There is no such widget on the screen; the message says what is."""


class Lost(ConnectionError):
    """The server closed the line, or never took it."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the app is reached: `tls` when by https, `cookies` of whoever has signed in."""

    port: int
    host: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None
    cookies: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """What a browser calls the place of our page."""
        return f"http{'s' if self.tls else ''}://{self.host}:{self.port}"


@dataclass(slots=True)
class _Node:
    """An element (its kind and message) or a block (kind `block`) on the screen."""

    kind: str
    message: Any
    run: int
    fragment: str


class Tab:
    """One tab: its line to the server, its screen, and what its widgets hold. Raises Lost when the line goes."""

    def __init__(self, at: Address, page: str = "", query: str = "") -> None:
        self.page, self.query = page, query
        self.states: dict[str, WidgetState] = {}
        self.received = 0  # bytes
        self.raw = b""  # all of it, where somebody asks
        self.redirected_to: str | None = None
        self._nodes: dict[tuple[int, ...], _Node] = {}
        self._large: dict[str, tuple[ForwardMsg, int]] = {}
        self._page_hash, self._run, self._fragments = "", 0, frozenset[str]()
        self._open = ExitStack()
        cookies = "; ".join(f"{name}={value}" for name, value in at.cookies.items())
        token = at.cookies.get("_streamlit_xsrf")  # without it nobody is taken for signed in
        try:
            wire = socket.create_connection(("127.0.0.1", at.port), timeout=WAIT_SECONDS)
            self._line = self._open.enter_context(connect(
                f"{at.origin.replace('http', 'ws', 1)}/_stcore/stream",
                sock=wire,
                ssl=at.tls,
                origin=at.origin,  # type: ignore[arg-type]
                subprotocols=["streamlit", *([token] if token else [])],  # type: ignore[list-item]
                additional_headers=dict(at.headers) | ({"Cookie": cookies} if cookies else {}),
                max_size=None,
                compression=None,  # the server offers none
                open_timeout=WAIT_SECONDS,
                close_timeout=1,
            ))  # fmt: skip
        except (OSError, ConnectionClosed, InvalidHandshake) as gone:
            raise Lost(str(gone)) from gone

    def close(self) -> None:
        """As when somebody closes the tab."""
        self._open.close()

    def run(self, changed: str | None = None, *, is_pressed: bool = False, keep_raw: bool = False) -> float:
        """Send what the widgets hold and take all that comes until the script has finished; seconds.

        `changed` is the widget it is about: one in a fragment runs the fragment only.
        """
        message = BackMsg()
        asked = message.rerun_script
        asked.query_string, asked.page_script_hash = self.query, self._page_hash
        asked.fragment_id = self._fragment_of(changed)
        if not self._page_hash:
            asked.page_name = self.page
        asked.widget_states.widgets.extend(self.states.values())
        if changed is not None and is_pressed:
            asked.widget_states.widgets.append(WidgetState(id=changed, trigger_value=True))
        asked.cached_message_hashes.extend(self._large)
        began = time.perf_counter()
        try:
            self._line.send(message.SerializeToString())
            while not self._take(self._line.recv(timeout=WAIT_SECONDS), keep_raw=keep_raw):
                pass
        except (OSError, ConnectionClosed) as gone:
            raise Lost(str(gone)) from gone
        taken = time.perf_counter() - began
        self._sweep()
        return taken

    # What is on the screen

    def elements(self, kind: str) -> Iterator[Any]:
        """The elements of a kind, in the order of the screen."""
        for _, node in sorted(self._nodes.items()):
            if node.kind == kind:
                yield node.message

    def find(self, kind: str, *, key: str | None = None, label: str | None = None) -> Any:
        """The first widget of a kind whose key or label begins so. Raises NotOnScreen."""
        for one in self.elements(kind):
            is_key = key is None or one.id.split("-", 2)[-1].startswith(key)
            if is_key and (label is None or one.label.startswith(label)):
                return one
        there = [one.label for one in self.elements(kind)]
        raise NotOnScreen(f"No {kind} {key or label!r}; there are {there}. The screen says: {self.text()[:600]}")

    def text(self) -> str:
        """Everything the screen says in words, a line each; without what keeps data from being read as markdown."""
        bodies = [
            node.message.body
            for _, node in sorted(self._nodes.items())
            if node.kind in {"markdown", "alert", "heading"}
        ]
        return "\n".join(bodies).replace("\\", "")

    def faults(self) -> list[str]:
        """Errors on the screen: the script's own, and those the app shows as such."""
        shown = [one.message for one in self.elements("exception")]
        return shown + [one.body for one in self.elements("alert") if one.format == ERROR]

    # What somebody does

    def type(self, text: str, *, key: str) -> float:
        """Text and Enter in a text input."""
        widget = self.find("text_input", key=key).id
        self.set(widget, string_value=text)
        return self.run(widget)

    def choose(self, option: str, *, key: str) -> float:
        """One option of a select box or a row of buttons."""
        with suppress(NotOnScreen):
            widget = self.find("selectbox", key=key).id
            self.set(widget, string_value=option)
            return self.run(widget)
        one = WidgetState(id=self.find("button_group", key=key).id)
        one.string_array_value.data.append(option)
        self.states[one.id] = one
        return self.run(one.id)

    def press(self, *, key: str | None = None, label: str | None = None) -> float:
        """A click on a button."""
        return self.run(self.find("button", key=key, label=label).id, is_pressed=True)

    def set(self, widget: str, **value: Any) -> None:
        """What a widget holds from now on, sent with the next run."""
        self.states[widget] = WidgetState(id=widget, **value)

    def _fragment_of(self, widget: str | None) -> str:
        drawn = (node for node in self._nodes.values() if widget and getattr(node.message, "id", None) == widget)
        return next((node.fragment for node in drawn), "")

    # What the server says

    def _take(self, told: str | bytes, *, keep_raw: bool) -> bool:
        """Whether this was the last message of the run."""
        assert isinstance(told, bytes)
        self.received += len(told)
        if keep_raw:
            self.raw += told
        message = ForwardMsg()
        message.ParseFromString(told)
        if message.WhichOneof("type") == "ref_hash":
            path = list(message.metadata.delta_path)
            message = self._large[message.ref_hash][0]
            message.metadata.delta_path[:] = path
        if message.metadata.cacheable:
            self._large[message.hash] = (message, self._run)
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._run += 1
            self._fragments = frozenset(message.metadata.run.fragment_ids)
            self._page_hash = message.new_session.page_script_hash
        elif kind == "navigation":
            self._page_hash = message.navigation.page_script_hash
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "auth_redirect":
            self.redirected_to = message.auth_redirect.url
        elif kind == "delta":
            self._place(tuple(message.metadata.delta_path), message.delta)
        return kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN

    def _place(self, path: tuple[int, ...], delta: Any) -> None:
        which = delta.WhichOneof("type")
        if which == "add_block":
            self._nodes[path] = _Node("block", delta.add_block, self._run, delta.fragment_id)
            return
        element = delta.new_element if which == "new_element" else None
        kind = (element.WhichOneof("type") if element is not None else None) or "empty"
        message = getattr(element, kind) if element is not None and kind != "empty" else None
        self._nodes[path] = _Node(kind, message, self._run, delta.fragment_id)

    def _sweep(self) -> None:
        """Drop what the last run has not drawn, what its widgets held, and large messages nobody uses."""
        of_run = self._fragments
        self._nodes = {
            path: node
            for path, node in self._nodes.items()
            if node.run == self._run or (of_run and node.fragment not in of_run)
        }
        ids = {getattr(node.message, "id", None) for node in self._nodes.values()}
        self.states = {widget: state for widget, state in self.states.items() if widget in ids}
        self._large = {name: kept for name, kept in self._large.items() if self._run - kept[1] < KEPT_RUNS}
