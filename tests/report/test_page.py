import dataclasses
import re
from html import unescape
from html.parser import HTMLParser

import pytest

from hilum.report.markup import VOID
from hilum.report.page import BANNER, NEEDS, SECTIONS, page_from
from hilum.report.tables import printed, summary_from

EVIL = "<script>alert('x')</script>"


class Balance(HTMLParser):
    """Fails on a tag that is closed twice, late or never; gathers what a test asks for."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.addresses, self.ids, self.headings = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        self._note(tag, attrs)
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in VOID
        self._note(tag, attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def _note(self, tag, attrs):
        self.seen.append(tag)
        found = dict(attrs)
        assert len(found) == len(attrs)
        self.addresses += [found[key] for key in ("src", "href", "xlink:href", "action") if key in found]
        if "id" in found:
            self.ids.append(found["id"])
        if re.fullmatch(r"h\d", tag):
            self.headings.append(int(tag[1]))
        assert tag != "img" or found["alt"]
        assert tag != "svg" or found.get("aria-label") or found.get("aria-hidden") == "true"
        assert tag != "th" or found["scope"] in ("row", "col")


def parsed(page):
    parser = Balance()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


@pytest.fixture(scope="module")
def full(record):
    return page_from(record())


@pytest.fixture(params=["full", "empty"])
def page(request, full, empty):
    return full if request.param == "full" else page_from(empty)


def test_page_is_well_formed_and_in_order(page):
    found = parsed(page)
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert len(found.ids) == len(set(found.ids))
    assert found.headings[0] == 1
    assert found.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(found.headings, found.headings[1:], strict=False))


def test_page_asks_nobody_for_anything(page):
    found = parsed(page)
    assert "script" not in found.seen
    assert "link" not in found.seen
    assert {address.split(":")[0] for address in found.addresses if not address.startswith("#")} <= {"data"}
    assert "default-src 'none'" in unescape(page)
    assert not re.search(r"url\(|@import", page)


@pytest.mark.parametrize("name", ["full", "empty"])
def test_every_link_of_the_contents_has_its_section(name, full, empty, record):
    made, found = (record(), parsed(full)) if name == "full" else (empty, parsed(page_from(empty)))
    links = [address[1:] for address in found.addresses if address.startswith("#")]
    absent = {section for section, needed in NEEDS.items() if not needed(made)}
    assert links == [section for section, _, _ in SECTIONS if section not in absent]
    assert (len(SECTIONS), bool(absent)) == (16, name == "empty")
    assert set(links) <= set(found.ids)


def test_page_says_what_it_is_not_for(page):
    assert BANNER in page


def test_same_record_same_page(record, full):
    assert page_from(record()) == full


def test_what_comes_from_data_stays_text(record, example, scores):
    evil = record(
        title=EVIL,
        description=EVIL,
        recipe=EVIL,
        data=[(EVIL, EVIL)],
        warnings=[EVIL],
        versions={EVIL: EVIL},
        failures=[(EVIL, EVIL)],
        examples=[example(name=EVIL, finding=EVIL)],
        scores=[
            dataclasses.replace(
                s,
                finding=s.finding and EVIL,
                method=s.method and EVIL,
                box_rule=s.box_rule and EVIL,
                stratum=s.stratum and EVIL,
                floors={EVIL: 0.5},
                protocol=dataclasses.replace(s.protocol, films=EVIL),
            )
            for s in scores
        ],
        headline=(EVIL, EVIL),
        findings=(EVIL, "b", "c"),
    )
    page = page_from(evil)
    assert "script" not in parsed(page).seen
    assert page.count("&lt;script&gt;") > 15


def test_strata_stand_only_among_strata(full):
    sections = {part.split('"')[0]: part for part in full.split('<section id="')[1:]}
    assert "0.660" in sections["strata"]
    assert "0.660" not in sections["classification"]


def test_every_number_of_the_headline_is_shown(record, full):
    results = full.split('id="results"')[1].split("</section>")[0]
    rows = summary_from(record().scores, record().headline)
    assert len(rows) == 6
    for row in rows:
        line = results.split(f">{row.label.replace('>', '&gt;')}</th>")[1].split("</tr>")[0]
        for shown in (row.value, row.low, row.high, row.floor):
            assert printed(shown) in line
        assert f"<td>{row.n}</td>" in line


def test_a_number_at_its_floor_is_marked_in_the_headline(record, scores):
    lowered = [dataclasses.replace(s, value=0.1, low=0.05) if s.metric == "t_iou" else s for s in scores]
    results = page_from(record(scores=lowered)).split('id="results"')[1].split("</table>")[0]
    assert results.count('class="mark below"') == 3


def test_page_without_anything_says_what_is_missing(empty):
    page = page_from(empty)
    for words in ("no classification", "no localisation", "no scores by sex"):
        assert words in page
    assert [name for name in NEEDS if f'id="{name}"' in page] == []
    assert "<img" not in page
    assert page.count('title="undefined') >= 6


def test_all_systems_and_strata_have_their_tables(full):
    for method in ("cam", "gradcam"):
        for rule in ("dynamic(87.5), largest", "level(180), largest", "no box"):
            assert f"<summary>{method} · {rule}</summary>" in full
    assert "size&lt;1%" in full
    assert "sex=F" in full


def test_protocol_shows_shared_fields_once_and_the_others_by_score(full):
    protocol = full.split('id="protocol"')[1].split("</section>")[0]
    assert protocol.count("phantoms, test list") == 1
    assert ">pairs</td>" in protocol
    assert "dynamic(87.5), largest; level(180), largest" in protocol


def test_warnings_failures_and_recipe_are_there(full):
    for words in ("A partial sample: not to be compared.", "the file is truncated", "size = 64", "hilum"):
        assert words in full


def test_false_boxes_and_froc_have_their_means_folded(record, scores):
    froc = [
        dataclasses.replace(s, metric="froc", at={0.1: 0.5, 0.3: 1.0, 0.5: 2.0}[s.at], value=0.777)
        for s in scores
        if s.metric == "t_iou" and s.stratum is None
    ]
    section = page_from(record(scores=[*scores, *froc])).split('id="localisation"')[1].split("</section>")[0]
    assert "<summary>FROC sensitivity, means over findings</summary>" in section
    assert ">at FP a film 0.5</th>" in section


def test_rates_stand_with_their_operating_points_only(record, scores):
    rates = [dataclasses.replace(s, metric="sensitivity", value=0.777) for s in scores if s.metric == "auroc"]
    both = [*scores, *rates]
    part = page_from(record(scores=both)).split('id="classification"')[1].split("</section>")[0]
    assert "0.777" not in part
    assert "Operating points" in part
    part = page_from(record(scores=both, curves=None)).split('id="classification"')[1].split("</section>")[0]
    assert "0.777" in part


def test_failures_steps_and_neighbours_have_their_sections(full):
    for words in ("normal film lit", "3. mask: dynamic(87.5)", "Not set beside these numbers"):
        assert words in full
    assert "Against the threshold" in full
