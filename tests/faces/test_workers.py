"""Tasks on processes, and what becomes of them when a process dies."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import pytest

from action_units.config import ClusterSettings
from action_units.errors import ArtifactError, ConfigurationError, UnusableFace
from action_units.faces.workers import WorkerDied, Workers, each, in_order


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


def taken(numbers, seen):
    for number in numbers:
        seen.append(number)
        yield number


@pytest.mark.parametrize("count", [1, 2])
def test_results_come_in_order_from_processes_of_one_thread(count):
    results = list(in_order(late_then_early, range(20), Workers(count)))
    assert [number for number, _, _ in results] == list(range(20))
    processes = {process for _, process, _ in results}
    assert os.getpid() not in processes
    assert len(processes) <= count
    assert {threads for _, _, threads in results} == {1}


def test_no_workers_is_this_process():
    results = in_order(late_then_early, range(3), Workers(0))
    assert {process for _, process, _ in results} == {os.getpid()}
    assert list(in_order(failing, [], Workers(2))) == []


def test_tasks_are_taken_as_they_are_needed():
    seen = []
    results = each(failing, taken(range(1000), seen), Workers(0))
    next(results)
    assert seen == [0]
    seen.clear()
    results = each(late_then_early, taken(range(1000), seen), Workers(2))
    next(results)
    assert len(seen) < 20


def test_errors_of_the_function_arrive_as_they_are():
    with pytest.raises(UnusableFace) as error:
        list(each(failing, range(9), Workers(2)))
    assert error.value.reason == "no face"


def test_a_stopped_pool_waits_for_the_thread_that_feeds_it():
    feeder = threading.Thread(target=time.sleep, args=(0.6,), name="QueueFeederThread")
    with pytest.raises(KeyError), Workers(1).executor():
        feeder.start()
        raise KeyError
    assert not feeder.is_alive()


def test_a_death_costs_what_waited_and_nothing_else():
    got = dict(each(dying, range(40), Workers(2)))
    assert got.keys() == set(range(40))
    assert isinstance(got[3], WorkerDied)
    lost = [task for task, result in got.items() if isinstance(result, WorkerDied)]
    assert len(lost) <= 6
    assert all(got[task] == task for task in got if task not in lost)
    with pytest.raises(ArtifactError, match="a worker process was killed"):
        list(in_order(dying, range(9), Workers(2)))


def test_any_executor_will_do():
    engine, options = "concurrent.futures:ThreadPoolExecutor", {"max_workers": 2}
    workers = Workers(cluster=ClusterSettings(engine=engine, options=options))
    results = list(in_order(late_then_early, range(9), workers))
    assert {process for _, process, _ in results} == {os.getpid()}
    assert isinstance(workers.executor().__enter__()[0], ThreadPoolExecutor)


def test_invalid_workers_and_clusters_are_refused():
    for count in (-1, True):
        with pytest.raises(ConfigurationError, match=f"workers={count} must be 0 or more"):
            Workers(count)
    for engine, sentence in (
        ("slurm", "engine is 'slurm'; it must be local, dask"),
        ("dask", "needs the address of its scheduler"),
    ):
        with pytest.raises(ConfigurationError, match=sentence):
            ClusterSettings(engine=engine)


def test_an_engine_that_is_not_available_is_named():
    workers = Workers(cluster=ClusterSettings(engine="no.such:Thing"))
    with pytest.raises(ConfigurationError, match=r"engine='no\.such:Thing' cannot be imported"):
        list(each(failing, [1], workers))


def test_processes_end_with_the_run_that_was_killed():
    script = (
        "import sys, time; from action_units.faces.workers import Workers, each\n"
        "from tests.faces.test_workers import slowly\n"
        "for task, pid in each(slowly, range(10**6), Workers(2)): print(pid, flush=True)"
    )
    run = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    workers = {int(run.stdout.readline()) for _ in range(6)}
    run.kill()
    run.wait()
    run.stdout.close()
    deadline = time.monotonic() + 20
    while any(map(_runs, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(_runs, workers))


def slowly(number):
    time.sleep(0.05)
    return os.getpid()


def _runs(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
