"""A roster's file: what spreadsheets write is read, what would have to be guessed is refused by its place."""

import csv
import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.external_ids import normalise_external_id
from service.exams.errors import RosterUnreadable
from service.exams.roster.file import Row, rows_of_csv

printable = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=30)


def is_stored_as_it_is(text: str) -> bool:
    try:
        return normalise_external_id(text) == text
    except ValueError:
        return False


external_ids = printable.filter(is_stored_as_it_is)


def refusal_of(data: bytes) -> RosterUnreadable:
    with pytest.raises(RosterUnreadable) as refused:
        rows_of_csv(data)
    return refused.value


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["without", "with"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_file_is_read_with_any_delimiter_with_or_without_a_byte_order_mark(
    mark: bytes, delimiter: str
) -> None:
    data = mark + delimiter.join(["seat", "external_id", "display_name"]).encode()
    data += b"\r\n" + delimiter.join(["7", "s-1", "Zoë"]).encode() + b"\r\n"

    assert rows_of_csv(data) == [Row(1, "s-1", "Zoë", "7")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("first", ["", "sep=;", '"sep=;"', "SEP=;;;"])
def test_what_a_spreadsheet_says_of_the_file_is_believed(first: str, end: str) -> None:
    heading = [first, "external_id;display_name"] if first else ["external_id;display_name"]
    lines = [*heading, "", 's-1;"Meyer, Ann, Dr., MSc"', "s-2;Ben"]

    rows = rows_of_csv(end.join(lines).encode())

    assert rows == [Row(1, "s-1", "Meyer, Ann, Dr., MSc"), Row(2, "s-2", "Ben")]
    assert [lines[row.line - 1][:3] for row in rows] == ["s-1", "s-2"]


def test_an_empty_cell_too_many_is_passed_over() -> None:
    assert rows_of_csv(b"external_id,seat\na,1,\nb,2,,\n") == [Row(1, "a", seat="1"), Row(2, "b", seat="2")]


def test_every_row_that_cannot_be_read_is_named_at_once() -> None:
    refused = refusal_of(b"external_id,twin\na,maybe\nb,yes\n\n,no\nd,no,extra\ne\x07,no\n")

    found = refused.members["findings"]
    assert refused.members["total"] == 4
    assert [(one["row"], one["line"], one["column"]) for one in found] == [
        (1, 2, "twin"),
        (3, 5, "external_id"),
        (4, 6, None),
        (5, 7, "external_id"),
    ]
    assert "row 1, column twin: 'maybe' is neither yes nor no (line 2); 3 more rows" in str(refused)


def test_quotes_hold_delimiters_and_quotes_and_a_line_break_is_a_control_character() -> None:
    assert rows_of_csv(b'external_id,display_name\n"a,b","O""Neill; Ann"\n') == [
        Row(1, "a,b", 'O"Neill; Ann')
    ]
    assert "control characters" in str(refusal_of(b'external_id,display_name\ns,"two\nlines"\n'))


def test_flags_are_read_in_the_words_that_people_write() -> None:
    data = b"external_id,twin,manual_identification,accommodation\na,Yes,0,extra time\nb,,x,\nc,false,TRUE,\n"

    a, b, c = rows_of_csv(data)

    assert (a.twin, a.manual_identification, a.accommodation) == (True, False, "extra time")
    assert (b.twin, b.manual_identification, b.accommodation) == (False, True, None)
    assert (c.twin, c.manual_identification) == (False, True)


def test_columns_that_nobody_asked_for_and_blank_lines_are_passed_over() -> None:
    data = b"Programme,External ID,,Seat\nMaths,s-1,,1\n\n,,,\nMaths,s-2,,2\n"

    assert rows_of_csv(data) == [Row(1, "s-1", seat="1"), Row(2, "s-2", seat="2")]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no column external_id"),
        (b"name,seat\nAnn,1\n", "no column external_id; it has name, seat"),
        (b"external_id,seat,seat\na,1,2\n", "the column seat twice"),
        ("external_id,display_name\ns-1,Zoë\n".encode("latin-1"), "line 2 is not UTF-8 (byte 0xeb)"),
        ("external_id\ns-1\n".encode("utf-16-le"), "UTF-16, and has no byte order mark"),
        ("external_id,display_name\ns-1,A\ns-2,B\n".encode("utf-16")[:-1], "line 3 is not UTF-16"),
        (b"sep=;\r\nexternal_id;display_name\r\ns-1;Z\x81\r\n", "line 3 is not Windows-1252 (byte 0x81)"),
        (b"PK\x03\x04\x14\x00", "the file is no Excel workbook, or a damaged one"),
        (
            "external_id,display_name\r\rs-1,Ann\rs-2,Zoë\r".encode("cp1252"),
            "line 4 is not UTF-8 (byte 0xeb)",
        ),
        (b"external_id,seat\na,1\nb", "row 2: has 1 fields; the header has 2"),
        (b"external_id,seat\na,1,extra\n", "row 1: has 3 fields"),
        (b"external_id,seat\n ,1\n", "row 1, column external_id: is empty"),
        (b"external_id,twin\na,maybe\n", "row 1, column twin: 'maybe' is neither yes nor no"),
        (b"external_id,display_name\na,nul\x00\n", "control characters"),
        (b'external_id,display_name\na,"open\n', "line 2"),
    ],
)
def test_what_is_not_a_roster_is_refused_by_its_place(data: bytes, says: str) -> None:
    assert says in str(refusal_of(data))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be with mark", "utf-32"])
@pytest.mark.parametrize("start", ["", "sep=;\r\n"])
def test_a_roster_is_read_in_every_encoding_that_says_which_it_is(encoding: str, start: str) -> None:
    text = f"{start}external_id;display_name\r\ns-1;Zoë Łuk\r\n"
    if encoding.endswith("mark"):
        text, encoding = "\ufeff" + text, "utf-16-be"

    (row,) = rows_of_csv(text.encode(encoding))

    assert (row.external_id, row.display_name, row.line) == ("s-1", "Zoë Łuk", 3 if start else 2)


def test_excels_unicode_text_with_tabs_and_its_windows_1252_behind_sep_are_read() -> None:
    unicode_text = "external_id\tdisplay_name\tseat\r\ns-1\tZoë; Ann, Dr.\t7\r\n".encode("utf-16")
    windows = "sep=;\r\nexternal_id;display_name;seat\r\ns-1;Zoë – “Ann” €;7\r\n".encode("cp1252")

    assert rows_of_csv(unicode_text) == [Row(1, "s-1", "Zoë; Ann, Dr.", "7")]
    assert rows_of_csv(windows) == [Row(1, "s-1", "Zoë – “Ann” €", "7")]


def test_empty_cells_that_were_left_out_at_the_end_of_a_row_are_empty() -> None:
    data = b"external_id,display_name,seat,accommodation\r\na,A,1,\r\nb,B,2\r\nc\r\n"

    assert rows_of_csv(data) == [Row(1, "a", "A", "1"), Row(2, "b", "B", "2"), Row(3, "c")]


def test_utf_8_behind_sep_stays_utf_8() -> None:
    data = "sep=;\nexternal_id;display_name\ns-1;Łukasz\n".encode()

    assert rows_of_csv(data)[0].display_name == "Łukasz"


@pytest.mark.parametrize("size", [1_500, 2_000_000])
def test_a_field_of_two_megabytes_is_refused_by_its_place(size: int) -> None:
    refused = refusal_of(b"external_id,display_name\na,A\nb," + b"x" * size + b"\n")

    assert "row 2" in str(refused) or "line 3" in str(refused)


def test_formulas_are_text() -> None:
    data = b'external_id,display_name\n=1+1,"=HYPERLINK(""http://x"",""y"")"\n'

    assert rows_of_csv(data) == [Row(1, "=1+1", '=HYPERLINK("http://x","y")')]


def test_more_candidates_than_a_roster_may_have_are_refused() -> None:
    data = b"external_id\n" + b"\n".join(b"%d" % number for number in range(100_001))

    assert "at most 100,000" in str(refusal_of(data))


@given(
    st.lists(st.tuples(external_ids, printable, printable), min_size=1, max_size=20), st.sampled_from(",;\t")
)
def test_what_any_csv_writer_writes_is_read_as_it_was(
    rows: list[tuple[str, str, str]], delimiter: str
) -> None:
    target = io.StringIO()
    writer = csv.writer(target, delimiter=delimiter)
    writer.writerow(["external_id", "display_name", "seat"])
    writer.writerows(rows)

    read = rows_of_csv(target.getvalue().encode())

    assert [(one.external_id, one.display_name, one.seat) for one in read] == rows


def test_fifty_thousand_rows_are_read_one_after_the_other() -> None:
    lines = "\n".join(f"s-{number},Student {number},{number}" for number in range(50_000))
    data = f"external_id,display_name,seat\n{lines}\n".encode()
    started = time.process_time()

    rows = rows_of_csv(data)

    assert len(rows) == 50_000
    # A look at all the others for each row would take minutes; this takes a second or two.
    assert time.process_time() - started < 30
