"""The picture in the README."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from helpers.figures import fresh
from PIL import Image

import draw_overview
from atlas.figures import style


def test_the_overview_in_the_readme_is_the_default_study_as_it_is():
    root = Path(__file__).parents[2]
    found = draw_overview.drawn_from(root / "docs" / "overview.png")
    assert found == draw_overview.inputs(root), "make overview draws it anew"


def test_the_overview_is_drawn_from_the_study_and_notices_another_list_or_option(tmp_path):
    config = {"study": "s", "models": ["m.csv"], "statistics": {"seed": 1}, "title": "one"}
    (tmp_path / "m.csv").write_text("model\na\n")
    for folder in ("docs", "results/s/figures"):
        (tmp_path / folder).mkdir(parents=True)
    style.save(
        fresh("overview", "small"),
        tmp_path / "a.svg",
        tmp_path / "results/s/figures/overview.png",
        60,
    )
    picture = tmp_path / "docs" / "overview.png"

    def stale(**change: Any) -> bool:
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config | change))
        return draw_overview.drawn_from(picture) != draw_overview.inputs(tmp_path)

    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    draw_overview.draw_overview(tmp_path)
    with Image.open(picture) as image:
        assert image.width == draw_overview.WIDTH
        assert image.convert("L").getextrema()[0] < 80  # something is drawn
    assert not stale() and not stale(title="another")
    assert stale(statistics={"seed": 2}) and stale(zoo={"seeds": [0]})
    (tmp_path / "m.csv").write_text("model\nb\n")
    assert stale()
