"""Settings as strangers, typists and enemies write them."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import strategies as st

GOOD: dict[str, Any] = {
    "n_timesteps": 1000,
    "n_envs": 2,
    "policy": "sonic_sb3.policies.SonicPolicy",
    "policy_kwargs": {"extractor": "nature", "features_dim": 64},
    "frame_stack": 4,
    "env_kwargs": {"frame_skip": 4, "reward_scale": 0.01},
    "n_steps": 64,
    "batch_size": 64,
    "n_epochs": 2,
    "learning_rate": "lin_2.5e-4",
    "clip_range": 0.1,
    "ent_coef": 0.01,
    "gamma": 0.99,
}
_KEYS = [
    *GOOD,
    "env_kwargs.level",
    "policy_kwargs.precision",
    "vf_coef",
    "normalize",
    "callback",
    "env_wrapper",
    "os.system",
    "__class__",
    "",
    "<<",
]
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.sampled_from(
        [0, -1, 1e999, 10**400, "nan", "lin_", "lin_nan", "lin_1e999", "const_0.1", "1e-4", "0x10"]
    ),
    st.sampled_from(
        [
            "__import__('os').system('touch marker')",
            "sonic_sb3.errors.SonicError",
            "os.system",
            "../../etc/passwd",
            "\x1b[31m",
            "\u202e",
            "a" * 5000,
        ]
    ),
    st.text(max_size=20),
    st.dates(),
    st.binary(max_size=20),
)
_TREES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(_KEYS), _SCALARS), inner, max_size=4),
    ),
    max_leaves=12,
)
_SNIPPETS = st.sampled_from(
    [
        "!!python/object/apply:os.system ['touch marker']",
        "!!python/object:os.system {}",
        "!!python/name:os.system",
        "!!binary bm90aGluZw==",
        "!!set {a, b}",
        '!!int ""',
        '!!float "-"',
        "!!bool maybe",
        "!!timestamp x",
        "&a [*a]",
        "&a {b: *a}",
        "*nothing",
        "{" * 60,
        "[" * 2000,
        "? ? ? a",
        "- - - - a",
        "%YAML 9.9\n---\n",
        "\t\tx: 1",
        "a: 1\na: 2",
        "default: {<<: {n_timesteps: 1}}",
        "--- a\n--- b",
        "\x00",
        "\ufeff",
    ]
)


@st.composite
def mutated_entries(draw: st.DrawFn) -> tuple[str, str]:
    """A file with one thing changed. :returns: Its text, and the key that was touched."""
    entry = {**GOOD, "env_kwargs": {**GOOD["env_kwargs"]}}
    key = draw(st.sampled_from([*GOOD, "gama", "n_step", "callback", "normalize", "policy_kwarg"]))
    if draw(st.booleans()) and key in entry:
        entry[key] = draw(_TREES)
    else:
        key = draw(st.sampled_from(["gama", "callback", "replay_buffer_class", "vf_coef", key]))
        entry[key] = draw(_TREES)
    try:
        return yaml.safe_dump({"default": entry}, allow_unicode=True), key
    except (yaml.YAMLError, ValueError, OverflowError):
        return yaml.safe_dump({"default": {**GOOD, key: None}}), key


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Anything that could stand in a settings file."""
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return draw(st.text(max_size=200))
    good = yaml.safe_dump({"default": GOOD})
    snippet = draw(_SNIPPETS)
    if kind == 1:
        where = draw(st.integers(0, len(good)))
        return good[:where] + snippet + good[where:]
    if kind == 2:
        try:
            return yaml.safe_dump(draw(_TREES), allow_unicode=True)
        except (yaml.YAMLError, ValueError, OverflowError):
            return snippet
    return f"default:\n  learning_rate: {snippet}\n  n_timesteps: 10\n"
