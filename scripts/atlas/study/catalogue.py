"""What the sources of models offer, as rows for a model list; and how models/timm.csv was chosen.

Names come from timm itself and from the project's lists, labels from timm's results tables and from
the lists. timm and Keras take seconds to import, so they are imported where they are asked.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from atlas.errors import InputError
from atlas.study.labels import Labels, pretraining

LISTS = Path(__file__).resolve().parents[3] / "models"

TIMM_COLUMNS = (
    *("model", "source", "location", "collection", "family", "variant", "recipe"),
    *("dataset", "resolution", "quality_metric", "quality", "quality_source"),
)

# What models/timm.csv holds, declared before any of its models was analysed.
MOST_PARAMETERS = 250_000_000
FEWEST_RECIPES = 3  # of a variant, for comparison (c)
FEWEST_SIZES = 3  # of a family's models with the same recipe, for comparison (b)

# Converted copies of the weights of levit_*, which are in the list.
COPIES = ("levit_conv_",)

# A timm architecture is named family, size, details: resnet50d, convnext_tiny, tf_efficientnet_b0. So
# the family is the first word without the number at its end, or the first two words if the first is
# only a prefix of ...
PREFIXES = (
    *("dm", "eca", "ese", "gc", "inception", "lambda", "legacy", "nf", "pvt", "tf", "tiny"),
    *("twins", "wide"),
)

# ... except where words after the size name another design, whose sizes go on from their own smallest
# one, or where a number belongs to the family's name. The first pattern that matches decides.
DESIGNS = tuple(
    (re.compile(pattern), family)
    for pattern, family in (
        (r"vit_.+_r\d*_s\d+", "vit_hybrid"),  # a ResNet in front
        (r"vit_.+_rope_.*gap", "vit_rope_gap"),
        (r"vit_.+_(clip|siglip|rope)", r"vit_\1"),
        (r"vit_(s?relpos)", r"vit_\1"),
        (r"vit_.+_gap", "vit_gap"),  # timm's own shapes with registers and pooling
        (r"vit_", "vit"),
        (r"(deit3|beit3|eva02|coat_lite|swin_s3|swinv2_cr)_", r"\1"),
        (r"(deit|pit)_.*distilled", r"\1_distilled"),  # a second token and head
        (r"(coatnet|maxvit|maxxvit|maxxvitv2)_rmlp", r"\1_rmlp"),
        (r"maxvit_.+_(tf|rw)", r"maxvit_\1"),
        (r"(mobilenetv4_(conv|hybrid))", r"\1"),
        (r"(efficientvit_[blm])", r"\1"),  # three designs of two groups
        (r"((tf_)?efficientnet)_(e)[sml]", r"\1_edgetpu"),
        (r"((tf_)?efficientnet_(lite|cc))", r"\1"),
        (r"vgg.+_bn", "vgg_bn"),
        (r"resnetv2_.+_bit", "resnetv2_bit"),
        (r"(\w*resnex?t)\d+(ts|q)", r"\1_\2"),
        (r"xception\d+p", "xception_p"),  # activations first
        (r"dla", "dla"),
        (r"cs3", "cs3darknet"),
    )
)


@dataclass(frozen=True)
class Offer:
    """A model that a source offers.

    name: the source's name for it. quality: top-1 accuracy in percent, None if nobody published it.
    resolution: of the images of the label, in pixels. pretraining: on what, before ImageNet-1k.
    row: the model as a row of a model list.
    """

    name: str
    quality: float | None
    resolution: int | None
    parameters: int | None
    pretraining: str
    row: Mapping[str, Any] = field(hash=False)


def timm_family(architecture: str) -> str:
    """The family within which sizes of a timm architecture (a name without tag) compare."""
    if architecture.endswith("_pruned"):  # cut out of a trained network: no size of its family
        return timm_family(architecture.removesuffix("_pruned")) + "_pruned"
    for pattern, family in DESIGNS:
        if match := pattern.match(architecture):
            return match.expand(family)
    words = architecture.split("_")
    first = "_".join(words[: 2 if words[0] in PREFIXES else 1])
    # A number after v is a version: convnextv2 is a family, densenet121 a size of one.
    return re.sub(r"(?<![v\d])\d+[a-z]*$", "", first)


def timm_row(name: str, resolution: int, suffix: str = "") -> dict[str, Any]:
    """The row of a timm model; its labels are looked up by name and resolution at the merge.

    ``suffix`` is added to the id, for a second row of the same model.
    """
    architecture, _, tag = name.partition(".")
    row: dict[str, Any] = dict.fromkeys(TIMM_COLUMNS, "")
    return row | {
        "model": f"timm-{name}{suffix}",
        "source": "timm",
        "location": name,
        "collection": "timm",
        "family": timm_family(architecture),
        "variant": architecture,
        "recipe": tag,
        "resolution": resolution,
    }


def timm_offers(
    patterns: Sequence[str], labels: Labels, known: Mapping[str, str], all_sizes: bool = False
) -> list[Offer]:
    """timm's pretrained models whose names match one of the patterns; all without a pattern.

    ``labels`` is what `timm_labels` returns, ``known`` what `metadata` does. Each model comes once,
    with the label at the resolution at which it was trained, or with ``all_sizes`` once per label.
    """
    import timm

    offers = []
    for name in _matching(timm.list_pretrained(), patterns):
        trained = _trained_at(name)
        sizes = sorted(size for model, size in labels if model == name) if all_sizes else []
        for size in sizes or [trained]:
            entry = labels.get((name, size), {"parameters": None, "labels": {}})
            row = timm_row(name, size, f"-{size}" if size != trained else "")
            quality = entry["labels"].get("imagenet-1k")
            before = pretraining(name, known)
            offers.append(Offer(name, quality, size, entry["parameters"], before, row))
    return offers


def listed_offers(file: Path, patterns: Sequence[str]) -> list[Offer]:
    """The models of a list whose locations match one of the patterns, with the list's labels."""
    text = Path(file).read_text(encoding="utf-8")
    reader = csv.DictReader(line for line in io.StringIO(text) if not line.startswith("#"))
    rows = {row["location"]: row for row in reader}
    return [
        Offer(
            name,
            float(rows[name]["quality"]) if rows[name]["quality"] else None,
            int(rows[name]["resolution"]) if rows[name].get("resolution") else None,
            int(rows[name]["parameters"]) if rows[name].get("parameters") else None,
            "",
            rows[name],
        )
        for name in _matching(rows, patterns)
    ]


def keras_offers(patterns: Sequence[str]) -> list[Offer]:
    """Models of Keras Applications: those of models/keras.csv with its labels, then those that only an
    installed Keras has, without."""
    offers = listed_offers(LISTS / "keras.csv", patterns)
    listed = {offer.name for offer in listed_offers(LISTS / "keras.csv", ())}
    columns = list(offers[0].row) if offers else _header(LISTS / "keras.csv")
    for name in _matching([name for name in keras_functions() if name not in listed], patterns):
        row = dict.fromkeys(columns, "") | {
            "model": f"keras-{name.lower()}",
            "source": "keras",
            "location": name,
            "collection": "keras",
            "family": re.sub(r"\d+$", "", name.lower()),
            "variant": name.lower(),
        }
        offers.append(Offer(name, None, None, None, "", row))
    return offers


def keras_functions() -> list[str]:
    """The functions of keras.applications that load ImageNet weights; none without Keras."""
    import inspect

    try:
        from keras import applications
    except ImportError:
        return []
    functions = inspect.getmembers(applications, inspect.isfunction)
    return [name for name, make in functions if "weights" in inspect.signature(make).parameters]


def published_offers(patterns: Sequence[str]) -> list[Offer]:
    """Models whose results others published: those of models/published.csv, with its labels."""
    return listed_offers(LISTS / "published.csv", patterns)


def study_rows(labels: Labels) -> list[dict[str, Any]]:
    """The rows of models/timm.csv, chosen by rules that know no result (`STUDY_HEADER` has them)."""
    import timm
    from timm.models import get_pretrained_cfg

    sizes: dict[str, set[int]] = defaultdict(set)
    for (name, size), entry in labels.items():
        if "imagenet-1k" in entry["labels"]:  # the table of imagenet-a has a model of its own
            sizes[name].add(size)

    def is_candidate(name: str) -> bool:
        config = get_pretrained_cfg(name)
        parameters = labels[name, min(sizes[name])]["parameters"]
        return (
            bool(config.hf_hub_id)
            and config.num_classes == 1000
            and parameters is not None
            and parameters <= MOST_PARAMETERS
            and not name.startswith(("test_", *COPIES))
            and not name.endswith(f"_{_trained_at(name)}")
        )

    names = [name for name in timm.list_pretrained() if name in sizes and is_candidate(name)]
    rows = [timm_row(name, size) for name, size in _at_one_resolution(names, sizes).items()]
    recipes = Counter(row["variant"] for row in rows)
    trained_alike: dict[tuple[str, str], set[int]] = defaultdict(set)
    for row in rows:
        parameters = labels[row["location"], row["resolution"]]["parameters"]
        trained_alike[row["family"], row["recipe"]].add(parameters)
    chosen = [
        row
        for row in rows
        if recipes[row["variant"]] >= FEWEST_RECIPES
        or len(trained_alike[row["family"], row["recipe"]]) >= FEWEST_SIZES
    ]
    return sorted(chosen, key=lambda r: (r["family"], _natural(r["variant"]), r["recipe"]))


STUDY_HEADER = f"""\
# Pretrained models of timm, for all three comparisons. Made by
#   python scripts/list_models.py timm --study > models/timm.csv
# with these rules, declared before any model was analysed:
# 1. Candidates: models in timm's results tables (imagenet-1k, 1000 classes) with weights on the
#    Hugging Face hub and at most {MOST_PARAMETERS // 1_000_000} M parameters. Neither timm's test
#    models (test_*), nor levit_conv_*, which are copies of the weights of levit_*, nor recipes whose
#    name ends in their image size (fb_in22k_ft_in1k_384): they go on from another recipe's weights.
# 2. One resolution per network: that at which most of its models have a label; then that at which
#    most were trained; then that at which most of its family have a label; then the smallest. Models
#    without a label there are left out, lest qualities differ in the images' size and not in the
#    weights. Architectures that differ in the image size alone (vit_base_patch16_224 and _384) are
#    one network.
# 3. Of these, all variants (timm architectures) with at least {FEWEST_RECIPES} recipes (timm tags),
#    for (c), and all models of a family that share a recipe and have at least {FEWEST_SIZES} sizes
#    (parameter counts), for (b).
# Labels are looked up at the merge, by location and resolution, in timm's results tables.
"""


def study_list(labels: Labels) -> str:
    """models/timm.csv as text."""
    return STUDY_HEADER + as_csv(study_rows(labels))


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as the CSV text of a model list, with its header. All have the columns of the first."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def as_table(offers: Sequence[Offer]) -> str:
    """Offers as aligned columns: label in percent, resolution in pixels, parameters in millions."""
    lines = [("name", "top-1 %", "pixels", "M params", "pretrained on", "family")]
    for offer in offers:
        lines.append(
            (
                offer.name,
                "-" if offer.quality is None else f"{offer.quality:.2f}",
                "-" if offer.resolution is None else str(offer.resolution),
                "-" if offer.parameters is None else f"{offer.parameters / 1e6:.2f}",
                offer.pretraining or "-",
                str(offer.row["family"]),
            )
        )
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(
            cell.rjust(width) if 1 <= index <= 3 else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        + "\n"
        for line in lines
    )


def _at_one_resolution(names: Sequence[str], sizes: Mapping[str, Iterable[int]]) -> dict[str, int]:
    """The models that have a label at their network's one resolution, with it: rule 2."""
    networks: dict[str, list[str]] = defaultdict(list)
    families: dict[str, Counter[int]] = defaultdict(Counter)
    for name in names:
        networks[_network(name)].append(name)
        families[_family(name)].update(sizes[name])
    chosen = {}
    for members in networks.values():
        labelled = Counter(size for name in members for size in sizes[name])
        trained = Counter(_trained_at(name) for name in members)
        family = families[_family(members[0])]
        one = max(labelled, key=lambda s: (labelled[s], trained[s], family[s], -s))
        chosen |= {name: one for name in members if one in sizes[name]}
    return chosen


def _network(name: str) -> str:
    """The architecture without the image size in its name, and the window that goes with it.

    Other numbers at the end of a name are no image sizes: regnetx_160, levit_256.
    """
    architecture = name.partition(".")[0]
    return re.sub(rf"(_window[\dto]+)?_(\d+to)?{_trained_at(name)}$", "", architecture)


def _family(name: str) -> str:
    return timm_family(name.partition(".")[0])


def _trained_at(name: str) -> int:
    from timm.models import get_pretrained_cfg

    return int(get_pretrained_cfg(name).input_size[-1])


def _matching(names: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """The names that match one of the patterns, in their order. Raises InputError without any."""
    found = list(names)
    for pattern in patterns:
        if pattern in found or any(character in pattern for character in "*?["):
            continue
        import difflib

        close = ", ".join(difflib.get_close_matches(pattern, found, n=3))
        raise InputError(
            f"no model {pattern!r}" + (f"; did you mean {close}?" if close else "; use '*' for any")
        )
    return [
        n for n in found if not patterns or any(fnmatchcase(n, pattern) for pattern in patterns)
    ]


def _natural(text: str) -> list[tuple[int, str]]:
    """A key that sorts resnet18 before resnet101."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]


def _header(file: Path) -> list[str]:
    with file.open(encoding="utf-8", newline="") as lines:
        return next(csv.reader(line for line in lines if not line.startswith("#")))
