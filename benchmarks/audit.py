"""How many of the labels that an audit lists are wrong, on the sample, whose truth is known.

    kedro run --pipelines preprocess,pretrain
    python -m benchmarks.audit

"All" is the share of wrong labels among all labels of the people held out, "listed" that among
those in audit.csv. A label is wrong where the true intensity contradicts it.
"""

import argparse
from pathlib import Path

import pandas as pd

from action_units.faces.store import FaceStore
from action_units.labels.action_units import PRETRAIN_AUS, au_column, au_columns
from action_units.sample.openface import PRESENT_FROM


def main() -> None:
    """Print the shares by AU and their means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--env", default="sample", help="folder of the data in each layer")
    parser.add_argument("--run", default="main")
    options = parser.parse_args()
    table = FaceStore.open(options.data / "04_feature" / options.env / "web").table
    table = table[table["split"] == "test"].set_index("image")
    truth = pd.read_csv(options.data / "01_raw" / options.env / "web/truth.csv")
    present = truth.set_index("image").loc[table.index, au_columns(PRETRAIN_AUS)]
    wrong = (present >= PRESENT_FROM) != (table[present.columns] == 1)
    listed = pd.read_csv(
        options.data / "08_reporting" / options.env / options.run / "audit.csv"
    )
    listed["wrong"] = [
        wrong.at[row.image, au_column(row.au)] for row in listed.itertuples(index=False)
    ]
    rows = []
    for (au, label), part in listed.groupby(["au", "label"]):
        own = wrong.loc[table[au_column(au)] == label, au_column(au)]
        rows.append((au, label, len(own), own.mean(), part["wrong"].mean()))
    shares = pd.DataFrame(rows, columns=["au", "label", "n", "all", "listed"])
    print(shares.round(3).to_string(index=False))
    print(shares.groupby("label")[["all", "listed"]].mean().round(3))


if __name__ == "__main__":
    main()
