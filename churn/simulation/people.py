"""The customers themselves: where and who they are, what the CRM holds about them, and what nobody can see."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from churn.simulation.chance import Array, Chance, Ints
from churn.simulation.names import customer_names, phone_numbers

REGIONS = (
    ("North East", 0.04), ("North West", 0.11), ("Yorkshire and the Humber", 0.14), ("East Midlands", 0.07),
    ("West Midlands", 0.09), ("East of England", 0.09), ("London", 0.13), ("South East", 0.12), ("South West", 0.08),
    ("Wales", 0.07), ("Scotland", 0.04), ("Northern Ireland", 0.02),
)  # fmt: skip
REGION_NAMES = tuple(name for name, _ in REGIONS)
SEGMENTS = ("residential", "family", "student", "home worker", "small business")
LANGUAGES = ("en", "cy", "pl", "ur", "pa", "ro")
AGE_BANDS = ("18-24", "25-34", "35-44", "45-54", "55-64", "65-74", "75+")
PAYMENT = ("direct_debit", "card", "cash")
CHANNELS = ("web", "comparison_site", "store", "telephone", "referral", "door")
ROUTERS = ("Hub 2", "Hub 3", "Hub 4", "own")
TIERS = ("none", "bronze", "silver", "gold")
GROUPS = ("A", "B", "C", "D")


@dataclass(frozen=True)
class People:
    """What does not change about the customers of a part; arrays are (n,), codes index the tuples above."""

    index: Ints  # place in the whole company
    region: Ints
    segment: Ints
    language: Ints
    age: Ints
    payment: Ints
    acquired: Ints
    household: Ints
    comfort: Array  # standard normal: latent wealth; seen through credit band and late payments
    is_vulnerable: NDArray[np.bool_]
    is_do_not_offer: NDArray[np.bool_]
    frailty: Array  # logits
    talk: Array  # factor on contact rates
    line: Array  # standard normal, low means faults

    def __len__(self) -> int:
        return len(self.index)


def draw_people(chance: Chance, index: Ints) -> People:
    """The customers with these places in the company."""
    age = chance.pick((0.08, 0.19, 0.20, 0.19, 0.16, 0.11, 0.07), "age", index)
    comfort = chance.normal("comfort", index) + 0.15 * (age - 3)
    segment = chance.pick((0.50, 0.27, 0.05, 0.11, 0.07), "segment", index)
    segment = np.where((age == 0) & (chance.uniform("student", index) < 0.4), 2, segment)
    u = chance.uniform("payment", index) - 0.06 * comfort
    return People(
        index=index,
        region=chance.pick([w for _, w in REGIONS], "region", index),
        segment=segment,
        language=chance.pick((0.94, 0.015, 0.015, 0.012, 0.009, 0.009), "language", index),
        age=age,
        payment=np.select([u < 0.70, u < 0.93], [0, 1], 2),
        acquired=chance.pick((0.30, 0.24, 0.14, 0.16, 0.11, 0.05), "acquired", index),
        household=1 + chance.poisson(np.array([0.7, 0.6, 1.0, 1.2, 1.4])[segment], "household", index),
        comfort=comfort,
        is_vulnerable=chance.uniform("vulnerable", index) < np.where(age >= 5, 0.07, 0.021),
        is_do_not_offer=chance.uniform("do not offer", index) < 0.01,
        frailty=0.5 * chance.normal("frailty", index),
        talk=np.exp(0.55 * chance.normal("talk", index) - 0.15),
        line=chance.normal("line", index),
    )


def customers_table(chance: Chance, people: People, joined: Ints) -> pa.Table:
    """Rows of `feed.customers`; `joined` counts days from 1970."""
    name, mail = customer_names(chance, people.index)
    return pa.table(
        {
            "customer_id": customer_ids(people.index),
            "name": pa.array(name, pa.string()),
            "phone": pa.array(phone_numbers(chance, people.index), pa.string()),
            "email": pa.array(mail, pa.string()),
            "joined_on": dates(joined),
            "segment": words(SEGMENTS, people.segment),
            "region": words(REGION_NAMES, people.region),
            "language": words(LANGUAGES, people.language),
            "currency": words(("GBP",), np.zeros(len(people), np.int64)),
            "is_vulnerable": pa.array(people.is_vulnerable),
            "is_do_not_offer": pa.array(people.is_do_not_offer),
            "attributes": _attributes(chance, people),
        }
    )


def customer_ids(index: Ints) -> pa.Array:
    """Account numbers of customers by their place in the company."""
    return pc.binary_join_element_wise("LF", pa.array(1_000_000 + index).cast(pa.string()), "")


def words(vocabulary: tuple[str, ...] | list[str], code: ArrayLike) -> pa.Array:
    """Strings for codes; a negative code is null."""
    index = np.asarray(code, np.int64)
    return pa.array(list(vocabulary), pa.string()).take(pa.array(index, mask=index < 0))


def dates(day: Ints, known: NDArray[np.bool_] | None = None) -> pa.Array:
    """Dates for days since 1970; null where not `known`."""
    return pa.array(day.astype(np.int32), mask=None if known is None else ~known).cast(pa.date32())


def _attributes(chance: Chance, people: People) -> pa.Array:
    """The CRM's own columns as JSON text: some tell something, some nothing, each with gaps of its own."""
    n, index = len(people), people.index
    credit = np.clip(np.round(620 + 70 * (0.8 * people.comfort + 0.6 * chance.normal("credit", index))), 300, 999)
    cabinet = np.round(np.exp(6.2 - 0.35 * people.line + 0.5 * chance.normal("cabinet", index)))
    year = 2025 - chance.poisson(2.2, "device year", index)
    flags = {
        "paperless": chance.uniform("paperless", index) < 0.75 - 0.07 * (people.age - 3),
        "email_opt_in": chance.uniform("opt in", index) < 0.55,
        "app_user": chance.uniform("app user", index) < 0.68 - 0.06 * (people.age - 3),
        "home_owner": chance.uniform("home owner", index) < 0.25 + 0.09 * people.age,
    }
    columns: list[tuple[str, pa.Array, float]] = [
        ("payment_method", _quoted(words(PAYMENT, people.payment)), 0.0),
        ("age_band", _quoted(words(AGE_BANDS, people.age)), 0.04),
        ("household_size", pa.array(people.household).cast(pa.string()), 0.09),
        ("acquisition_channel", _quoted(words(CHANNELS, people.acquired)), 0.02),
        ("credit_score", pa.array(credit.astype(np.int64)).cast(pa.string()), 0.12),
        ("cabinet_distance_m", pa.array(cabinet.astype(np.int64)).cast(pa.string()), 0.15),
        ("device_year", pa.array(year).cast(pa.string()), 0.07),
        ("router_model", _quoted(words(ROUTERS, chance.below(len(ROUTERS), "router", index))), 0.05),
        ("loyalty_tier", _quoted(words(TIERS, chance.pick((0.6, 0.2, 0.14, 0.06), "tier", index))), 0.0),
        ("favourite_store", pa.array(chance.below(60, "store", index)).cast(pa.string()), 0.55),
        ("survey_group", _quoted(words(GROUPS, chance.pick((0.6, 0.2, 0.12, 0.08), "group", index))), 0.35),
    ]
    columns += [(name, pa.array(np.where(flag, "true", "false"), pa.string()), 0.03) for name, flag in flags.items()]
    parts = []
    for name, value, gap in columns:
        pair = pc.binary_join_element_wise(f'"{name}": ', value, "")
        missing = pa.array(chance.uniform(f"gap {name}", index) < gap) if gap else pa.array(np.zeros(n, bool))
        parts.append(pc.if_else(missing, pa.scalar(None, pa.string()), pair))
    inside = pc.binary_join_element_wise(*parts, ", ", null_handling="skip")
    return pc.binary_join_element_wise("{", inside, "}", "")


def _quoted(value: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise('"', value, '"', "")
