"""DISFA+ and BP4D, in the layouts that public code knows, from their files to the report."""

import re

import cv2
import numpy as np
import pandas as pd
import pytest

from tests.portraits import portrait

SETTINGS = """
coded_sets:
  bp4d: {reader: bp4d, present_from: null, protocol: thirds}
  plus: {reader: disfa_plus, protocol: thirds}
protocols:
  thirds: {k_fold: {folds: 3, seed: 0}}
"""
OCC, PLUS = (1, 4, 12, 24), (1, 4, 12, 25)
FIRST, FRAMES = 100, 8


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))


def draw(folder, seed, names):
    folder.mkdir(parents=True)
    for name in names:
        cv2.imwrite(str(folder / name), np.roll(portrait(seed, (128, 128)), seed, 1))


def make_sets(raw):
    """Six subjects each, with two tasks or trials; codes follow the frame's number."""
    rng = np.random.default_rng(0)
    for seed, subject in enumerate(("F001", "F002", "F003", "M001", "M002", "M003")):
        for task in ("T1", "T8"):
            names = [f"{n:04d}.jpg" for n in range(FIRST, FIRST + FRAMES + 2)]
            draw(raw / f"bp4d/2D+3D/{subject}/{task}", seed, names)
            rows = [[n, *rng.integers(0, 2, 3), 9] for n in range(FIRST, FIRST + FRAMES)]
            rows[2][1:] = [9] * len(OCC)
            path = raw / f"bp4d/AUCoding/AU_OCC/{subject}_{task}.csv"
            write(path, [",".join(map(str, row)) for row in [[0, *OCC], *rows]])
    for seed, subject in enumerate(("SN001", "SN003", "SN004", "SN007", "SN009", "SN010"), 6):
        for trial in ("A1_AU1_TrailNo_1", "B2_AU12_TrailNo_2"):
            names = [f"{n:03d}.jpg" for n in range(FRAMES)]
            draw(raw / f"plus/Images/{subject}/{trial}", seed, names)
            for au in PLUS:
                codes = rng.integers(0, 6, FRAMES)
                lines = [f"{name}     {code}" for name, code in zip(names, codes, strict=True)]
                write(raw / f"plus/Labels/{subject}/{trial}/AU{au}.txt", ["AU", "", *lines])
    (raw / "plus/Labels/SN003/A1_AU1_TrailNo_1/AU4.txt").unlink()


@pytest.mark.slow
def test_two_sets_go_from_their_files_to_one_report(empty_project):
    make_sets(empty_project.path / "data/01_raw/tiny")
    write(empty_project.path / "conf/local/parameters_data.yml", [SETTINGS])
    printed = empty_project.run(
        "--env", "tiny", "--params",
        "coded=bp4d+plus,pretraining=false,finetune.validation_subjects=1",
    )  # fmt: skip
    assert "bp4d: 24 pictures have no codes, and are not used (F001 4, F002 4" in printed
    assert "bp4d: 12 frames have no AU that was scored, and are not used" in printed
    assert "plus: recordings set aside: SN003/A1_AU1_TrailNo_1 (AU4.txt is missing)" in printed
    data = empty_project.path / "data"
    stores = {name: next((data / f"04_feature/tiny/{name}").glob("table-*.parquet"))
              for name in ("bp4d", "plus")}  # fmt: skip
    bp4d, plus = (pd.read_parquet(path) for path in stores.values())
    assert len(bp4d) == 6 * 2 * (FRAMES - 1)
    assert len(plus) == (6 * 2 - 1) * FRAMES
    assert {"recording", "AU01", "AU12"} <= {*bp4d}
    assert not {"AU24", "AU12_r"} & {*bp4d}
    assert "AU25_r" in plus
    [page] = re.findall(r"open (\S+report\.html)", printed)
    assert "bp4d" in page
    assert "plus" in page
