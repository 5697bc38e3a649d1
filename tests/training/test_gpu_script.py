"""The GPU's benchmark goes through on the CPU, so that it is ready where there is a GPU."""

from benchmarks.gpu import Workload, main

from action_units.models.spec import NetworkSpec


def test_all_its_looks_go_through(capsys):
    main(["--smoke"])
    printed = capsys.readouterr().out
    looks = ("epochs", "data", "launches", "syncs", "trace")
    assert [line.split(":")[0] for line in printed.splitlines() if line[0] != " "] == [
        "smoke",
        *looks,
    ]


def test_the_papers_network_needs_what_its_multiplications_say():
    """Forward: 3x3 convolutions and full connections, two operations each; backward: twice that."""
    layers = [(1, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256)]
    layers += [(256, 256)] * 3
    sides = [64, 64, 32, 32, 16, 16, 16, 8, 8, 8]
    convolutions = [9 * a * b * side**2 for (a, b), side in zip(layers, sides, strict=True)]
    connected = [256 * 16 * 1024, 1024 * 1024, 1024 * 18]
    # The first layer needs no gradient of the picture.
    operations = 2 * (3 * sum(convolutions + connected) - convolutions[0])
    found = Workload("cpu", NetworkSpec("vgg13"), 1).gigaflops()
    assert abs(found - operations / 1e9) < 1e-6
