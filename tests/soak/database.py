"""What a database holds, asked past the product's own sums."""

from analytics.logs.storage import tables
from analytics.logs.store import Store


def held(store: Store, dataset: str) -> int:
    """Rows that the files of a dataset brought: calls, or decisions, and grades."""
    with store.cursor() as cursor:
        known = cursor.execute("SELECT form FROM datasets WHERE name = ?", [dataset]).fetchone()
        forms = {known[0], "grades"} if known else set()
        held = 0
        for form in forms:
            table = tables.of(cursor, dataset, form)
            found = cursor.execute("SELECT count(*) FROM query_table($table)", {"table": table}).fetchone()
            held += found[0] if found else 0
        return held
