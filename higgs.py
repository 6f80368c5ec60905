"""Our artifact types, by the names under which TFX imports them in a container.

A compiled pipeline names an artifact's type by its title, such as ``higgs.DataVerdict``, and
TFX takes the title for a module and a class.
"""

from formats.artifact_types import *  # noqa: F403 (every type there is)
