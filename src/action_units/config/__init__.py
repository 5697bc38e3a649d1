"""Every setting of the project: its type, default, range and meaning, declared once."""

from action_units.config.base import Seed, Settings
from action_units.config.machine import (
    ClusterSettings,
    Compilation,
    InMemory,
    MachineConfig,
    MicroBatch,
    Precision,
)
from action_units.config.parameters import (
    EvaluationSettings,
    ExportSettings,
    FacesMode,
    FinetuneSettings,
    Globals,
    Parameters,
    PostprocessingOption,
    PredictSettings,
    Protocol,
)
from action_units.config.preprocessing import (
    CropSettings,
    DetectorSettings,
    PreprocessSettings,
)
from action_units.config.recipe import (
    Augmentation,
    Balance,
    LossName,
    LossOptions,
    NetworkSpec,
    OptimizerName,
    Recipe,
    RecipeConfig,
    Schedule,
    SoftTargets,
)
from action_units.config.sample import DisfaSampleConfig, SampleSettings, WebSampleConfig

__all__ = [
    "Augmentation",
    "Balance",
    "ClusterSettings",
    "Compilation",
    "CropSettings",
    "DetectorSettings",
    "DisfaSampleConfig",
    "EvaluationSettings",
    "ExportSettings",
    "FacesMode",
    "FinetuneSettings",
    "Globals",
    "InMemory",
    "LossName",
    "LossOptions",
    "MachineConfig",
    "MicroBatch",
    "NetworkSpec",
    "OptimizerName",
    "Parameters",
    "PostprocessingOption",
    "Precision",
    "PredictSettings",
    "PreprocessSettings",
    "Protocol",
    "Recipe",
    "RecipeConfig",
    "SampleSettings",
    "Schedule",
    "Seed",
    "Settings",
    "SoftTargets",
    "WebSampleConfig",
]
