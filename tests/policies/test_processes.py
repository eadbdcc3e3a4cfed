import subprocess
import sys
import time
from dataclasses import replace

import pytest

from lumos_rl.policies.processes import end, here, is_running, wait_for_exit, wait_until_steady


@pytest.fixture
def sleeper():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def test_a_process_is_there_until_it_has_ended(sleeper):
    told = here(sleeper.pid)
    assert is_running(told) and is_running(here())
    assert wait_for_exit([told], 0.1) == [told]
    end([told])
    assert wait_for_exit([told], 30.0) == []  # though its status was not asked for
    assert not is_running(told)
    sleeper.wait()
    assert not is_running(told)


def test_another_process_of_the_same_number_is_not_taken_for_it(sleeper):
    told = here(sleeper.pid)
    older = replace(told, started=told.started - 1)
    assert not is_running(older)
    end([older])
    assert is_running(told)


def test_processes_of_other_machines_are_not_waited_for(sleeper):
    told = replace(here(sleeper.pid), machine="elsewhere/1")
    assert wait_for_exit([told], 60.0) == []
    end([told])
    assert sleeper.poll() is None


def test_free_memory_is_waited_for_while_it_grows():
    readings = iter([10, 20, 30, 30, 90])
    assert wait_until_steady(lambda: next(readings), 60.0, pause_s=0.0) == 30
    began = time.monotonic()
    grows = iter(range(10**9))
    wait_until_steady(lambda: next(grows), 0.05, pause_s=0.0)
    assert time.monotonic() - began >= 0.05
