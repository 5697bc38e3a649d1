"""Who the rendered subjects are, as a person would write it down."""

from action_units.config import DisfaSampleConfig, StudioSampleConfig
from action_units.labels.groups import read_groups
from action_units.sample import disfa, studio
from action_units.sample.disfa import write_disfa_groups
from action_units.sample.studio import write_studio_groups

DISFA = DisfaSampleConfig(frames_per_subject=24)
STUDIO = StudioSampleConfig(frames_per_subject=24)
COLUMNS = ["gender", "age", "skin tone", "glasses", "beard", "pose"]


def test_every_subject_is_described_as_they_are_rendered(tmp_path):
    for name, module, write, config in (
        ("disfa", disfa, write_disfa_groups, DISFA),
        ("studio", studio, write_studio_groups, STUDIO),
    ):
        assert write(tmp_path / name, config)
        table = read_groups(tmp_path / name / "groups.csv")
        assert tuple(table.index) == module.SUBJECTS
        assert list(table) == COLUMNS
        for subject, row in table.iterrows():
            who = module.subject_identity(config, subject)
            assert (row["gender"] == "man") == (who.gender == 1)
            assert (row["beard"] == "none") == (who.beard == "none")
            assert (row["glasses"] == "none") == (who.glasses == "none")
        tones = {tone: [] for tone in ("dark", "medium", "light")}
        for subject, tone in table["skin tone"].items():
            tones[tone].append(module.subject_identity(config, subject).skin)
        assert (
            max(tones["dark"])
            < min(tones["medium"])
            < max(tones["medium"])
            < min(tones["light"])
        )


def test_a_file_that_is_there_stays(tmp_path):
    write_disfa_groups(tmp_path, DISFA)
    path = tmp_path / "groups.csv"
    path.write_text("subject,left-handed\nSN001,yes\n")
    assert not write_disfa_groups(tmp_path, DISFA)
    assert path.read_text() == "subject,left-handed\nSN001,yes\n"
