"""Commands on files while the database cannot be used: they work, and say what they do without."""

from shell import Shell

from analytics.logs.store import Store

LOG = (
    "request_id,task_category,model,confidence,correct,input_tokens,output_tokens\na,law,small,0.5,1,1000,0\n"
)


def cost(shell: Shell) -> float | None:
    (row,) = shell.json("tiers", "log.csv", "--by", "model")["rows"]
    found: float | None = row["cost_usd"]["value"]
    return found


def test_files_work_with_a_database_that_is_in_use_or_damaged_and_say_what_is_not_used(shell: Shell) -> None:
    shell.write("log.csv", LOG)
    shell.text("price", "small", "--input", "2", "--output", "4")
    assert cost(shell) == 0.002  # 1,000 tokens at 2 USD per million
    assert "not used here" not in shell.err
    with Store.open(shell.db):
        assert cost(shell) is None
        assert "Mappings and prices that were set before are not used here. Another copy of" in shell.err
    for path in shell.folder.glob("logs.duckdb*"):
        if path.is_file():
            path.unlink()
    shell.db.write_bytes(b"no database at all" * 1000)
    assert cost(shell) is None
    assert "Mappings and prices that were set before are not used here. This database" in shell.err
    assert shell.db.read_bytes() == b"no database at all" * 1000
