"""The tables of docs/training.md: the weights that ship, and what their runs show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from measured import ORDER, Gap, board, code, gap, gap_of, label, markdown, measured, signed, three

from vpbench.analysis.strata import build_strata
from vpbench.models.recipes.files import load_recipe
from vpbench.models.weights.registry import Shipped, read_registry
from vpbench.results.published_tables import Frame
from vpbench.tables.cells import ordinal

# What every row is compared with, and the pairs of rows that differ in one thing; what docs/training.md claims is said
# by these.
AGAINST = ("last_frame", "single_scale_l2", "optical_flow", "optical_flow_refined")
STEPS = (
    ("l2", "single_scale_l2"),
    ("l1", "l2"),
    ("gdl_l1", "l1"),
    ("gdl_l2", "l2"),
    ("gdl_l1_64", "gdl_l1"),
    ("adv", "l2"),
    ("adv_gdl", "gdl_l1"),
    ("adv_gdl_finetuned", "adv_gdl_continued"),
    ("motion", "optical_flow_refined"),
)
# Pairs by how far things move.
BY_MOTION = (
    ("gdl_l1", "optical_flow"),
    ("optical_flow_refined", "optical_flow"),
    ("motion", "optical_flow"),
    ("motion", "optical_flow_refined"),
)
FRAMES: tuple[Frame, ...] = (1, 2)
LOOKS = (("ssim", "SSIM"), ("sharpness", "sharpness, dB"))
FRAMES_8TO8 = (1, 2, 3, 4, 5, 6, 7, 8, "all")
PAIRS_8TO8 = (
    ("multi_frame", "last_frame"),
    ("multi_frame", "optical_flow"),
    ("multi_frame", "optical_flow_refined"),
    ("motion", "optical_flow"),
    ("motion", "optical_flow_refined"),
    ("motion", "multi_frame"),
)


def weights_table() -> str:
    """The weights that ship, from their registry."""
    entries = sorted(read_registry().values(), key=lambda entry: (ORDER.index(entry.name), entry.seed))
    several = {entry.name for entry in entries if entry.seed != 1}
    columns: dict[str, Callable[[Shipped], str]] = {
        "row": lambda e: (
            f"`{e.name}`{f', seed {e.seed}' if e.name in several else ''}"
            f"{' (in luma)' if load_recipe(e.recipe).network.grey else ''}"
        ),
        "steps": lambda e: f"{e.steps:,}",
        "hours": lambda e: f"{e.hours:.2f}",
        "parameters": lambda e: f"{e.parameters:,}",
        "clips": lambda e: f"{e.scores['clips']:.0f}",
        "PSNR, 1st / 2nd": lambda e: f"{e.scores['psnr_1']:.2f} / {e.scores['psnr_2']:.2f}",
        "− `last_frame`": lambda e: " / ".join(
            signed(e.scores[f"psnr_{n}"] - e.scores[f"copy_psnr_{n}"]) for n in (1, 2)
        ),
        "− `optical_flow`": lambda e: ahead(e.scores, "to_flow"),
        "− `optical_flow_refined`": lambda e: ahead(e.scores, "to_refined"),
        "SSIM, 1st / 2nd": lambda e: f"{e.scores['ssim_1']:.4f} / {e.scores['ssim_2']:.4f}",
    }
    shown = {heading: cell for heading, cell in columns.items() if any(map(cell, entries))}
    return markdown(list(shown), [[cell(entry) for cell in shown.values()] for entry in entries])


def ahead(scores: dict[str, float | int], to: str) -> str:
    """The differences to a baseline on the first and the second frame, with standard errors."""
    if f"{to}_1" not in scores:
        return ""
    return " / ".join(f"{signed(scores[f'{to}_{n}'])} ± {scores[f'{to}_se_{n}']:.2f}" for n in (1, 2))


def means_table() -> str:
    """The test clips: means as the protocol has them."""
    rows = []
    for name, row in measured().items():
        cells = [cell for n in (1, 2) for cell in (three(row, n), str(row[f"frames_counted_{n}"]))]
        rows.append([code(name, row), *cells])
    return markdown(["", "1st frame", "n", "2nd frame", "n"], rows)


def grey_table() -> str:
    """The rows that are scored in luma: means, and what they are above optical flow."""
    rows = []
    for name, row in measured("figure5-grey", "optical_flow").items():
        cells = [
            cell
            for n in FRAMES
            for cell in (
                f"{row[f'psnr_{n}']:.2f} / {row[f'ssim_{n}']:.3f}",
                str(row[f"frames_counted_{n}"]),
                "" if name == "optical_flow" else str(gap(name, "optical_flow", n, "figure5-grey")),
            )
        ]
        rows.append([code(name, row), *cells])
    header = [cell for n in FRAMES for cell in (f"{ordinal(n)} frame", "n", "− `optical_flow`, dB")]
    return markdown(["", *header], rows)


def against_table(frame: int) -> str:
    """Each row minus the rows that every row is compared with."""
    others = [other for other in AGAINST if other in measured()]
    rows = []
    for name, row in measured().items():
        if name != "last_frame":
            cells = ["" if other == name else str(gap(name, other, frame)) for other in others]
            rows.append([code(name, row), *cells])
    return markdown([f"{ordinal(frame)} frame, dB", *(f"− `{other}`" for other in others)], rows)


def motion_table() -> str:
    """The differences where little, more and much moves."""
    columns: dict[str, list[Gap]] = {}
    for first, second in BY_MOTION:
        strata = build_strata(board(against=label(second)), "motion").strata
        for stratum in strata:
            rows = {str(row["label"]): row for row in stratum.board.rows.to_dict("records")}
            for frame in (1, 2):
                heading = (
                    f"{ordinal(frame)}, {stratum.part.name.removeprefix('motion ')} ({stratum.frames[frame]})"
                )
                columns.setdefault(heading, []).append(gap_of(rows[label(first)], frame))
    ordered = sorted(columns, key=lambda heading: heading[0])
    pairs = [f"`{first}` − `{second}`" for first, second in BY_MOTION]
    lines = [[pair, *(str(columns[heading][n]) for heading in ordered)] for n, pair in enumerate(pairs)]
    return markdown(["dB", *ordered], lines)


def steps_table() -> str:
    """First minus second of the pairs that differ in one thing."""
    return pairs_table(STEPS, {f"{ordinal(n)} frame": ("psnr", n) for n in FRAMES}, "dB")


def looks_table() -> str:
    """The same in SSIM and sharpness."""
    scores = {f"{name}, {ordinal(n)}": (column, n) for column, name in LOOKS for n in FRAMES}
    return pairs_table(STEPS, scores)


def eight_table() -> str:
    """The rows of the second configuration, frame by frame."""
    scores: dict[str, tuple[str, Frame]] = {
        f"{ordinal(n)} frame" if isinstance(n, int) else "all": ("psnr", n) for n in FRAMES_8TO8
    }
    return pairs_table(PAIRS_8TO8, scores, "dB", "ucf101-8to8")


def pairs_table(
    pairs: Sequence[tuple[str, str]],
    scores: Mapping[str, tuple[str, Frame]],
    corner: str = "",
    protocol: str = "mathieu2016",
) -> str:
    """First minus second of each pair, in each score: heading to column and frame."""
    rows = [
        [
            f"`{first}` − `{second}`",
            *(str(gap(first, second, n, protocol, column)) for column, n in scores.values()),
        ]
        for first, second in pairs
    ]
    return markdown([corner, *scores], rows)
