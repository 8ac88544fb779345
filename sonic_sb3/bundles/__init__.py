"""
What is shared: an agent, a study's hyperparameters or an experiment's results in one file or folder
that a stranger can open safely.

A bundle holds data only: text, tables, pictures, weights as safetensors. Reading one runs nothing,
writes nothing and allocates little before everything in it has been checked.
"""
