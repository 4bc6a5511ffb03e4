"""Tell where a number, table or figure of the paper comes from: make where NAME=verdict_a."""

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from atlas.errors import InputError
from atlas.findings.results import file_of
from atlas.io import read_json
from atlas.statistics import registry as statistics
from atlas.study.config import load_study
from atlas.study.row import Study

ROOT = Path(__file__).resolve().parents[1]
KINDS = {"variables": "variable", "tables": "table", "texts": "text", "figures": "figure"}
SHOWN = re.compile(
    r"#(tbl-[\w-]+)\}\s+\{\{< include tables/(\w+)\.md|\(figures/(\w+)\.svg\)\{#(fig-[\w-]+)"
)


def labels() -> dict[str, tuple[str, str]]:
    """The paper's labels of tables and figures, such as tbl-c-pairs: their kind and name."""
    found = {}
    for path in [ROOT / "paper" / "paper.qmd", *(ROOT / "paper" / "parts").glob("*.md")]:
        for table_label, table, figure, figure_label in SHOWN.findall(path.read_text("utf-8")):
            if table:
                found[table_label] = ("tables", table)
            else:
                found[figure_label] = ("figures", figure)
    return found


def find(name: str, sources: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The kinds and names of the pieces of the paper that ``name`` may mean.

    It is a name, a label or a path in the paper's source. Raises InputError with close matches if
    nothing has it.
    """
    known = labels()
    bare = Path(name).stem if "/" in name else name
    found = [(kind, bare) for kind in KINDS if bare in sources.get(kind, {})]
    if name in known and known[name][1] in sources.get(known[name][0], {}):
        found = [known[name]]
    if not found:
        names = {*known, *(other for kind in KINDS for other in sources.get(kind, {}))}
        close = get_close_matches(name, sorted(names), n=4, cutoff=0.5)
        hint = f"; close to it are {', '.join(close)}" if close else ""
        raise InputError(f"nothing in the paper of this study is called {name!r}{hint}")
    return found


def line_of(module: str, function: str) -> str:
    """Where a function or an entry of a registry begins: path and line, as editors open it."""
    path = Path("scripts", *module.split(".")).with_suffix(".py")
    entry = re.search(r'\["(\w+?)(_de)?"\]', function)
    start = rf'    "{entry[1]}' if entry else f"def {function}("
    for number, line in enumerate((ROOT / path).read_text("utf-8").splitlines(), 1):
        if line.startswith(start):
            return f"{path}:{number}"
    return str(path)


def way(
    kind: str, name: str, source: Mapping[str, Any], study: Study, config: str
) -> Iterator[str]:
    """The lines from a piece of the paper to the lists of models."""
    results = f"results/{study.name}"
    yield f"{name}: a {KINDS[kind]} of the paper"
    yield f"  made by {source['module']}:{source['function']}, rule {source['rule']}"
    yield f"          {line_of(source['module'], source['function'])}"
    merged = False
    for read in source["reads"]:
        if read["file"] == "config":
            yield f"  reads {config}"
            continue
        rule = f"rule {read['rule']}"
        if "module" in read:
            made_from = statistics.ALL[read["module"].rsplit(".", 1)[-1]]
            given = {"values": study.config["printed"]}
            files = ", ".join(given.get(name) or file_of(name) for name in made_from)
            rule += f" ({read['module']}) <- {files}"
        yield f"  reads {results}/{read['file']} <- {rule}".replace(f"{results}/../", "results/")
        yield from (f"          {key}" for key in read.get("keys", ()))
        more = read.get("rows", 0) - len(read.get("keys", ()))
        if more:
            yield f"          and {more} more rows"
        merged = True
    if merged:
        yield from _before(study, results, config)
    elif not source["reads"]:
        yield "  reads nothing: it is the same in every study"


def _before(study: Study, results: str, config: str) -> Iterator[str]:
    """The way of every result: from the merged tables to the lists of models."""
    lists = ", ".join(study.config["models"])
    analysed = f"{results}/weightwatcher/<model>/"
    yield f"  before  {results}/tables/ <- rule merge_tables <- {analysed}"
    if study.weighed:
        yield f"          {analysed} <- rule fit_layers <- results/spectra/<model>.parquet"
        yield "          results/spectra/ <- rule compute_spectra <- weights/<model>.safetensors"
    if study.published:
        yield f"          {analysed} <- rule import_published <- results/fetched/"
        yield f"          results/fetched/ <- rule fetch_published <- {lists}"
    if len(study.weighed) > len(study.zoo):
        yield f"          weights/ <- rule obtain_weights <- {lists}"
    if study.zoo:
        yield f"          weights/ <- rule train_network <- the zoo in {config}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="as verdict_a, tbl-answers, forest or tables/answers.md")
    parser.add_argument("--study", default="config.yaml", help="the study's config")
    args = parser.parse_args(arguments)
    try:
        study = load_study(
            yaml.safe_load(Path(args.study).read_text("utf-8")), config_name=args.study
        )
        path = Path("results") / study.name / "paper" / "source" / "sources.json"
        if not path.is_file():
            again = "" if args.study == "config.yaml" else f" STUDY={args.study}"
            raise InputError(f"{path} is not there; 'make paper{again}' builds the study")
        sources = read_json(path)
        for kind, name in find(args.name, sources):
            print("\n".join(way(kind, name, sources[kind][name], study, args.study)))
    except (InputError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
