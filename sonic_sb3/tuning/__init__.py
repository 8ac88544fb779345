"""Optuna studies of training runs: what to try, who tries it, what came of it."""
