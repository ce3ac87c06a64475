"""The README's table: the paper's Table 2 beside ours, and what it means."""

from __future__ import annotations

from measured import BASELINES, GUIDED, board, code, gap, markdown, measured, signed, three

from vpbench.analysis.footnotes import TUNED
from vpbench.results.published_tables import TUNED_MARK, UNVERIFIED, UNVERIFIED_MARK, PublishedRow


def published() -> dict[str, PublishedRow]:
    """The paper's rows by our names."""
    return {str(row.predictor): row for _, row in board().published}


def narrow(cell: str) -> str:
    """A cell without spaces, so that the README's table fits a page."""
    return cell.replace(" ", "")


def printed(row: PublishedRow | None, frame: int) -> str:
    """The same of a published row."""
    if row is None:
        return "–"
    psnr, ssim, sharpness = (row.scores[column][frame] for column in ("psnr", "ssim", "sharpness"))
    return f"{psnr:.1f} / {ssim:.2f} / {sharpness:.1f}"


def paper_table() -> str:
    """Table 2: the paper's rows beside ours, and ours beyond it."""
    theirs, rows = published(), []
    for name, row in measured().items():
        marks = "".join(rf" \{mark}" for mark in theirs[name].marks) if name in theirs else ""
        cells = []
        for n in (1, 2):
            cells += [three(row, n, (1, 2, 1), spreads=False), printed(theirs.get(name), n)]
        ahead_of_flow = "" if name == "optical_flow" else gap(name, "optical_flow", 1).short
        rows.append([code(name, row) + marks, *map(narrow, cells), ahead_of_flow])
    there = "the paper" + (f" {UNVERIFIED_MARK}" if any(not row.verified for row in theirs.values()) else "")
    header = ["", "1st frame, here", there, "2nd frame, here", there, "− flow"]
    return "\n".join([markdown(header, rows), "", caption(), "", meaning()])


def caption() -> str:
    made, theirs = board(), published().values()
    counted = [int(row[f"frames_counted_{frame}"]) for row in measured().values() for frame in (1, 2)]
    marks = [f"{UNVERIFIED_MARK} {UNVERIFIED}"] if any(not row.verified for row in theirs) else []
    if any(row["test_clips_seen"] == "tuned" for row in measured().values()):
        marks.append(f"{TUNED_MARK} {TUNED}")
    marks += [
        rf"\{mark} {text}"
        for table in {id(t): t for t, _ in made.published}.values()
        for mark, text in table.marks.items()
    ]
    if any(row["seeds"] > 1 for row in measured().values()):
        marks.append("× trainings from as many seeds, of which the mean is given")
    return (
        f"<sub>PSNR (dB) / SSIM / sharpness (dB), `{made.protocol.name}` version {made.protocol.version} "
        f"({made.protocol.hash}). **Measured on the {made.clips} of the paper's {made.split.total} test clips that "
        f"were at hand, not on the whole list**: compare rows within a column. {min(counted)} to {max(counted)} frames "
        "count in a mean; those on which a row reaches 50 dB are left out, so a better row may have a lower mean. "
        "− flow: PSNR of the first frame minus that of `optical_flow` on the same frames, **bold** where its 95 % "
        "interval leaves out 0. "
        f"{'. '.join(marks)}.</sub>"
    )


def meaning() -> str:
    """What the table means, in a few sentences."""
    ours, theirs = measured(), published()
    without = [name for name in theirs if name in ours and name not in BASELINES]
    best = max(without, key=lambda name: gap(name, "optical_flow", 1).mean)
    psnr = {name: row.scores["psnr"][1] for name, row in theirs.items()}
    lead = max(psnr[name] for name in without) - psnr["optical_flow"]
    scales = psnr["l2"] - psnr["single_scale_l2"]
    return (
        "On the first frame the best of the paper's own models, here small and trained on a CPU, "
        f"{placed(best)}; in the paper the best is {lead:.1f} dB above it. ℓ2 on four scales "
        f"{placed('l2', 'single_scale_l2', 'ℓ2 on one')}; in the paper {scales:.1f} dB above. Flow estimated with more "
        f"care, without learning anything, {placed('optical_flow_refined')}; a network guided by flow {placed(GUIDED)}."
    )


def placed(name: str, other: str = "optical_flow", called: str = "optical flow") -> str:
    """``is 0.44 dB above optical flow (`motion`, 0.09 to 0.83)``, or that it cannot be told from it."""
    found = gap(name, other, 1)
    if not found.significant:
        return f"cannot be told from {called} (`{name}`, {signed(found.mean)} dB, {found.interval})"
    word = "above" if found.mean > 0 else "below"
    return f"is {abs(found.mean):.2f} dB {word} {called} (`{name}`, {found.interval})"
