"""Sources: from the tables a company has to views that keep the contract; nothing changes before the last step.

What is applied is a mapping somebody registered on the host, byte for byte; the page writes the command for that.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from churn import audit, sources
from churn.core import sources as core
from churn.core import words
from churn.core.sources import BadMapping, Chosen, Source
from churn.refusals import Refusal
from churn.sources import Found, Move, NotMapped, Preview, Registered
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain, reading

NOTHING = "There are no tables but Keepline's own in this database yet: let your sync tool write a schema into it."


def show_sources(session: Session) -> None:
    """What is in force, and the way to something else."""
    with reading("The sources"):
        known = sources.load()
        with session.database.transaction(session.me) as connection:
            schemas = sources.schemas(connection)
            moves = sources.moves(connection)
            mappings = sources.registered(connection)
        _in_force(session, moves)
        if not schemas:
            st.info(NOTHING, icon=":material/inbox:")
        else:
            try:
                _walk(session, known, list(schemas), mappings, moves)
            except (BadMapping, NotMapped) as error:
                st.warning(plain(str(error)), icon=":material/block:")
        _history(session, moves)


def _in_force(session: Session, moves: list[Move]) -> None:
    done = st.session_state.pop("source-done", None)
    if done:
        st.success(done, icon=":material/check_circle:")
    move = moves[0] if moves and moves[0].mapping_id else None
    if move is None:
        st.caption("In force: the views over the feed, which imports or the simulated company fill.")
        return
    when = words.moment(move.moved_at, session.company.time_zone)
    st.caption(plain(f"In force: {move.title}; since {when}, by {move.moved_by}: {move.reason}"))
    with st.popover("Take it back", icon=":material/undo:"):
        st.write("The views read the feed again; the mapping stays registered and can be applied anew.")
        reason = st.text_input("Why", key="why-back", max_chars=300)
        if st.button("Back to the feed's own views", key="back"):
            _done(
                lambda: sources.apply(session.database, session.me, None, reason), "The views are the feed's own again."
            )


def _walk(
    session: Session, known: dict[str, Source], schemas: list[str], mappings: list[Registered], moves: list[Move]
) -> None:
    chosen = _choose(known, schemas)
    if chosen is None:
        return
    with session.database.transaction(session.me) as connection:
        found = sources.inspect(connection, known, chosen)
        statement = sources.statement_of(connection, known, chosen)
    st.caption(plain(core.title_of(known, chosen)))
    if not _columns(found):
        return
    mapping = next((one for one in mappings if one.sha256 == sources.digest_of(statement)), None)
    _review(chosen, statement, mapping)
    if mapping is not None:
        _look(session, mapping)
        _apply(session, mapping, moves)


def _choose(known: dict[str, Source], schemas: list[str]) -> Chosen | None:
    heading("1 · Sources", help="Which systems stand in this database, each in a schema of its own.")
    names = st.multiselect("Sources", list(known), format_func=lambda name: known[name].title, key="sources")
    if not names:
        st.info("Choose the systems your tables come from: a CRM for the customers, a help desk, billing.",
                icon=":material/arrow_upward:")  # fmt: skip
        return None
    placed, keys, takes = {}, {}, {}
    for name in names:
        left, right = st.columns(2)
        usual = schemas.index(name) if name in schemas else 0
        placed[name] = left.selectbox(f"Schema of {known[name].title}", schemas, index=usual, key=f"schema-{name}")
        st.caption(plain(known[name].about))
        if known[name].keys:
            key = right.selectbox(
                f"{known[name].title} is joined by", ["the usual", *known[name].keys], key=f"key-{name}"
            )
            if key != "the usual":
                keys[name] = key
    for view in core.VIEWS:
        able = [name for name in names if view in known[name].gives]
        if len(able) > 1:
            giver = st.selectbox(f"Who gives {view.replace('_', ' ')}", ["the usual", *able], key=f"take-{view}")
            if giver != "the usual":
                takes[view] = giver
    left, right = st.columns(2)
    values = {
        "phone_prefix": left.text_input("Prefix of national numbers", key="phone-prefix", placeholder="+44"),
        "metadata_key": right.text_input("Stripe's metadata field with the CRM's key", key="metadata-key",
                                         placeholder=sources.USUAL["metadata_key"]),
    }  # fmt: skip
    return Chosen(placed, keys, takes, {name: value.strip() for name, value in values.items() if value.strip()})


def _columns(found: list[Found]) -> bool:
    """What the tables lack, all at once; whether nothing."""
    heading("2 · Columns", help="Read from the catalogue; no row is looked at.")
    for one in found:
        lacking = words.count(len(one.wanting), "thing") + " lacking" if one.wanting else "all there"
        st.caption(plain(f"{one.source} in {one.schema}: {one.columns} columns needed, {lacking}."))
    wanting = [want for one in found for want in one.wanting]
    if not wanting:
        st.success("Every column is there, of a type that can be read.", icon=":material/check_circle:")
        return True
    frame = pd.DataFrame(
        [{"table": f"{want.schema}.{want.table}", "column": want.column or "the whole table", "needed": want.type,
          "found": want.found or "missing"} for want in wanting]
    )  # fmt: skip
    st.dataframe(frame, hide_index=True, alt="Columns a mapping needs and the tables lack")
    for want in wanting:
        st.caption(plain(want.sentence))
    st.caption("SQL that mends all of it, for the owner of the tables; it is shown and never run:")
    st.code("\n".join(want.mend for want in wanting), language="sql", wrap_lines=True)
    return False


def _review(chosen: Chosen, statement: str, mapping: Registered | None) -> None:
    heading("3 · Read it", help="The mapping itself: a reviewed file of sql/sources with your schemas filled in.")
    with st.expander("The SQL"):
        st.code(statement, language="sql")
    if mapping is not None:
        st.caption(plain(f"Registered on the host by {mapping.registered_by}; sha256 {mapping.sha256[:16]}…"))
        return
    st.info(
        "This page has no right to read these tables or to make views of them. Somebody who runs the host reads the "
        "SQL and registers exactly it; then it can be looked at and applied here.", icon=":material/key:",
    )  # fmt: skip
    st.code(core.command_of(chosen, "register"), language="bash")


def _look(session: Session, mapping: Registered) -> None:
    heading("4 · Look at it", help="Made in a transaction that is rolled back: nothing is changed.")
    if st.button("Preview", icon=":material/visibility:", key="preview"):
        with st.spinner("Reading your tables …"):
            seen = sources.preview(session.database, session.me, mapping)
        audit.note_view(session.database, session.me, "saw", "sources", {"mapping": mapping.mapping_id})
        st.session_state["source-seen"] = (mapping.mapping_id, seen)
    held = st.session_state.get("source-seen")
    if held and held[0] == mapping.mapping_id:
        _seen(held[1])


def _seen(seen: Preview) -> None:
    for view, rows in seen.rows.items():
        count = seen.counts.get(view)
        with st.expander(f"{view.replace('_', ' ')}: {'cannot be read' if count is None else f'{count:,} rows'}"):
            if rows:
                st.dataframe(pd.DataFrame(rows), hide_index=True, alt=f"Some rows of {view}, masked")
            st.caption(f"Up to {sources.MOST_ROWS} rows as the database gives them; of a name the initials, no number.")
    for one in seen.left_out:
        st.warning(
            plain(f"Left out: {one['rows']:,} of kind {one['what']}, which {one['why']}."), icon=":material/payments:"
        )
    mend = [problem for problem in seen.problems if not problem.is_optional]
    if not seen.problems:
        st.success("Every row keeps the data contract.", icon=":material/check_circle:")
    elif mend:
        st.error(f"{words.count(len(mend), 'breach')} of the data contract to mend.", icon=":material/build:")
    for problem in seen.problems:
        word = "To know" if problem.is_optional else "To mend"
        with st.expander(f"{word}: {plain(problem.sentence)}"):
            st.caption("Change the file of sql/sources so, or run this once it is applied; it is shown and never run:")
            st.code(f"SET search_path = crm;\n{problem.mend}", language="sql", wrap_lines=True)


def _apply(session: Session, mapping: Registered, moves: list[Move]) -> None:
    heading("5 · Apply")
    if moves and moves[0].mapping_id == mapping.mapping_id:
        st.caption("This mapping is in force.")
        return
    st.caption(
        "From then on every page reads your own tables. One transaction, written down in the audit; it can be taken "
        "back. Views no source gives stay the feed's. Then: `python3 -m churn sync`, `train` and `score`."
    )
    if (st.session_state.get("source-seen") or (None,))[0] != mapping.mapping_id:
        st.info("Look at it first.", icon=":material/arrow_upward:")
        return
    reason = st.text_input("Why", key="why-apply", max_chars=300, placeholder="what speaks for it")
    if st.button("Apply", icon=":material/publish:", type="primary", key="apply"):
        _done(lambda: sources.apply(session.database, session.me, mapping, reason), f"In force: {mapping.title}.")


def _done(act: Callable[[], None], sentence: str) -> None:
    try:
        act()
    except (Refusal, NotMapped) as refusal:
        st.error(plain(str(refusal)), icon=":material/block:")
        return
    st.session_state["source-done"] = plain(sentence)
    st.rerun()


def _history(session: Session, moves: list[Move]) -> None:
    if not moves:
        return
    heading("What was in force", help="Newest first.")
    zone = session.company.time_zone
    frame = pd.DataFrame(
        [{"when": words.moment(one.moved_at, zone), "by": one.moved_by, "what": one.title or "the feed's own views",
          "why": one.reason} for one in moves]
    )  # fmt: skip
    st.dataframe(frame, hide_index=True, alt="Mappings by the time they were applied")
