"""A paper's settings: front matter and project file merged, authors, dates."""

from __future__ import annotations

import datetime
import os
import re
from pathlib import Path
from typing import Any

import yaml

from atlas.errors import InputError

# The date of a PDF whose paper has none: any constant will do.
NO_DATE = datetime.date(2000, 1, 1)
RELATIVE_DATES = ("today", "now", "last-modified")


class RenderError(InputError):
    """The paper cannot be rendered; the message is one line: file, what, way out."""


def one_line(text: str) -> str:
    return " ".join(text.split())


class Loader(yaml.SafeLoader):
    """YAML whose plain values stay as they are written: 0.480, 1.10 and 2026-01-15 are text."""


Loader.yaml_implicit_resolvers = {}


def read_yaml(text: str, file: Path) -> dict[str, Any]:
    try:
        value = yaml.load(text, Loader) or {}
    except yaml.YAMLError as error:
        raise RenderError(f"{file}: is not valid YAML: {one_line(str(error))}") from None
    if not isinstance(value, dict):
        raise RenderError(f"{file}: its YAML is not a list of 'key: value'")
    return value


def read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise RenderError(f"{file}: is not UTF-8 text; save it as UTF-8") from None


def split(paper: Path) -> tuple[str, str]:
    """The paper's YAML header and its body."""
    text = read_text(paper)
    header = re.match(r"---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|$)", text, re.DOTALL)
    return (header[1] or "", text[header.end() :]) if header else ("", text)


def _merge(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    both = dict(low)
    for key, value in high.items():
        old = both.get(key)
        both[key] = (
            _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return both


def read_settings(paper: Path, to: str) -> dict[str, Any]:
    """The metadata of the project and the paper; the more special one wins, as in Quarto."""
    project_file = paper.parent / "_quarto.yml"
    settings: dict[str, Any] = {}
    for file, text in ((project_file, read_text(project_file)), (paper, split(paper)[0])):
        part = read_yaml(text, file)
        formats = part.pop("format", None)
        own = formats.get(to) if isinstance(formats, dict) else None
        if isinstance(project := part.pop("project", None), dict) and "output-dir" in project:
            settings["output-dir"] = project["output-dir"]
        settings = _merge(settings, part)
        settings = _merge(settings, own if isinstance(own, dict) else {})
    if settings.get("date") in RELATIVE_DATES and not os.environ.get("SOURCE_DATE_EPOCH"):
        raise RenderError(
            f"{paper}: the date '{settings['date']}' differs from day to day; "
            "write the day, or set SOURCE_DATE_EPOCH"
        )
    return settings


def as_list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


WORDS = {
    "en": {
        "abstract": "Abstract",
        "toc": "Table of contents",
        "keywords": "Keywords",
        "correspondence": "Correspondence",
    },
    "de": {
        "abstract": "Zusammenfassung",
        "toc": "Inhaltsverzeichnis",
        "keywords": "Schlagwörter",
        "correspondence": "Korrespondenz",
    },
}


def metadata_of(settings: dict[str, Any]) -> dict[str, Any]:
    """What pandoc and the templates get: the settings, with authors, date and words worked out."""
    lang = str(settings.get("lang") or "en")
    words = WORDS.get(lang[:2].lower(), WORDS["en"])
    authors, affiliations = authors_of(settings)
    day = _date(settings)
    corresponding = [a for a in authors if a["email"] and a["corresponding"]]
    defaults = {
        "title": "Untitled",
        "abstract-title": words["abstract"],
        "toc-title": words["toc"],
        "keywords-title": words["keywords"],
        "toc-depth": "3",
        "papersize": "a4",
        "fontsize": "10.5pt",
        "link-citations": True,
    }
    metadata = {**defaults, **settings, "lang": lang, "lang-code": lang[:2].lower()}
    metadata["keywords"] = as_list(settings.get("keywords"))
    metadata["by-author"] = authors
    metadata["affiliations"] = affiliations
    metadata["correspondence"] = [
        {"label": words["correspondence"], "email": author["email"]} for author in corresponding
    ]
    metadata["generator"] = "Alpha Atlas"
    metadata.pop("author", None)
    if day:
        metadata["date-iso"] = day.isoformat()
        metadata["date"] = _format_date(day, settings.get("date-format"), lang)
    return metadata


def authors_of(settings: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Authors with the numbers of their affiliations, and the affiliations in that order."""
    shared = {
        str(place["id"]): place
        for place in as_list(settings.get("affiliations"))
        if isinstance(place, dict) and "id" in place
    }
    places: list[str] = []
    authors = []
    for entry in as_list(settings.get("author") or settings.get("authors")):
        author = entry if isinstance(entry, dict) else {"name": entry}
        name = author.get("name", "")
        if isinstance(name, dict):
            parts = (name.get("given"), name.get("family"))
            name = name.get("literal") or " ".join(str(part) for part in parts if part)
        numbers = []
        for place in as_list(author.get("affiliations") or author.get("affiliation")):
            if isinstance(place, dict) and "ref" in place:
                place = shared.get(str(place["ref"]), str(place["ref"]))
            place = shared.get(str(place), place) if not isinstance(place, dict) else place
            text = _affiliation(place)
            if text not in places:
                places.append(text)
            numbers.append(places.index(text) + 1)
        authors.append(
            {
                "name": str(name),
                "plain": str(name),
                "url": author.get("url"),
                "email": author.get("email"),
                "corresponding": author.get("corresponding") is True,
                "numbers": ",".join(map(str, numbers)),
            }
        )
    if len(places) == 1:  # one institute for all needs no number
        for author in authors:
            author["numbers"] = ""
    many = len(places) > 1
    listed = [{"number": str(n) if many else "", "text": t} for n, t in enumerate(places, 1)]
    return authors, listed


def _affiliation(place: Any) -> str:
    if not isinstance(place, dict):
        return str(place)
    fields = ("department", "name", "address", "city", "region", "state", "postal-code", "country")
    return ", ".join(str(place[field]) for field in fields if place.get(field))


MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
}

DAYS = {
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "de": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
}

STYLES = {
    "en": {
        "full": "dddd, MMMM D, YYYY",
        "long": "MMMM D, YYYY",
        "medium": "MMM D, YYYY",
        "short": "M/D/YY",
    },
    "de": {
        "full": "dddd, D. MMMM YYYY",
        "long": "D. MMMM YYYY",
        "medium": "DD.MM.YYYY",
        "short": "DD.MM.YY",
    },
}


def _date(settings: dict[str, Any]) -> datetime.date | None:
    """The paper's date, None if it has none or one that is not a day (such as "Spring 2026")."""
    text = str(settings.get("date") or "").strip()
    if text in RELATIVE_DATES:
        return datetime.datetime.fromtimestamp(epoch_of({}), datetime.UTC).date()
    for pattern in ("%Y-%m-%d", "%Y/%m/%d", "%m/%d/%Y", "%d %B %Y", "%B %d, %Y"):
        try:
            return datetime.datetime.strptime(text, pattern).date()
        except ValueError:
            continue
    return None


def epoch_of(settings: dict[str, Any]) -> int:
    """The moment that a PDF names as its creation: the same for the same paper."""
    if (epoch := os.environ.get("SOURCE_DATE_EPOCH", "")).isdigit():
        return int(epoch)
    day = _date(settings) or NO_DATE
    return int(datetime.datetime(day.year, day.month, day.day, tzinfo=datetime.UTC).timestamp())


def _format_date(day: datetime.date, style: Any, lang: str) -> str:
    code = lang[:2].lower() if lang[:2].lower() in STYLES else "en"
    pattern = STYLES[code].get(str(style or "long"), str(style or "long"))
    pattern = {"iso": "YYYY-MM-DD"}.get(pattern, pattern)
    month, weekday = MONTHS[code].split()[day.month - 1], DAYS[code].split()[day.weekday()]
    tokens = {
        "YYYY": f"{day.year:04}",
        "YY": f"{day.year % 100:02}",
        "MMMM": month,
        "MMM": month[:3],
        "MM": f"{day.month:02}",
        "M": str(day.month),
        "DD": f"{day.day:02}",
        "D": str(day.day),
        "dddd": weekday,
        "ddd": weekday[:3],
    }
    return re.sub(
        r"\[(.*?)\]|YYYY|YY|M{1,4}|D{1,2}|d{3,4}",
        lambda m: m[1] if m[1] is not None else tokens[m[0]],
        pattern,
    )
