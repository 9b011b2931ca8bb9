"""Networks to compare with: published counts, and each against an independent slow form."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from isocenter.data.random import generator
from isocenter.errors import UsageError
from isocenter.nets import cnniqa, dbcnn, hyperiqa, resnet, two_stream, wadiqam
from isocenter.nets._blocks.vgg import vgg_stages


def n_weights(net: nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


def images(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=generator(seed))


SMALL_HYPER = hyperiqa.Config(
    depth=18, width=4, n_reduced=(8,), n_local=2, local_widths=(2, 2, 2), sizes=(28, 14, 7)
)


# Counts.


def test_cnniqa_has_the_published_layers() -> None:
    n = n_weights(cnniqa.build(cnniqa.Config()))
    assert n == (50 * 49 + 50) + (100 * 800 + 800) + (800 * 800 + 800) + 801


def test_wadiqam_has_the_published_count() -> None:
    # The paper says 5.2 million, with both heads.
    assert n_weights(wadiqam.build(wadiqam.Config())) == 5_238_562


def test_dbcnn_has_the_published_trunks() -> None:
    net = dbcnn.build(dbcnn.Config())
    assert n_weights(net.authentic) == 14_714_688
    assert n_weights(net.synthetic) == 531_120
    assert n_weights(net.fc) == 512 * 128 + 1


def test_hyperiqa_has_the_published_count() -> None:
    net = hyperiqa.build(hyperiqa.Config())
    assert n_weights(net.trunk) + n_weights(net.local) == 23_983_392
    assert n_weights(net) == 27_375_369


@pytest.mark.parametrize(("depth", "n"), [(18, 11_689_512), (34, 21_797_672), (50, 25_557_032)])
def test_resnet_has_the_published_count(depth: int, n: int) -> None:
    config = resnet.Config(depth=depth, n_inputs=3, n_outputs=1000)  # type: ignore[arg-type]
    assert n_weights(resnet.build(config)) == n


def test_resnet_on_volumes_has_the_count_of_its_trunk_and_one_layer() -> None:
    assert n_weights(resnet.build(resnet.Config(n_dims=3))) == 33_160_000 + 513


# CNNIQA.


def slowly_normalised(image: np.ndarray) -> np.ndarray:
    """Pixel by pixel, the border repeated backwards."""
    wide = np.pad(image, 3, mode="symmetric")
    out = np.empty_like(image)
    for y, x in np.ndindex(*image.shape):
        window = wide[y : y + 7, x : x + 7]
        out[y, x] = (image[y, x] - window.mean()) / (window.std() + 1 / 255)
    return out


def test_local_normalisation_is_that_of_every_window() -> None:
    image = images(1, 2, 20, 23)
    found = cnniqa.locally_normalised(image)
    for channel in range(2):
        slow = slowly_normalised(image[0, channel].double().numpy())
        assert np.allclose(found[0, channel].numpy(), slow, atol=1e-4)


def test_local_normalisation_forgets_slow_shading() -> None:
    image = images(1, 1, 32, 32)
    bright = cnniqa.locally_normalised(3 * image + 5)[..., 3:-3, 3:-3]
    plain = cnniqa.locally_normalised(image)[..., 3:-3, 3:-3]
    # The constant in the denominator is all that is left of the scale.
    assert torch.allclose(bright, plain, rtol=0.03, atol=0.01)


def test_cnniqa_pools_the_largest_and_the_smallest_of_every_patch() -> None:
    config = cnniqa.Config(n_filters=3, n_hidden=5)
    net, image = cnniqa.build(config, seed=1).eval(), images(1, 1, 70, 40)
    normal = cnniqa.locally_normalised(image)[0, 0].double().numpy()
    filters = net.filters.weight.detach().double().numpy()[:, 0]
    offsets = net.filters.bias.detach().double().numpy()  # type: ignore[union-attr]
    scores = []
    for top in (0, 32):
        patch = normal[top : top + 32, :32]
        windows = np.lib.stride_tricks.sliding_window_view(patch, (7, 7))
        answers = [(windows * f).sum((2, 3)) + b for f, b in zip(filters, offsets, strict=True)]
        extremes = [a.max() for a in answers] + [a.min() for a in answers]
        values = torch.tensor(np.array(extremes), dtype=torch.float32)
        scores.append(float(net.regression(values).detach()))
    with torch.inference_mode():
        assert float(net(image)) == pytest.approx(np.mean(scores), abs=1e-5)


# WaDIQaM.


def test_wadiqam_weighs_every_patch_alone() -> None:
    config = wadiqam.Config(n_inputs=1, widths=(4, 4, 4, 8, 8), n_hidden=8)
    net, image = wadiqam.build(config, seed=2).eval(), images(1, 1, 64, 96)
    total, weights = 0.0, 0.0
    with torch.inference_mode():
        for top in (0, 32):
            for left in (0, 32, 64):
                features = net.features(image[..., top : top + 32, left : left + 32]).flatten()
                weight = max(0.0, float(net.weight(features))) + 1e-6
                total, weights = total + weight * float(net.quality(features)), weights + weight
        assert float(net(image)) == pytest.approx(total / weights, rel=1e-4)


def test_weights_below_zero_count_like_none() -> None:
    scores = torch.tensor([[[1.0], [5.0], [9.0]]])
    weighted = wadiqam.weighted_mean(scores, torch.tensor([[[3.0], [-2.0], [1.0]]]))
    assert float(weighted) == pytest.approx((3 * 1 + 1 * 9) / 4, rel=1e-5)
    none = wadiqam.weighted_mean(scores, torch.full((1, 3, 1), -1.0))
    assert float(none) == pytest.approx(5.0, rel=1e-5)


# Two streams.


def test_the_gradient_stream_sees_slopes_and_no_brightness() -> None:
    ramp = torch.arange(40.0).expand(1, 3, 40, 40) / 10
    size = two_stream.gradient_size(ramp)[0, 0, 1:-1, 1:-1]
    assert torch.allclose(size, torch.tensor(0.2))
    net = two_stream.build(two_stream.Config(n_inputs=1, widths=(4, 4, 4, 4), n_region=9))
    seen: list[Tensor] = []
    net.gradient.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    net.image.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    image = images(1, 1, 96, 96)
    net(image), net(image + 1)
    # The middle patch touches no border, beyond which it is dark.
    assert torch.allclose(seen[1][4], seen[3][4], atol=1e-5)
    assert not torch.allclose(seen[0][4], seen[2][4], atol=1e-5)


def test_a_score_of_two_streams_is_the_mean_of_patches() -> None:
    net = two_stream.build(two_stream.Config(n_inputs=1, widths=(4, 4, 4, 4), n_region=9), seed=1)
    image = images(1, 1, 64, 64)
    gradient = two_stream.gradient_size(image)
    with torch.inference_mode():
        scores = []
        for top, left in ((0, 0), (0, 32), (32, 0), (32, 32)):
            at = (..., slice(top, top + 32), slice(left, left + 32))
            both = [net.image(image[at]).flatten(), net.gradient(gradient[at]).flatten()]
            scores.append(float(net.regression(torch.cat(both))))
        assert float(net(image)) == pytest.approx(np.mean(scores), abs=1e-5)


# DB-CNN.


def test_bilinear_pooling_is_the_mean_outer_product() -> None:
    first, second = images(2, 3, 4, 5) - 0.5, images(2, 2, 4, 5, seed=1) - 0.5
    found = dbcnn.bilinear_pool(first, second)
    for item in range(2):
        values = []
        for c in range(3):
            for d in range(2):
                mean = float((first[item, c] * second[item, d]).mean())
                values.append(math.copysign(math.sqrt(abs(mean)), mean))
        length = math.sqrt(sum(value**2 for value in values))
        assert min(values) < 0
        assert found[item].tolist() == pytest.approx([v / length for v in values], abs=1e-4)


def test_bilinear_pooling_forgets_the_order_of_places_and_the_scale() -> None:
    first, second = images(1, 3, 4, 4), images(1, 2, 4, 4, seed=1)
    plain = dbcnn.bilinear_pool(first, second)
    assert torch.allclose(dbcnn.bilinear_pool(7 * first, second), plain, atol=1e-5)
    turned = dbcnn.bilinear_pool(first.flip(2), second.flip(2))
    assert torch.allclose(turned, plain, atol=1e-6)
    assert not torch.allclose(dbcnn.bilinear_pool(first.flip(2), second), plain, atol=1e-3)


def test_stages_of_vgg_keep_the_names_that_weights_are_stored_under() -> None:
    names = [name for name, _ in nn.ModuleList(vgg_stages(3)).named_parameters()]
    assert len(names) == 26
    assert names[:4] == ["0.0.weight", "0.0.bias", "0.2.weight", "0.2.bias"]
    assert names[-1] == "4.4.bias"


# HyperIQA.


def slow_target(net: hyperiqa.HyperIQA, image: Tensor) -> list[float]:
    """One image, layer by layer and unit by unit, in float64."""
    maps = net.trunk(image[None])
    values = net.local(maps)[0].double().tolist()
    found = net.hyper.reduce(nn.functional.adaptive_avg_pool2d(maps[-1], 7))
    pooled = found.mean((2, 3))
    last = len(net.hyper.weights) - 1
    for i, (weight, bias) in enumerate(zip(net.hyper.weights, net.hyper.biases, strict=True)):
        numbers = weight(pooled if i == last else found).flatten().double().tolist()
        offsets = bias(pooled)[0].double().tolist()
        n = len(values)
        sums = [
            sum(numbers[j * n + k] * values[k] for k in range(n)) + offsets[j]
            for j in range(len(offsets))
        ]
        values = sums if i == last else [1 / (1 + math.exp(-s)) for s in sums]
    return values


def test_every_image_meets_its_own_target_network() -> None:
    net, batch = hyperiqa.build(SMALL_HYPER, seed=3).eval(), images(3, 3, 64, 80)
    with torch.inference_mode():
        found = net(batch)
        for item in range(3):
            assert found[item].tolist() == pytest.approx(slow_target(net, batch[item]), abs=1e-5)
        other = hyperiqa.apply_layers(
            net.hyper(net.trunk(batch.flip(0))[-1]), net.local(net.trunk(batch))
        )
    assert not torch.allclose(other, found, atol=1e-6)


def test_local_vectors_are_the_published_pooling_at_224_pixels() -> None:
    net = hyperiqa.build(SMALL_HYPER).eval()
    with torch.inference_mode():
        maps = net.trunk(images(1, 3, 224, 224))
        parts = []
        for early, values in zip(net.local.early, maps[:3], strict=True):
            reduce, _, _, linear = early  # type: ignore[misc]
            pooled = nn.functional.avg_pool2d(reduce(values), 7, 7)
            parts.append(linear(pooled.flatten(1)))
        parts.append(net.local.last(nn.functional.avg_pool2d(maps[3], 7, 7).flatten(1)))
        assert torch.allclose(net.local(maps), torch.cat(parts, 1), atol=1e-6)


def test_generated_weights_start_at_the_size_of_usual_ones() -> None:
    config = hyperiqa.Config(depth=18, width=16, n_reduced=(64, 56))
    net = hyperiqa.build(config, seed=1)
    found = torch.randn(64, 56, 7, 7, generator=generator(0))
    n_inputs, part = config.sizes[0], net.hyper.weights[0]
    generated = part(found)[..., 1:-1, 1:-1]
    assert float(generated.detach().var()) * n_inputs == pytest.approx(1.0, rel=0.1)


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="28 x 15 weights"):
        hyperiqa.build(hyperiqa.Config(sizes=(56, 28, 15)))
    with pytest.raises(UsageError, match="not above 3 x n_local = 48"):
        hyperiqa.build(hyperiqa.Config(sizes=(28, 14)))


@pytest.mark.parametrize(
    "net",
    [
        cnniqa.build(cnniqa.Config(n_filters=2, n_hidden=2)),
        wadiqam.build(wadiqam.Config(n_inputs=1, widths=(2,) * 5, n_hidden=2)),
        two_stream.build(two_stream.Config(n_inputs=1, widths=(2,) * 4, n_region=9, n_hidden=2)),
    ],
    ids=["cnniqa", "wadiqam", "two_stream"],
)
def test_an_image_without_a_whole_patch_is_refused(net: nn.Module) -> None:
    with pytest.raises(UsageError, match="31 x 40 pixels hold no patch of 32 x 32"):
        net(torch.zeros(1, 1, 31, 40))
