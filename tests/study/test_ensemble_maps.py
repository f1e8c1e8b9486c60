"""Members' maps meet on the film, whatever each member saw of it."""

import json
from pathlib import Path

import numpy as np
import pytest

from hilum import recipe as recipes
from hilum.data.geometry import input_to_frame
from hilum.data.store import silent
from hilum.errors import RunError
from hilum.localize import BoxRule, boxes_from
from hilum.recipe import Recipe
from hilum.study.ensemble_maps import write_maps
from hilum.study.folder import RunFolder
from hilum.study.heatmap_files import part_path, read_maps, write_array, write_index
from hilum.study.members import Member
from hilum.study.opening import open_films

CROP = {"data.resize_px": "64", "data.input_px": "48"}


def _member(
    path: Path,
    phantoms: Path,
    recipe: Recipe,
    n: int,
    *,
    unit: float = 1.0,
    keep: slice = slice(None),
) -> Member:
    """A run whose maps are `unit` inside each reference box, as far as it sees it, and 0 elsewhere."""
    cohort, geometry = open_films(phantoms, recipe.data).cohort, recipe.data.geometry
    reference = cohort.reference
    affine = input_to_frame(geometry, np.full((len(cohort), 2), 64), cohort.frame_hw)
    centre = (np.arange(n) + 0.5) * geometry.input_px / n
    x, y = (
        affine[reference.image, axis, axis, None] * centre + affine[reference.image, axis, 2, None]
        for axis in (0, 1)
    )
    left, top, right, bottom = (reference.xyxy[:, corner, None] for corner in range(4))
    inside = ((y > top) & (y < bottom))[:, :, None] & ((x > left) & (x < right))[:, None, :]
    pairs, row = np.unique(np.column_stack([reference.image, reference.finding]), axis=0, return_inverse=True)
    maps = np.zeros((len(pairs), n, n), np.float32)
    np.maximum.at(maps, row.ravel(), unit * inside.astype(np.float32))
    folder, method = RunFolder(path), recipe.explain.methods[0]
    write_array(part_path(folder, method, 0), maps[keep])
    write_index(folder, method, cohort, [pairs[keep]], affine)
    return Member(folder, recipe, cohort)


def _boxes(folder: RunFolder, member: Member, recipe: Recipe):
    stored = read_maps(folder, "gradcam", member.cohort)
    rule = BoxRule("level(127)", component="hull")
    frame = member.cohort.frame_hw
    return stored, boxes_from(stored.maps, stored.affine, recipe.data.geometry.input_hw, rule, frame)


def test_a_lesion_lies_in_the_same_place_seen_through_a_crop_and_whole(
    tiny_recipe, phantoms, tmp_path
) -> None:
    """One network's evidence is a thousand times the other's; both have their say."""
    plain, cropped = recipes.load(str(tiny_recipe)), recipes.load(str(tiny_recipe), CROP)
    members = [
        _member(tmp_path / "whole", phantoms, plain, 32),
        _member(tmp_path / "crop", phantoms, cropped, 20, unit=1000.0),
    ]
    for order in (members, members[::-1]):
        folder = RunFolder(tmp_path / order[0].folder.path.name / "mean")
        write_maps(folder, plain, members[0].cohort, order, silent)
        of_whole, (_, wanted, _) = _boxes(members[0].folder, members[0], plain)
        of_mean, (_, found, _) = _boxes(folder, members[0], plain)
        assert np.array_equal(of_mean.image, of_whole.image)
        assert of_mean.maps.shape[1:] == (32, 32)
        assert len(found) == len(wanted) > 20
        inside = ((wanted > 128 + 32) & (wanted < 1024 - 128 - 32)).all(
            axis=1
        )  # far from the edge of the crop
        assert inside.sum() > 10
        assert np.abs(found - wanted)[inside].max() <= 39  # a cell of the maps is 32 and 38.4 px


def test_where_only_one_member_sees_the_mean_is_its_alone(tiny_recipe, phantoms, tmp_path) -> None:
    plain, cropped = recipes.load(str(tiny_recipe)), recipes.load(str(tiny_recipe), CROP)
    members = [_member(tmp_path / "a", phantoms, plain, 16), _member(tmp_path / "b", phantoms, cropped, 12)]
    write_maps(RunFolder(tmp_path / "mean"), plain, members[0].cohort, members, silent)
    whole = read_maps(members[0].folder, "gradcam", members[0].cohort).maps
    mean = read_maps(RunFolder(tmp_path / "mean"), "gradcam", members[0].cohort).maps
    assert whole[:, :2].max() > 0
    np.testing.assert_allclose(mean[:, :2], whole[:, :2], atol=1e-6)  # above the crop


def test_equal_views_are_averaged_node_by_node(tiny_recipe, phantoms, tmp_path) -> None:
    recipe = recipes.load(str(tiny_recipe), {"data.input_px": "48"})
    members = [
        _member(tmp_path / "a", phantoms, recipe, 8, unit=3.0),
        _member(tmp_path / "b", phantoms, recipe, 8),
    ]
    folder = RunFolder(tmp_path / "mean")
    write_maps(folder, recipe, members[0].cohort, members, silent)
    stored = read_maps(members[1].folder, "gradcam", members[0].cohort)
    mean = read_maps(folder, "gradcam", members[0].cohort)
    np.testing.assert_allclose(mean.maps, stored.maps, atol=1e-6)
    np.testing.assert_allclose(mean.affine, stored.affine)


def test_one_member_keeps_its_raw_maps_and_parts_join(tiny_recipe, phantoms, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("hilum.study.ensemble_maps.PART", 5)
    recipe = recipes.load(str(tiny_recipe))
    member, folder = _member(tmp_path / "a", phantoms, recipe, 8, unit=7.0), RunFolder(tmp_path / "mean")
    write_maps(folder, recipe, member.cohort, [member], silent)
    stored = read_maps(member.folder, "gradcam", member.cohort)
    mean = read_maps(folder, "gradcam", member.cohort)
    assert np.array_equal(mean.maps, stored.maps)
    assert np.array_equal(mean.affine, stored.affine)
    assert len(list((folder.heatmaps / "gradcam").glob("part-*.npy"))) == -(-len(stored.maps) // 5) > 3


@pytest.mark.parametrize("keep", [slice(3, None), slice(0, 0)])
def test_only_maps_of_all_members_have_a_mean(tiny_recipe, phantoms, tmp_path, keep: slice) -> None:
    recipe = recipes.load(str(tiny_recipe))
    members = [
        _member(tmp_path / "a", phantoms, recipe, 8),
        _member(tmp_path / "b", phantoms, recipe, 8, keep=keep),
    ]
    write_maps(RunFolder(tmp_path / "mean"), recipe, members[0].cohort, members, silent)
    mean = read_maps(RunFolder(tmp_path / "mean"), "gradcam", members[0].cohort)
    assert mean.image.tolist() == read_maps(members[1].folder, "gradcam", members[1].cohort).image.tolist()


def test_a_scale_of_the_cohort_keeps_a_dim_film_dim(tiny_recipe, phantoms, tmp_path) -> None:
    recipe = recipes.load(str(tiny_recipe), {"localize.scale": "cohort"})
    members = [
        _member(tmp_path / "a", phantoms, recipe, 8, unit=1.0),
        _member(tmp_path / "b", phantoms, recipe, 8, unit=100.0),
    ]
    folder, findings = RunFolder(tmp_path / "mean"), members[0].cohort.findings
    with pytest.raises(RunError, match="run `hilum localize"):
        write_maps(folder, recipe, members[0].cohort, members, silent)
    for member, high in zip(members, (4.0, 200.0), strict=True):
        ranges = {"findings": findings, "low_high": {"gradcam": [[0.0, high]] * len(findings)}}
        member.folder.ranges.write_text(json.dumps(ranges))
    write_maps(folder, recipe, members[0].cohort, members, silent)
    lit = read_maps(folder, "gradcam", members[0].cohort).maps.max(axis=(1, 2))
    np.testing.assert_allclose(lit[lit > 0], (1 / 4 + 100 / 200) / 2, rtol=1e-5)
