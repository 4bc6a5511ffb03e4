"""Render a paper: any .qmd in a folder with a _quarto.yml, to one HTML file or one PDF."""

import argparse
import sys
from pathlib import Path

from atlas.paper.render import render
from atlas.paper.settings import RenderError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paper", type=Path, metavar="PAPER.qmd")
    parser.add_argument("--to", required=True, help="html, or typst for a PDF")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE")
    parser.add_argument("--renderer", default="auto", help="auto (default), quarto or builtin")
    args = parser.parse_args()
    try:
        used = render(args.paper, args.to, args.output, args.renderer)
    except RenderError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{args.output} by {used.name} ({used.version})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
