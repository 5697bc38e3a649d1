"""The card: front matter that parses, every number from the run's files, what must be said."""

import re
from dataclasses import replace
from functools import cache

import pytest
import yaml

from action_units.errors import ArtifactError
from action_units.evaluation.scores import Estimate
from action_units.evaluation.summary import summarise
from action_units.export.model_card import check_card, render_card, with_export
from action_units.labels.action_units import AU_NAMES, DISFA_AUS, au_column
from tests.evaluation.made_up import GROUPS, from_scratch, made_up_fold, made_up_predictions
from tests.export.synthetic import synthetic_fold_model

SHARED = {
    "config_hash": "c0ffee" * 10,
    "data_sha256": "da7a" * 16,
    "recipe": "modern",
    "seed": 271,
    "device": {"device": "cuda", "devices": 2, "precision": "bf16", "threads": 9},
    "python": "3.77.1",
    "packages": {"torch": "9.8.7", "numpy": "6.5.4"},
}


@cache
def scored(folds, scratch, absent):
    made = [made_up_fold(k, scratch=scratch, provenance=SHARED, absent=absent) for k in folds]
    predictions = {
        name: {
            k: made_up_predictions(GROUPS[k - 1], seed=k, skill=skill, absent=absent)
            for k in folds
        }
        for name, skill in (("finetuned", 0.4), ("scratch", 0.1))[: 1 + scratch]
    }
    return summarise(made, 3, predictions=predictions)


def made_up_summary(folds=(1, 2, 3), rendered=True, scratch=True, absent=()):
    summary = scored(folds, scratch, absent)
    return replace(
        summary, folds=type(summary.folds)(replace(f, rendered=rendered) for f in summary.folds)
    )


def made_up_card(web_rendered=True, **options):
    summary = made_up_summary(**options)
    members = {fold.fold: synthetic_fold_model(fold.fold) for fold in summary.folds}
    return (
        summary,
        members,
        render_card(summary, members, "mine/main/disfa/standard", 3725.0, web_rendered),
    )


@pytest.fixture(scope="module")
def made():
    return made_up_card()


def front_matter(card):
    assert card.startswith("---\n")
    return yaml.safe_load(card[4:].split("\n---\n")[0])


def table_rows(card, first_cell):
    rows = [line for line in card.splitlines() if line.startswith(f"| {first_cell} |")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def test_the_front_matter_parses_and_holds_the_runs_figures(made):
    summary, _, card = made
    front = front_matter(card)
    assert front["license"] == "mit"
    assert front["library_name"] == "action-units"
    assert {"facs", "rendered-data"} <= set(front["tags"])
    (model,) = front["model-index"]
    assert model["name"] == "mine/main/disfa/standard"
    (result,) = model["results"]
    assert result["dataset"]["type"] == "rendered-sample"
    told = {
        metric["name"].split(", mean of")[0]: metric["value"] for metric in result["metrics"]
    }
    f1, auc = (summary.metrics["finetuned"][name] for name in ("f1", "auc"))
    assert told["F1, 8 AUs"] == round(f1.averages["8 AUs"].mean_of_folds.value, 4)
    for au in DISFA_AUS:
        assert told[f"F1, {au_column(au)}"] == round(f1.aus[au].mean_of_folds.value, 4)
        assert told[f"AUC, {au_column(au)}"] == round(auc.aus[au].mean_of_folds.value, 4)
    assert "3 of 3 folds (standard)" in result["metrics"][0]["name"]


def test_planted_scores_stand_in_the_tables(made):
    summary, members, _ = made
    f1 = summary.metrics["finetuned"]["f1"]
    planted = replace(f1.aus[9], mean_of_folds=Estimate(0.1234, 0.0567, 0.7654, 1000))
    average = replace(
        f1.averages["8 AUs"],
        mean_of_folds=Estimate(0.9871, 0.9112, 0.9993, 1000),
        pooled=Estimate(0.4321, 0.3333, 0.5432, 1000),
    )
    baseline = summary.metrics["finetuned"]["floor_f1"]
    changed_baseline = replace(baseline.averages["8 AUs"], mean_of_folds=Estimate(0.2468))
    ece = summary.metrics["finetuned"]["ece"]
    calibrated = replace(ece.averages["12 AUs"], mean_of_folds=Estimate(0.0193, 0.0101, 0.0307))
    metrics = {
        **summary.metrics["finetuned"],
        "f1": replace(
            f1, aus={**f1.aus, 9: planted}, averages={**f1.averages, "8 AUs": average}
        ),
        "floor_f1": replace(
            baseline, averages={**baseline.averages, "8 AUs": changed_baseline}
        ),
        "ece": replace(ece, averages={**ece.averages, "12 AUs": calibrated}),
    }
    changed = replace(summary, metrics={**summary.metrics, "finetuned": metrics})
    card = render_card(changed, members, "x", 1.0, True)
    row = next(row for row in table_rows(card, "AU09") if "of 9" in row[3])
    assert row[1] == AU_NAMES[9]
    assert row[4] == "0.123 [0.057, 0.765]"
    (row,) = table_rows(card, "Mean of 8 AUs")
    assert row[1:4] == ["0.987 [0.911, 0.999]", "0.247", "0.432 [0.333, 0.543]"]
    assert "ECE 0.019 [0.010, 0.031] (lower is better)" in card
    values = [m["value"] for m in front_matter(card)["model-index"][0]["results"][0]["metrics"]]
    assert {0.1234, 0.9871} <= set(values)


def test_thresholds_folds_hashes_and_environment_are_the_runs(made):
    summary, members, card = made
    for column, au in enumerate(summary.aus):
        row = table_rows(card, au_column(au))[0]
        wanted = [f"{m.postprocessing.thresholds.values[column]:.4f}" for m in members.values()]
        assert row[2:] == wanted
    for fold in summary.folds:
        row = next(r for r in table_rows(card, str(fold.fold)) if len(r) == 6)
        assert row[3] == f"3: {' '.join(fold.test)}"
        assert row[5] == str(10 + fold.fold)
        assert f"| {fold.fold} | `{members[fold.fold].sha256}` |" in card
    for told in (
        SHARED["config_hash"], SHARED["data_sha256"], "| Seed | 271 |", "3.77.1",
        "torch 9.8.7, numpy 6.5.4", "cuda, bf16, 9 threads", "ab" * 32, "1 h 02 min",
        "12 epochs at most, batch 32, adamw, learning rate 0.0005, loss bce",
    ):  # fmt: skip
        assert told in card


def test_a_threshold_that_could_not_be_fitted_is_marked(made):
    summary, members, card = made
    assert "\\*" not in card
    thresholds = members[1].postprocessing.thresholds
    fell_back = replace(thresholds, fallback=(True, *thresholds.fallback[1:]))
    member = replace(
        members[1], postprocessing=replace(members[1].postprocessing, thresholds=fell_back)
    )
    marked = render_card(summary, {**members, 1: member}, "x", 1.0, True)
    assert table_rows(marked, "AU01")[0][2] == f"{thresholds.values[0]:.4f} \\*"
    assert "took the median of the others" in marked


def test_rendered_faces_are_warned_of_and_real_ones_have_licences(made):
    *_, rendered = made
    assert "rendered faces, not on people" in rendered
    *_, real = made_up_card(rendered=False, web_rendered=False)
    assert "rendered" not in real
    front = front_matter(real)
    assert front["license"] == "other"
    assert front["model-index"][0]["results"][0]["dataset"]["type"] == "disfa"
    for card in (rendered, real):
        for phrase in (
            "check the agreement that you signed", "withdrawn by its publisher in\n  2019",
            "real, identifiable people", "## Must not be used", "assess emotion, honesty",
            "policing", "medical diagnosis", "covert recording", "it has not been tested on",
            "labels are noisy",
        ):  # fmt: skip
            assert phrase in card


def test_other_sets_are_not_called_disfa(made):
    summary, members, _ = made
    cards = {}
    for sets in (("studio",), ("disfa", "studio")):
        folds = tuple(replace(fold, sets=sets, rendered=False) for fold in summary.folds)
        cards[sets] = render_card(replace(summary, folds=folds), members, "x", 1.0, False)
    alone, both = cards.values()
    assert front_matter(alone)["datasets"] == ["studio", "web-photographs"]
    assert front_matter(both)["datasets"] == ["disfa-studio", "web-photographs"]
    assert "DISFA" not in alone
    assert "* **studio**: weights inherit" in alone
    assert "Coded sets: DISFA, studio." in both
    assert "* **DISFA** is given out" in both
    for card in cards.values():
        assert "from intensity 2 of 5" not in card
        assert "recorded frontally" not in card


def test_whoever_wrote_the_labels_of_pre_training_is_named(made):
    summary, members, card = made
    assert "written by OpenFace 2.0, not by people" in card
    assert "* **OpenFace**, whose labels" in card
    other = {
        fold: replace(
            one,
            model=replace(
                one.model, provenance={**one.model.provenance, "annotators": ["Py-Feat"]}
            ),
        )
        for fold, one in members.items()
    }
    card = render_card(summary, other, "x", 1.0, True)
    assert "written by Py-Feat, not by people" in card
    assert "* **Py-Feat**, whose labels" in card
    assert "OpenFace" not in card


def test_weights_that_others_trained_are_named_with_their_licence(made):
    summary, members, card = made
    assert "CC BY-NC" not in card
    about = {"file": "convnextv2_tiny.safetensors", "sha256": "ab" * 32}
    started = {
        fold: replace(
            one,
            model=replace(
                one.model, provenance={**one.model.provenance, "backbone_weights": about}
            ),
        )
        for fold, one in members.items()
    }
    card = render_card(summary, started, "x", 1.0, True)
    assert front_matter(card)["license"] == "other"
    assert "so are these weights" not in card
    assert f"* **`convnextv2_tiny.safetensors`** (SHA-256 `{'ab' * 32}`) holds weights" in card
    assert "| from the weights in `convnextv2_tiny.safetensors`, pre-trained on" in card


def test_several_sets_have_a_row_each(made):
    summary, members, card = made
    assert "Each set alone" not in card
    joint = render_card(replace(summary, sets={"studio": summary}), members, "x", 1.0, False)
    rows = table_rows(joint, "studio")
    assert [row[1] for row in rows] == ["Mean of 8 AUs", "Mean of 12 AUs"]
    assert rows[1][2:] == table_rows(joint, "Mean of 12 AUs")[0][1:4]


@pytest.mark.parametrize("rendered", [True, False])
def test_each_step_has_its_own_faces(rendered):
    *_, card = made_up_card(rendered=rendered, web_rendered=not rendered)
    front = front_matter(card)
    assert front["license"] == "other"
    assert "so are these weights" not in card
    assert "The weights are not thereby free" in card
    if rendered:
        assert front["datasets"] == ["rendered-sample", "web-photographs"]
        assert "**Fine-tuned and tested on rendered faces" in card
        assert (
            "pre-trained on web photographs with noisy labels, fine-tuned on rendered" in card
        )
    else:
        assert front["datasets"] == ["disfa", "rendered-web-sample"]
        assert "**Pre-trained on rendered faces.**" in card
        assert "pre-trained on rendered photographs" in card
        assert "fine-tuned on frames coded by experts" in card


def test_where_nobody_knows_the_web_set_it_is_not_called_free():
    *_, card = made_up_card(web_rendered=None)
    assert front_matter(card)["license"] == "other"
    assert "so are these weights" not in card


def test_a_card_of_other_weights_is_refused(made):
    _, members, card = made
    check_card(card, list(members.values()))
    check_card("# Somebody's own card", list(members.values()))
    again = replace(members[2], sha256="2b" * 32)
    with pytest.raises(ArtifactError, match=r"fold2: the model card is of other weights"):
        check_card(card, [members[1], again])


def test_the_numbers_of_draws_are_those_that_were_drawn(made, monkeypatch):
    summary, members, card = made
    assert "1,000 draws of the subjects" in card
    assert "thresholds of 50\ndraws" in card
    monkeypatch.setattr("action_units.evaluation.bootstrap.RESAMPLES", 77)
    monkeypatch.setattr("action_units.evaluation.postprocessing.thresholds.RESAMPLES", 33)
    other = render_card(summary, members, "x", 1.0, True)
    assert "from 77 draws" in other
    assert "thresholds of 33\ndraws" in other


def test_an_undefined_score_is_na_with_its_reason_and_not_in_the_index():
    *_, card = made_up_card(absent=(5,))
    row = table_rows(card, "AU05")[-1]
    assert row[4] == row[6] == row[7] == "n/a"
    assert re.search(r"F1 of AU05 is not defined in some folds \(fold 1: .+; fold 2: ", card)
    metrics = front_matter(card)["model-index"][0]["results"][0]["metrics"]
    assert not any("AU05" in metric["name"] for metric in metrics)
    assert not re.search(r"\bnan\b", card)


def test_some_folds_and_no_comparison_are_said(made):
    *_, card = made_up_card(folds=(2,), scratch=False)
    assert "mean of 1 of 3 folds" in card
    assert "From scratch" not in card
    assert "From scratch" in made[2]
    assert "> " in card.split("## Use")[0]  # the summary's warning that folds are missing


def test_tables_are_whole(made):
    *_, card = made
    blocks = re.findall(r"(?:^\|.*\n)+", card, re.MULTILINE)
    assert len(blocks) == 7
    for block in blocks:
        lines = block.splitlines()
        assert len({line.count("|") for line in lines}) == 1
        assert set(lines[1]) <= set("|-: ")
    assert "\n\n\n" not in card
    assert not re.search(r"[ \t]+$", card, re.MULTILINE)


def test_facts_of_the_export_stand_before_the_data(made):
    *_, card = made
    members = (synthetic_fold_model(1), synthetic_fold_model(2))
    facts = {
        "thresholds": {"AU01": 0.31415},
        "onnx": {
            "file": "model.onnx",
            "check": {
                "faces": 4321,
                "made_up": 17,
                "max_difference": 3.3e-7,
                "allowed": 1e-5,
                "pixels_off": 0.0002,
            },
        },
        "left_out": "No INT8 file was written: it was not requested.",
    }
    whole = with_export(card, "x/y", members, {"model.onnx": "5a" * 32}, facts)
    assert whole.index("## This folder") < whole.index("## Training and test data")
    assert front_matter(whole) == front_matter(card)
    for told in (
        "0.3141",
        "4,321",
        "3.3e-07",
        "0.02 % of them",
        "5a" * 32,
        "it was not requested",
        "fold1, fold2",
    ):
        assert told in whole
    assert "eight-bit" not in whole
    assert "\n\n\n" not in whole


def test_without_pre_training_no_web_set_is_spoken_of():
    summary, members, _ = made_up_card(scratch=False)
    alone = summarise([from_scratch(fold) for fold in summary.folds], 3)
    card = render_card(alone, members, "x", 1.0, web_rendered=True)
    assert "| Training | from random weights on rendered videos |" in card
    for word in ("re-train", "web", "MS-Celeb", "OpenFace"):
        assert word not in card.replace("web-page", "")
