import numpy as np

from hilum.report.entries import MOST_SHOWN, entries_table, section_from


def test_a_line_for_each_reference_box_with_its_own_best_overlaps(example):
    boxes = np.array([[0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 70.0, 70.0]])
    predicted = np.array([[0.0, 0.0, 10.0, 5.0], [0.0, 0.0, 20.0, 10.0]])
    made = entries_table([example(reference=boxes, predicted=predicted, name="b"), example(name="a")])
    assert [row[0] for row in made.rows] == ["a", "b", "b"]
    first = dict(zip(made.header, made.rows[1], strict=True))
    assert first == {
        "film": "b",
        "finding": "Mass",
        "entry": "0",
        "area": "0.0050",
        "probability": "0.7000",
        "boxes": "2",
        "iou": "0.500",
        "iobb": "1.000",
    }
    assert made.rows[2][-2:] == ("0.000", "0.000")


def test_an_entry_without_a_box_overlaps_nothing(example):
    made = entries_table([example(predicted=np.zeros((0, 4)))])
    assert made.rows[0][-3:] == ("0", "0.000", "0.000")


def test_a_long_table_is_cut_on_the_page(example):
    examples = [example(name=f"{n:04d}") for n in range(MOST_SHOWN + 1)]
    made = section_from(examples)
    assert made.count("<tr>") == MOST_SHOWN + 1
    assert "all of them in tables/entries.csv" in made
    assert "tables/entries.csv" not in section_from(examples[:3])
    assert section_from([]) == ""
