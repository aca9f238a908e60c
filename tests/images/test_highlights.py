"""Distances from the rim of highlights."""

import numpy as np
import pytest

from hdr_jax import images


def test_rim_distances_are_the_same_to_the_bit_in_every_call():
    """OpenCV's are not: its threads take roots in two ways."""
    rng = np.random.default_rng(0)
    image = np.where(rng.random((64, 96, 3)) < 0.002, 0, 255).astype(np.uint8)
    first = images.rim_distance(image)
    assert all((images.rim_distance(image) == first).all() for _ in range(50))
    squares = np.square(first.astype(np.float64))
    np.testing.assert_allclose(squares, np.rint(squares), rtol=2e-7)
    assert (first == np.sqrt(np.rint(squares)).astype(np.float32)).all()


def test_rim_distances_are_those_of_every_type_of_picture():
    levels = np.random.default_rng(0).choice([0, 251, 252, 255], (40, 50, 3))
    expected = images.rim_distance(levels.astype(np.uint8))
    assert expected.max() > 1
    for picture in ((levels * 257).astype(np.uint16), (levels / 255).astype(np.float32)):
        np.testing.assert_array_equal(images.rim_distance(picture), expected)
    with pytest.raises(ValueError, match=r"expected \[h, w, c\]"):
        images.rim_distance(levels[..., 0].astype(np.uint8))
