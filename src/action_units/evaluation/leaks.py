"""What makes a score dishonest, refused: test subjects that something was learned from."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from action_units.errors import ConfigurationError


def check_no_shared_subjects(
    known: Collection[str], test: Collection[str], where: str = "this run"
) -> None:
    """Refuse to test on somebody who was learned from.

    Args:
        known: Subjects of training and validation.
        test: Subjects to test on.
        where: Such as ``fold 1``, for the sentence.

    Raises:
        ConfigurationError: A subject is on both sides; names the first.
    """
    if shared := sorted(set(known) & set(test)):
        raise ConfigurationError(
            f"{where} tests on {shared[0]}, who is also among its training or validation "
            f"subjects ({_how_many(shared)} in all): test subjects must be new."
        )


def check_not_fitted_on_test(
    chosen_on: Collection[str], test: Collection[str], what: str = "the thresholds"
) -> None:
    """Refuse thresholds, calibration, smoothing or an epoch chosen on the test subjects.

    Args:
        chosen_on: Subjects it was chosen or fitted on.
        test: Subjects to test on.
        what: What was chosen, for the sentence.

    Raises:
        ConfigurationError: A subject is on both sides; names the first.
    """
    if shared := sorted(set(chosen_on) & set(test)):
        raise ConfigurationError(
            f"{what}: chosen on {shared[0]}, who is tested on ({_how_many(shared)} in all); "
            "choose on validation subjects, held out of the training folds."
        )


def check_not_trained_on_test(provenance: Mapping[str, Any], test: Collection[str]) -> None:
    """Refuse a network that was trained, or whose epoch was chosen, on the test subjects.

    Args:
        provenance: The network's; ``subjects`` in it holds its ``train`` and
            ``validation`` subjects. A network that does not say is let pass.
        test: Subjects to test on.

    Raises:
        ConfigurationError: A subject is on both sides; names the first.
    """
    subjects = provenance.get("subjects", {})
    check_no_shared_subjects(subjects.get("train", ()), test, "the network's evaluation")
    check_not_fitted_on_test(subjects.get("validation", ()), test, "the network's epoch")


def check_no_duplicate_images(
    table: pd.DataFrame,
    known: Collection[str],
    test: Collection[str],
    faces: NDArray[np.uint8] | None = None,
) -> None:
    """Refuse pictures that are on both sides under the names of two subjects.

    Neighbouring frames of one video may be the same picture, so only pictures of
    different sides are compared. A crop of one even tone, as a camera's dropout leaves it,
    shows nobody and gives nothing away: with `faces` such crops are passed over.

    Args:
        table: One row a picture: image, subject, and the ``sha256`` of its file.
        known: Subjects of training and validation.
        test: Subjects to test on.
        faces: The pictures, (N, H, W), in the order of the table.

    Raises:
        ConfigurationError: Names the first pair, and how many test pictures are affected.
    """
    subjects = table["subject"].astype(str)
    tested = subjects.isin(list(test)) & table["sha256"].astype(bool)
    learned = table[subjects.isin(list(known)).to_numpy()]
    first = learned.drop_duplicates("sha256").set_index("sha256")  # of each picture
    rows = np.flatnonzero((tested & table["sha256"].isin(first.index)).to_numpy())
    if faces is not None and rows.size:
        flat = np.asarray(faces[rows]).reshape(rows.size, -1)
        rows = rows[flat.min(axis=1) < flat.max(axis=1)]
    if rows.size:
        copy = table.iloc[rows[0]]
        original = first.loc[copy["sha256"]]
        raise ConfigurationError(
            f"{copy['image']} of {copy['subject']}, who is tested on, is the same picture as "
            f"{original['image']} of {original['subject']}, who is trained or validated on "
            f"(SHA-256 {copy['sha256'][:12]}…; such test pictures: {rows.size:,}): remove one "
            "of the copies, or put both subjects on one side."
        )


def _how_many(shared: list[str]) -> str:
    return "1 subject" if len(shared) == 1 else f"{len(shared)} subjects"
