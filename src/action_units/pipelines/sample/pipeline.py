"""parameters of the sample -> raw data in the layouts of the web set and of DISFA."""

from kedro.pipeline import Node, Pipeline

from action_units.pipelines.sample import nodes
from action_units.pipelines.selection import CROPPING, PRETRAINING, SAMPLE


def create_pipeline() -> Pipeline:
    """Render the raw data, once; left out where ``sample.render`` is false."""
    return Pipeline(
        [
            Node(
                nodes.render_photographs,
                ["params:sample.web", "web_sample_folder"],
                "web_photographs",
                name="render_photographs",
                tags=PRETRAINING,
            ),
            Node(
                nodes.render_recordings,
                ["params:sample.disfa", "disfa_sample_folder"],
                "disfa_recordings",
                name="render_recordings",
            ),
        ],
        namespace="sample",
        prefix_datasets_with_namespace=False,
        tags=[SAMPLE, CROPPING, "preprocess"],
    )
