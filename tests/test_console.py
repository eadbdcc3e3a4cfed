import signal

import pytest

from lumos_rl.console import Progress, Stopped, duration, failed, raise_stopped, stopped


@pytest.mark.parametrize(
    ("seconds", "says"), [(0.2, "1 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "1.5 h"), (1e5, "27.8 h")]
)
def test_lengths_of_time(seconds, says):
    assert duration(seconds) == says


def test_progress_is_told_now_and_then():
    now, said = [0.0], []
    progress = Progress("sft", 400, "steps", said.append, done=100, every_s=60.0, clock=lambda: now[0])
    for seconds, done in ((30, 115), (60, 130), (90, 145), (150, 175)):
        now[0] = float(seconds)
        progress.at(done, "loss 0.310" if done == 175 else "")
    assert said == [
        "sft: 130 of 400 steps, about 9 min left",  # half a step a second
        "sft: 175 of 400 steps, loss 0.310, about 8 min left",
    ]


def test_a_signal_has_the_exit_status_that_shells_give_it():
    assert Stopped(signal.SIGTERM).exit_status == 143 and Stopped(signal.SIGINT).exit_status == 130
    assert str(Stopped(signal.SIGTERM)) == "stopped by SIGTERM"


def test_an_error_is_printed_without_passwords(capsys):
    assert failed("no answer from mysql://root:hunter2@db") == 2
    assert capsys.readouterr().err == "error: no answer from mysql://root:***@db\n"


def test_a_signal_is_told_though_a_library_has_raised_another_interrupt_for_it(monkeypatch, capsys):
    monkeypatch.setattr("lumos_rl.console.received", [])
    assert stopped(KeyboardInterrupt()) == 130
    with pytest.raises(Stopped):
        raise_stopped(signal.SIGTERM, None)
    assert stopped(KeyboardInterrupt(), "; do it again") == 143
    assert capsys.readouterr().err == "\nstopped by Ctrl-C\n\nstopped by SIGTERM; do it again\n"
