"""Every error that a user of the command line or of an app can cause.

HilumError
 +-- UsageError          the command contradicts itself or an earlier one
 +-- DataError           what is on disk cannot be used as it is
 |    +-- FilmError          one film is missing, unreadable or not a film
 |    +-- TableError         a table lacks a column, or a row makes no sense
 |    +-- SplitError         a patient stands on two sides of a split
 |    +-- StoreError         a pixel store is truncated, altered or of other films
 +-- RecipeError         a recipe has an unknown key, a wrong type or a wrong value
 +-- WeightsError        weights are absent, altered or of another model
 +-- RunError            a run folder cannot be continued or lacks an earlier stage
 +-- DiskError           the disk is full, or the folder cannot be written
 +-- TrainingError       training diverged

A mistake of a caller in Python raises ValueError or TypeError instead.
"""


class HilumError(Exception):
    """What was wrong, with its value, and what would be right; apps print it in one line.

    Attributes:
        code: Stable name of the kind of error, for machines.
        exit_code: What the command line returns: 1 failure, 2 usage, 4 bad data.
    """

    code = "error"
    exit_code = 1


class UsageError(HilumError):
    """The command contradicts itself or what was done before."""

    code = "usage"
    exit_code = 2


class DataError(HilumError):
    """What is on disk cannot be used as it is."""

    code = "data"
    exit_code = 4


class FilmError(DataError):
    """One film is missing, unreadable or not a film; the others go on."""

    code = "film"


class TableError(DataError):
    """A table lacks a column, or a row makes no sense."""

    code = "table"


class SplitError(DataError):
    """A patient stands on two sides of a split."""

    code = "split"


class StoreError(DataError):
    """A pixel store is truncated, altered, in use or of other films."""

    code = "store"


class RecipeError(HilumError):
    """A recipe has an unknown key, a value of a wrong type or an unknown name."""

    code = "recipe"
    exit_code = 2


class WeightsError(HilumError):
    """Weights are absent, altered or of another model."""

    code = "weights"


class RunError(HilumError):
    """A run folder cannot be continued, or lacks what an earlier stage writes."""

    code = "run"


class DiskError(HilumError):
    """The disk is full, or the folder cannot be written."""

    code = "disk"


class TrainingError(HilumError):
    """Training diverged; the last good checkpoint is kept."""

    code = "training"
