"""finished runs -> a table and a page that set them side by side."""

from kedro.pipeline import Node, Pipeline

from action_units.pipelines.comparison import nodes


def create_pipeline() -> Pipeline:
    """Compare the runs that ``runs`` names, or all."""
    return Pipeline(
        [
            Node(
                nodes.compare_runs,
                ["evaluated_runs", "params:runs", "params:seed"],
                ["comparison_table", "comparison_report"],
                name="compare_runs",
            )
        ],
        tags="compare",
    )
