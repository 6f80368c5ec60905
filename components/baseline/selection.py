"""Selects the version of a push directory that a candidate is compared with."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from tfx.types import artifact_utils
from tfx.utils import path_utils

from formats.artifact_manifest import take_manifest
from formats.artifact_types import Artifacts
from formats.provenance import model_digest
from formats.push_directory import PushedVersion, folder_numbers, pushed_versions


@dataclass(frozen=True)
class Selection:
    """The outcome of a search for the model in service.

    Attributes:
        version: the newest undamaged version of another model than the candidate; None without one.
        damaged: damaged versions of other models that are newer, the newest first.
        is_candidate: whether the newest version is the candidate itself.
        newest: the largest number of a folder there that is not the candidate; 0 without one.
    """

    version: PushedVersion | None
    damaged: tuple[PushedVersion, ...] = ()
    is_candidate: bool = False
    newest: int = 0

    @property
    def key(self) -> str:
        """Text that is equal for equal outcomes."""
        version = self.version and f"{self.version.version} {self.version.model_sha256}"
        faults = (f"{damaged.version}: {damaged.fault}" for damaged in self.damaged)
        return "; ".join([version or "none", *faults, f"newest {self.newest}"])


def select(
    push_directory: str, inputs: Artifacts, find_fault: Callable[[PushedVersion], str] | None = None
) -> Selection:
    """Searches a push directory for the model that the candidate is compared with.

    Args:
        push_directory: the folder of all versions.
        inputs: the inputs of ModelInService; the candidate may be missing.
        find_fault: returns the fault of a version whose files are unchanged, or an empty text.
    """
    candidate = candidate_digest(inputs)
    damaged: list[PushedVersion] = []
    is_candidate = False
    # Before they are read: anything pushed meanwhile is newer.
    numbers = set(folder_numbers(push_directory))
    for version in pushed_versions(push_directory):
        if candidate and version.model_sha256 == candidate:
            numbers.discard(version.version)
            is_candidate = is_candidate or not damaged
            continue
        fault = version.fault or (find_fault(version) if find_fault else "")
        if not fault:
            return Selection(version, tuple(damaged), is_candidate, max(numbers, default=0))
        # Behind the candidate itself, older versions are not in service.
        if not is_candidate:
            damaged.append(replace(version, fault=fault))
    return Selection(None, tuple(damaged), is_candidate, max(numbers, default=0))


def candidate_digest(inputs: Artifacts) -> str:
    """Computes the digest of the candidate's files; empty without a candidate."""
    if not inputs.get("candidate"):
        return ""
    model = artifact_utils.get_single_instance(inputs["candidate"])
    return model_digest(take_manifest(path_utils.serving_model_path(model.uri)))
