"""The pangolin as a jointed figure: a pose in, a 32x32 picture out, at any turn.

Side view facing right, light from the top left whatever the turn. The parts are drawn from the
far side to the near side, each on top of its own dark outline.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pangolin.art.draw import palette as pal
from pangolin.art.draw.canvas import Canvas, Mask, Pixels, Point, outlined

CELL = 32
SKIN = (pal.SKIN_DARK, pal.SKIN_MID, pal.SKIN_LIGHT)
FAR_SKIN = (pal.SCALE_DARK, pal.SKIN_DARK, pal.SKIN_DARK)
THIGH = (pal.SCALE_DARK, pal.SCALE_MID, pal.SCALE_LIGHT)
SCARF = (pal.SCARF_DARK, pal.SCARF_LIGHT, pal.SCARF_LIGHT)
HIP: Point = (13.0, 22.5)


@dataclass(frozen=True)
class Pose:
    """Where the joints are; pixels in the cell, y down.

    :param near: near foot; None leaves the leg out
    :param far: far foot; None leaves the leg out
    :param bob: the trunk moved down
    :param lean: the trunk moved to the right at head height
    :param head: the head moved
    :param tail: bend of the tail tip upwards
    :param hand: near hand; None tucks it in
    :param eye: ``open``, ``shut``, ``hurt`` or ``happy``
    :param wheel: phase 0..1 of the blurred running legs; None draws the legs
    :param scarf: how high the scarf's end flies
    :param hand_behind: the hand is drawn behind the head
    :param toes: tilt of the near foot and the far foot, in degrees, counter-clockwise
    """

    near: Point | None = (15.5, 30.0)
    far: Point | None = (11.5, 30.0)
    bob: float = 0.0
    lean: float = 0.0
    head: Point = (0.0, 0.0)
    tail: float = 0.0
    hand: Point | None = (21.5, 21.5)
    eye: str = "open"
    wheel: float | None = None
    scarf: float = 0.0
    hand_behind: bool = False
    toes: tuple[float, float] = (0.0, 0.0)


def draw_pose(pose: Pose, turn_deg: float = 0.0, zoom: int = 1) -> Pixels:
    """The pangolin in a pose, turned counter-clockwise about the cell's centre."""
    canvas = Canvas(CELL, CELL, turn_deg, zoom)
    _tail(canvas, pose)
    if pose.wheel is not None:
        _wheel(canvas, pose, pose.wheel + 0.5, far=True)
    elif pose.far:
        _leg(canvas, pose, pose.far, pose.toes[1], far=True)
    _trunk(canvas, pose)
    if pose.wheel is not None:
        _wheel(canvas, pose, pose.wheel, far=False)
    elif pose.near:
        _leg(canvas, pose, pose.near, pose.toes[0], far=False)
    _scarf(canvas, pose)
    if pose.hand and pose.hand_behind:
        _arm(canvas, pose, pose.hand)
    _head(canvas, pose)
    if pose.hand and not pose.hand_behind:
        _arm(canvas, pose, pose.hand)
    return outlined_inside(canvas.reduced(0.45))


def draw_head_only(pose: Pose) -> Pixels:
    """The head alone in a 16x16 cell."""
    canvas = Canvas(CELL, CELL)
    _head(canvas, pose)
    return outlined_inside(canvas.reduced(0.45))[5:21, 16:32]


def outlined_inside(pixels: Pixels) -> Pixels:
    """A dark outline, drawn outside and cut at the cell's edge."""
    return outlined(pixels, pal.INK)


Plate = tuple[float, float, float]
# Edge and face of a plate by how much light it gets.
TONES = (
    (pal.SCALE_DARK, pal.SCALE_LIGHT),
    (pal.BROWN, pal.SCALE_MID),
    (pal.BROWN, pal.SCALE_DARK),
)


def scaly(canvas: Canvas, within: Mask, plates: list[Plate], middle: Point, reach: float) -> None:
    """Overlapping plates (x, y, radius), rearmost first, each with a darker rear edge.

    The plates are light where they look up and left on the screen, dark where they look down.

    :param middle: centre of the part that they cover
    :param reach: its radius across the light
    """
    mx, my = canvas.place(middle)
    for x, y, radius in plates:
        px, py = canvas.place((x, y))
        facing = (0.35 * (px - mx) + py - my) / reach
        edge, face = TONES[0 if facing < -0.05 else 1 if facing < 0.6 else 2]
        canvas.paint(canvas.ellipse(x, y, radius * 1.08, radius), edge, within)
        canvas.paint(canvas.ellipse(x + 1.0, y - 0.2, radius, radius - 0.5), face, within)


def _ridge(canvas: Canvas, spikes: list[tuple[float, float, float, float]]) -> None:
    """Plates that stand out of the back: (x, y, tip x, tip y); the jagged contour."""
    for x, y, tx, ty in spikes:
        side = (-(ty - y) * 0.42, (tx - x) * 0.42)
        root_x, root_y = x - (tx - x) * 0.4, y - (ty - y) * 0.4
        points = [
            (root_x + side[0] * 1.5, root_y + side[1] * 1.5),
            (tx, ty),
            (root_x - side[0] * 1.5, root_y - side[1] * 1.5),
        ]
        canvas.edge(canvas.polygon(points, 0.9), pal.INK)
        canvas.paint(canvas.polygon(points, 0.2), pal.SCALE_MID)


def _tail(canvas: Canvas, pose: Pose) -> None:
    joints = _curve(
        (12 + pose.lean * 0.2, 20.0 + pose.bob),
        (4.4, 27.6 + pose.bob - pose.tail * 0.3),
        (2.2, 18.6 + pose.bob - pose.tail),
        9,
    )
    widths = [9.4 - 0.8 * i for i in range(9)]
    canvas.edge(canvas.line(joints, [w + 1.8 for w in widths]), pal.INK)
    spikes = []
    for index in (2, 4, 6):
        (x, y), (x2, y2), half = joints[index], joints[index + 1], widths[index] / 2
        dx, dy = x2 - x, y2 - y
        length = math.hypot(dx, dy)
        nx, ny = -dy / length, dx / length
        for side in (-1, 1):
            ex, ey = x + nx * half * side * 0.8, y + ny * half * side * 0.8
            spikes.append(
                (ex, ey, ex + nx * side * 1.2 + dx / length * 2.4,
                 ey + ny * side * 1.2 + dy / length * 2.4)
            )  # fmt: skip
    _ridge(canvas, spikes)
    body = canvas.line(joints, widths)
    canvas.paint(body, pal.SCALE_MID)
    for index in range(8, -1, -2):
        (x, y), width = joints[index], widths[index]
        row = [(x + 0.4, y + width * 0.28, width * 0.46), (x - 0.2, y - width * 0.3, width * 0.46)]
        scaly(canvas, body, row, (x, y), width * 0.5)


def _trunk(canvas: Canvas, pose: Pose) -> None:
    x, y = 14.4 + pose.lean * 0.5, 17.4 + pose.bob
    tilt = 24 + pose.lean * -2
    canvas.edge(canvas.ellipse(x, y, 9.3, 8.1, tilt), pal.INK)
    spikes = []
    for angle_deg in (78, 108, 138, 168):
        angle = math.radians(angle_deg)
        ex, ey = x + 8.0 * math.cos(angle), y - 7.2 * math.sin(angle)
        out = math.radians(angle_deg + 48)
        spikes.append((ex, ey, ex + 3.0 * math.cos(out), ey - 3.0 * math.sin(out)))
    _ridge(canvas, spikes)
    back = canvas.ellipse(x, y, 8.4, 7.2, tilt)
    canvas.paint(back, pal.SCALE_MID)
    plates = []
    for column in range(5):
        for row in (3, 2, 1, 0):
            px = x - 8.4 + column * 4.5 + (row % 2) * 2.2 - row * 0.9
            plates.append((px, y - 5.6 + row * 4.1 - column * 1.3 + (row % 2) * -0.4, 3.0))
    scaly(canvas, back, plates, (x, y), 7.3)
    belly = canvas.ellipse(x + 6.2, y + 3.8, 4.8, 3.3, 52) & canvas.ellipse(x, y, 8.6, 7.4, tilt)
    canvas.lit(belly, SKIN, 1.2)


def _head(canvas: Canvas, pose: Pose) -> None:
    x = 21.4 + pose.lean + pose.head[0]
    y = 11.4 + pose.bob + pose.head[1]
    snout = [(x + 1, y - 2.6), (x + 4.6, y + 0.4), (x + 9.0, y + 2.9), (x + 8.6, y + 3.9),
             (x + 4, y + 4.2), (x, y + 4)]  # fmt: skip
    canvas.edge(canvas.ellipse(x, y, 6.3, 5.8) | canvas.polygon(snout, 1.3), pal.INK)
    face = canvas.ellipse(x, y, 5.4, 4.9) | canvas.polygon(snout, 0.4)
    canvas.lit(face, SKIN, 1.1)
    cap = canvas.ellipse(x, y, 5.6, 5.1) & ~canvas.ellipse(x + 3.0, y + 3.6, 6.0, 5.4, -18)
    canvas.paint(cap, pal.SCALE_MID)
    plates = [(x - 5.2, y + 2.8, 2.8), (x - 4.4, y - 1.4, 2.8), (x - 1.4, y - 4.4, 2.8)]
    plates += [(x + 2.6, y - 4.2, 2.4)]
    scaly(canvas, cap, plates, (x + 0.5, y + 0.5), 4.6)
    canvas.paint(canvas.ellipse(x - 2.4, y + 1.0, 1.7, 1.9), pal.BROWN)
    canvas.paint(canvas.ellipse(x - 2.0, y + 1.1, 1.1, 1.3), pal.SKIN_DARK)
    _eye(canvas, pose.eye, x + 2.0, y - 0.4)
    canvas.paint(canvas.ellipse(x + 8.5, y + 2.6, 1.25, 1.2), pal.INK)


def _eye(canvas: Canvas, eye: str, x: float, y: float) -> None:
    if eye == "open":
        canvas.paint(canvas.ellipse(x - 0.2, y, 1.7, 2.1), pal.WHITE)
        canvas.paint(canvas.ellipse(x + 0.45, y + 0.2, 1.15, 1.75), pal.INK)
    elif eye == "happy":
        canvas.paint(canvas.line([(x - 1.5, y + 0.8), (x, y - 0.8), (x + 1.5, y + 0.8)], 1.1), 1)
    elif eye == "shut":
        canvas.paint(canvas.line([(x - 1.5, y), (x, y + 0.6), (x + 1.5, y)], 1.0), pal.INK)
    else:
        canvas.paint(canvas.line([(x - 1.5, y - 1.5), (x + 1.4, y), (x - 1.5, y + 1.5)], 1.1), 1)


def _leg(canvas: Canvas, pose: Pose, foot: Point, toe_deg: float, far: bool) -> None:
    hip = (HIP[0] + (-1.0 if far else 1.0), HIP[1] + pose.bob)
    foot = (foot[0], foot[1] - 0.5)
    ankle = (foot[0] - 0.8, foot[1] - 1.4)
    knee = _knee(hip, ankle, 4.6, 4.6)
    ramp = FAR_SKIN if far else SKIN
    joints, widths = [hip, knee, ankle], [5.4, 4.0, 2.8]
    tip = _turned((2.6, 0.2), toe_deg)
    foot_joints = [ankle, (foot[0] - 0.4, foot[1] - 0.4), (foot[0] + tip[0], foot[1] + tip[1])]
    canvas.edge(canvas.line(joints, [w + 1.8 for w in widths]), pal.INK)
    canvas.edge(canvas.line(foot_joints, 4.2), pal.INK)
    canvas.lit(canvas.line(joints, widths), ramp, 0.9)
    canvas.lit(canvas.line(foot_joints, 2.5), ramp, 0.7)
    if not far:
        thigh = canvas.line([hip, knee], [5.0, 4.2])
        canvas.lit(thigh, THIGH, 1.0)
        canvas.paint(canvas.ellipse(foot[0] + tip[0] + 0.8, foot[1] + tip[1], 0.7, 0.7), pal.WHITE)


def _wheel(canvas: Canvas, pose: Pose, phase: float, far: bool) -> None:
    """Legs too fast to see: a turning ring of smears below the trunk, with two feet in it."""
    x, y = HIP[0] + (-1.5 if far else 1.5), 25.6 + pose.bob * 0.5
    if far:
        canvas.edge(canvas.ellipse(x + 0.5, y, 9.0, 5.6), pal.INK)
        canvas.paint(canvas.ellipse(x + 0.5, y, 8.2, 4.8), pal.BROWN)
    for arm in range(2):
        start = 2 * math.pi * (phase + arm / 2)
        arc = [
            (x + 0.5 + 6.8 * math.cos(start - k * 0.28), y + 3.4 * math.sin(start - k * 0.28))
            for k in range(7)
        ]
        widths = [3.6 - 0.42 * k for k in range(7)]
        canvas.edge(canvas.line(arc, [w + 1.0 for w in widths]), pal.INK)
        canvas.paint(canvas.line(arc, widths), pal.SCALE_DARK if far else pal.SKIN_DARK)
        if not far:
            canvas.paint(canvas.line(arc[:5], [2.6, 2.2, 1.8, 1.4, 0.8]), pal.SKIN_MID)


def _arm(canvas: Canvas, pose: Pose, hand: Point) -> None:
    shoulder = (18.8 + pose.lean * 0.6, 18.2 + pose.bob)
    palm = (hand[0] + pose.lean * 0.6, hand[1] + pose.bob)
    elbow = _knee(shoulder, palm, 2.6, 2.6, forward=-1)
    joints = [shoulder, elbow, palm]
    canvas.edge(canvas.line(joints, [4.4, 4.0, 4.0]), pal.INK)
    canvas.lit(canvas.line(joints, [2.8, 2.3, 2.3]), SKIN, 0.8)
    canvas.paint(canvas.ellipse(palm[0] + 1.0, palm[1] + 0.6, 0.7, 0.7), pal.WHITE)


def _scarf(canvas: Canvas, pose: Pose) -> None:
    x, y = 19.2 + pose.lean * 0.8 + pose.head[0] * 0.5, 16.0 + pose.bob + pose.head[1] * 0.5
    end = [
        (x - 2.4, y - 2.4),
        (x - 5.2, y - 5.0 - pose.scarf),
        (x - 8.8, y - 4.6 - pose.scarf * 1.4),
    ]
    canvas.edge(canvas.line(end, [3.4, 3.6, 4.2]), pal.INK)
    canvas.lit(canvas.line(end, [1.7, 1.9, 2.7]), SCARF, 0.8)
    ring = [(x - 2.6, y - 1.8), (x + 0.4, y + 1.4), (x + 3.6, y + 2.0)]
    canvas.edge(canvas.line(ring, 4.2), pal.INK)
    canvas.lit(canvas.line(ring, 2.6), SCARF, 0.9)


def _knee(hip: Point, ankle: Point, upper: float, lower: float, forward: int = 1) -> Point:
    """The joint between two bones, bent forwards; the bones stretch if they must."""
    dx, dy = ankle[0] - hip[0], ankle[1] - hip[1]
    reach = max(math.hypot(dx, dy), 0.01)
    along = (reach**2 + upper**2 - lower**2) / (2 * reach)
    bend = math.sqrt(max(upper**2 - along**2, 0.0)) * forward
    return (
        hip[0] + dx / reach * along + dy / reach * bend,
        hip[1] + dy / reach * along - dx / reach * bend,
    )


def _curve(start: Point, middle: Point, end: Point, count: int) -> list[Point]:
    """Points on a quadratic Bezier curve."""
    points = []
    for index in range(count):
        t = index / (count - 1)
        a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t * t
        points.append(
            (a * start[0] + b * middle[0] + c * end[0], a * start[1] + b * middle[1] + c * end[1])
        )
    return points


def _turned(vector: Point, degrees: float) -> Point:
    angle = math.radians(degrees)
    return (
        vector[0] * math.cos(angle) + vector[1] * math.sin(angle),
        -vector[0] * math.sin(angle) + vector[1] * math.cos(angle),
    )
