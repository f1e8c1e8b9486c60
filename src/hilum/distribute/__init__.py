"""The same study many times, on this machine or on many: a recipe and a space in, the best run out.

Needs the extra `sweep` (Ray, Optuna). Trials are ordinary run folders; see `sweep`.
"""
