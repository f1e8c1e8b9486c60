"""Run a recipe end to end into a run folder: train, explain, localize, score, report; each can be resumed."""

from hilum.study.run import STAGES, Outcome, stage, study

__all__ = ["STAGES", "Outcome", "stage", "study"]
