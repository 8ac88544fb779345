"""What each obstacle asks of the player, natively and on the ROM."""

from __future__ import annotations

import math

from pangolin.tools.course import Course
from pangolin.tools.native import pad

RIGHT, LEFT, DOWN, JUMP = pad("RIGHT"), pad("LEFT"), pad("DOWN"), pad("B")
LOOP_LEFT, LOOP_RIGHT, LOOP_TOP = 688, 848, 240  # inner edge of a_loop.txt


def spin_dash(course: Course, presses: int = 1) -> None:
    course.step(DOWN, 4)
    for _ in range(presses):
        course.step(DOWN | JUMP, 2)
        course.step(DOWN, 2)


def is_past_loop(course: Course) -> bool:
    return course.read("x") > LOOP_RIGHT + 60 and course.read("y") > 370


def test_loop_throws_back_who_is_slow(course: Course) -> None:
    course.begin("a_loop")
    rolled_back = False
    for _ in range(300):
        course.step(RIGHT)
        rolled_back |= course.read("gsp") < -256 and course.read("angle") > 16
        assert not is_past_loop(course)
    assert rolled_back


def test_loop_is_ground_all_the_way_round(course: Course) -> None:
    """From further back the same RIGHT passes; x, y and angle never jump on the way."""
    course.begin("a_loop")
    course.step(LEFT, 110)
    course.step(0, 60)
    assert course.read("x") < 300
    quadrants = set()
    before = None
    while not is_past_loop(course):
        course.step(RIGHT)
        x, y, angle = (course.read(name) for name in ("x", "y", "angle"))
        assert course.read("frame") < 1000
        if LOOP_LEFT < x < LOOP_RIGHT:
            assert course.read("grounded")
            quadrants.add((angle + 32) % 256 // 64)
        if before is not None:
            speed = abs(course.read("gsp")) / 256
            assert abs(x - before[0]) <= speed + 4
            assert abs(y - before[1]) <= speed + 4
            assert abs((angle - before[2] + 128) % 256 - 128) <= 24
        before = x, y, angle
    assert quadrants == {0, 1, 2, 3}


def test_loop_from_a_standing_start_needs_a_spin_dash(course: Course) -> None:
    course.begin("a_loop")
    spin_dash(course)
    top = 400
    for _ in range(200):
        course.step(RIGHT)
        top = min(top, course.read("y"))
    assert is_past_loop(course)
    assert top < LOOP_TOP + 40


def test_wall_stops_who_stands_and_breaks_curled(course: Course) -> None:
    course.begin("b_wall")
    course.step(RIGHT, 200)
    assert course.read("x") < 384
    course.step(LEFT, 60)
    course.step(0, 60)
    assert course.read("x") < 340
    course.step(RIGHT, 2)
    course.step(0, 20)
    spin_dash(course)
    course.step(0, 60)
    assert course.read("x") > 420


def jump_onto(course: Course, x: int) -> None:
    """From the foot of something solid onto it."""
    course.step(RIGHT, 120)
    assert x - 32 < course.read("x") < x
    course.step(JUMP, 25)
    while not (course.read("hurt") or course.read("dead") or course.read("grounded")):
        course.step(RIGHT if course.read("x") < x else LEFT)


def test_spikes_scatter_rings(course: Course) -> None:
    course.begin("c_spikes")
    course.step(RIGHT, 80)
    assert course.read("rings") == 3
    jump_onto(course, 400)
    assert course.read("hurt")
    assert (course.read("rings"), course.read("lives")) == (0, 3)


def test_spikes_cost_a_life_without_rings(course: Course) -> None:
    course.begin("c_spikes")
    course.step(RIGHT | JUMP, 60)  # over the rings
    jump_onto(course, 400)
    assert course.read("rings") == 0
    assert course.read("dead")
    assert course.read("lives") == 2


def test_spring_reaches_the_ledge(course: Course) -> None:
    course.begin("d_spring")
    course.step(RIGHT, 200)
    assert course.read("x") > 420
    assert course.read("y") == 254


def test_jump_does_not_reach_the_ledge(course: Course) -> None:
    course.begin("d_spring")
    heights = []
    for _ in range(60):
        course.step(JUMP)
        heights.append(course.read("y"))
    assert 334 < min(heights) < 346  # 94 px, with the ledge 180 px up


def test_tunnel_needs_rolling(course: Course) -> None:
    course.begin("e_tunnel")
    course.step(RIGHT, 60)
    course.step(RIGHT | JUMP, 30)
    course.step(RIGHT, 120)
    assert course.read("x") < 400
    course.begin("e_tunnel")
    while course.read("x") < 385:
        course.step(RIGHT)
    course.step(DOWN, 120)
    assert course.read("x") > 610
    assert course.read("lives") == 3


def test_roll_does_not_stand_up_under_the_roof(course: Course) -> None:
    course.begin("e_tunnel")
    course.step(RIGHT, 80)
    while course.read("x") < 450:
        course.step(DOWN)
    while course.read("x") < 590:
        course.step(RIGHT)
        assert course.read("ball")
        assert course.read("frame") < 1500


def test_pit_costs_a_life_and_the_checkpoint_is_where_one_comes_back(course: Course) -> None:
    course.begin("f_pit")
    while not course.read("dead"):
        course.step(RIGHT)
        assert course.read("frame") < 600
    assert course.read("lives") == 2
    while course.read("dead"):
        course.step(0)
    assert course.read("x") == 240
    assert course.read("rings") == 0
    assert course.read("lives") == 2
    course.step(RIGHT, 30)
    assert course.read("x") > 250


def test_enemies_hurt_and_die_by_a_curled_touch(course: Course) -> None:
    course.begin("g_enemies")
    while not course.read("dead"):
        course.step(RIGHT)
        assert course.read("frame") < 300
    assert course.read("lives") == 2
    course.begin("g_enemies")
    spin_dash(course)
    course.step(0, 60)
    assert course.read("score") == 100
    assert not course.read("dead")
    course.step(0, 90)  # the same roll meets the flyer
    assert course.read("score") == 200
    assert course.read("lives") == 3


def test_platform_carries(course: Course) -> None:
    course.begin("h_platforms")
    while course.read("frame") % 240 != 110:
        course.step()
    while course.read("x") < 175:
        course.step(RIGHT)
    course.step(RIGHT | JUMP, 12)
    while not course.read("ride"):
        middle = 330 + 64 * math.sin(course.read("frame") / 240 * 2 * math.pi)
        course.step(RIGHT if course.read("x") < middle else LEFT)
        assert not course.read("dead")
    while course.read("gsp"):
        course.step()
    places = []
    for _ in range(240):
        course.step()
        assert course.read("ride")
        places.append(course.read("x"))
    assert max(places) - min(places) == 128


def test_ledge_falls_under_who_stays(course: Course) -> None:
    course.begin("i_machines")
    while course.read("x") < 232:
        course.step(RIGHT)
        assert course.read("frame") < 600
    course.step(LEFT, 5)
    assert course.read("ride")
    course.step(0, 60)
    assert not course.read("grounded")
    assert course.read("y") > 420


def cross_the_ledges(course: Course) -> None:
    course.begin("i_machines")
    while course.read("x") < 330:
        course.step(RIGHT)
        assert not course.read("dead")


def test_belt_carries_and_fan_lifts(course: Course) -> None:
    cross_the_ledges(course)
    while course.read("x") < 370:
        course.step(RIGHT)
    while course.read("gsp") > 0:
        course.step(LEFT)
    while course.read("gsp"):
        course.step()
    x = course.read("x")
    course.step(0, 5)
    assert course.read("x") >= x + 8
    highest = 400
    while course.read("x") < 640 and course.read("frame") < 1000:
        course.step(RIGHT)
        highest = min(highest, course.read("y"))
    assert highest < 350


def test_crusher_costs_a_life(course: Course) -> None:
    cross_the_ledges(course)
    while not course.read("dead"):
        course.step(RIGHT if course.read("x") < 795 else LEFT if course.read("x") > 805 else 0)
        assert course.read("frame") < 2000
    assert course.read("lives") == 2
