"""The sizes of a study: in log steps, each cell once, smaller samples within larger ones."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from action_units.config import StudySettings
from action_units.errors import ConfigurationError
from action_units.study.plan import WebPeople, WebSample, draw_subjects, log_steps, make_plan


def settings(**changed):
    plain = {
        "axes": ["photographs", "people", "per_person", "subjects"],
        "factor": 2,
        "smallest_photographs": 60,
        "smallest_subjects": 2,
        "per_person": None,
        "seeds": 2,
        "folds": None,
        "pretrain_steps": None,
        "finetune_steps": None,
        "workers": None,
    }
    return StudySettings.read(plain | changed, "study")


def web(counts, held_out=3):
    """A web set: of each person so many photographs, and of some more who are held out."""
    people = [f"p{k}" for k, n in enumerate(counts) for _ in range(n)]
    people += [f"h{k}" for k in range(held_out)]
    table = pd.DataFrame({"subject": people})
    table["image"] = [f"{name}_{row}.jpg" for row, name in enumerate(people)]
    table["gender"] = [int(name[1:]) % 2 for name in people]
    table["split"] = ["test" if name[0] == "h" else "train" for name in people]
    return table.sample(frac=1, random_state=1, ignore_index=True)


COUNTS = [1 + k % 6 for k in range(120)]  # 420 photographs
TABLE = web(COUNTS)
PEOPLE = WebPeople.of(TABLE, None, even_gender=True)


def of_axis(plan, axis):
    return [point for point in plan.points if point.axis == axis and point.web]


@pytest.mark.parametrize(
    ("largest", "smallest", "factor", "sizes"),
    [
        (13, 2, 2, [2, 3, 6, 13]),
        (6, 1, 2, [1, 2, 3, 6]),
        (5000, 300, 2, [312, 625, 1250, 2500, 5000]),
        (160_000, 2000, 4, [2500, 10_000, 40_000, 160_000]),
        (1, 1, 2, [1]),
        (3, 1, 1.01, [1, 2, 3]),
        (3, 5, 2, [3]),
    ],
)
def test_sizes_are_in_log_steps(largest, smallest, factor, sizes):
    assert log_steps(largest, smallest, factor) == sizes


def test_axes_vary_one_thing_and_hold_the_other():
    plan = make_plan(settings(), PEOPLE, [13, 13, 14])
    photographs, people, per_person = (
        [len(PEOPLE.draw(point.web, 5)) for point in of_axis(plan, axis)]
        for axis in ("photographs", "people", "per_person")
    )
    assert photographs[-1] == per_person[-1] == sum(COUNTS)
    steps = [math.log(b / a, 2) for a, b in pairwise(photographs)]
    assert steps == pytest.approx([1] * len(steps), abs=0.3)
    means = [len(PEOPLE.draw(p.web, 5)) / p.web.people for p in of_axis(plan, "photographs")]
    assert means == pytest.approx([3.5] * len(means), rel=0.2)
    assert people == pytest.approx([120] * len(people), rel=0.15)  # as many as people
    assert {point.web.people for point in of_axis(plan, "per_person")} == {120}
    subjects = of_axis(plan, "subjects")
    assert [point.subjects for point in subjects] == [2, 3, 6, None]
    assert {point.web for point in subjects} == {WebSample(120, 6)}
    scratch = [point for point in plan.points if point.web is None]
    assert [point.subjects for point in scratch] == [2, 3, 6, None]
    assert not plan.left_out


def test_axes_meet_in_the_same_cells():
    plan = make_plan(settings(), PEOPLE, [13])
    ends = {axis: of_axis(plan, axis) for axis in ("photographs", "people", "per_person")}
    assert ends["photographs"][-1].web == ends["per_person"][-1].web
    assert ends["people"][-1].web == ends["per_person"][0].web == WebSample(120, 1)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("axis", ["photographs", "per_person"])
def test_samples_of_one_seed_are_nested(axis, seed):
    plan = make_plan(settings(), PEOPLE, [13])
    drawn = [set(PEOPLE.draw(point.web, seed)) for point in of_axis(plan, axis)]
    assert len(drawn) > 2
    assert all(small < large for small, large in pairwise(drawn))


def test_a_sample_holds_nobody_who_is_held_out_and_as_many_women_as_men():
    table = web(COUNTS, held_out=120)
    drawn_from = WebPeople.of(table, None, even_gender=True)
    for people in (2, 10, 60):
        rows = table.iloc[drawn_from.draw(WebSample(people, 2), 3)]
        assert (rows["split"] == "train").all()
        of_each = rows.groupby("gender")["subject"].nunique()
        assert of_each.tolist() == [people / 2] * 2
        assert rows["subject"].value_counts().max() <= 2


def test_coded_subjects_are_nested_and_do_not_depend_on_the_order():
    subjects = [f"SN{k:03d}" for k in range(13)]
    drawn = [set(draw_subjects(subjects, n, 4)) for n in (2, 3, 6, None)]
    assert [len(one) for one in drawn] == [2, 3, 6, 13]
    assert all(small < large for small, large in pairwise(drawn))
    assert draw_subjects(subjects[::-1], 3, 4) == draw_subjects(subjects, 3, 4)
    assert any(draw_subjects(subjects, 3, 4) != draw_subjects(subjects, 3, k) for k in range(4))


def test_an_axis_that_the_data_cannot_give_is_left_out_with_a_sentence():
    people = WebPeople.of(web([1] * 200), None, even_gender=False)
    plan = make_plan(settings(), people, [13])
    assert {point.axis for point in plan.points} == {"photographs", "subjects"}
    assert [text.split(":")[0] for text in plan.left_out] == [
        "The axis people is left out",
        "The axis per_person is left out",
    ]
    assert "200 people with 200 photographs, at most 1 of each" in plan.left_out[0]


def test_from_scratch_is_there_whatever_the_axes():
    plan = make_plan(settings(axes=["photographs"]), PEOPLE, [13])
    assert [point.subjects for point in plan.points if point.web is None] == [None]


def test_the_most_of_a_person_is_what_one_in_ten_has():
    counts = [1] * 60 + [3] * 29 + [4] * 5 + [9] * 6
    assert WebPeople.of(web(counts), None, even_gender=False).per_person == 4
    assert WebPeople.of(web(counts), 2, even_gender=False).per_person == 2


@pytest.mark.parametrize(
    ("counts", "per_person", "even", "sentence"),
    [
        ([1], None, False, "to draw from: 1; two are needed"),
        ([2, 0, 2], None, True, "to draw from: 0, half women and half men"),
        ([3, 2], 7, False, "study.per_person is 7, but nobody in the web set has more than 3"),
    ],
    ids=["one", "no-men", "too-many"],
)
def test_too_few_people_are_refused(counts, per_person, even, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        WebPeople.of(web(counts), per_person, even)


def test_data_for_no_axis_are_refused():
    people = WebPeople.of(web([1] * 20), None, even_gender=False)
    with pytest.raises(ConfigurationError, match="no axis has two sizes. The axis photographs"):
        make_plan(settings(smallest_subjects=9), people, [13])


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"axes": []}, "study.axes: the list is empty"),
        ({"axes": ["people", "people"]}, "study.axes: 'people' is listed twice"),
        ({"axes": ["faces"]}, "must be one of: photographs, people, per_person, subjects"),
        ({"factor": 1}, "study.factor is 1; it must be a number"),
        ({"folds": [1, 1]}, "study.folds: 1 is listed twice"),
        ({"seeds": 0}, "study.seeds is 0; it must be a whole number from 1"),
    ],
    ids=["empty", "twice", "unknown", "factor", "folds", "seeds"],
)
def test_wrong_settings_are_refused(changed, sentence):
    with pytest.raises(ConfigurationError) as refused:
        settings(**changed)
    assert sentence in str(refused.value)


def test_rows_are_places_in_the_store():
    rows = PEOPLE.draw(WebSample(20, 3), 1)
    assert rows.dtype == np.int64
    assert (np.diff(rows) > 0).all()
