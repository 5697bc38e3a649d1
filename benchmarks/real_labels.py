"""The authors' label files with rendered crops: shows that a whole fold drops in.

The real label files name every crop and say which AUs it shows, but nobody may pass on
the pictures. So each named subject gets one rendered person, each row's AUs are drawn on
it, and the crop is saved under the row's own name; the pipelines cannot tell.

    python benchmarks/real_labels.py LABELS FOLDER [--every 20]
    kedro run --env paper --params recipe=modern,fold=1

LABELS holds fold1_test.csv.gz, fold2_test.csv.gz and pretrain_label_sample.csv.gz. FOLDER
becomes data/01_raw: fold 1 is tested on all its rows, and trained on every 20th row of
fold 2's subjects. The web sample is divided into train and test by identity.
"""

import argparse
import time
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
import pandas as pd
from rich.progress import track

from action_units.faces.workers import Workers, in_order
from action_units.files import write_text
from action_units.labels.action_units import DISFA_AUS, PRETRAIN_AUS, au_columns
from action_units.labels.tables import (
    read_finetune_labels,
    read_pretrain_labels,
    write_finetune_labels,
    write_pretrain_labels,
)
from action_units.sample.identity import draw_identity
from action_units.sample.render import render_face
from action_units.sample.view import draw_view

SIDE = 96
_ORIGIN = '{"origin": "rendered"}\n'


def draw_crops(task: tuple[Path, list[tuple[str, str, list[int]]]]) -> int:
    """Render the crops of some rows: (folder, [(image, subject, the 18 AUs' labels)])."""
    folder, rows = task
    for image, subject, labels in rows:
        person = draw_identity(np.random.default_rng(crc32(subject.encode())))
        rng = np.random.default_rng(crc32(image.encode()))
        present = np.array(labels) == 1
        intensities = np.where(present, rng.uniform(2, 5, 18), rng.uniform(0, 0.8, 18))
        view = draw_view(rng, (SIDE, SIDE), scale=(46.0, 50.0), turn=0.5, occlusion=0.0)
        _, jpeg = cv2.imencode(".jpg", render_face(person, intensities, view, (SIDE, SIDE)))
        (folder / image).write_bytes(jpeg.tobytes())
    return len(rows)


def draw_all(
    folder: Path, table: pd.DataFrame, aus: tuple[int, ...], workers: int | None
) -> None:
    """Render every row of a label table into a folder."""
    whole = table.reindex(columns=["image", "subject", *au_columns(PRETRAIN_AUS)], fill_value=0)
    labels = whole[au_columns(PRETRAIN_AUS)].to_numpy().tolist()
    rows = list(zip(whole["image"], whole["subject"], labels, strict=True))
    tasks = [(folder, rows[start : start + 100]) for start in range(0, len(rows), 100)]
    done = in_order(draw_crops, tasks, Workers(workers))
    for _ in track(done, f"Drawing {len(aus)} AUs", len(tasks)):
        pass


def fill(labels: Path, folder: Path, every: int = 20, test_every: int = 1,
         workers: int | None = None) -> None:  # fmt: skip
    """Lay out data/01_raw in the authors' format.

    Args:
        labels: Folder of the real label files.
        folder: What becomes data/01_raw.
        every: Of fold 2's rows, each so-manieth trains fold 1.
        test_every: Of fold 1's rows, each so-manieth is tested; 1 takes all.
        workers: Processes.
    """
    disfa, web = folder / "fine_tune_images", folder / "pre_train_images"
    for place in (disfa, web):
        place.mkdir(parents=True, exist_ok=True)
        write_text(place / "origin.json", _ORIGIN)
    test = read_finetune_labels(labels / "fold1_test.csv.gz")
    train = read_finetune_labels(labels / "fold2_test.csv.gz")
    write_finetune_labels(test[::test_every], disfa / "fold1_test.csv")
    write_finetune_labels(train[::every], disfa / "fold1_train.csv")
    draw_all(disfa, pd.concat([test[::test_every], train[::every]]), DISFA_AUS, workers)
    faces = read_pretrain_labels(labels / "pretrain_label_sample.csv.gz")
    if test_every > 1:
        faces = faces[::test_every]
    held_out = faces["subject"].map(lambda name: crc32(name.encode()) % 6 == 0)
    write_pretrain_labels(faces[~held_out], web / "train_label.csv")
    write_pretrain_labels(faces[held_out], web / "test_label.csv")
    draw_all(web, faces, PRETRAIN_AUS, workers)


def main() -> None:
    """Read the command line and fill the folder."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("labels", type=Path, help="folder of the real label files")
    parser.add_argument("folder", type=Path, help="becomes data/01_raw")
    parser.add_argument("--every", type=int, default=20)
    parser.add_argument("--test-every", type=int, default=1)
    parser.add_argument("--workers", type=int, default=None)
    arguments = parser.parse_args()
    started = time.perf_counter()
    fill(
        arguments.labels,
        arguments.folder,
        arguments.every,
        arguments.test_every,
        arguments.workers,
    )
    print(f"drawn in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
