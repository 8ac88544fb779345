"""Networks for the games' pictures, and the SB3 policies that use them."""

from sonic_sb3.policies.families import SonicDQNPolicy, SonicQRDQNPolicy, SonicRecurrentPolicy
from sonic_sb3.policies.features import EXTRACTORS, BlogCNN, SeparableCNN
from sonic_sb3.policies.policy import SonicPolicy

__all__ = [
    "EXTRACTORS",
    "BlogCNN",
    "SeparableCNN",
    "SonicDQNPolicy",
    "SonicPolicy",
    "SonicQRDQNPolicy",
    "SonicRecurrentPolicy",
]
