"""The scores of a run as a table for a paper, in LaTeX (booktabs) and in Markdown."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from action_units.evaluation.scores import Estimate, ScoreLine
from action_units.evaluation.summary import RunSummary

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": "$-$",
    "×": r"$\times$",
    "–": "--",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


@dataclass(frozen=True)
class PaperTable:
    """One table as text, whatever it is then written in.

    Attributes:
        caption: What it shows.
        heads: Of the columns.
        blocks: Groups of rows, apart from each other by a rule.
    """

    caption: str
    heads: tuple[str, ...]
    blocks: tuple[tuple[tuple[str, ...], ...], ...]


def paper_table(summary: RunSummary) -> PaperTable:
    """F1 of each AU and average, in percent, with intervals, of each network.

    AUs and averages are means of folds; pooled averages stand in a block of their own.

    Args:
        summary: The run.
    """
    models = summary.folds[0].titles
    scores = {models[name]: score for name, score in summary.scores.items()}
    heads = ["AU", "Floor", *scores]
    if summary.difference:
        heads.append("Gain")

    def rows(pooled: bool, of_averages: bool) -> tuple[tuple[str, ...], ...]:
        part = "averages" if of_averages else "aus"
        found = []
        for key, line in getattr(summary.floor, part).items():
            cells = [_name(line, pooled), _percent(_figure(line, pooled).value)]
            cells += [_cell(_figure(getattr(s, part)[key], pooled)) for s in scores.values()]
            if summary.difference:
                apart = getattr(summary.gains["f1"], part)[key]
                cells.append(_cell(_figure(apart, pooled), signed=True))
            found.append(tuple(cells))
        return tuple(found)

    return PaperTable(
        caption=_caption(summary),
        heads=tuple(heads),
        blocks=(rows(False, False), rows(False, True), rows(True, True)),
    )


def latex_table(summary: RunSummary) -> str:
    """The table as a LaTeX float; it needs the package booktabs."""
    table = paper_table(summary)
    heads = " & ".join(escape_latex(head) for head in table.heads)
    blocks = [
        "".join(" & ".join(escape_latex(cell) for cell in row) + " \\\\\n" for row in block)
        for block in table.blocks
    ]
    return (
        "\\begin{table}\n\\centering\n"
        f"\\caption{{{escape_latex(table.caption)}}}\n"
        f"\\begin{{tabular}}{{l{'r' * (len(table.heads) - 1)}}}\n\\toprule\n"
        f"{heads} \\\\\n\\midrule\n" + "\\midrule\n".join(blocks) + "\\bottomrule\n"
        "\\end{tabular}\n\\end{table}\n"
    )


def markdown_table(summary: RunSummary) -> str:
    """The table in Markdown, its caption below."""
    table = paper_table(summary)
    lines = [table.heads, ("---", *["---:"] * (len(table.heads) - 1))]
    lines += [row for block in table.blocks for row in block]
    body = "\n".join("| " + " | ".join(_escape_markdown(line)) + " |" for line in lines)
    return f"{body}\n\n{table.caption}\n"


def escape_latex(text: str) -> str:
    """Text with the signs that LaTeX reads as commands written out."""
    return "".join(_LATEX.get(sign, sign) for sign in text)


def _escape_markdown(cells: Sequence[str]) -> list[str]:
    return [cell.replace("|", "\\|") for cell in cells]


def _name(line: ScoreLine, pooled: bool) -> str:
    if line.name.startswith("AU"):
        return line.name
    return f"Mean of {line.name}" + (", pooled" if pooled else "")


def _figure(line: ScoreLine, pooled: bool) -> Estimate:
    return line.pooled if pooled else line.mean_of_folds


def _cell(figure: Estimate, signed: bool = False) -> str:
    if math.isnan(figure.low):
        return _percent(figure.value, signed)
    ends = f"{_percent(figure.low, signed)}, {_percent(figure.high, signed)}"
    return f"{_percent(figure.value, signed)} [{ends}]"


def _percent(value: float, signed: bool = False) -> str:
    if math.isnan(value):
        return "n/a"
    return f"{100 * value:{'+' if signed else ''}.1f}".replace("-", "−")


def _caption(summary: RunSummary) -> str:
    there, possible = len(summary.folds), summary.n_folds
    line = summary.scores["finetuned"].aus.values()
    defined, pairs = (sum(getattr(one, n) for one in line) for n in ("defined", "possible"))
    parts = [
        f"F1 × 100 over frames of unseen subjects, mean of {there} of {possible} folds "
        f"({summary.protocol}), with 95 % intervals from 1,000 draws of the subjects.",
        "Floor: every frame called positive.",
        "Pooled: one F1 over the frames of all folds.",
    ]
    if defined < pairs:
        parts.append(
            f"n/a: not defined, no tested frame shows the AU; averages leave such AUs out "
            f"({defined} of {pairs} AUs × folds are defined)."
        )
    if summary.difference:
        parts.append("Gain: pre-trained minus from scratch, paired over subjects.")
    if summary.rendered:
        parts.append("Rendered faces: these figures say nothing about accuracy on people.")
    return " ".join(parts)
