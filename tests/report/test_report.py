"""What a report holds: traceable, the same again, honest about what is missing, safe to open."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from sonic_sb3.compared_runs import load_record
from sonic_sb3.comparison import group_records, load_records, with_distinct_labels
from sonic_sb3.errors import RunFolderError, SettingsError
from sonic_sb3.report import write_report
from sonic_sb3.report.content import Content, check_groups, collect
from sonic_sb3.report.curves import curves_of
from sonic_sb3.report.illustrate import best_videos, curves_over_timesteps
from sonic_sb3.report.level_maps import MAP_SCALE, picture_path
from sonic_sb3.report.page import render_page
from sonic_sb3.report.pictures import draw_curves
from sonic_sb3.report.tensorboard_files import write_tensorboard

from .conftest import GAME, LEVEL, RunMaker, episode

HALF, FULL = episode(progress=0.5, length=40), episode(progress=1.0, length=90)


def content_of(paths: list[Path], mix_games: bool = False, metric: str | None = None) -> Content:
    """What a report would say, without its pictures, which take longer."""
    groups = group_records(load_records(paths))
    check_groups(groups, mix_games)
    return collect(groups, title="T", intro="", metric=metric)


def report_on(paths: list[Path], folder: Path) -> None:
    write_report(group_records(load_records(paths)), folder, title="T")


def contents(folder: Path) -> dict[str, bytes]:
    paths = [p for p in folder.rglob("*") if p.is_file()]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in paths}


def test_everything_is_there(written: Path) -> None:
    assert set(contents(written)) >= {
        "report.md",
        "report.html",
        "numbers.csv",
        "pictures/arms_completion.png",
        "pictures/curves_timesteps.png",
        "pictures/curves_minutes.png",
        "pictures/profile.png",
        "pictures/actions_0.png",
        "pictures/actions_1.png",
        "data/curves.csv",
        "data/actions.csv",
        "data/profile.csv",
        "data/ends.csv",
        "tensorboard/learns/seed 2/events.out.tfevents.0000000000.sonic_sb3",
    }
    assert len(list(written.glob("pictures/map_*.png"))) == 1


def test_again_gives_the_same_bytes(written: Path, study: list[Path], tmp_path: Path) -> None:
    """In another process with other hashes, over the old one, and from another folder."""
    first = contents(written)
    (written / "pictures" / "map_99.png").touch()  # of an older report
    code = (
        "import pathlib, sys\n"
        "from sonic_sb3.comparison import group_records, load_records\n"
        "from sonic_sb3.report import write_report\n"
        "paths = [pathlib.Path(p) for p in sys.argv[2:]]\n"
        "write_report(group_records(load_records(paths)), pathlib.Path(sys.argv[1]), title='T',\n"
        "             intro='First paragraph.\\n\\nSecond one.')\n"
    )
    shuffled = [str(path) for path in reversed(study)]
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": root, "TZ": "Asia/Tokyo"}
    command = [sys.executable, "-c", code, str(written), *shuffled]
    subprocess.run(command, check=True, cwd=tmp_path, env=environment)
    again = contents(written)
    assert again.keys() == first.keys()
    assert [name for name in first if first[name] != again[name]] == []


def test_every_number_can_be_traced(written: Path) -> None:
    with (written / "numbers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    checked = 0
    for row in rows:
        sources = [written / source for source in row["sources"].split(";")]
        assert sources, row
        assert all(source.is_file() for source in sources), row
        assert len(sources) >= (1 if row["run"] else int(row["n_seeds"]) * (row["arm"] != "")), row
        if row["run"] and row["measure"] in ("progress", "contest_score", "completion"):
            key = {"completion": "is_success"}.get(row["measure"], row["measure"])
            data = json.loads(sources[0].read_text())["episodes"]
            assert float(row["value"]) == pytest.approx(np.mean([e[key] for e in data]))
            checked += 1
    assert checked == 5 * 3


def test_tables_show_the_numbers_of_the_csv(written: Path) -> None:
    markdown = (written / "report.md").read_text()
    with (written / "numbers.csv").open(newline="") as file:
        rows = {(r["arm"], r["run"], r["measure"]): r for r in csv.DictReader(file)}
    share = float(rows["learns", "", "completion"]["value"])
    low, high = (float(rows["learns", "", "completion"][k]) for k in ("low", "high"))
    assert f"{share:.1%} ({low:.1%} .. {high:.1%})" in markdown
    assert "3 seeds, 60 episodes" in markdown
    assert "`../study/results/learns/seed_0`" in markdown
    assert "First paragraph.\n\nSecond one." in markdown


def test_the_collapse_is_in_the_action_data(written: Path) -> None:
    with (written / "data" / "actions.csv").open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["action"] == "LEFT"]
    last = {r["arm"]: float(r["share"]) for r in rows}  # the last bin stays
    assert last["collapses"] > 0.9
    assert last["learns"] < 0.2


class _Page(HTMLParser):
    """Collects what a page would fetch, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_asks_for_nothing(written: Path) -> None:
    page = _Page()
    text = (written / "report.html").read_text()
    page.feed(text)
    assert len(page.links) >= 8
    assert all(link.startswith("data:") for link in page.links)
    assert "script" not in page.tags
    assert "default-src 'none'" in text
    assert "@import" not in text
    assert "url(" not in text


def test_strange_names_are_text(make_run: RunMaker, tmp_path: Path) -> None:
    name = '=<script>alert("1")</script>|`$x_{$'
    odd = {**HALF, "end_reason": "<b>", "level": "<img src=x onerror=alert(1)>"}
    mathematics = {**HALF, "level": "A$^$ ct"}
    episodes = [odd, odd, mathematics]
    record = load_record(make_run("odd", episodes, episodes), name)
    write_report({name: [record]}, tmp_path / "report", title="<h1>&", intro="<i>")
    page = _Page()
    page.feed((tmp_path / "report" / "report.html").read_text())
    assert not {"script", "b", "i"} & set(page.tags)
    assert all(link.startswith("data:") for link in page.links)
    assert name in page.text
    table = (tmp_path / "report" / "report.md").read_text()
    assert "<script" not in table.replace("\\<", "")
    with (tmp_path / "report" / "numbers.csv").open(newline="") as file:
        assert {row["arm"] for row in csv.DictReader(file)} == {f"'{name}"}
    inside = (tmp_path / "report").resolve()
    assert all(p.resolve().is_relative_to(inside) for p in inside.rglob("*"))


def test_videos_of_the_best_run_are_inside(make_run: RunMaker) -> None:
    paths = [make_run(f"x/seed_{k}", [HALF], [f], seed=k) for k, f in enumerate([HALF, FULL, HALF])]
    for k, path in enumerate(paths):
        (path / "video.mp4").write_bytes(b"video %d" % k)
    text = render_page(content_of(paths), best_videos(group_records(load_records(paths))))
    assert text.count("<video") == 1
    assert "data:video/mp4;base64,dmlkZW8gMQ==" in text  # "video 1"


def test_games_are_mixed_only_when_said(make_run: RunMaker, tmp_path: Path) -> None:
    shooter = {k: HALF[k] for k in ("end_reason", "game_time_s", "action_counts")}
    shooter |= {"level": "Level1", "end_reason": "game_over"}
    columns = ["r", "l", "t", "level", "end_reason", "game_time_s", "action_counts"]
    air = make_run(
        "air", [shooter] * 4, [shooter] * 4, env="Airstriker-Genesis-v0", columns=columns
    )
    paths = [make_run("dash", [HALF] * 4, [HALF] * 4), air]
    with pytest.raises(SettingsError, match=r"Airstriker-Genesis-v0, Pangolin.*--mix-games"):
        content_of(paths)
    content = content_of(paths, mix_games=True)
    assert any(note.startswith("Games differ: Airstriker") for note in content.notes)
    assert content.metric == "episode_return"
    assert "return" in content.tables[0].head, "by which they are compared"
    groups = group_records(load_records(paths))
    assert {c.arm for _, c in curves_over_timesteps(groups)} == set(groups)
    report_on([air], tmp_path / "alone")
    assert "| return |" in (tmp_path / "alone" / "report.md").read_text()
    assert (tmp_path / "alone" / "pictures" / "curves_timesteps.png").is_file()
    assert not list((tmp_path / "alone" / "pictures").glob("map_*"))


def test_the_metric_that_was_asked_for_is_in_all_tables(make_run: RunMaker) -> None:
    paths = [make_run(f"x/seed_{k}", [HALF] * 3, [HALF, FULL], seed=k) for k in range(2)]
    with_return = content_of(paths, metric="episode_return")
    assert "return" in with_return.tables[0].head
    assert "return" not in content_of(paths).tables[0].head


def test_evaluations_without_returns(make_run: RunMaker) -> None:
    path = make_run("x/seed_0", [HALF], [HALF])
    data = json.loads((path / "evaluation.json").read_text())
    for facts in data["episodes"]:
        del facts["episode_return"]
    (path / "evaluation.json").write_text(json.dumps(data))
    assert "progress" in content_of([path]).tables[0].head


def test_arms_keep_their_colours_where_one_lacks_data(make_run: RunMaker) -> None:
    """An arm of an unfinished grid is in the curves and not yet in the evaluations."""
    runs = {
        "a": make_run("x/results/a/seed_0", [HALF] * 3),
        "b": make_run("x/results/b/seed_0", [FULL] * 3, [FULL] * 3),
    }
    groups = group_records(load_records([*runs.values()]))
    curves = {"progress": curves_of({"b": groups["b"]}, "progress", "timesteps")}
    among_both = draw_curves(curves, "timesteps", ["a", "b"])
    assert among_both != draw_curves(curves, "timesteps", ["b"])
    assert among_both == draw_curves(curves, "timesteps", ["c", "b"])


def test_empty_runs_are_refused_alone_and_said_among_others(
    make_run: RunMaker, tmp_path: Path
) -> None:
    empty = make_run("logs/ppo/ENV_1")
    with pytest.raises(RunFolderError, match="the runs are empty"):
        report_on([empty], tmp_path / "report")
    assert not (tmp_path / "report").exists()
    full = make_run("logs/ppo/ENV_2", [HALF] * 3, [HALF] * 3, seed=1)
    content = content_of([empty, full])
    assert any("the run is empty" in note for note in content.notes)
    assert content.tables[0].rows[0][1] == "2 seeds (1 evaluated), 3 episodes"


def test_differences_side_by_side_are_said(make_run: RunMaker, tmp_path: Path) -> None:
    slow = {"env_kwargs": {"frame_skip": 8, "sticky_prob": 0.25}}  # 0.25 is the default
    paths = [
        make_run("s/results/a/seed_0", [HALF], [HALF]),
        make_run("s/results/b/seed_0", [HALF], [HALF], hyperparameters=slow, rom_sha1="1" * 40),
    ]
    notes = content_of(paths).notes
    assert "Protocols differ in frame_skip: 4 (a); 8 (b)." in notes
    assert f"ROMs differ: {'0' * 40} (a); {'1' * 40} (b)." in notes
    assert not any("sticky_prob" in note for note in notes)
    assert any(note.startswith("An arm has 1 seed:") for note in notes)


def test_two_runs_of_one_seed_are_said_and_both_kept(make_run: RunMaker, tmp_path: Path) -> None:
    paths = [make_run(f"logs/ppo/ENV_{k}", [HALF] * 3, [HALF]) for k in (1, 2)]
    notes = content_of(paths).notes
    assert any("several runs with seed 0" in note for note in notes)
    records = with_distinct_labels(load_records(paths))
    assert [r.label for r in records] == ["seed 0, ENV_1", "seed 0, ENV_2"]
    write_tensorboard({"ppo": records}, [], [], tmp_path / "tb")
    assert len(list((tmp_path / "tb" / "ppo").rglob("events*"))) == 2


def test_without_rliable_the_rest_is_there(
    study: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rliable", None)
    content = content_of(study)
    assert any("pip install 'sonic_sb3[compare]'" in note for note in content.notes)
    assert not any(n.measure.startswith("iqm") for n in content.numbers)
    assert [t.title for t in content.tables] == [
        "Arms",
        "What was tried",
        "Runs",
        "The course of training",
    ]


def test_neither_torch_nor_an_emulator_is_needed(study: list[Path], tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('torch', 'stable_retro', 'stable_baselines3'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from sonic_sb3.compare import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", code, str(study[0].parents[2]), "-o", "out"]
    environment = os.environ | {"PYTHONPATH": root}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "tensorboard --logdir out/tensorboard" in result.stdout
    assert (tmp_path / "out" / "report.html").is_file()


def test_level_pictures_are_found_and_strangers_names_lead_nowhere() -> None:
    import matplotlib.image

    from sonic_sb3.games import INTEGRATIONS_DIR, find_game

    facts = json.loads((INTEGRATIONS_DIR / GAME / "levels.json").read_text())
    for level in find_game(GAME).levels:
        path = picture_path(GAME, level)
        assert path is not None
        assert path.stat().st_size < 60_000
        height, width = matplotlib.image.imread(path).shape[:2]
        assert width * MAP_SCALE == facts[level]["width_px"]
        assert height * MAP_SCALE == facts[level]["height_px"]
    assert picture_path("Airstriker-Genesis-v0", "Level1") is None
    assert picture_path("../..", f"../../{GAME}/maps/{LEVEL}") is None
    assert picture_path(GAME, "../../../../../etc/motd") is None
