"""List the models that a source offers, with labels, as a table or as rows for a model list."""

import argparse
import sys
from pathlib import Path

from atlas.errors import InputError, KnownFailure
from atlas.study import catalogue
from atlas.study.labels import METADATA, metadata, timm_labels

FETCHED = Path("results/fetched/timm-results")


def labels_folder(given: Path | None, mirror: str | None) -> Path:
    """The folder with timm's results tables: the one given, or else the one they are fetched to.

    Raises KnownFailure if they cannot be downloaded.
    """
    if given is not None:
        return given
    if not (FETCHED / METADATA).is_file():
        from atlas.weights import published as weights_published
        from atlas.weights.network import Network

        weights_published.fetch("timm-results", FETCHED, Network(mirror=mirror))
    return FETCHED


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", choices=("timm", "keras", "published"))
    parser.add_argument(
        "patterns", nargs="*", metavar="PATTERN", help="names, as 'resnet50*'; all without any"
    )
    parser.add_argument("--csv", action="store_true", help="print rows to paste into a model list")
    group = parser.add_argument_group("timm only")
    group.add_argument(
        "--all-sizes", action="store_true", help="a row per label, not only at the trained size"
    )
    group.add_argument("--study", action="store_true", help="print models/timm.csv as it was made")
    group.add_argument(
        "--labels", type=Path, metavar="FOLDER", help="where timm's results tables already are"
    )
    group.add_argument(
        "--mirror", metavar="URL", help="an address or a folder from which they are fetched"
    )
    args = parser.parse_args(arguments)
    if args.source != "timm" and (args.all_sizes or args.study or args.labels or args.mirror):
        parser.error("--all-sizes, --study, --labels and --mirror are for timm only")
    if args.study and (args.patterns or args.csv or args.all_sizes):
        parser.error("--study makes a whole list: leave out PATTERN, --csv and --all-sizes")
    try:
        if args.source == "timm":
            folder = labels_folder(args.labels, args.mirror)
            labels = timm_labels(folder)
            if args.study:
                sys.stdout.write(catalogue.study_list(labels))
                return 0
            offers = catalogue.timm_offers(
                args.patterns, labels, metadata(folder), all_sizes=args.all_sizes
            )
        elif args.source == "keras":
            offers = catalogue.keras_offers(args.patterns)
        else:
            offers = catalogue.published_offers(args.patterns)
    except (InputError, KnownFailure) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if args.csv:
        sys.stdout.write(catalogue.as_csv([offer.row for offer in offers]))
    else:
        sys.stdout.write(catalogue.as_table(offers))
    return 0 if offers else 1


if __name__ == "__main__":
    sys.exit(main())
