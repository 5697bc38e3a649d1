"""AU numbers, names and columns."""

import pytest

from action_units.labels.action_units import (
    AU_NAMES,
    DISFA_AUS,
    EIGHT_AUS,
    PRETRAIN_AUS,
    au_column,
    au_columns,
    aus_of_columns,
    parse_au_column,
)


def test_the_sets_are_those_of_the_literature():
    assert (len(PRETRAIN_AUS), len(DISFA_AUS), len(EIGHT_AUS)) == (18, 12, 8)
    assert set(EIGHT_AUS) < set(DISFA_AUS) < set(PRETRAIN_AUS)
    assert all(list(aus) == sorted(aus) for aus in (DISFA_AUS, EIGHT_AUS, PRETRAIN_AUS))
    assert set(AU_NAMES) > set(PRETRAIN_AUS)
    assert list(AU_NAMES) == sorted(AU_NAMES)


def test_columns_go_there_and_back():
    assert au_column(1) == "AU01"
    assert aus_of_columns(au_columns(PRETRAIN_AUS)) == PRETRAIN_AUS


def test_only_label_columns_are_aus():
    assert aus_of_columns(["image", "AU12", " AU01", "AU01_r", "AU01_p", "AU1", "AU02"]) == (
        12,
        2,
    )


@pytest.mark.parametrize("name", ["AU12", "au_12", "AU 12", "Au-12"])
def test_a_column_in_anybodys_spelling(name):
    assert parse_au_column(name) == (12, "")
    assert parse_au_column(f" {name}_Intensity") == (12, "r")
    assert parse_au_column(f"{name} presence") == (12, "c")
    assert parse_au_column(f"{name}-p") == (12, "p")
    assert parse_au_column(f"{name}_x") is parse_au_column(f"x{name}") is None


def test_a_number_of_a_column_is_of_an_au():
    assert [parse_au_column(name) for name in ("AU1", "AU01", "AU001")] == [(1, "")] * 3
    assert parse_au_column("AU0") is parse_au_column("AU112") is None
