"""Ten thousand generated cases, a column each, against scikit-learn."""

import numpy as np
import pytest
import sklearn
from sklearn import metrics as sk

from action_units.evaluation.predictions import Predictions, check_arrays
from action_units.evaluation.subject_statistics import subject_statistics

FRAMES = (1, 2, 7, 24, 60)
COLUMNS = 100
THRESHOLD = 0.5


def cases(frames: int, batches: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities, (N, batches × COLUMNS); a batch shares its missing frames.

    Some columns have one class only, some no frame, many have ties, some are constant.
    """
    random = np.random.default_rng([frames, batches])
    shape = (frames, batches * COLUMNS)
    share = random.choice([0.0, 0.1, 0.5, 0.9, 1.0], shape[1])
    labels = (random.random(shape) < share).astype(np.int8)
    steps = random.choice([1, 2, 4, 10, 10**9], shape[1])  # 1: nothing but 0 and 1
    lean = random.choice([0.0, 0.5], shape[1]) * labels
    scores = np.round(np.minimum(0.7 * random.random(shape) + lean, 1) * steps) / steps
    constant = random.random(shape[1]) < 0.05
    scores[:, constant] = scores[0, constant]
    missing = random.random((frames, batches)) < random.choice([0.0, 0.1, 0.4], batches)
    missing[:, 0] = True  # nothing is labelled
    labels[np.repeat(missing, COLUMNS, axis=1)] = -1
    return labels, scores


def ours(labels: np.ndarray, scores: np.ndarray) -> dict[str, np.ndarray]:
    who = np.random.default_rng(0).choice(["SN001", "SN002", "SN003"], len(labels))
    aus = tuple(range(1, labels.shape[1] + 1))
    return subject_statistics(
        Predictions(aus, *check_arrays(labels, scores), scores >= THRESHOLD, who)
    ).values


def assert_same(
    found: np.ndarray, expected: np.ndarray, defined: np.ndarray, what: str
) -> None:
    assert np.isnan(found[~defined]).all(), what
    np.testing.assert_allclose(
        found[defined], expected[defined], rtol=0, atol=1e-12, err_msg=what
    )


@pytest.fixture(scope="module")
def generated():
    return {n: cases(n, 30) for n in FRAMES}  # 5 × 30 × 100 cases, some without a label


@pytest.fixture(scope="module")
def scored(generated):
    return {n: ours(*data) for n, data in generated.items()}


def batches_of(labels: np.ndarray, scores: np.ndarray, every: int = 1):
    """The columns of a batch and their labelled frames, where there are any."""
    for start in range(0, labels.shape[1], COLUMNS * every):
        columns = slice(start, start + COLUMNS)
        known = labels[:, start] >= 0
        if known.any():
            yield columns, labels[known, columns], scores[known, columns]


@pytest.mark.parametrize("frames", FRAMES)
def test_counted_figures_are_scikit_learns(generated, scored, frames):
    found = scored[frames]
    n_checked = 0
    for columns, y, p in batches_of(*generated[frames]):
        hat = (p >= THRESHOLD).astype(np.int8)
        each = {"average": None, "zero_division": 0}
        recall, specificity = (
            sk.recall_score(y, hat, **each),
            sk.recall_score(1 - y, 1 - hat, **each),
        )
        positive, both = y.any(axis=0), (y.any(axis=0) & ~y.all(axis=0))
        table = sk.multilabel_confusion_matrix(y, hat).astype(float)
        tn, fp, fn, tp = table[:, 0, 0], table[:, 0, 1], table[:, 1, 0], table[:, 1, 1]
        varied = both & hat.any(axis=0) & ~hat.all(axis=0)
        with np.errstate(invalid="ignore"):
            mcc = (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
        expected = {
            "precision": (sk.precision_score(y, hat, **each), hat.any(axis=0)),
            "recall": (recall, positive),
            "f1": (sk.f1_score(y, hat, **each), positive),
            "f1_at_half": (sk.f1_score(y, hat, **each), positive),
            "floor_f1": (sk.f1_score(y, np.ones_like(y), **each), positive),
            "balanced_accuracy": ((recall + specificity) / 2, both),
            "mcc": (mcc, varied),
            "prevalence": (y.mean(axis=0), np.ones(len(positive), bool)),
            "brier": (
                sk.mean_squared_error(y, p, multioutput="raw_values"),
                np.ones(len(positive), bool),
            ),
        }
        for name, (value, defined) in expected.items():
            assert_same(found[name][columns], value, defined, name)
        n_checked += COLUMNS
    assert n_checked >= 2000  # with five numbers of frames: ten thousand


def ranks_agree(generated, scored, frames: int, every: int) -> None:
    found = scored[frames]
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        for columns, y, p in batches_of(*generated[frames], every):
            positive, both = y.any(axis=0), (y.any(axis=0) & ~y.all(axis=0))
            auc = np.full(len(both), np.nan)
            if both.any():
                auc[both] = sk.roc_auc_score(y[:, both], p[:, both], average=None)
            assert_same(found["auc"][columns], auc, both, "auc")
            precision = np.full(len(both), np.nan)
            if positive.any():
                precision[positive] = [
                    sk.average_precision_score(y[:, k], p[:, k])
                    for k in np.flatnonzero(positive)
                ]
            assert_same(found["average_precision"][columns], precision, positive, "AP")


@pytest.mark.parametrize("frames", FRAMES)
def test_ranked_figures_are_scikit_learns(generated, scored, frames):
    ranks_agree(generated, scored, frames, every=10)


@pytest.mark.slow
@pytest.mark.parametrize("frames", FRAMES)
def test_ranked_figures_are_scikit_learns_in_all_cases(generated, scored, frames):
    ranks_agree(generated, scored, frames, every=1)


def test_mcc_and_balanced_accuracy_are_scikit_learns_own(generated, scored):
    labels, scores = generated[24]
    for column in range(0, labels.shape[1], 29):
        known = labels[:, column] >= 0
        y, hat = labels[known, column], scores[known, column] >= THRESHOLD
        if 0 < y.sum() < y.size and 0 < hat.sum() < hat.size:
            assert scored[24]["mcc"][column] == pytest.approx(
                sk.matthews_corrcoef(y, hat), abs=1e-12
            )
            assert scored[24]["balanced_accuracy"][column] == pytest.approx(
                sk.balanced_accuracy_score(y, hat), abs=1e-12
            )


def test_a_missing_label_is_a_frame_that_is_not_there(generated):
    labels, scores = generated[24]
    random = np.random.default_rng(5)
    y, p = labels[:, :50].copy(), scores[:, :50]
    y[random.random(y.shape) < 0.3] = -1  # another mask for each column
    whole = ours(np.where(y < 0, np.nan, y), p)
    for column in range(50):
        kept = y[:, column] >= 0
        alone = ours(y[kept, column : column + 1], p[kept, column : column + 1])
        for name in whole:
            np.testing.assert_allclose(whole[name][column], alone[name][0], atol=1e-12)
