"""All parameters of a run, as in ``conf/base/parameters*.yml``.

Each group of the files is a class of this package and each parameter a field.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from action_units.config.base import (
    Count,
    Expected,
    PartBetween,
    PathText,
    Seed,
    Settings,
)
from action_units.config.data import (
    ChosenSets,
    CodedSetSettings,
    WebSetSettings,
    check_set_names,
)
from action_units.config.machine import ClusterSettings, MachineConfig
from action_units.config.preprocessing import DetectorName, PreprocessSettings
from action_units.config.protocols import (
    ChosenProtocols,
    ProtocolSettings,
    SetProtocol,
    check_protocol_names,
)
from action_units.config.recipe import RecipeConfig
from action_units.config.sample import SampleSettings
from action_units.config.study import StudySettings
from action_units.hints import own_settings

PostprocessingOption = Literal[
    "raw",
    "temperature",
    "isotonic",
    "smoothing",
    "smoothing + temperature",
    "smoothing + isotonic",
]
FacesMode = Literal["all", "one"]
PersonCentredMode = Literal["none", "running", "video"]

# What else lies where a run's folders and where a data set's folders are.
RESERVED_RUNS = frozenset({"checkpoints", "comparisons", "quarantine"})
RESERVED_DATA = frozenset({"fine_tune_images", "pre_train_images"})


def _not_reserved(reserved: frozenset[str]) -> AfterValidator:
    def check(name: str) -> str:
        if name.lower() in reserved:
            raise ValueError(f"{name!r} is the name of a folder of the project; choose another")
        return name

    return AfterValidator(check)


_NAME = "text of 1 to 64 letters, digits, {} that begins and ends with a letter or digit, and "
_NAME += "is not a number"
RunName: TypeAlias = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$"),
    Expected(_NAME.format("points and hyphens")),
    _not_reserved(RESERVED_RUNS),
]
DataName: TypeAlias = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$"),
    Expected(_NAME.format("points, hyphens and underscores")),
    _not_reserved(RESERVED_DATA),
]


class FinetuneSettings(Settings):
    """Fine-tuning."""

    validation_subjects: Count
    """How many of the subjects that a fold does not test are held out of training."""
    also_from_scratch: bool


class EvaluationSettings(Settings):
    """Evaluation."""

    treatment: PostprocessingOption
    groups: PathText | None
    """A CSV of ``subject,…``; null: ``groups.csv`` in the coded sets' folders, where it is."""


class AuditSettings(Settings):
    """The labels that the pre-trained network disbelieves."""

    photographs: Count


class RehearsalSettings(Settings):
    """The rehearsal of a whole run."""

    seconds: Annotated[int | float, Field(gt=0, le=3600)]
    """About how long each stage is measured."""


class CrossSettings(Settings):
    """Tests on another coded set."""

    refit_subjects: Count | PartBetween | None


class PredictSettings(Settings):
    """Prediction on other images and videos."""

    faces: FacesMode
    person_centred: PersonCentredMode
    neutral: PathText | None
    batch_size: Count | None
    detector: DetectorName | None
    min_confidence: PartBetween | None
    annotate: bool
    timeline: bool


class ExportSettings(Settings):
    """Files for others."""

    onnx: bool
    int8: bool


class TrainingConfig(Settings):
    """What every stage of training needs."""

    name: str
    """Of the recipe."""
    recipe: RecipeConfig
    seed: Seed
    """Decides everything random."""
    restart: bool
    """Whether an unfinished run is discarded."""
    machine: MachineConfig


class Parameters(MachineConfig):
    """All parameters of a run; those of the machine have no group of their own in the files."""

    coded: ChosenSets
    coded_sets: dict[str, CodedSetSettings]
    protocol: str | None
    protocols: dict[str, ProtocolSettings]
    on: str | None
    web: ChosenSets
    web_sets: dict[str, WebSetSettings]
    run: RunName
    runs: Annotated[str, Expected("names with colons between them: A:B")] | None
    pretraining: bool
    fold: Count | None
    seed: Seed
    share_files: Literal["group", "everyone"] | None
    workers: Annotated[int, Field(ge=0, le=4096)] | None
    person: Annotated[str, Field(min_length=1)] | None
    cluster: ClusterSettings
    restart: bool
    face_size: Annotated[int, Field(ge=16, le=512)]
    recipe: str
    recipes: dict[str, RecipeConfig]
    preprocess: PreprocessSettings
    finetune: FinetuneSettings
    evaluation: EvaluationSettings
    audit: AuditSettings
    cross: CrossSettings
    source: PathText | None
    model: PathText | None
    predict: PredictSettings
    export: ExportSettings
    study: StudySettings
    rehearsal: RehearsalSettings
    sample: SampleSettings

    @model_validator(mode="after")
    def _sets_exist(self) -> Self:
        check_set_names(self.coded_sets, self.web_sets)
        for parameter, group, chosen in (
            ("coded", self.coded_sets, self.coded.split("+")),
            ("web", self.web_sets, self.web.split("+")),
            ("on", self.coded_sets, [self.on] if self.on is not None else []),
        ):
            if unknown := [name for name in chosen if name not in group]:
                raise ValueError(
                    f"{parameter}={unknown[0]!r} is unknown; choose one of "
                    f"{', '.join(sorted(group))}, or add it to "
                    f"`{'web_sets' if parameter == 'web' else 'coded_sets'}` in "
                    f"{own_settings('parameters_data.yml')}"
                )
        return self

    @model_validator(mode="after")
    def _recipe_exists(self) -> Self:
        if self.recipe not in self.recipes:
            raise ValueError(
                f"recipe={self.recipe!r} is unknown; choose one of "
                f"{', '.join(sorted(self.recipes))}, or add it to `recipes` in "
                f"{own_settings('parameters_recipes.yml')}"
            )
        return self

    @model_validator(mode="after")
    def _protocols_exist(self) -> Self:
        check_protocol_names(self.protocols)
        named = {"protocol": self.protocol} | {
            f"coded_sets.{name}.protocol": one.protocol for name, one in self.coded_sets.items()
        }
        for parameter, protocol in named.items():
            if protocol is not None and protocol not in self.protocols:
                raise ValueError(
                    f"{parameter} is {protocol!r}; it must be one of "
                    f"{', '.join(sorted(self.protocols))}, or one that you add to "
                    f"`protocols` in {own_settings('parameters_data.yml')}"
                )
        return self

    @model_validator(mode="after")
    def _mean_is_learned(self) -> Self:
        learned = self.recipes[self.recipe].pretrain.soft_targets.curve != "none"
        for name, web in self.chosen_web.items():
            is_mean = web.second_annotations is not None and web.combine == "mean"
            if is_mean and self.pretraining and not learned:
                raise ValueError(
                    f"web_sets.{name}.combine is mean, a soft target, which recipe "
                    f"{self.recipe} does not learn; set combine to agreement, or "
                    f"recipes.{self.recipe}.pretrain.soft_targets.curve to linear"
                )
        return self

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        for name, recipe in self.recipes.items():
            network = recipe.network
            if (
                "image_size" in network.model_fields_set
                and network.image_size != self.face_size
            ):
                raise ValueError(
                    f"recipes.{name}.network.image_size is {network.image_size} and face_size "
                    f"is {self.face_size}; leave image_size out, as face_size sets both"
                )
        return self

    @model_validator(mode="after")
    def _people_are_of_a_set(self) -> Self:
        kinds: dict[str, Mapping[str, CodedSetSettings | WebSetSettings]] = {
            "coded_sets": self.coded_sets,
            "web_sets": self.web_sets,
        }
        for kind, sets in kinds.items():
            for name, one in sets.items():
                others = [other for other in sets if other != name]
                if one.people not in (None, "own", *others):
                    raise ValueError(
                        f"{kind}.{name}.people is {one.people!r}; it must be null, own, or "
                        f"another set: {', '.join(others) or 'there is none'}"
                    )
        return self

    @property
    def chosen_coded(self) -> dict[str, CodedSetSettings]:
        """The coded sets of the run, by name."""
        return {name: self.coded_sets[name] for name in self.coded.split("+")}

    @property
    def chosen_web(self) -> dict[str, WebSetSettings]:
        """The web sets of the run, by name."""
        return {name: self.web_sets[name] for name in self.web.split("+")}

    @property
    def fold_protocols(self) -> ChosenProtocols:
        """The fold protocol of each coded set of the run."""
        names = {name: self.protocol or one.protocol for name, one in self.chosen_coded.items()}
        return ChosenProtocols(
            sets={
                name: SetProtocol(name=protocol, settings=self.protocols[protocol])
                for name, protocol in names.items()
            }
        )

    @property
    def people(self) -> dict[str, str | None]:
        """Of every set, its setting ``people``."""
        sets: dict[str, CodedSetSettings | WebSetSettings] = {
            **self.coded_sets,
            **self.web_sets,
        }
        return {name: one.people for name, one in sets.items()}

    def names_in_paths(self) -> dict[str, Any]:
        """What the catalog's ``${chosen:…}`` stand for."""
        return {
            "run": self.run,
            "coded": self.coded,
            "protocol": self.fold_protocols.name,
            "web": self.web,
            "people": self.people,
            "groups": self.evaluation.groups,
            # Of `cross` alone; no other pipeline has a dataset with these.
            "on": self.on or "none",
            "on_protocol": self.coded_sets[self.on].protocol if self.on else "none",
        }

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Self:
        """Build from ``to_params``."""
        return cls.read({name: params[name] for name in cls.model_fields})

    def to_params(self) -> dict[str, Any]:
        """What Kedro passes to nodes: every parameter by name, and what is made of several.

        ``chosen_coded``, ``chosen_web``, ``people`` and ``fold_protocols`` are the
        properties of these names. The group ``training`` has the chosen recipe, its network
        for faces of ``face_size``, and the parameters of the machine, which stand at the top
        level of the files.
        """
        values = {name: getattr(self, name) for name in Parameters.model_fields}
        machine = MachineConfig(**{name: values[name] for name in MachineConfig.model_fields})
        recipe = self.recipes[self.recipe]
        network = recipe.network.model_copy(update={"image_size": self.face_size})
        training = TrainingConfig(
            name=self.recipe,
            recipe=recipe.model_copy(update={"network": network}),
            seed=self.seed,
            restart=self.restart,
            machine=machine,
        )
        made = ("chosen_coded", "chosen_web", "people", "fold_protocols")
        return {
            **values,
            **{name: getattr(self, name) for name in made},
            "training": training,
        }


class Globals(Settings):
    """What the paths of the catalog are made of, besides parameters."""

    data: DataName
