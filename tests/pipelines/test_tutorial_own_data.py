"""The blocks of docs/tutorial_own_data.md, run in their order in one project."""

import re

import pandas as pd

from tests.conftest import PROJECT
from tests.pipelines.test_tutorial import run

TEXT = (PROJECT / "docs/tutorial_own_data.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(bash|python|yaml)\n(.*?)^```", TEXT, re.M | re.S)


def test_a_csv_and_a_folder_of_frames_become_a_report(copied):
    draw, settings, train, predict = BLOCKS
    run(copied, *draw)
    codes = copied.path / "data/01_raw/our_study/codes.csv"
    lines = codes.read_text().split("\n")
    assert f"    {lines[0]}\n" in TEXT
    assert settings[0] == "yaml"
    assert len(settings[1].splitlines()) <= 15
    (copied.path / "conf/local").mkdir()
    (copied.path / "conf/local/parameters_data.yml").write_text(settings[1])

    wrong = ";".join([*lines[3].split(";")[:3], "F", "0", "0"])
    codes.write_text("\n".join([*lines[:3], wrong, *lines[4:]]))
    printed = copied.run(*train[1].split()[2:], fails=True)
    message = re.search(r"^    (codes.csv, line 4: .*)$", TEXT, re.M)[1]
    assert "".join(message.split()) in "".join(printed.split())

    codes.write_text("\n".join(lines))
    printed = run(copied, *train)
    report = re.search(r"`(data/08_reporting/\S*report.html)`", TEXT)[1]
    assert report in printed.splitlines()[-1]
    for path in re.findall(r"`(data/0[^`\s,]*)`", TEXT):
        assert (copied.path / path).exists() or path == "data/01_raw/web", path
    summary = pd.read_csv((copied.path / report).with_name("summary.csv"))
    assert summary["name"].tolist() == ["AU01", "AU04", "AU12", "AU25", "4 AUs"]
    run(copied, *predict)
    assert list((copied.path / "predicted").glob("*.csv"))
