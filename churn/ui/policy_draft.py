"""A draft as three tables and its cases: every problem at once, beside the tables it is about."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from churn.core.language import mark, number, t
from churn.core.policies.policy import COST_MODELS, FAULTS, FLAGS, LEVERS, ROLES, UNITS, WINDOWS, Policy
from churn.core.policies.policy_cases import CasesUnreadable, Verdict, run_cases
from churn.core.policies.policy_problems import Problem, problems
from churn.core.policies.policy_table import columns_of, policy_of, tables_of
from churn.core.words import named
from churn.policies import default_policy, policy_lab
from churn.policies.cases import parse_cases
from churn.policies.stored import policy_version
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain
from churn.ui.policy_pieces import acting, choose_version, heads, today, versions

EXAMPLE = """# - case: Our fault, six years with us
#   give: bill_credit
#   when: {fault: ours, tenure_months: 74, monthly_bill: 41, worth: 1140}
#   expect: {ceiling: 120, alone: 35, needs supervisor: 60}
"""
TITLES = {
    "rules": mark("Rules"), "authority": mark("Who may give it alone"), "instruments": mark("What may be given"),
}  # fmt: skip
EDITED = {
    "rules": mark("Rules of the draft, to edit"), "authority": mark("Who may give it alone of the draft, to edit"),
    "instruments": mark("What may be given of the draft, to edit"),
}  # fmt: skip
CHOICES: dict[str, dict[str, tuple[str, ...]]] = {
    "rules": {
        "effect": tuple(UNITS), "unit": tuple(sorted({unit for units in UNITS.values() for unit in units})),
        "fault": FAULTS, "role": ROLES,
    },
    "authority": {"role": ROLES, "time_window": WINDOWS},
    "instruments": {"lever": LEVERS, "cost_model": COST_MODELS},
}  # fmt: skip
MOST_SAID = 40


def show_draft(session: Session) -> None:
    """Tables that begin as a copy of a version, what is wrong with them, their cases, and the button to save."""
    every = versions(session)
    if every:
        base = choose_version(t("Begin with a copy of"), every, "base")
        source = policy_version(session.database, session.me, base.version)
        begun: int | None = base.version
    else:
        st.caption(t("There is no version yet: this begins with the default policy."))
        source, begun = default_policy(), None
    if source is None:
        st.info(t("That version is gone."), icon=":material/inbox:")
        return
    title = st.text_input(t("Title of the draft"), value=source.title, max_chars=120, key=f"title-{begun}")
    st.caption(
        t(
            "Money is in whole minor units (£35 is 3500), shares as fractions (15 % is 0.15). A condition left empty "
            "is any; ranges hold their start and not their end. Nothing here counts before a second person publishes "
            "it."
        )
    )
    edited, below_rules = _tables(source, begun)
    draft, faults = policy_of(edited, title=title, currency=source.currency)
    found = problems(draft, today(session)) if draft else []
    with below_rules:
        _say(edited["rules"], [fault.sentence for fault in faults], found)
    text, verdicts = _cases(session, draft, begun)
    saved = st.button(
        t("Save as a new draft"), type="primary", disabled=draft is None or verdicts is None, icon=":material/save:",
        help=t("Each save is a version of its own; earlier ones stay. Problems may be saved, but not published."),
    )  # fmt: skip
    if saved and draft is not None:
        with acting():
            version = policy_lab.save_draft(session.database, session.me, draft, text)
            st.success(
                t(
                    "Saved as version {version}, {state}. Somebody else publishes it.",
                    version=version,
                    state=_state(found, verdicts),
                ),
                icon=":material/check_circle:",
            )


def _state(found: list[Problem], verdicts: list[Verdict] | None) -> str:
    red = sum(not verdict.is_green for verdict in verdicts or [])
    if not found and not red:
        return t("without problems, its cases green")
    return t("with {problems} problems and {red} red cases", problems=len(found), red=red)


def _tables(source: Policy, begun: int | None) -> tuple[dict[str, pd.DataFrame], DeltaGenerator]:
    """The tables as edited, and the place beside the rules where their problems are said."""
    held = tables_of(source)
    edited = {}
    below: list[DeltaGenerator] = []
    for name, title in TITLES.items():
        heading(t(title))
        edited[name] = st.data_editor(
            held[name], num_rows="dynamic", hide_index=True, key=f"edit-{name}-{begun}",
            column_config=_config(name),
            column_order=columns_of(name), height=380 if name == "rules" else "auto",
            alt=t(EDITED[name]),
        )  # fmt: skip
        below.append(st.container())
    return edited, below[0]


def _config(name: str) -> dict[str, Any]:
    found: dict[str, Any] = {column: named(column) for column in columns_of(name)}
    found |= {
        column: st.column_config.SelectboxColumn(
            named(column), options=list(options), format_func=lambda one: named(str(one))
        )
        for column, options in CHOICES[name].items()
    }
    if name == "rules":
        found |= {
            flag: st.column_config.SelectboxColumn(named(flag), options=[True, False], help=t("Empty: any."))
            for flag in FLAGS
        }
        found |= {day: st.column_config.DateColumn(named(day)) for day in ("starts_on", "ends_on")}
        found["value"] = st.column_config.NumberColumn(named("value"), format="%g")
        found["reason"] = st.column_config.TextColumn(
            named("reason"), width="large", help=t("The sentence the agent reads.")
        )
    return found


def _say(rules: pd.DataFrame, faults: list[str], found: list[Problem]) -> None:
    """Every problem, each with the rows of the table it is about."""
    if not faults and not found:
        st.success(t("No problems: every case has an answer, and only one."), icon=":material/check_circle:")
        return
    heading(t("To mend · {n}", n=number(len(faults) + len(found))))
    at = {code: place for place, code in enumerate(rules["code"], start=1) if isinstance(code, str)}
    rows = [{"row": "", "rule": "", "what is wrong": fault} for fault in faults]
    rows += [
        {
            "row": ", ".join(str(at[code]) for code in problem.codes if code in at),
            "rule": ", ".join(problem.codes[:3]) + (" …" if len(problem.codes) > 3 else ""),
            "what is wrong": problem.sentence,
        }
        for problem in found[:MOST_SAID]
    ]
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, alt=t("What is wrong with the draft, by row of the rules."),
        column_config=heads(list(rows[0])),
    )  # fmt: skip
    for sentence in [*faults, *(problem.sentence for problem in found)][:3]:
        st.error(plain(sentence), icon=":material/error:")


def _cases(session: Session, draft: Policy | None, begun: int | None) -> tuple[str, list[Verdict] | None]:
    """The cases as text and what came of each; None where they cannot be read."""
    heading(
        t("Cases"), help=t("In such a call, this must come out. All must be green before the draft can be published.")
    )
    text = st.text_area(
        t("Cases in YAML"), value=policy_lab.cases(session.database, session.me, begun) or EXAMPLE, height=220,
        key=f"cases-{begun}", label_visibility="collapsed",
    )  # fmt: skip
    try:
        cases = parse_cases(text)
    except CasesUnreadable as unreadable:
        st.error(plain(str(unreadable)), icon=":material/error:")
        return text, None
    verdicts = run_cases(draft, cases, today(session)) if draft else []
    show_verdicts(verdicts)
    return text, verdicts


def show_verdicts(verdicts: list[Verdict]) -> None:
    """Each case with what came out; green and red said in words."""
    if not verdicts:
        st.caption(t("No cases yet."))
        return
    red = sum(not verdict.is_green for verdict in verdicts)
    st.caption(
        t("{n} of {all} cases green.", n=len(verdicts) - red, all=len(verdicts))
        if red
        else t("All {n} cases green.", n=len(verdicts))
    )
    frame = pd.DataFrame(
        [
            {"": t("✓ green") if v.is_green else t("✗ red"), "case": v.title, "what came out": v.sentence}
            for v in verdicts
        ]
    )
    st.dataframe(
        frame, hide_index=True, alt=t("Each case, green or red, and what came out."),
        column_config=heads(["case", "what came out"]),
    )  # fmt: skip
