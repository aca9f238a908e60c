"""A run that is killed by SIGKILL again and again ends as one that nobody disturbed."""

import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]


@pytest.mark.slow
def test_kills_leave_no_trace(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    monkeypatch.setenv("HDR_JAX_CACHE", str(tmp_path / "cache"))
    kills = pytest.importorskip("kills")
    steps = 16
    kills.finish(tmp_path / "whole", steps)
    usual = kills.finish(tmp_path / "whole", steps)
    kills.disturbed(tmp_path / "killed", steps, len(kills.KINDS), seed=1, usual=usual)
    assert kills.differences(tmp_path / "whole", tmp_path / "killed") == []
    # The comparison would tell.
    (tmp_path / "killed/metrics.jsonl").write_text("")
    assert kills.differences(tmp_path / "whole", tmp_path / "killed") == ["metrics.jsonl"]
