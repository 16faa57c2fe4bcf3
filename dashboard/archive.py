"""Files as one archive."""

import io
import re
import zipfile
from collections.abc import Mapping

_ODD = re.compile(r"[^\w.-]+")


def zipped(files: Mapping[str, str]) -> bytes:
    """Files in one archive, the same bytes for the same content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()


def safe_name(name: str) -> str:
    """A file name of the user's without folders and signs that a shell or an archive reads."""
    return _ODD.sub("-", re.split(r"[/\\]", name)[-1]).strip(".-")[:80] or "config"
