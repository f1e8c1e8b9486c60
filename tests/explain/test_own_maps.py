import numpy as np
import torch

from hilum import models
from hilum.explain import heatmaps

FINDINGS = ("Effusion", "Mass", "Hernia")


def test_class_maps_come_through_the_same_call() -> None:
    torch.manual_seed(0)
    for name in ("wildcat(2, 3)", "pcam"):
        settings = {"name": name, "backbone": "resnet10t", "map_stride": 16, "metadata": False}
        model = models.build(**settings, findings=FINDINGS, input_hw=(64, 64)).eval()
        images = torch.randn(2, 3, 64, 64)
        with torch.inference_mode():
            expected = model.own_maps(images)[:, [2, 0]].numpy()
        maps = heatmaps(model, images, ("Hernia", "Effusion"), method="own")
        np.testing.assert_array_equal(maps, expected)
        assert maps.shape == (2, 2, 4, 4)
