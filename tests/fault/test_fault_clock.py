"""A clock that jumps by a day while mail waits, is under way, and comes in."""
import datetime
import threading

import pytest
from faults import DAY_S, Control, Patient, Watch
from peers import net
from peers.smtpd import Behaviour


def number_of_tries(patient):
    return len(patient.lines("status=deferred"))


@pytest.mark.parametrize("step_s", [DAY_S, -DAY_S], ids=["forward", "back"])
def test_mail_is_as_old_and_due_as_soon_as_before_when_the_clock_jumps_by_a_day(world, library, step_s):
    """max_age is half a day: by the clock alone all of it would be given up, or wait for a day."""
    verdict = threading.Event()
    later = "451 4.3.0 later"
    host = Behaviour(hold_data=verdict, replies={"MAIL": [later, None, later, later, None]})
    patient = Patient(world, behaviour=host, max_age="12h", retry_schedule="1s")
    control = Control(world, library("preload"), patient.queue_path)
    patient.start(control.env)
    assert patient.hand_over("waits")[0] == 250
    net.wait_for(lambda: number_of_tries(patient) == 1, "the first attempt")
    assert patient.hand_over("under-way")[0] == 250
    net.wait_for(lambda: any(s.messages for s in patient.host.sessions), "the message to be under way")
    control.set_clock(step_s)
    assert patient.hand_over("comes-in")[0] == 250
    verdict.set()
    patient.wait_all_gone()
    assert all(patient.arrivals(tag) == 1 for tag in patient.acknowledged)
    assert not any("bounced" in world.outcomes(message_id) for message_id in patient.acknowledged.values())
    told = patient.lines("the clock was set")
    assert len(told) == 1 and ("forward" if step_s > 0 else "back") in told[0] and "1d" in told[0]
    watch = Watch(patient.process, patient.log, while_s=0.5)
    assert watch.share < 0.2 and not watch.lines
    world.stop(patient.process)


def test_the_queue_follows_the_clock_back_and_forth(world, library):
    """Nothing moves by itself: after a day forth and a day back all is as it was."""
    patient = Patient(world, behaviour=Behaviour(replies={"MAIL": "451 4.3.0 later"}), retry_schedule="1h")
    control = Control(world, library("preload"), patient.queue_path)
    assert patient.send("waits", env=control.env).returncode == 0
    world.once(env=control.env)
    (before,) = world.queue()
    for step_s in (DAY_S, 0, -DAY_S, 0):
        control.set_clock(step_s)
        world.once(env=control.env)
        (entry,) = world.queue()
        assert entry["attempts"] == 1, "no attempt is made before its time"
    for field in ("arrival", "next_attempt"):
        moved = datetime.datetime.fromisoformat(entry[field]) - datetime.datetime.fromisoformat(before[field])
        assert abs(moved.total_seconds()) < 1, (field, moved)
