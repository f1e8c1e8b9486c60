"""Score-CAM beside its definition, channel by channel."""

import torch
from torch.nn.functional import interpolate

from hilum.explain.capture import capture
from hilum.explain.score_cam import score_cam

from .conftest import SIDE


def test_weights_are_what_the_masked_films_score(model, images, metadata) -> None:
    captured = capture(model, images, metadata)
    A = captured.at().activations
    ours = score_cam(captured, torch.tensor([2, 0]))
    assert ours.shape == (3, 2, 6, 1, 1)
    with torch.inference_mode():
        black = model(torch.zeros_like(images[:1]), metadata[:1])
        for film in range(3):
            scores = []
            for k in range(6):
                U = interpolate(A[film, k][None, None], (SIDE, SIDE), mode="bilinear", align_corners=False)
                U = (U - U.min()) / (U.max() - U.min())
                scores.append(model(images[film][None] * U, metadata[film][None])[0] - black[0])
            expected = torch.stack(scores).softmax(dim=0)[:, [2, 0]].T
            torch.testing.assert_close(ours[film, ..., 0, 0], expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(ours.sum(dim=2), torch.ones_like(ours[:, :, 0]))
