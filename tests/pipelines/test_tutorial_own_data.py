"""The blocks of docs/tutorial_own_data.md, run in their order in one project."""

import contextlib
import re

import pandas as pd

from tests.conftest import PROJECT
from tests.pipelines.test_tutorial import run

TEXT = (PROJECT / "docs/tutorial_own_data.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(bash|python|yaml)\n(.*?)^```", TEXT, re.M | re.S)


def test_a_csv_and_a_folder_of_frames_become_a_report(copied):
    draw, settings, train, predict = BLOCKS
    run(copied, *draw)
    codes = (copied.path / "data/01_raw/our_study/codes.csv").read_text().split("\n")
    assert f"    {codes[0]}\n" in TEXT
    assert settings[0] == "yaml"
    assert len(settings[1].splitlines()) <= 15
    (copied.path / "conf/local").mkdir()
    (copied.path / "conf/local/parameters_data.yml").write_text(settings[1])
    printed = run(copied, *train)
    assert (
        re.search(r"`(data/08_reporting/\S*report.html)`", TEXT)[1] in printed.splitlines()[-1]
    )
    for path in re.findall(r"`(data/0[^`\s,]*)`", TEXT.split("## Next")[0]):
        assert (copied.path / path).exists() or path == "data/01_raw/web", path
    summary = pd.read_csv(
        copied.path / "data/08_reporting/tiny/main/our_study/our_folds/summary.csv"
    )
    assert {"AU01", "AU04", "AU12", "AU25"} <= set(summary.stack().astype(str))
    run(copied, *predict)
    assert list((copied.path / "predicted").glob("*.csv"))


def test_the_error_that_it_shows_is_what_is_said(copied):
    draw, settings, train, _ = BLOCKS
    run(copied, *draw)
    (copied.path / "conf/local").mkdir()
    (copied.path / "conf/local/parameters_data.yml").write_text(settings[1])
    codes = copied.path / "data/01_raw/our_study/codes.csv"
    lines = codes.read_text().split("\n")
    cells = lines[3].split(";")
    lines[3] = ";".join([*cells[:3], "F", *cells[4:]])
    codes.write_text("\n".join(lines))
    with contextlib.chdir(copied.path):
        printed = copied.run(*train[1].split()[2:], fails=True)
    said = re.search(r"`(data/01_raw/our_study/codes.csv, line 4: [^`]*)`", TEXT)[1]
    assert " ".join(said.split()) in " ".join(printed.split())
