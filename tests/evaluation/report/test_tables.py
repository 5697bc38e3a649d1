"""The tables for a paper: the run's figures, rows that fit, nothing that LaTeX would read."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_units.evaluation.report.tables import (
    escape_latex,
    latex_table,
    markdown_table,
    paper_table,
)
from action_units.evaluation.summary import RunSummary, summarise
from tests.evaluation.made_up import made_up_fold

LATEX = next((p for n in ("pdflatex", "xelatex", "tectonic") if (p := shutil.which(n))), None)


def run(scratch: bool = True, absent=(5,)) -> RunSummary:
    return summarise([made_up_fold(f, scratch=scratch, absent=absent) for f in (1, 2)])


@pytest.fixture(scope="module")
def summary() -> RunSummary:
    return run()


def rows_of(latex: str) -> list[list[str]]:
    lines = [line for line in latex.splitlines() if line.endswith(r" \\")]
    return [re.split(r" & ", line.removesuffix(r" \\")) for line in lines]


def percent(value: float) -> str:
    return f"{100 * value:.1f}"


def test_rows_are_the_runs_figures_and_averages_are_never_mixed(summary):
    rows = {row[0]: row for row in rows_of(latex_table(summary))[1:]}
    ours, scratch = summary.scores["finetuned"], summary.scores["scratch"]
    line = ours.aus[12].mean_of_folds
    assert rows["AU12"][1] == percent(summary.all_positive.aus[12].mean_of_folds.value)
    assert (
        rows["AU12"][2] == f"{percent(line.value)} [{percent(line.low)}, {percent(line.high)}]"
    )
    assert rows["AU12"][3].startswith(percent(scratch.aus[12].mean_of_folds.value))
    gain = summary.gains["f1"].aus[12].mean_of_folds
    assert rows["AU12"][4].startswith(f"{100 * gain.value:+.1f}")
    for name, average in ours.averages.items():
        assert rows[f"Mean of {name}"][2].startswith(percent(average.mean_of_folds.value))
        assert rows[f"Mean of {name}, pooled"][2].startswith(percent(average.pooled.value))
    assert rows["AU05"][1:] == ["n/a"] * 4
    assert "n/a: not defined" in paper_table(summary).caption
    assert "(22 of 24 AUs × folds" in paper_table(summary).caption


def test_every_row_has_every_column_with_and_without_scratch():
    for scratch in (True, False):
        latex, markdown = latex_table(run(scratch)), markdown_table(run(scratch))
        columns = re.search(r"\\begin\{tabular\}\{(\w+)\}", latex)[1]
        assert columns == ("lrrrr" if scratch else "lrr")
        assert {len(row) for row in rows_of(latex)} == {len(columns)}
        lines = [line for line in markdown.splitlines() if line.startswith("|")]
        assert {line.count("|") for line in lines} == {len(columns) + 1}
        assert len(lines) == len(rows_of(latex)) + 1
        assert ("from scratch" in markdown) is scratch


def test_latex_environments_and_braces_close(summary):
    latex = latex_table(summary)
    opened = re.findall(r"\\begin\{(\w+)\}", latex)
    assert (
        sorted(opened) == sorted(re.findall(r"\\end\{(\w+)\}", latex)) == ["table", "tabular"]
    )
    bare = re.sub(r"\\[{}]", "", latex)
    assert bare.count("{") == bare.count("}")
    assert latex.count(r"\toprule") == latex.count(r"\bottomrule") == 1
    assert latex.count(r"\midrule") == 3
    assert latex.isascii()


@given(st.text("\\&%$#_{}~^−–×ab 1"))
def test_escaped_text_holds_no_sign_that_latex_reads(text):
    escaped = escape_latex(text)
    words = r"\\textbackslash\{\}|\\textasciitilde\{\}|\\textasciicircum\{\}|\\[&%$#_{}]|\$-\$"
    plain = re.sub(words + r"|\$\\times\$", "", escaped)
    assert not set(plain) & set("\\&%$#_{}~^")


def test_a_protocol_with_an_underscore_is_escaped(summary):
    folds = tuple(replace(fold, protocol="my_own 50%") for fold in summary.folds)
    named = replace(summary, folds=folds)
    assert r"(my\_own 50\%)" in latex_table(named)
    assert "(my_own 50%)" in markdown_table(named)


def test_rendered_faces_are_said_to_be_rendered(summary):
    folds = tuple(replace(fold, rendered=False) for fold in summary.folds)
    assert "Rendered faces" in latex_table(summary)
    assert "Rendered faces" not in latex_table(replace(summary, folds=folds))


@pytest.mark.skipif(LATEX is None, reason="no LaTeX compiler on the path")
def test_it_compiles(summary, tmp_path: Path):
    document = (
        "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
        f"{latex_table(summary)}\\end{{document}}\n"
    )
    (tmp_path / "t.tex").write_text(document, encoding="utf-8")
    options = [] if "tectonic" in str(LATEX) else ["-interaction=nonstopmode", "-halt-on-error"]
    subprocess.run(
        [str(LATEX), *options, "t.tex"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=60,
    )
