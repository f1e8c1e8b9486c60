"""Input gradients beside finite differences, and the sums that integrated gradients must reach."""

import pytest
import torch

from hilum.explain import heatmaps
from hilum.explain.capture import capture
from hilum.explain.gradients import BATCH, attributions, gradient, input_gradients, smooth_grad
from hilum.models import Classifier
from hilum.models.inputs import BLACK

from .conftest import FINDINGS, SIDE

EVERY = torch.arange(3)


class _Plain(Classifier):
    """Films to logits and nothing else."""

    @property
    def blocks(self):
        return [self.network]

    def start_at(self, prevalence):
        pass

    def forward(self, images, metadata=None):
        return self.network(images)


def test_gradients_are_the_logits_slopes(model, images, metadata) -> None:
    ours = input_gradients(capture(model, images, metadata), images, metadata, EVERY)
    assert ours.shape == (3, 3, 3, SIDE, SIDE)
    step, rng = 1e-6, torch.Generator().manual_seed(0)
    with torch.inference_mode():
        for film, channel, y, x in torch.randint(0, 3, (8, 4), generator=rng).tolist():
            moved = images.clone()
            moved[film, channel, 5 * y, 7 * x] += step
            slope = (model(moved, metadata) - model(images, metadata))[film] / step
            torch.testing.assert_close(ours[film, :, channel, 5 * y, 7 * x], slope, atol=1e-5, rtol=1e-4)


def test_saliency_is_the_greatest_of_the_channels(model, images, metadata) -> None:
    captured = capture(model, images, metadata)
    expected = input_gradients(captured, images, metadata, EVERY).abs().amax(dim=2)
    torch.testing.assert_close(gradient(captured, EVERY), expected)


def test_batches_change_nothing(model, images, metadata) -> None:
    many, extras = images.repeat(BATCH, 1, 1, 1), metadata.repeat(BATCH, 1)
    made = gradient(capture(model, many, extras), EVERY)
    torch.testing.assert_close(made[-3:], made[:3], atol=1e-12, rtol=0.0)


def test_integrated_gradients_sum_to_what_the_film_adds(model, images, metadata) -> None:
    """Sundararajan et al. 2017, proposition 1, within 5 % of the greatest change."""
    captured = capture(model, images, metadata)
    black = torch.tensor(BLACK).double()[:, None, None].expand(3, -1, SIDE, SIDE)
    with torch.inference_mode():
        expected = model(images, metadata) - model(black, metadata)
    total = attributions(captured, EVERY, 50).sum(dim=(2, 3, 4))
    assert (total - expected).abs().max() < 0.05 * expected.abs().max()
    rough = attributions(captured, EVERY, 1).sum(dim=(2, 3, 4))
    assert (rough - expected).abs().max() > (total - expected).abs().max()


def test_integrated_gradients_by_hand(images) -> None:
    """Of a logit linear in the film every step has the same gradient, so one is enough."""
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * SIDE * SIDE, 3)).double()
    w = network[1].weight.detach().reshape(3, 3, SIDE, SIDE)
    made = attributions(_captured(network, images), EVERY, 1)
    black = torch.tensor(BLACK).double()[:, None, None]
    torch.testing.assert_close(made, w[None] * (images - black)[:, None])


def test_noise_comes_from_the_seed_alone(model, images, metadata) -> None:
    def maps(seed: int, films=slice(None)):
        return heatmaps(
            model, images[films], method="smoothgrad(3, 0.5)", metadata=metadata[films], seed=seed
        )

    assert (maps(0) == maps(0)).all()
    assert abs(maps(0) - maps(1)).max() > 1e-6
    torch.testing.assert_close(
        torch.from_numpy(maps(0, slice(2, 3))), torch.from_numpy(maps(0)[2:]), atol=1e-12, rtol=0.0
    )


def test_without_noise_smoothing_is_the_plain_map(model, images, metadata) -> None:
    def maps(method: str) -> torch.Tensor:
        return torch.from_numpy(heatmaps(model, images, method=method, metadata=metadata))

    torch.testing.assert_close(maps("smoothgrad(3, 0)"), maps("gradient"))
    smooth = maps("smooth_integrated_gradients(2, 5, 0)")
    torch.testing.assert_close(smooth, maps("integrated_gradients(5)"))


@pytest.mark.parametrize("samples", [40, 400])
def test_noise_has_the_deviation_it_says(samples, images) -> None:
    """Of a logit that is half the square of the film the gradient is the film: its mean keeps e / sqrt(n)."""

    class Square(torch.nn.Module):
        def forward(self, films):
            return (films**2).flatten(1).sum(dim=1, keepdim=True) / 2

    captured = _captured(Square(), images[:1], ("Effusion",))
    film = images[0]
    made = smooth_grad(captured, torch.arange(1), float(samples), 0.15)[0, 0]
    plain = film.abs().amax(dim=0)
    expected = 0.15 * (film.max() - film.min()) / samples**0.5
    # of three channels the greatest is kept; where one is far above the others its error is that of the noise
    gap = film.abs().sort(dim=0).values
    clear = gap[2] - gap[1] > 4 * expected
    assert (made - plain)[clear].std() == pytest.approx(expected.item(), rel=0.25)


def _captured(network, images, findings=FINDINGS):
    model = _Plain(findings, (SIDE, SIDE))
    model.network = network
    return capture(model.eval(), images)
