"""Responses and 16-bit maps of `shared/cases`, by the rows of its table; skipped without it."""

import csv
import os
import pathlib
import shlex

import cv2
import numpy as np
import pytest

from hdr_jax import cli, images

KINDS = ("response_", "linear16_")


def rows():
    """The rows of the table that tell of the response."""
    default = pathlib.Path(__file__).resolve().parents[3] / "shared"
    table = pathlib.Path(os.environ.get("HDR_JAX_SHARED", default)) / "cases" / "cases.csv"
    if not table.is_file():
        skip = pytest.mark.skip(reason=f"reference data not found at {table} (set HDR_JAX_SHARED)")
        return [pytest.param(None, marks=skip)]
    with table.open(newline="") as file:
        chosen = [row for row in csv.DictReader(file) if row["case"].startswith(KINDS)]
    return [pytest.param(row, id=row["case"]) for row in chosen]


@pytest.mark.parametrize("row", rows())
def test_case(row, shared, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cases").symlink_to(shared / "cases")
    assert cli.main(shlex.split(row["command"])[1:]) == 0, capsys.readouterr().err
    truth = np.load(shared / "cases" / row["case"] / "truth.npy")
    if row["case"].startswith("linear16_"):
        assert rms_of_map(images.read_hdr("out.exr"), truth.astype(np.float32)) <= 0.02
        return
    rms = rms_of_response(np.loadtxt("out.csv", delimiter=",", skiprows=1)[:, 1:].T, truth)
    limit = opencv(shared / "cases" / row["case"], truth) if "moving" in row["case"] else 0.02
    assert np.all(rms <= limit)


def rms_of_map(radiance, truth):
    """In stops, each channel without its median."""
    known = np.isfinite(truth)
    ratio = np.where(known, np.log2(radiance / np.where(known, truth, 1)), np.nan)
    return np.sqrt(np.nanmean((ratio - np.nanmedian(ratio, (0, 1))) ** 2))


def rms_of_response(g, truth):
    """In nepers over levels 10 to 245, for each channel, without its mean difference."""
    difference = (g - truth)[:, 10:246]
    return np.sqrt(np.mean((difference - difference.mean(1, keepdims=True)) ** 2, axis=1))


def opencv(folder, truth):
    """What OpenCV reaches on the same pictures."""
    times = np.loadtxt(folder / "exposures.csv", delimiter=",", skiprows=1, usecols=1)
    pictures = [cv2.imread(str(path))[..., ::-1].copy() for path in sorted(folder.glob("*.png"))]
    response = cv2.createCalibrateDebevec(256, 20).process(pictures, times.astype(np.float32))
    return rms_of_response(np.log(response[:, 0].T), truth)
