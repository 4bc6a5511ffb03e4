"""Redraw docs/overview.png, the README's picture, from the built default study: make overview."""

import hashlib
import inspect
import json
import sys
from pathlib import Path

import yaml
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from atlas.figures import overview

WIDTH = 1600
"""In pixels."""

UNSEEN = ("title", "audit", "experiments", "paper", "network", "cache")
"""Parts of the config that change nothing in the picture."""


def inputs(root: Path) -> str:
    """A digest of what the picture shows: the default study's config and models, the drawing code.

    `root` is a checkout; nothing there has to be built.
    """
    config = yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))
    seen = {name: value for name, value in config.items() if name not in UNSEEN}
    lists = [(root / name).read_text(encoding="utf-8") for name in config["models"]]
    code = inspect.getsource(overview)
    text = json.dumps([seen, lists, code], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def drawn_from(picture: Path) -> str:
    """The digest that a picture carries; "" for none."""
    with Image.open(picture) as image:
        return image.info.get("inputs", "")


def draw_overview(root: Path) -> None:
    """Write the picture from the study's figure, with the digest of its inputs.

    Raises FileNotFoundError where the default study is not built.
    """
    study = yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))["study"]
    with Image.open(root / "results" / study / "figures" / "overview.png") as image:
        height = round(image.height * WIDTH / image.width)
        small = image.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
    about = PngInfo()
    about.add_text("inputs", inputs(root))
    picture = root / "docs" / "overview.png"
    small.quantize(256, dither=Image.Dither.NONE).save(picture, pnginfo=about, optimize=True)


if __name__ == "__main__":
    draw_overview(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1])
