from lumos_rl.runs.schedule import Kind, Planned, Schedule

PLANNED = [
    Planned("base", Kind.OTHER),
    Planned("sft", Kind.TRAIN, 1000),
    Planned("evaluate-sft", Kind.PLAY, 100),
    Planned("rs-1", Kind.TRAIN, 500),
    Planned("evaluate-rs-1", Kind.PLAY, 100),
]


def test_a_stage_has_a_number_where_it_is_planned():
    schedule = Schedule(PLANNED)
    assert schedule.place("rs-1") == "stage 4 of 5: rs-1"
    assert schedule.place("rs-1/planner") == "rs-1/planner"


def test_the_time_left_is_that_of_the_rest_at_the_rate_of_what_ended():
    schedule = Schedule(PLANNED, {"base": 50.0, "sft": 2000.0})
    assert schedule.left("evaluate-sft") == "at least 17 min left"  # 500 rows of 2 s; of episodes nothing is known
    schedule.seconds["evaluate-sft"] = 300.0
    assert schedule.left("rs-1") == "about 22 min left"  # 500 x 2 s + 100 x 3 s
    assert schedule.left("evaluate-rs-1") == "about 5 min left"


def test_nothing_is_said_where_nothing_is_known():
    assert Schedule(PLANNED).left("sft") == ""
    assert Schedule().left("sft") == "" and Schedule().place("sft") == "sft"
