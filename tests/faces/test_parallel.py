"""Ordered work in processes."""

import os
import time

import cv2
import pytest

from action_units.errors import ArtifactError, ConfigurationError, UnusableFace
from action_units.faces.parallel import map_in_order


def late_then_early(number):
    time.sleep(0.02 if number % 2 == 0 else 0)
    return number, os.getpid(), cv2.getNumThreads()


def failing(number):
    if number == 3:
        raise UnusableFace("no face", "none")
    return number


def dying(number):
    if number == 3:
        os._exit(9)
    return number


def test_results_come_in_order_from_processes_of_one_thread():
    results = list(map_in_order(late_then_early, range(20), 2))
    assert [number for number, _, _ in results] == list(range(20))
    assert os.getpid() not in {process for _, process, _ in results}
    assert {threads for _, _, threads in results} == {1}


def test_one_worker_is_this_process():
    assert {process for _, process, _ in map_in_order(late_then_early, range(3), 1)} == {
        os.getpid()
    }
    assert list(map_in_order(failing, [], 2)) == []


def test_errors_and_deaths_of_workers_arrive():
    with pytest.raises(UnusableFace) as error:
        list(map_in_order(failing, range(9), 2))
    assert error.value.reason == "no face"
    with pytest.raises(ArtifactError, match="a worker process was killed"):
        list(map_in_order(dying, range(9), 2))
    with pytest.raises(ConfigurationError, match="workers=0"):
        list(map_in_order(failing, range(9), 0))
