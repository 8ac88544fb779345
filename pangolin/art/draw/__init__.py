"""Draws every picture of Pangolin Dash; ``python -m pangolin.art.draw`` redraws them all."""
