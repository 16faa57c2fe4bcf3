"""The user's own router config: the thresholds merged into it, and what that changes against it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from analytics.errors import SchemaError
from analytics.export import merge, reading
from analytics.export.fragment import scored_by
from dashboard import change_parts, components, export_parts, words
from dashboard.archive import safe_name

if TYPE_CHECKING:
    from analytics.export.fragment import Fragment
    from analytics.policy import ThresholdPolicy
    from analytics.tuning.goals import Tuning

TYPES = {"yaml": ["yaml", "yml"], "json": ["json"]}
PLUGIN = "litellm-plugin"
MERGED_READ = "Every line that is not ours stays as you have it. Put the old file back to undo the change."
ALIKE = "Your config already has exactly these thresholds."


@dataclass(frozen=True, slots=True)
class Own:
    """What the user uploaded.

    Attributes:
        name: Of the file.
        content: Of it.
        today: What it decides, as far as it could be read; None where not at all.
    """

    name: str
    content: bytes
    today: "ThresholdPolicy | None"


def own_config(target: str, found: "Fragment", tuning: "Tuning", handed: "ThresholdPolicy") -> Own | None:
    """Draw the upload, and for an uploaded config the merge and the change.

    Returns:
        The config, if there is one that is valid.
    """
    form = merge.FORMS.get(target) or reading.FORMS.get(target)
    if form is None:
        return None
    components.section("Your router's config today")
    plugin = target == PLUGIN
    given = st.file_uploader(
        "The file that it reads, and tiertune_classifier.py beside it"
        if plugin
        else "The file that it reads",
        type=[*TYPES[form], *(["py"] if plugin else [])],
        accept_multiple_files=plugin,
        key=f"own-{target}",
        max_upload_size=1,
        help="It is read strictly, nothing in it is run, and it is not kept.",
    )
    uploads = given if isinstance(given, list) else [] if given is None else [given]
    configs = [upload for upload in uploads if not upload.name.endswith(".py")]
    if not configs:
        components.caption("Upload it to get it back with these thresholds in it, and to see what changes.")
        return None
    if len(configs) > 1:
        components.caption("These are several configs. Leave the one that the router reads.")
        return None
    name, content = configs[0].name, configs[0].getvalue()
    if target in merge.FORMS and not _merged(name, content, target, found):
        return None
    beside = {upload.name: _text(upload.getvalue()) for upload in uploads if upload.name.endswith(".py")}
    return Own(name, content, _changed(content, target, beside, tuning, handed))


def _merged(name: str, content: bytes, target: str, found: "Fragment") -> bool:
    """Draw the merged config; False where the file cannot be merged into."""
    try:
        with st.spinner("Merging", show_time=True):
            own = merge.merged(content, target, found)
    except SchemaError as error:
        export_parts.not_used(error)
        return False
    for note in own.notes:
        st.markdown(f"- {words.plain(note, limit=300)}")
    if not own.diff:
        components.caption(ALIKE)
        return True
    safe = safe_name(name)
    files = (
        ("Download the merged config", own.text, safe, ":material/download:", "primary"),
        ("Diff", f"{own.diff}\n", f"{safe}.diff", ":material/difference:", "secondary"),
        ("Your file as it was", own.before, f"{safe}.rollback", ":material/undo:", "secondary"),
    )
    with st.container(horizontal=True, gap="small"):
        for label, text, file, icon, sort in files:
            st.download_button(
                label,
                data=text.encode(),
                file_name=file,
                mime="text/plain",
                key=f"own-{label}",
                on_click="ignore",
                icon=icon,
                type=sort,  # type: ignore[arg-type]
            )
    st.code(own.diff, language="diff", height=360)
    components.caption(MERGED_READ)
    return True


def _changed(
    content: bytes, target: str, beside: dict[str, str], tuning: "Tuning", handed: "ThresholdPolicy"
) -> "ThresholdPolicy | None":
    """Draw what the new thresholds change against those that the config has; these, if they were read."""
    components.section("What that changes")
    try:
        found = reading.in_force(content, target, kind=tuning.policy.policy_kind, beside=beside)
    except SchemaError as error:
        components.caption("The thresholds in force are not read from this file:")
        st.text(str(error))
        return None
    for sentence in found.unread:
        st.markdown(f"- {words.plain(sentence, limit=300)}")
    score = scored_by(found.policy)
    if score and score != scored_by(tuning.policy):
        own = words.plain(score, limit=60)
        st.warning(
            f"Its thresholds are about {own}, which is not the confidence of this log. The figures below "
            "hold only if it is.",
            icon=":material/warning:",
        )
    change_parts.effect(tuning, found.policy, key="own", back=False)
    export_parts.comparison(found.policy, handed, key="own-changes")
    return found.policy


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")
