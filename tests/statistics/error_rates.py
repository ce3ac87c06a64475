"""How often the statistics err, on tables of rows that do not differ: the numbers of docs/statistics.md.

    python tests/statistics/error_rates.py [--tables N] [--clips N …]

Each line is N tables of 14 rows, so of 91 pairs, from one kind of scores (tests/helpers/simulation.py has them):

- *tables*: in how many any two rows are told apart by the test of the ranks. It should be at most 5 %.
- *pairs*: how many pairs the interval of their difference tells apart. It should be 5 %.
- *means*: how many means their interval misses. It should be 5 %.
- *percentile*: what percentile intervals over clips, without a correction, would make of pairs and tables.

*Measured* scores are those of the committed runs.

The kind *videos* has about three clips a cluster, which have half of their noise in common: percentile intervals over
clips take them for independent ones.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from simulation import Measured, error_rates, heavy_tails, normal, skewed


def main() -> None:
    """Print a line for each number of clips and kind of scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--clips", type=int, nargs="+", default=[12, 40, 379])
    arguments = parser.parse_args()
    kinds = {
        "normal": (normal, 1),
        "heavy tails": (heavy_tails, 1),
        "skewed": (skewed, 1),
        "measured": (Measured(), 1),
        "videos": (heavy_tails, 3),
    }
    print("clips  clusters  scores        tables   pairs   means   percentile pairs  tables")
    for clips in arguments.clips:
        for name, (population, per_cluster) in kinds.items():
            if clips // per_cluster < 6:  # no statistics
                continue
            with threadpool_limits(1):
                rates = error_rates(
                    population, clips, per_cluster=per_cluster, tables=arguments.tables, percentile=True
                )
            print(
                f"{clips:5}  {clips // per_cluster:8}  {name:12}  {rates.tables:6.1%}  {rates.pairs:6.1%}  "
                f"{rates.means:6.1%}   {rates.percentile_pairs:16.1%}  {rates.percentile_tables:6.1%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
