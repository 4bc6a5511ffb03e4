"""What the rules share: the validated study, the paths, and what each job depends on."""

from snakemake.exceptions import WorkflowError

from atlas.errors import InputError
from atlas.figures import registry as figures
from atlas.io import read_json
from atlas.paper import contents
from atlas.paper.render import RenderError, resolve
from atlas.statistics import registry as statistics
from atlas.study.config import load_study
from atlas.study.schema import check_yaml_duplicates
from atlas.weights import published
from atlas.weights.files import files_of
from atlas.workflow import (
    contents_of,
    digest_of,
    keep_metadata,
    lock_folder,
    tell_excluded,
    versions_of,
)

try:
    for name in workflow.configfiles:
        check_yaml_duplicates(name)
    STUDY = load_study(config, config_name=str(workflow.configfiles[-1]))
except InputError as error:
    raise WorkflowError(str(error)) from None

keep_metadata()

# Scripts read the network's settings from here: no result depends on them, so they are no params.
config["network"] = STUDY.config["network"]

RESULTS = Path("results") / STUDY.name
LOGS = RESULTS / "logs"
BENCHMARKS = RESULTS / "benchmarks"

WEIGHTS = "weights/{model}.safetensors"
QUALITIES = "results/zoo/{model}.json"
SPECTRA = "results/spectra/{model}.parquet"
EXPERIMENTS = "results/spectra/experiments/{model}.parquet"
FETCHED = "results/fetched/{set}.json"
DETAILS = RESULTS / "weightwatcher" / "{model}" / "details.csv"
SUMMARY = RESULTS / "weightwatcher" / "{model}" / "summary.json"
EXPERIMENT_FITS = RESULTS / "weightwatcher" / "{model}" / "experiments.csv"
RUN = RESULTS / "weightwatcher" / "{model}" / "run.json"
REFERENCE = RESULTS / "reference" / "{model}.csv"

ATTEMPTS_FILE = Path("results/spectra/attempts.json")
ATTEMPTS = read_json(ATTEMPTS_FILE) if ATTEMPTS_FILE.exists() else {}

MODELS = list(STUDY.by_id)
PUBLISHED, WEIGHED, ZOO, AUDITED = STUDY.published, STUDY.weighed, STUDY.zoo, STUDY.audited
HAS_EXPERIMENTS = STUDY.has_experiments


def code(script, *modules):
    """A digest of the script, of modules that it loads by name, and of all that they import."""
    try:
        return digest_of(Path(workflow.basedir) / "scripts", script, *modules)
    except InputError as error:
        raise WorkflowError(str(error)) from None


def versions(*packages):
    """The versions of packages that decide a result; a changed one reruns the rule."""
    try:
        return versions_of(packages, Path(workflow.basedir) / "envs")
    except InputError as error:
        raise WorkflowError(str(error)) from None


def ids(models):
    """A wildcard constraint that matches just these models (and nothing for none)."""
    return "|".join(map(re.escape, models)) or "(?!)"


def identity(wildcards):
    """What decides the weights of a model; labels, family and quality are not in it."""
    found = STUDY.by_id[wildcards.model].identity()
    again = ATTEMPTS.get(wildcards.model)  # 'snakemake retry' counts them
    return found | {"attempt": again} if again else found


def own_files(wildcards):
    """The files of a user's own model."""
    row = STUDY.by_id[wildcards.model]
    return files_of(row.location) if row.source == "file" else []


def own_contents(wildcards):
    """What is in these files, which decides the weights, however old the files are."""
    return contents_of(own_files(wildcards))


def decides_weights(wildcards):
    """The versions that decide the weights of a model, by its source."""
    source = STUDY.by_id[wildcards.model].source
    name = str(STUDY.by_id[wildcards.model].location).lower()
    reader = {".keras": "keras", ".h5": "keras", ".hdf5": "keras", ".onnx": "onnx"}
    packages = {
        "zoo": ("torch", "mnist1d"),
        "package": ("torch", "timm", STUDY.by_id[wildcards.model].location),
        "timm": ("timm",),
        "keras": ("keras",),
        "file": tuple(reader[end] for end in reader if name.endswith(end)),
    }
    return versions(*packages.get(source, ()))


def renderer(wildcards):
    """Who renders the paper, and its version: a changed one renders it again."""
    try:
        found = resolve(STUDY.config["paper"]["renderer"])
    except RenderError as error:
        raise WorkflowError(str(error)) from None
    return [found.name, found.version]


def tables_of_figure(wildcards):
    """The tables that a figure shows, by name."""
    one_model = {
        "spectra": SPECTRA.format(model=STUDY.density_of),
        "details": str(DETAILS).format(model=STUDY.density_of),
    }
    return {n: (MERGED | STATISTICS | one_model)[n] for n in DRAWINGS[wildcards.figure].tables}


wildcard_constraints:
    model=r"[a-z0-9][a-z0-9._-]*",
