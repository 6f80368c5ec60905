"""Locations: paths on a disk, or URIs of an object store."""

import re

# Two letters at least, as a drive of Windows has one.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def is_remote(location: str) -> bool:
    """Returns whether a location is a URI, of whatever store, and not a path on a disk.

    >>> is_remote("gs://bucket/model"), is_remote("/models/1")
    (True, False)
    """
    return bool(_URI.match(location))
