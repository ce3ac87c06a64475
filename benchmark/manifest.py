"""The protocol and the split that a run's manifest names. It may come from a stranger, and is checked."""

from __future__ import annotations

from typing import Any

from vpbench.errors import UsageError, VpbenchError
from vpbench.escape import plain
from vpbench.protocol import BUILT_IN, Protocol, from_definition
from vpbench.splits import BUILT_IN as SPLITS
from vpbench.splits import Split, get_split


def split_of(manifest: dict[str, Any], given: str | None = None) -> Split:
    """The split that a run was scored on.

    Args:
        manifest: the run's. Its name opens a list that comes with vpbench, never a path.
        given: name, folder or CSV file of the split, which must be the run's; needed where it is none of vpbench's.

    Raises:
        UsageError: the split is not found, or is not the run's.
    """
    name, split_hash = manifest["split"]["name"], manifest["split"]["hash"]
    if given is None and name not in SPLITS:
        raise UsageError(
            f"The run's split '{plain(name)}' is not one of vpbench's; give its folder or CSV file as --split."
        )
    split = get_split(given or name)
    if split.hash != split_hash:
        raise UsageError(
            f"The run's split '{plain(name)}' (hash {plain(split_hash)}) is not this '{split.name}' "
            f"(hash {split.hash}); give the list that was scored as --split."
        )
    return split


def protocol_of(manifest: dict[str, Any]) -> Protocol:
    """The protocol that a run was made under, from its manifest.

    Raises:
        VpbenchError: the definition is damaged, or does not have the hash that the manifest states.
    """
    said = manifest["protocol"]
    known = BUILT_IN.get(said["name"])
    if known is not None and known.hash == said["hash"]:
        return known
    where = f"The protocol in the manifest of run '{plain(manifest['label'])}' is damaged"
    try:
        protocol = from_definition(said["definition"], where)
    except UsageError as error:
        raise VpbenchError(str(error)) from None
    if protocol.hash != said["hash"]:
        raise VpbenchError(
            f"The manifest of run '{plain(manifest['label'])}' is damaged: its protocol's definition has the hash "
            f"{protocol.hash}, not {plain(said['hash'])}."
        )
    return protocol
