"""The small study as its user sees it: results, exclusions, refusals, and runs that are cut off."""

import csv
import os
import random
import re
import signal
import subprocess
import sys
import time

import pytest
from helpers.project import environment

pytestmark = pytest.mark.xdist_group("workflow")


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_listed_model_ends_in_exactly_one_table(built):
    tables = built.path / "results/small/tables"
    analysed = {row["model"] for row in rows(tables / "models.csv")}
    excluded = {row["model"]: row for row in rows(tables / "excluded.csv")}
    assert len(analysed) == 7 and "mine" in analysed
    assert {name: (row["stage"], row["status"]) for name, row in excluded.items()} == {
        "mine-code": ("obtain", "failed"),
        "mine-nan": ("spectra", "failed"),
        "mine-bias": ("spectra", "unsupported"),
        "mine-scaled": ("weightwatcher", "unsupported"),
    }
    assert "holds code" in excluded["mine-code"]["reason"]
    assert "0.weight" in excluded["mine-nan"]["reason"]
    assert "4 tail fits failed" in excluded["mine-scaled"]["reason"]
    assert not (built.path / "ran-code").exists()


def test_the_run_says_which_models_it_excludes_and_why(built):
    assert "4 models are excluded" in built.output
    assert re.search(r"mine-code: failed at obtain: .*holds code", built.output)


def test_every_result_carries_its_provenance(built):
    import json

    for model in ("mine", "zoo-mlp-s-baseline-0", "mine-nan"):
        folder = built.path / "results/small/weightwatcher" / model
        run = json.loads((folder / "run.json").read_text())
        assert run["model"] == model
        assert len(run["weights_sha256"]) == 64
        assert run["versions"]["weightwatcher"] == "0.7.7"
        assert run["identity"]["source"] in ("file", "zoo")
        assert "quality" not in json.dumps(run["identity"])
        assert (folder / "details.csv").exists() and (folder / "summary.json").exists()


def test_the_paper_names_the_excluded_models(built):
    page = (built.path / "results/small/paper/paper.html").read_text()
    assert "mine-code" in page and "holds code" in page
    assert (built.path / "results/small/paper/paper.pdf").read_bytes()[:5] == b"%PDF-"


def refuse(project):
    done = project.snakemake("--cores", "2", "paper", check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout and "Execute" not in done.stdout
    return done.stdout


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("config.yaml", "audit:", "adit: {}\naudit:", r"adit: unknown key"),
        ("config.yaml", "study: small", "study: small\nstudy: small", r"study"),
        ("models/mine.csv", "model,", "\ufeffmodel,", r"mine\.csv.*BOM|byte order mark"),
        ("models/mine.csv", "71.5", "good", r"mine\.csv.*2.*quality"),
        ("models/mine.csv", "mine/good", "mine/absent", r"mine\.csv.*2.*absent"),
    ],
)
def test_bad_input_is_refused_in_clear_words_before_any_job(project, name, old, new, said):
    project.edit(name, old, new)
    assert re.search(said, refuse(project), re.IGNORECASE)


def test_a_second_run_at_the_same_time_is_refused(project):
    import fcntl

    (project.path / "results/small/paper/paper.pdf").unlink()
    with (project.path / "results/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another run is working in this folder" in refuse(project)
        assert project.jobs() == {"typeset_paper": 1}  # looking is allowed


def started_and_finished(text):
    messages = dict(re.findall(r"^Job (\d+): (.*)$", text, re.MULTILINE))
    finished = re.findall(r"^Finished jobid: (\d+)", text, re.MULTILINE)
    return list(messages.values()), {messages[job] for job in finished if job in messages}


def test_a_killed_run_ends_with_the_same_bytes_and_repeats_nothing(blank, built, tmp_path):
    project = blank.copy(tmp_path / "atlas")
    done: set[str] = set()
    moments = random.Random(7)
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "paper"]
    for _ in range(3):
        log = tmp_path / "log"
        with log.open("w") as out:
            process = subprocess.Popen(
                command,
                cwd=project.path,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=environment(),
                start_new_session=True,
            )
            before = len(done)
            limit = time.monotonic() + 120
            wanted = before + moments.randint(2, 8)
            while time.monotonic() < limit and process.poll() is None:
                if before + len(started_and_finished(log.read_text())[1]) >= wanted:
                    break
                time.sleep(0.05)
            time.sleep(moments.random())
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        started, finished = started_and_finished(log.read_text())
        assert done.isdisjoint(started)
        done |= finished
    text = project.snakemake("--cores", "2", "paper").stdout
    started, _ = started_and_finished(text)
    assert len(done) >= 6 and done.isdisjoint(started)
    mine, whole = project.results(), built.results()
    assert mine.keys() == whole.keys()
    assert [name for name in whole if mine[name] != whole[name]] == []
    assert project.jobs() == {}


def test_the_other_engine_is_weightwatcher_itself_and_gives_the_same_numbers(project):
    before = rows(project.path / "results/small/tables/models.csv")
    project.configure(lambda config: config["weightwatcher"].update(engine="weightwatcher"))
    project.snakemake("--cores", "2", "tables")
    after = rows(project.path / "results/small/tables/models.csv")
    assert {row["engine"] for row in before} == {"exact"}
    assert {row["engine"] for row in after} == {"weightwatcher"}
    for mine, its in zip(before, after, strict=True):
        for name in ("alpha", "alpha_weighted", "log_norm", "stable_rank", "coverage", "layers"):
            assert float(mine[name]) == pytest.approx(float(its[name]), rel=1e-9)
