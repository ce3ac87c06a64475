"""``python -m vpbench``."""

from vpbench.cli.main import main

main(prog_name="vpbench")
