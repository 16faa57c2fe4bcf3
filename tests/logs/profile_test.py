"""What values look like, and which columns identify a row. Counts are by hand."""

from staged_rows import bad_input, columns_of, profiled, stage


def profiles(folder, columns):
    staged = stage(folder, columns)
    return {one.name: one for one in profiled(folder, staged)}


def only(folder, *values):
    return profiles(folder, {"x": values})["x"]


def test_numbers_are_counted_by_where_they_lie(tmp_path):
    found = only(tmp_path, "0", "1", "0.5", "87", "-2", "150", "nan", "high", None)
    assert (found.rows, found.filled, found.numbers, found.distinct) == (9, 8, 6, 8)
    assert (found.low, found.high) == (-2, 150)
    assert (found.ends, found.inner, found.hundred, found.negative, found.over_hundred) == (2, 1, 1, 1, 1)
    assert (found.whole, found.under_20, found.over_120) == (5, 4, 1)
    assert found.samples == ("0", "1", "0.5")


def test_a_mark_makes_a_number_no_word(tmp_path):
    found = only(tmp_path, "0,5", "1.234,5", "87%", "$3", "1,234", "€2")
    assert found.numbers == 6
    assert (found.commas, found.grouped, found.percent_signs, found.currency) == (2, 1, 1, 2)
    assert found.high == 1234.5


def test_dates_show_which_place_the_day_has(tmp_path):
    found = only(
        tmp_path, "01/02/2026", "13/02/2026", "2026-01-01", "3.4.2026", "Jan 1 2026", "02/28/2026 10:00"
    )
    assert (found.slashed, found.dotted, found.first_over_12, found.second_over_12) == (4, 1, 1, 1)
    assert (found.iso, found.named_month) == (1, 1)


def test_epochs_count_only_in_years_that_a_log_can_have(tmp_path):
    # 1e18 ns is 2001; -1 is 1969.
    found = only(
        tmp_path, "1767225600", "1767225600000", "1767225600000000", "1767225600000000000", "1e18", "-1"
    )
    assert found.epochs == {"epoch_s": 1, "epoch_ms": 1, "epoch_us": 1, "epoch_ns": 1}


def test_a_column_without_a_value_has_no_range(tmp_path):
    found = only(tmp_path, None, None)
    assert (found.filled, found.low, found.high, found.samples) == (0, None, None, ())


def test_counts_run_over_all_batches(tmp_path):
    rows = 250_000
    found = only(tmp_path, *("0.5" for _ in range(rows - 1)), "87")
    assert (found.rows, found.inner, found.hundred) == (rows, rows - 1, 1)


def test_a_unique_id_is_the_key(tmp_path):
    assert profiles(tmp_path, bad_input("ok_baseline.csv"))["request_id"].key == ("request_id",)


def test_ids_that_repeat_per_category_are_joined_with_it(tmp_path):
    found = profiles(
        tmp_path,
        {"question_idx": [0, 1, 0, 1], "category": ["a", "a", "b", "b"], "fast_correct": [1, 0, 1, 1]},
    )
    assert found["question_idx"].key == ("question_idx", "category")
    assert found["category"].key is None


def test_rows_of_one_model_pair_each_need_no_further_column(tmp_path):
    columns = {"id": [0, 0], "fast_model": ["a", "b"], "fast_correct": [1, 1]}
    assert profiles(tmp_path, columns)["id"].key == ("id",)


def test_equal_rows_are_duplicates_and_leave_the_key_alone(tmp_path):
    found = profiles(tmp_path, {"request_id": ["r", "r"], "model": ["m", "m"], "correct": [1, 1]})[
        "request_id"
    ]
    assert (found.key, found.repeats) == (("request_id",), 0)


def test_conflicting_rows_under_the_name_request_id_stay_conflicts(tmp_path):
    found = profiles(tmp_path, bad_input("dup_ids_conflict.csv"))["request_id"]
    assert (found.key, found.repeats) == (("request_id",), 5)


def test_a_vague_id_that_no_column_mends_gives_way_to_the_line(tmp_path):
    found = profiles(tmp_path, {"id": [1, 1, 2], "fast_correct": [1, 0, 1]})["id"]
    assert (found.key, found.repeats) == ((), 1)


def test_an_id_per_call_never_splits_the_calls_of_a_request(tmp_path):
    columns = {
        "request_id": ["r1", "r1", "r1", "r2"],
        "response_id": ["a", "b", "c", "d"],
        "timestamp": [f"2026-01-01T00:00:0{second}Z" for second in range(4)],
        "model": ["small", "large", "large", "small"],
        "correct": [0, 0, 1, 1],
    }
    found = profiles(tmp_path, columns)["request_id"]
    assert (found.key, found.repeats, found.ordered_by) == (("request_id",), 0, "timestamp")


def test_turns_of_a_question_are_requests_of_their_own(tmp_path):
    columns = {
        "question_id": [1, 1, 1, 1],
        "turn": [1, 2, 1, 2],
        "model": ["a", "a", "b", "b"],
        "score": ["1", "0.5", "0", "1"],
    }
    assert profiles(tmp_path, columns)["question_id"].key == ("question_id", "turn")


def test_a_column_that_could_be_a_category_is_known_to_differ_within_requests(tmp_path):
    columns = {
        "request_id": ["a", "a", "b", "b"],
        "model": ["small", "large", "small", "large"],
        "stage": ["ask", "ask again", "ask", "ask again"],
        "topic of it": ["x", "x", "y", None],
        "category": ["x", "y", "x", "y"],
        "correct": [0, 1, 1, 1],
    }
    found = profiles(tmp_path, columns)
    # A name that says it is a category is not guessed, and not looked at.
    assert [name for name, column in found.items() if column.varies] == ["stage"]


def test_beyond_400_columns_only_known_names_are_sure_to_be_looked_at(tmp_path):
    columns = {**{f"x{at}": ["1"] for at in range(500)}, "confidence": ["0.5"]}
    found = profiles(tmp_path, columns)
    assert len(found) == 501
    assert found["confidence"].inner == 1
    assert found["x499"].rows == 0


def test_public_logs_are_identified_by_what_their_readmes_say(tmp_path, datasets):
    automix = profiles(tmp_path, columns_of(datasets / "automix_llama_gpt5" / "pairs.parquet"))
    assert automix["id"].key == ("dataset", "row_idx")
    routellm = profiles(tmp_path, columns_of(datasets / "routellm" / "mmlu_gsm8k.parquet"))
    assert routellm["question_idx"].key == ("category", "question_idx")
    mmlu = profiles(tmp_path, columns_of(datasets / "mmlu_pro_calibration" / "pairs.parquet"))
    assert mmlu["question_idx"].key == ("question_idx",)
    arena = profiles(tmp_path, columns_of(datasets / "routerarena" / "long.parquet"))
    assert arena["global_index"].key == ("global_index",)
