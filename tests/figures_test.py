"""The table in docs/figures.md: a program's rows take the place of those of its last run."""

from tests.soak.figures import Figure, write


def test_a_second_run_replaces_the_rows_of_the_first_and_no_others(tmp_path):
    page = tmp_path / "figures.md"
    write("kills", [Figure("lost rows", "0", "0 of 200", met=True)], page=page)
    write("balance", [Figure("law | sum", "5,000", "12", met=False)], page=page)
    write("kills", [Figure("lost rows", "0", "3 of 200", met=False)], page=page)
    rows = page.read_text(encoding="utf-8").split("|---|\n", 1)[1].splitlines()
    assert [row.split(" | ")[0:5] for row in rows] == [
        ["| balance", "law \\| sum", "5,000", "12", "MISSED"],
        ["| kills", "lost rows", "0", "3 of 200", "MISSED"],
    ]
    assert page.read_text(encoding="utf-8").count("# Figures") == 1
