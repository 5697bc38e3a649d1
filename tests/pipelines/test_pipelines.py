"""Each pipeline by itself, in this process, with a few small faces.

Inputs and outputs are MemoryDatasets, except where a pipeline works in folders.
"""

from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
from kedro.io import AbstractDataset, DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from action_units.config import DisfaSampleConfig, Parameters, WebSampleConfig
from action_units.config.data import CodedSetSettings
from action_units.datasets.crops import CodedCropsDataset, WebCropsDataset
from action_units.datasets.faces import FaceStoreDataset
from action_units.datasets.features import FeatureStoreDataset
from action_units.datasets.folder import FolderDataset
from action_units.datasets.folds import (
    AbsentDataset,
    EvaluatedFold,
    EvaluatedFoldsDataset,
    FoldEvaluationDataset,
)
from action_units.datasets.raw import RENDERED, RawFolderDataset
from action_units.datasets.verified import JSON, VerifiedDataset, WithdrawnDataset
from action_units.errors import ArtifactError, ConfigurationError
from action_units.evaluation.postprocessing.postprocessing import Postprocessing
from action_units.evaluation.postprocessing.thresholds import FittedThresholds
from action_units.export.package import read_package
from action_units.faces.store import FaceStore
from action_units.faces.workers import Workers
from action_units.labels.action_units import DISFA_AUS, PRETRAIN_AUS
from action_units.labels.folds import FG2020
from action_units.models.model_files import load_model, save_model
from action_units.pipelines import (
    comparison,
    cross,
    evaluation,
    export,
    features,
    finetuning,
    prediction,
    preprocessing,
    pretraining,
    sample,
    withdrawal,
)
from action_units.pipelines.cross.nodes import check_cross
from action_units.pipelines.selection import Selection
from action_units.stages import predict_test_subjects, predictions_of
from tests.evaluation.made_up import GROUPS, made_up_fold, made_up_predictions
from tests.export.synthetic import CARD, synthetic_faces, synthetic_model, synthetic_store
from tests.export.synthetic import write_run as write_models
from tests.prediction.conftest import scene, write_run
from tests.test_config import configured

ONE_EPOCH = {"epochs": 1, "batch_size": 16}
SMALL = {
    "face_size": 32,
    "workers": 0,
    "recipe": "small",
    "recipes": {
        "small": {
            "network": {"architecture": "residual", "width": 0.25},
            "pretrain": ONE_EPOCH,
            "finetune": ONE_EPOCH,
            "from_scratch": ONE_EPOCH,
            "flip_average": False,
        }
    },
}


def run(pipeline, datasets, **changed):
    """Run what the parameters leave in, and load what no node has read.

    Args:
        pipeline: A pipeline.
        datasets: By name; what is no dataset is held in memory.
        changed: Parameters other than those of ``conf/base`` and `SMALL`.
    """
    parameters = Parameters.read(configured() | SMALL | changed)
    selection = Selection.of(parameters)
    selected = Pipeline(selection.nodes(pipeline))
    values = parameters.to_params()
    datasets = {
        **{f"params:{name}": value for name, value in values.items()},
        "params:sample.web": values["sample"].web,
        "params:sample.disfa": values["sample"].disfa,
        "params:sample.colour": values["sample"].colour,
        "params:web_sets.web": values["web_sets"]["web"],
        "params:coded_sets.disfa": values["coded_sets"]["disfa"],
        **dict.fromkeys(["run_memory", "fold_memory"], AbsentDataset()),
        **dict.fromkeys(selection.absent(selected.inputs(), pipeline), AbsentDataset()),
        **datasets,
    }
    catalog = DataCatalog(
        {
            name: data
            if isinstance(data, AbstractDataset)
            else MemoryDataset(data, copy_mode="assign")
            for name, data in datasets.items()
        }
    )
    outputs = SequentialRunner().run(selected, catalog)
    return {name: dataset.load() for name, dataset in outputs.items()}


def folders(tmp_path, *names):
    """A folder for each name."""
    return {name: FolderDataset(path=str(tmp_path / name)) for name in names}


def face_store(subjects, aus, each=4, seed=0):
    """`each` labelled faces of 32 pixels for each subject; AU12 makes a face bright."""
    n, random = len(subjects) * each, np.random.default_rng(seed)
    labels = (random.random((n, len(aus))) < 0.5).astype(np.int8)
    faces = synthetic_faces(n, 32, seed)
    faces[labels[:, aus.index(12)] == 1] |= 128
    table = pd.DataFrame(labels, columns=[f"AU{au:02d}" for au in aus])
    who = np.repeat(np.array(subjects), each)
    frames = np.tile(np.arange(1, each + 1), len(subjects))
    about = {
        "image": [f"{s}_{f:04d}.jpg" for s, f in zip(who, frames, strict=True)],
        "subject": who,
        "frame": frames,
        "origin": RENDERED,
        "set": "disfa",
        "sha256": [f"{seed:032x}{row:032x}" for row in range(n)],
    }
    return FaceStore(faces, pd.concat([pd.DataFrame(about), table], axis=1), aus)


# ---------------------------------------------------------------- sample and preprocess


def raw_data(tmp_path):
    return {
        f"{name}.raw": RawFolderDataset(path=str(tmp_path / name)) for name in ("web", "disfa")
    }


def render(tmp_path):
    """The sample of eight photographs and one recording of 24 frames."""
    config = configured()["sample"] | {
        "render": True,
        "web": WebSampleConfig(photographs=8, identities=8, size=160).model_dump(),
        "disfa": DisfaSampleConfig(frames_per_subject=24, width=160, height=160).model_dump(),
    }
    data = {
        "web.sample_folder": FolderDataset(path=str(tmp_path / "web")),
        "disfa.sample_folder": FolderDataset(path=str(tmp_path / "disfa")),
    }
    return run(sample.create_pipeline(), data | raw_data(tmp_path), sample=config)


@pytest.fixture
def one_subject(monkeypatch):
    monkeypatch.setattr("action_units.sample.disfa.SUBJECTS", ("SN001",))
    monkeypatch.setattr("action_units.sample.layout.Workers", lambda count: Workers(0))


def test_sample_is_rendered_once(one_subject, tmp_path):
    made = render(tmp_path)
    assert {data.origin for data in made.values()} == {RENDERED}
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert [path.name for path in files if path.suffix == ".avi"] == [
        "RightVideoSN001_comp.avi"
    ]
    render(tmp_path)
    again = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert again == files


def test_sample_is_not_rendered_into_a_person_s_own_data(tmp_path):
    for name in ("web", "disfa"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").write_text("mine")
    made = render(tmp_path)
    assert [made[name].origin for name in sorted(made)] == ["disfa", "web"]
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"notes.txt"}


def test_preprocess_makes_labelled_faces_of_raw_data(one_subject, tmp_path):
    render(tmp_path)
    data = folders(
        tmp_path,
        *(
            "web.cropping",
            "web.openface",
            "web.openface_before",
            "web.crop_folder",
            "web.faces_before",
        ),
        *("disfa.cropping", "disfa.crop_folder", "disfa.faces_before", "models_layer"),
    )
    data["web.web_crops"] = WebCropsDataset(path=str(tmp_path / "web.crop_folder"))
    data["disfa.coded_crops"] = CodedCropsDataset(path=str(tmp_path / "disfa.crop_folder"))
    data["withdrawn"] = WithdrawnDataset(filepath=str(tmp_path / "withdrawn.csv"))
    for name in ("web", "disfa"):
        data[f"{name}.faces"] = FaceStoreDataset(path=str(tmp_path / name / "faces"))
    made = run(preprocessing.create_pipeline(), data | raw_data(tmp_path))
    assert len(made["quarantines"]) == 0
    assert made["lost_frames"][["subject", "frames", "lost"]].to_numpy().tolist() == [
        ["SN001", 24, 0]
    ]
    web, disfa = made["web_faces"], made["coded_faces"]
    assert (set(web.table["set"]), set(disfa.table["set"])) == ({"web"}, {"disfa"})
    assert (len(web), web.aus) == (8, PRETRAIN_AUS)
    assert (len(disfa), disfa.aus) == (24, DISFA_AUS)
    assert disfa.faces.shape[1:] == (32, 32)


# ------------------------------------------------------------------ training


def test_pretrain_learns_from_those_who_are_not_held_out(tmp_path):
    people = [f"p{number}" for number in range(8)]
    faces = face_store(people, PRETRAIN_AUS)
    faces.table["split"] = np.where(faces.subjects < "p6", "train", "test")
    made = run(
        pretraining.create_pipeline().filter(node_names=["pretrain.pretrain"]),
        {"web_faces": faces, **folders(tmp_path, "pretrain_checkpoints")},
    )
    assert made["pretrained_model"].aus == PRETRAIN_AUS
    assert made["pretraining_curve"]["epoch"].tolist() == [1]
    table = made["pretrained_people"]
    assert table["identity"].tolist() == people
    assert table["split"].value_counts().to_dict() == {"train": 6, "test": 2}


def test_labels_are_audited_of_people_who_were_not_learned_from(tmp_path):
    faces = face_store([f"p{number}" for number in range(8)], PRETRAIN_AUS)
    # Of p6, one photograph is trained on, so none of them is out of sample; AU 4 is unknown.
    split = np.where(faces.subjects < "p6", "train", "test")
    split[24] = "train"
    table = faces.table.assign(split=split, AU01_r=2.0, annotator="OpenFace")
    table.loc[split == "train", "AU04"] = -1
    data = {
        "web_faces": replace(faces, table=table),
        "pretrained_model": synthetic_model(aus=PRETRAIN_AUS),
    }
    pipeline = pretraining.create_pipeline().filter(node_names=["pretrain.audit_labels"])
    made = run(pipeline, data, audit={"photographs": 3})
    listed = made["audited_labels"]
    assert set(listed["identity"]) == {"p7"}
    assert "4 photographs of 1 person" in " ".join(made["audit_report"].split())
    assert set(PRETRAIN_AUS) - set(listed["au"]) == {4}
    assert listed.groupby(["au", "label"]).size().max() <= 3
    assert listed["intensity"].notna().equals(listed["au"] == 1)
    assert not {"row", "set", "annotator_probability"} & set(listed)
    true = faces.table.set_index("image").loc[listed["image"]]
    assert all(
        true[f"AU{au:02d}"].iloc[k] == y
        for k, (au, y) in enumerate(zip(listed["au"], listed["label"], strict=True))
    )
    sets = np.where(np.arange(len(table)) % 2, "a", "b")
    data["web_faces"] = replace(faces, table=table.assign(set=sets))
    made = run(pipeline, data)
    assert set(made["audited_labels"]["set"]) == {"a", "b"}
    assert made["audit_report"].count("<br><span>a</span>") > 0
    data["web_faces"] = replace(faces, table=table.assign(split="train"))
    made = run(pipeline, data)
    assert made["audited_labels"].empty
    assert "No person was held out of pre-training" in made["audit_report"]


@pytest.fixture(scope="module")
def coded_faces():
    return face_store([s for group in FG2020.groups for s in group[:3]], DISFA_AUS)


@pytest.fixture(scope="module")
def finetuned(coded_faces, tmp_path_factory):
    """What the pipeline `finetune` makes for fold 1."""
    data = {
        "coded_faces": coded_faces,
        "pretrained_model": synthetic_model(aus=PRETRAIN_AUS),
        "pretraining_faces": AbsentDataset(),
        **folders(tmp_path_factory.mktemp("finetune"), "fold_checkpoints"),
    }
    return run(finetuning.create_pipeline(), data, fold=1)


def test_finetune_trains_both_networks_without_the_test_subjects(finetuned, coded_faces):
    tested = set(FG2020.test_subjects(1))
    for network, stage in (("finetuned", "finetune"), ("scratch", "scratch")):
        model = finetuned[f"fold1.{network}_model"]
        assert (model.aus, model.provenance["stage"]) == (DISFA_AUS, stage)
        subjects = {part: set(who) for part, who in model.provenance["subjects"].items()}
        assert set.union(*subjects.values()) == set(coded_faces.subjects)
        assert subjects["test"] == tested & set(coded_faces.subjects)
        validated = finetuned[f"fold1.{network}_validation_predictions"]
        assert set(validated["subject"]) == subjects["validation"]
        thresholds = finetuned[f"fold1.{network}_thresholds"]
        assert set(thresholds["fitted_on"]) == subjects["validation"]
        assert "not_scored" not in model.provenance
    assert not {name for name in finetuned if name.startswith(("fold2", "fold3"))}


def test_an_au_that_only_test_subjects_are_scored_for_is_neither_learned_nor_tested(
    coded_faces, tmp_path
):
    tested = np.isin(coded_faces.subjects, FG2020.test_subjects(1))
    table = coded_faces.table.assign(set="disfa", AU05_r=2.0)
    table.loc[~tested, "AU05"] = -1
    faces = replace(coded_faces, table=table)
    data = {
        "coded_faces": faces,
        "pretrained_model": synthetic_model(aus=PRETRAIN_AUS),
        "pretraining_faces": AbsentDataset(),
        **folders(tmp_path, "fold_checkpoints"),
    }
    made = run(finetuning.create_pipeline(), data, fold=1)
    model = made["fold1.finetuned_model"]
    assert model.provenance["not_scored"] == {"training": [5]}
    assert made["fold1.finetuned_thresholds"]["5"]["fallback"]
    predictions = predict_test_subjects(model, faces, model.provenance["subjects"], "cpu")
    assert set(predictions["AU05"]) == {-1}
    assert set(predictions["AU06"]) == {0, 1}
    assert "AU05_r" not in predictions
    assert set(predictions["set"]) == {"disfa"}


# -------------------------------------------------------- evaluation and comparison


def test_evaluate_scores_the_test_subjects(finetuned, coded_faces, tmp_path):
    models, output, reports = (tmp_path / name for name in ("models", "output", "reports"))
    subjects = finetuned["fold1.finetuned_model"].provenance["subjects"]
    people = sorted(set(coded_faces.subjects.tolist()))
    data = {
        "coded_faces": coded_faces,
        "fold1.split": {"protocol": "fg2020", "fold": 1, **subjects, "data_sha256": "0" * 64},
        "quarantines": pd.DataFrame(),
        "lost_frames": pd.DataFrame(),
        "subject_groups": pd.DataFrame(
            {"half": np.where(np.arange(len(people)) % 2, "one", "other")}, index=people
        ),
        "pretraining_curve": AbsentDataset(),
        "pretrained_model": synthetic_model(aus=PRETRAIN_AUS),
        "pretraining_faces": AbsentDataset(),
        **finetuned,
        # The report is of all folds on disk.
        "evaluated_folds": EvaluatedFoldsDataset(path=str(reports), predictions=str(output)),
        "fold1.evaluation": FoldEvaluationDataset(
            filepath=str(reports / "fold1/evaluation.json")
        ),
        "run_models": models,
        "fold1.finetuned_postprocessing": VerifiedDataset(
            filepath=str(models / "fold1/finetuned_treatment.json"), dataset=JSON
        ),
    }
    save_model(finetuned["fold1.finetuned_model"], models / "fold1/finetuned.safetensors")
    for network in ("finetuned", "scratch"):
        for what in ("predictions", "raw_predictions", "validation_predictions"):
            data[f"fold1.{network}_{what}"] = VerifiedDataset(
                filepath=str(output / f"fold1/{network}_{what}.parquet"),
                dataset="pandas.ParquetDataset",
            )
        validated = f"fold1.{network}_validation_predictions"
        data[validated].save(finetuned[validated])
    # Figures and the page take seconds; `finished` has them.
    pipeline = evaluation.create_pipeline().to_outputs("model_card")
    made = run(pipeline, data, fold=1)
    for network in ("finetuned", "scratch"):
        table = data[f"fold1.{network}_predictions"].load()
        assert set(table["subject"]) == set(subjects["test"])
    scored = made["summary_measures"].set_index(["measure", "model", "name"])["mean_of_folds"]
    assert scored.loc["f1", :, "AU12"].between(0, 1).all()
    assert "fold" in made["model_card"]
    groups = made["group_scores"]
    whole = groups[(groups["measure"] == "f1") & (groups["name"] == "12 AUs")]
    assert set(whole["group"]) <= {"one", "other"}
    assert whole["frames"].sum() == len(table)
    assert "| half (" in made["model_card"]


def test_features_are_of_every_face_and_say_who_is_tested(finetuned, coded_faces, tmp_path):
    subjects = finetuned["fold1.finetuned_model"].provenance["subjects"]
    folder = tmp_path / "features"
    data = {
        "coded_faces": coded_faces,
        "fold1.finetuned_model": finetuned["fold1.finetuned_model"],
        "fold1.split": {"protocol": "fg2020", "fold": 1, **subjects},
        "fold1.features_before": folder,
        "fold1.features": FeatureStoreDataset(path=str(folder)),
    }
    run(features.create_pipeline(), data, fold=1)
    store = data["fold1.features"].load()
    assert len(store.features) == len(coded_faces)
    tested = store.table["part"] == "test"
    assert set(store.table["subject"][tested]) == set(subjects["test"])
    before = (folder / "features.npy").stat()
    run(features.create_pipeline(), data, fold=1)
    assert (folder / "features.npy").stat() == before


def made_up_run(skill):
    table = made_up_predictions(GROUPS[0], seed=1, skill=skill)
    return {1: EvaluatedFold(made_up_fold(1), {"finetuned": table}, {}, {})}


def test_compare_sets_the_better_run_beside_the_first():
    runs = {"main": lambda: made_up_run(0.2), "wide": lambda: made_up_run(0.6)}
    made = run(comparison.create_pipeline(), {"evaluated_runs": runs})
    table = made["comparison_table"]
    assert set(zip(table["run"], table["against"], strict=True)) == {("wide", "main")}
    f1 = table[(table["measure"] == "f1") & (table["name"] == "12 AUs")].iloc[0]
    assert f1["difference"] == pytest.approx(f1["value"] - f1["first"])
    assert 0 < f1["low"] < f1["difference"] < f1["high"]
    assert "wide" in made["comparison_report"]


@pytest.fixture
def one_network(finetuned, tmp_path):
    """The run's folder with the network of fold 1, evaluated."""
    model = finetuned["fold1.finetuned_model"]
    save_model(model, tmp_path / "models/fold1/finetuned.safetensors")
    fitted = FittedThresholds.from_json(finetuned["fold1.finetuned_thresholds"], model.aus)
    treatment = VerifiedDataset(
        filepath=str(tmp_path / "models/fold1/finetuned_treatment.json"), dataset=JSON
    )
    treatment.save(Postprocessing(fitted).to_json(model.aus))
    return tmp_path / "models"


def on_another_set(models, faces, coded_faces, people=None, web=None, within=None, **changed):
    """Run the pipeline `cross` on faces of a set ``studio``."""
    sets = {
        "disfa": CodedSetSettings(reader="disfa", protocol="fg2020"),
        "studio": CodedSetSettings(reader="table", protocol="own", people=people),
    }
    data = {
        "run_models": models,
        "studio.faces": faces,
        "coded_faces": coded_faces,
        "pretraining_faces": AbsentDataset() if web is None else web,
        "within_folds": within or {},
        "params:on": "studio",
        "params:coded": "disfa",
        "params:coded_sets": sets,
    }
    # The page and its plots take seconds; `finished` has them.
    testing = cross.create_pipeline().filter(node_namespaces=["cross"])
    return run(testing.to_outputs("cross_measures"), data, **changed)


def test_cross_tests_the_network_on_another_set(one_network, coded_faces):
    people = ["P1", "P2", "P3"]
    faces = face_store(people, (4, 7, 12), seed=1)
    made = on_another_set(one_network, faces, coded_faces, cross={"refit_subjects": 1})
    table = made["cross_measures"].set_index(["scores", "measure", "name"])
    assert table.loc[("cross", "f1", "AU12"), "network1"] >= 0
    assert {name for _, _, name in table.index} == {"AU04", "AU12", "2 AUs"}
    test = made["cross_test"]
    assert (test.subjects, test.left_out, test.frames) == ({1: tuple(people)}, (), 12)
    assert (test.aus, test.aus_of_set, len(test.aus_of_networks)) == ((4, 12), (7,), 10)
    assert (test.rendered, test.rendered_training, test.within) == (True, True, None)
    assert len(test.refitted.fitted_on) == 1
    assert test.protocol == "fg2020"


def test_cross_leaves_out_what_a_network_never_learned(one_network, finetuned, coded_faces):
    model = finetuned["fold1.finetuned_model"]
    about = model.provenance | {"not_scored": {"training": [4], "validation": [12]}}
    path = one_network / "fold1/finetuned.safetensors"
    save_model(replace(model, provenance=about), path)
    faces = face_store(["P1", "P2", "P3"], (4, 7, 12), seed=1)
    made = on_another_set(one_network, faces, coded_faces)
    test = made["cross_test"]
    assert (test.aus, test.aus_of_set) == ((12,), (4, 7))
    assert any(sentence.startswith("AU04: not scored in any") for sentence in test.warnings)


def test_cross_compares_with_the_run_that_was_trained_on_the_set(one_network, coded_faces):
    faces = face_store(["P1", "P2", "P3"], DISFA_AUS, seed=1)
    own = predictions_of(faces, DISFA_AUS, np.random.default_rng(1).random((12, 12)))
    evaluation = made_up_fold(1)
    within = {1: EvaluatedFold(evaluation, {"finetuned": own}, {}, {})}
    made = on_another_set(one_network, faces, coded_faces, within=within)
    assert made["cross_test"].within.paired.frames == 12
    assert "cross minus within-set" in set(made["cross_measures"]["scores"])
    assert "follow another recipe" in made["cross_test"].warnings[0]


def test_cross_tests_the_same_people_only_where_they_are_new(one_network, coded_faces):
    tested = sorted(set(FG2020.test_subjects(1)) & set(coded_faces.subjects))
    faces = face_store(sorted(set(coded_faces.subjects)), (4, 12), seed=1)
    faces.faces[0] = coded_faces.faces[0]  # of a person who is not tested, so no leak
    made = on_another_set(one_network, faces, coded_faces, people="disfa")
    assert made["cross_test"].subjects == {1: tuple(tested)}
    assert set(made["cross_test"].left_out) == set(coded_faces.subjects) - set(tested)
    with pytest.raises(ConfigurationError, match="both have a subject SN001"):
        on_another_set(one_network, faces, coded_faces)
    faces.faces[0] = 255 - faces.faces[0]
    made = on_another_set(one_network, faces, coded_faces, people="own")
    assert set(made["cross_test"].subjects[1]) == set(coded_faces.subjects)


def planted(faces, row, source, source_row):
    faces.faces[row] = source.faces[source_row]
    return faces


def test_cross_refuses_faces_that_the_network_has_learned_from(one_network, coded_faces):
    known = np.flatnonzero(coded_faces.subjects == "SN001")[0]
    new = np.flatnonzero(coded_faces.subjects == "SN002")[0]  # whom fold 1 tests
    faces = planted(face_store(["P1", "P2"], (4, 12), seed=1), 5, coded_faces, known)
    with pytest.raises(
        ConfigurationError,
        match=r"P2_0002.jpg of P2 in studio, .* of SN001 in disfa, who fold 1 is trained or val",
    ):
        on_another_set(one_network, faces, coded_faces)
    faces = planted(face_store(["P1", "P2"], (4, 12), seed=1), 5, coded_faces, new)
    assert on_another_set(one_network, faces, coded_faces)["cross_test"].frames == 8
    web = planted(face_store(["w1"], (12,), seed=2), 3, faces, 0)
    with pytest.raises(
        ConfigurationError, match=r"P1_0001.jpg of P1 .* of w1 in the web set, who is in pre-tr"
    ):
        on_another_set(one_network, faces, coded_faces, web=web)
    # A network that was not pre-trained has never seen the web set.
    model = load_model(one_network / "fold1/finetuned.safetensors")
    scratch = replace(model, provenance={**model.provenance, "stage": "scratch"})
    save_model(scratch, one_network / "fold1/finetuned.safetensors")
    assert on_another_set(one_network, faces, coded_faces, web=web)["cross_test"].frames == 8


def test_cross_refuses_a_network_that_names_nobody_and_faces_of_another_size(
    one_network, finetuned, coded_faces
):
    faces = face_store(["P1", "P2"], (4, 12), seed=1)
    large = replace(faces, faces=np.repeat(np.repeat(faces.faces, 2, axis=1), 2, axis=2))
    with pytest.raises(
        ConfigurationError, match=r"32 × 32 .* studio were packed with 64; .*32"
    ):
        on_another_set(one_network, large, coded_faces)
    model = finetuned["fold1.finetuned_model"]
    nobody = replace(model, provenance={**model.provenance, "subjects": {}})
    save_model(nobody, one_network / "fold1/finetuned.safetensors")
    with pytest.raises(ArtifactError, match="does not record whom it was trained with"):
        on_another_set(one_network, faces, coded_faces)


def test_cross_is_refused_before_anything_is_done(one_network, tmp_path):
    sets = {"disfa": None, "studio": None}
    check_cross("studio", "disfa", sets, one_network)
    with pytest.raises(
        ArtifactError, match=r"no trained network to test on studio; `kedro run"
    ):
        check_cross("studio", "disfa", sets, tmp_path / "nothing")
    with pytest.raises(ConfigurationError, match="were trained on disfa"):
        check_cross("disfa", "disfa", sets, one_network)


# ------------------------------------------------------------- use of the networks


def test_predict_writes_a_table_of_each_picture(tmp_path):
    picture = tmp_path / "portrait.png"
    cv2.imwrite(str(picture), scene({0: 20}))
    data = folders(tmp_path, "predicted_folder") | {
        "run_models": write_run(tmp_path / "models")
    }
    made = run(prediction.create_pipeline(), data, source=str(picture))
    (row,) = made["predicted_sources"].to_dict("records")
    table = pd.read_parquet(row["table"])
    assert (row["source"], len(table)) == (str(picture), 1)
    assert table[["AU01_p", "AU04_p", "AU12_p"]].iloc[0].between(0, 1).all()


def test_export_makes_a_package_that_can_be_read(tmp_path):
    data = folders(tmp_path, "exported_folder") | {
        "run_models": write_models(tmp_path / "models"),
        "coded_faces": synthetic_store(),
        "model_card": CARD,
    }
    run(export.create_pipeline(), data, export={"onnx": False, "int8": False})
    package = read_package(tmp_path / "exported_folder/ensemble")
    assert len(package.fold_models) == 3


def test_withdraw_removes_a_person_from_crops_and_faces(tmp_path):
    layers = folders(tmp_path, "raw_layer", *withdrawal.pipeline.LAYERS.values())
    for name in ("web", "disfa"):
        place = str(tmp_path / "primary_layer" / name)
        layers[f"{name}.crop_folder"] = FolderDataset(path=place)
    for layer in layers.values():
        layer.load()
    store = face_store(["SN001", "SN002"], DISFA_AUS)
    store.save(tmp_path / "feature_layer/disfa")
    crops = tmp_path / "primary_layer/disfa"
    for subject in ("SN001", "SN002"):
        (crops / f"RightVideo{subject}_00000001.jpg").touch()
    listed = WithdrawnDataset(filepath=str(tmp_path / "withdrawn.csv"))
    data = layers | {"withdrawn_before": listed, "withdrawn": listed}
    run(withdrawal.create_pipeline(), data, person="SN002")
    assert listed.load()["person"].tolist() == ["SN002"]
    assert set(FaceStore.open(tmp_path / "feature_layer/disfa").subjects) == {"SN001"}
    assert [path.name for path in crops.glob("*.jpg")] == ["RightVideoSN001_00000001.jpg"]
