import pytest

from hilum.report.markup import Html, data_uri, joined, table, tag


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (tag("p", "<script>"), "<p>&lt;script&gt;</p>"),
        (tag("p", Html("<b>x</b>")), "<p><b>x</b></p>"),
        (tag("a", "x", title='"><script>'), '<a title="&quot;&gt;&lt;script&gt;">x</a>'),
        (tag("th", "x", aria_label="y", class_="z"), '<th aria-label="y" class="z">x</th>'),
        (tag("meta", name="viewport"), '<meta name="viewport"/>'),
        (tag("br"), "<br/>"),
        (tag("p"), "<p></p>"),
        (joined("a & b", tag("i", "c")), "a &amp; b<i>c</i>"),
        (joined(), ""),
    ],
)
def test_only_markup_of_ours_stays_markup(made, expected):
    assert made == expected
    assert isinstance(made, Html)


def test_table_names_rows_and_columns_and_sets_off_its_foot():
    made = table("T & co", ("finding", "n"), [("Mass", "3"), ("mean", "4")], foot=1)
    assert "<caption><span>T &amp; co</span></caption>" in made
    assert made.count('scope="col"') == 2
    assert made.count('scope="row"') == 2
    assert '<tfoot><tr><th scope="row">mean</th>' in made


def test_data_uri_holds_the_bytes():
    assert data_uri(b"\x00\xff", "image/png") == "data:image/png;base64,AP8="
