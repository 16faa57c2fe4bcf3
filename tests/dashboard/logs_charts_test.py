"""The intake bar says in words, numbers and patterns what it draws."""

from dashboard import look
from dashboard.charts import intake


def test_the_parts_of_the_bar_add_up_to_what_was_read():
    figure = intake.intake(loaded=12_005, rejected=27, duplicates=182)
    assert [bar.x[0] for bar in figure.data] == [12_005, 182, 27]
    assert figure.layout.xaxis.range == (0, 12_214)  # 12,005 + 27 + 182


def test_each_part_has_its_own_pattern_and_colour():
    figure = intake.intake(loaded=1, rejected=1, duplicates=1)
    assert len({bar.marker.pattern.shape for bar in figure.data}) == 3
    assert [bar.marker.color for bar in figure.data] == [look.CERTIFIED, look.NEUTRAL, look.WORSE]


def test_the_numbers_of_small_parts_stand_below_the_bar():
    figure = intake.intake(loaded=12_005, rejected=27, duplicates=182)
    texts = [note.text for note in figure.layout.annotations]
    # 12,005 / 12,214 = 98.29%; 182 / 12,214 = 1.49%; 27 / 12,214 = 0.22%.
    assert texts[0] == "<b>Loaded 12,005</b> (98.3%)"
    assert "<b>Duplicates 182</b> (1.5%)" in texts[1]
    assert "<b>Rejected 27</b> (0.2%)" in texts[1]


def test_an_empty_part_is_neither_named_nor_outlined():
    figure = intake.intake(loaded=10, rejected=0, duplicates=0)
    assert len(figure.layout.annotations) == 1
    assert [bar.marker.line.width for bar in figure.data] == [1, 0, 0]


def test_a_file_of_no_rows_still_draws():
    figure = intake.intake(loaded=0, rejected=0, duplicates=0)
    assert figure.layout.annotations[0].text == "<b>Loaded 0</b> (0.0%)"


def test_the_bar_is_told_in_words():
    assert intake.alt(loaded=2, rejected=1, duplicates=0) == (
        "Bar of 3 records read: 2 loaded, 1 rejected, 0 duplicates."
    )
