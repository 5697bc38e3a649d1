"""Which faces are drawn, and who is held out."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action_units.errors import ConfigurationError
from action_units.labels.sampling import hold_out, sample_faces
from action_units.labels.tables import read_pretrain_labels


def faces(counts):
    """A table of people with these numbers of faces; women and men by turns."""
    rows = [
        (f"m.0{person}_{number}-FaceId-0.jpg", f"m.0{person}", person % 2)
        for person, count in enumerate(counts)
        for number in range(count)
    ]
    return pd.DataFrame(rows, columns=["image", "subject", "gender"])


TABLES = st.lists(st.integers(1, 9), min_size=4, max_size=30).map(faces)
SEEDS = st.integers(0, 1000)
CAPS = st.none() | st.integers(1, 9)


def most(table, cap):
    """How many faces can be drawn with an even split."""
    counts = table.groupby(["gender", "subject"]).size().clip(upper=cap)
    return 2 * int(counts.groupby("gender").sum().min())


@settings(max_examples=15, deadline=None)
@given(TABLES, SEEDS, CAPS, st.data())
def test_a_sample_is_even_capped_and_nested(table, seed, cap, data):
    top = most(table, cap)
    n = data.draw(st.integers(1, top))
    small = sample_faces(table, n, seed=seed, per_identity=cap)
    assert len(small) == n == small["image"].nunique()
    women = int((small["gender"] == 0).sum())
    assert women - (n - women) in (0, 1)
    if cap is not None:
        assert small.groupby("subject").size().max() <= cap
    large = sample_faces(table, data.draw(st.integers(n, top)), seed=seed, per_identity=cap)
    assert set(small["image"]) <= set(large["image"])
    assert (table.set_index("image").loc[small["image"]].to_numpy()
            == small.set_index("image").to_numpy()).all()  # fmt: skip
    with pytest.raises(ConfigurationError):
        sample_faces(table, top + 2, seed=seed, per_identity=cap)


@settings(max_examples=15, deadline=None)
@given(TABLES, SEEDS, CAPS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(table, seed, cap, random):
    n = max(1, most(table, cap) // 2)
    order = list(range(len(table)))
    random.shuffle(order)
    shuffled = table.iloc[order].reset_index(drop=True)
    one = sample_faces(table, n, seed=seed, per_identity=cap)
    other = sample_faces(shuffled, n, seed=seed, per_identity=cap)
    assert set(one["image"]) == set(other["image"])
    assert one["image"].tolist() == [i for i in table["image"] if i in set(one["image"])]
    assert hold_out(table, 0.5, seed=seed) == hold_out(shuffled, 0.5, seed=seed)


@settings(max_examples=15, deadline=None)
@given(TABLES, SEEDS, st.integers(1, 9))
def test_a_persons_draw_depends_on_nobody_else(table, seed, cap):
    drawn = sample_faces(table, seed=seed, per_identity=cap)
    for person in table["subject"].unique()[:3]:
        alone = sample_faces(table[table["subject"] == person], seed=seed, per_identity=cap)
        assert set(alone["image"]) == set(drawn["image"][drawn["subject"] == person])


@settings(max_examples=15, deadline=None)
@given(TABLES, SEEDS, CAPS, st.data())
def test_people_and_faces_a_person_can_be_varied_apart(table, seed, cap, data):
    people = 2 * (table["subject"].nunique() // 2)
    m = data.draw(st.integers(1, people))
    few = sample_faces(table, seed=seed, identities=m, per_identity=cap)
    gender = few.groupby("subject")["gender"].first()
    assert len(gender) == m
    assert (gender == 0).sum() - (gender == 1).sum() in (0, 1)
    more = data.draw(st.integers(m, people))
    wide = sample_faces(table, seed=seed, identities=more, per_identity=cap)
    assert set(few["image"]) <= set(wide["image"])
    deep = sample_faces(table, seed=seed, identities=m, per_identity=cap and cap + 1)
    assert set(few["image"]) <= set(deep["image"])
    assert set(deep["subject"]) == set(few["subject"])


def test_drawn_people_come_before_second_faces():
    table = faces([9] * 20)
    drawn = sample_faces(table, 10, seed=3, identities=10)
    assert drawn["subject"].nunique() == 10
    drawn = sample_faces(table, 25, seed=3, identities=10)
    assert set(drawn.groupby("subject").size()) == {2, 3}


def test_draws_differ_with_the_seed_and_are_spread():
    table = faces([8] * 400)
    one, other = (set(sample_faces(table, 800, seed=seed)["image"]) for seed in (1, 2))
    assert len(one & other) == pytest.approx(200, abs=40)
    counts = sample_faces(table, 800, seed=1).groupby("subject").size()
    assert counts.var() == pytest.approx(8 * 0.25 * 0.75, rel=0.2)  # as a random draw's
    numbers = sample_faces(table, seed=1, per_identity=1)["image"].str.split("_").str[1]
    assert np.bincount(numbers.str[0].astype(int)).min() > 25  # no photograph is preferred


def test_gender_need_not_be_even_nor_known():
    table = faces([5, 1, 5, 1, 5, 1]).drop(columns="gender")
    drawn = sample_faces(table, 17, seed=0, even_gender=False)
    assert len(drawn) == 17
    assert len(hold_out(table, 0.34, seed=0, even_gender=False)) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"n": 12},
            "12 faces were requested, 6 of gender 0 and 6 of gender 1; there are 15 and 3",
        ),
        (
            {"n": 8, "per_identity": 2},
            "there are 6 and 3 with at most 2 a person. Request fewer",
        ),
        (
            {"identities": 8},
            "8 people were requested, 4 of gender 0 and 4 of gender 1; there are",
        ),
        ({"n": 19, "even_gender": False}, "19 faces were requested; there are 18."),
        ({"n": 6, "identities": 2}, "there are 5 and 1 with 2 people"),
        ({"n": 0}, "n=0 must be 1 or more"),
        ({"per_identity": True}, "per_identity=True must be"),
        ({"identities": -1}, "identities=-1 must be"),
    ],
)
def test_what_cannot_be_had_is_told(options, words):
    with pytest.raises(ConfigurationError) as error:
        sample_faces(faces([5, 1, 5, 1, 5, 1]), seed=0, **options)
    assert words in str(error.value)


@settings(max_examples=15, deadline=None)
@given(TABLES, SEEDS, st.floats(0.2, 0.8), st.floats(0.0, 1.0), st.integers(2, 5))
def test_people_are_held_out_by_gender(table, seed, part, rest, every):
    number = table["subject"].str.removeprefix("m.0").astype(int)
    table = table.assign(gender=(number % every == 0).astype(int))
    held = hold_out(table, part, seed=seed)
    gender = table.groupby("subject")["gender"].first()
    for number, people in gender.groupby(gender):
        assert len(held & set(people.index)) == pytest.approx(part * len(people), abs=1), number
    assert len(held) == round(part * len(gender))
    larger = part + rest * (0.8 - part)
    assert held <= hold_out(table, larger, seed=seed)
    train = table[~table["subject"].isin(held)]
    assert not set(train["subject"]) & held


@pytest.mark.parametrize("part", [0.0, 1.0, -0.1, True, float("nan"), 0.01, 0.99])
def test_both_sides_need_somebody(part):
    with pytest.raises(ConfigurationError, match="held_out="):
        hold_out(faces([1] * 6), part, seed=0)


def test_a_person_of_both_genders_is_on_one_side():
    table = faces([6, 6, 6, 6])
    table.loc[:1, "gender"] = 1  # 2 of the 6 faces of m.00
    assert len(hold_out(table, 0.5, seed=0)) == 2
    drawn = sample_faces(table, seed=0, identities=2)
    assert drawn["subject"].nunique() == 2


def test_real_labels_are_sampled(real_labels):
    table = read_pretrain_labels(real_labels / "pretrain_label_sample.csv.gz")
    held = hold_out(table, 0.15, seed=20)
    train = table[~table["subject"].isin(held)].reset_index(drop=True)
    drawn = sample_faces(train, 400, seed=20, per_identity=2)
    assert (drawn["gender"] == 0).sum() == 200
    assert list(drawn) == list(table)
