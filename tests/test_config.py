"""Every parameter is checked: its name, its type, its range; and all that is shipped passes."""

import math
import re
from copy import deepcopy

import pytest

from action_units.config import (
    CropSettings,
    Globals,
    Parameters,
    PreprocessSettings,
    Settings,
)
from action_units.config_loader import ProjectConfigLoader
from action_units.errors import ConfigurationError
from action_units.labels.folds import FG2020, STANDARD
from action_units.settings import CONFIG_LOADER_ARGS
from tests.conftest import PROJECT

_FREE = {
    "protocols",
    "recipes",
    "cluster.options",
    "preprocess.openface.arguments",
    "coded_sets.disfa.aus",
    "coded_sets.disfa.exclude",
    "web_sets.web.second_annotations",
    "study.axes",
    "study.folds",
}
_SETS = ("coded_sets.", "web_sets.")


_SET_TEXTS = (
    *("reader", "labels", "media", "protocol", "people", "photographs", "identities"),
    "annotations.path",
)


def loader(env="base"):
    return ProjectConfigLoader(str(PROJECT / "conf"), env=env, **CONFIG_LOADER_ARGS)


_CONFIGURED = loader()["parameters"]


def configured():
    """The parameters of conf/base, for a test to change."""
    return deepcopy(_CONFIGURED)


def leaves(values, above=""):
    for key, value in values.items():
        name = f"{above}{key}"
        if isinstance(value, dict) and name not in _FREE:
            yield from leaves(value, f"{name}.")
        else:
            yield name


def changed(name, value):
    parameters = configured()
    *above, last = name.split(".")
    inner = parameters
    for key in above:
        inner = inner[key]
    inner[last] = value
    return parameters


def wrong(name):
    """Values of other types than a parameter's own, whatever that is."""
    values = [-1, math.nan, [1], {"x": 1}, 2.5e300, 10**400, "abc def", "yes", "3", ""]
    texts = {"source", "model", "preprocess.detector.model", "preprocess.openface.binary"}
    texts |= {"predict.neutral", "evaluation.groups"}
    texts |= {"cluster.address", "recipe", "run", "runs", "person"}  # any text may be one
    texts |= {"coded", "web", "on"}
    sets = ("coded_sets.disfa", "coded_sets.studio", "web_sets.web")
    texts |= {f"{one}.{key}" for one in sets for key in _SET_TEXTS}
    return [value for value in values if name not in texts or not isinstance(value, str)]


@pytest.mark.parametrize("env", ["base", "local", "raw", "paper", "tiny"])
def test_what_is_shipped_is_right(env):
    Parameters.read(loader(env)["parameters"])
    paths = loader(env)["globals"]
    Globals.read({name: paths[name] for name in Globals.model_fields})


def test_each_field_is_a_parameter_of_the_files_and_each_parameter_a_field():
    def fields(kind, above=""):
        for name, field in kind.model_fields.items():
            inner = field.annotation
            if isinstance(inner, type) and issubclass(inner, Settings):
                yield from fields(inner, f"{above}{name}.")
            else:
                yield above + name

    of_code_alone = {"stride", "width", "height", "jpeg_quality", "mean_event", "size"}
    known = {name for name in fields(Parameters) if name.split(".")[-1] not in of_code_alone}
    known -= {"coded_sets", "web_sets"}  # by name; not every setting is of every set
    rates = ("sample.web.sensitivity", "sample.web.false_alarms")
    in_files = {
        next((rate for rate in rates if name.startswith(rate)), name)
        for name in leaves(configured())
        if not name.startswith(_SETS)
    }
    assert known == in_files


@pytest.mark.parametrize(
    "name", [name for name in sorted(leaves(_CONFIGURED)) if name not in _FREE]
)
def test_each_wrong_value_is_refused_with_its_full_name(name):
    for value in wrong(name):
        with pytest.raises(ConfigurationError) as refused:
            Parameters.read(changed(name, value))
        sentence = str(refused.value)
        assert sentence.startswith(f"{name} is "), sentence
        assert "; it must be " in sentence
        assert "\n" not in sentence


@pytest.mark.parametrize(
    "name", [name for name in sorted(leaves(_CONFIGURED)) if ".AU" not in name]
)
def test_each_misspelt_name_is_told_with_its_neighbour(name):
    with pytest.raises(ConfigurationError) as refused:
        Parameters.read(changed(f"{name}_", 1))
    assert str(refused.value).startswith(f"{name}_ is not a parameter. Did you mean {name}? ")


def test_a_misspelt_name_is_told_before_the_one_that_is_missing_for_it():
    given = configured()
    entry = given["coded_sets"]["disfa"]
    entry["protocl"] = entry.pop("protocol")
    with pytest.raises(ConfigurationError) as refused:
        Parameters.read(given)
    assert str(refused.value).startswith(
        "coded_sets.disfa.protocl is not a parameter. Did you "
    )


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        (
            "preprocess.crop.margin",
            "abc",
            "preprocess.crop.margin is 'abc'; it must be a number from 0 to 2.",
        ),
        (
            "preprocess.max_megapixels",
            -1,
            "preprocess.max_megapixels is -1; it must be a number above 0 and at most 1000000, or null.",
        ),
        (
            "web_sets.web.sample.n",
            "abc",
            "web_sets.web.sample.n is 'abc'; it must be a whole number from 1, or null.",
        ),
        ("fold", 3.0, "fold is 3.0; it must be a whole number from 1, or null."),
        ("restart", "yes", "restart is 'yes'; it must be true or false."),
        (
            "micro_batch",
            "big",
            "micro_batch is 'big'; it must be a whole number from 1 or auto, or null.",
        ),
        (
            "preprocess.openface.arguments",
            ["-wild", 3],
            "preprocess.openface.arguments[1] is 3; it must be text.",
        ),
        (
            "coded_sets.disfa.exclude",
            [{"subject": "SN001"}],
            "coded_sets.disfa.exclude: ",
        ),
        (
            "preprocess.crop",
            None,
            "preprocess.crop is null; it must be a group of parameters: ",
        ),
        ("cluster.engine", "dask", "cluster: engine=dask needs the address of its scheduler"),
        (
            "coded_sets.studio.people",
            "disva",
            "coded_sets.studio.people is 'disva'; it must be null, own, or another set: disfa",
        ),
        (
            "web_sets.web.people",
            "web",
            "web_sets.web.people is 'web'; it must be null, own, or",
        ),
    ],
)
def test_sentences(name, value, sentence):
    with pytest.raises(ConfigurationError) as refused:
        Parameters.read(changed(name, value))
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("coded", "disfa+", "coded is 'disfa+'; it must be the name of a set, or several"),
        ("coded", "disfa+disfa", "coded: 'disfa+disfa' has one name twice."),
        ("coded", "study", "coded='study' is unknown; choose one of disfa"),
        ("web", "disfa", "web='disfa' is unknown; choose one of web, or add it to `web_sets`"),
        ("on", "study", "on='study' is unknown; "),
        ("web_sets.disfa", None, "'disfa' is in coded_sets and in web_sets; their folders"),
        ("coded_sets.a+b", None, "'a+b' cannot be the name of a set: expected 1 to 64 let"),
        ("coded_sets.7", None, "'7' cannot be the name of a set"),
        ("coded_sets.Checkpoints", None, "'Checkpoints' cannot be the name of a set"),
    ],
)
def test_sets_are_chosen_by_names_that_can_be_folders(name, value, sentence):
    given = configured()
    group, _, key = name.partition(".")
    if key:
        given[group][key] = next(iter(given[group].values()))
    else:
        given[name] = value
    with pytest.raises(ConfigurationError) as refused:
        Parameters.read(given)
    assert str(refused.value).startswith(sentence)


def test_the_order_of_sets_is_that_of_their_names():
    given = configured()
    given["coded_sets"]["b"] = given["coded_sets"]["disfa"] | {"protocol": "standard"}
    chosen = Parameters.read(given | {"coded": "disfa+b"})
    assert list(chosen.chosen_coded) == ["b", "disfa"]
    assert chosen.names_in_paths()["protocol"] == "standard+fg2020"
    assert (
        Parameters.read(given | {"coded": "disfa+b", "protocol": "standard"}).names_in_paths()[
            "protocol"
        ]
        == "standard"
    )


def test_null_is_no_limit_where_the_files_say_so():
    assert (
        PreprocessSettings.read(
            changed("preprocess.max_megapixels", None)["preprocess"]
        ).max_megapixels
        is None
    )


def test_a_number_stays_what_a_person_wrote():
    """Stores and journals say it, and their bytes must not change."""
    assert repr(CropSettings(margin=1).model_dump()["margin"]) == "1"
    assert repr(CropSettings(margin=1.0).model_dump()["margin"]) == "1.0"


@pytest.mark.parametrize("name", ["main", "v1.2", "a", "A-b", "x" * 64, "7b"])
def test_a_run_can_be_called(name):
    assert Parameters.read(configured() | {"run": name}).run == name


@pytest.mark.parametrize(
    "name",
    [
        None, "", " ", "a ", " a", "a/b", "..", ".", ".a", "-a", "a.", "x" * 65, "x" * 250, 7,
        1.5, True, "ä", "a\nb", "a\n", "a_b", "~", "quarantine", "Comparisons", "checkpoints",
    ],
)  # fmt: skip
def test_a_run_cannot_be_called(name):
    with pytest.raises(ConfigurationError, match="^run"):
        Parameters.read(configured() | {"run": name})
    with pytest.raises(ConfigurationError, match="^data"):
        others = ("quarantine", "Comparisons", "checkpoints", "a_b")
        Globals.read({"data": "Fine_tune_images" if name in others else name})


def test_no_run_and_no_data_has_the_name_of_a_folder_that_lies_beside_it():
    text = "".join(path.read_text() for path in PROJECT.glob("conf/*/catalog.yml"))
    paths = [path.split("/") for path in re.findall(r"\bdata/\S+", text)]
    for place, name in (("${_data}", "data"), ("${_run}", "run")):
        above = {tuple(path[: path.index(place)]) for path in paths if place in path}
        beside = {
            path[len(folders)]
            for path in paths
            for folders in above
            if tuple(path[: len(folders)]) == folders and len(path) > len(folders)
        } - {place}
        assert beside
        for taken in beside:
            with pytest.raises(ConfigurationError, match=f"^{name}"):
                if name == "data":
                    Globals.read({"data": taken})
                else:
                    Parameters.read(configured() | {"run": taken})


def test_the_folds_of_disfa_in_the_files_are_those_that_the_code_knows():
    protocols = Parameters.read(configured()).protocols
    for known in (FG2020, STANDARD):
        folds = protocols[known.name].folds
        assert tuple(map(tuple, folds)) == known.groups


def test_the_folds_of_bp4d_divide_its_41_subjects():
    folds = Parameters.read(configured()).protocols["bp4d"].folds
    assert [len(fold) for fold in folds] == [14, 14, 13]
    assert sorted(name for fold in folds for name in fold) == [
        f"{sex}{n + 1:03d}" for sex, top in (("F", 23), ("M", 18)) for n in range(top)
    ]


@pytest.mark.parametrize("name", ["a+b", "a/b", "", "7", ".x", "x" * 65])
def test_a_protocol_is_named_as_a_folder_may_be(name):
    given = configured()
    given["protocols"] |= {name: {"leave_one_subject_out": True}}
    with pytest.raises(ConfigurationError, match=r"cannot be the name of a protocol: expected"):
        Parameters.read(given)


@pytest.mark.parametrize("place", ["protocol", "coded_sets.disfa.protocol"])
def test_a_protocol_that_is_nowhere_is_refused_with_the_choices(place):
    with pytest.raises(ConfigurationError) as error:
        Parameters.read(changed(place, "fg2021"))
    assert str(error.value) == (
        f"{place} is 'fg2021'; it must be one of bp4d, fg2020, five_folds, loso, standard, "
        "studio_folds, or one that you add to `protocols` in conf/local/parameters_data.yml."
    )
