"""What every section of a recipe is."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Settings that refuse keys they do not know and cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)
