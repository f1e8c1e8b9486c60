"""What the printed numbers say of themselves: shares of counts, means of cells, quotes of sources.

Each exception is named. An exception that goes away, or a new one, fails.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from fractions import Fraction

import pytest

from hilum.findings import CHESTXRAY14
from hilum.report.ledger import Published, search

GASCOIGNE = "Gascoigne-Burns and Katsigiannis 2021"
BOXED = CHESTXRAY14[:8]
ENTRIES = dict(zip(BOXED, (180, 146, 153, 123, 85, 79, 120, 98), strict=True))
LAST_LABEL = dict(zip(BOXED, (174, 135, 128, 124, 94, 76, 141, 112), strict=True))
"""Box entries counted under the last finding of their film, as the code of Sorkhei et al. counts them."""


def unit(printed: str) -> Fraction:
    """What the last printed digit counts."""
    return Fraction(1, 10 ** len(printed.partition(".")[2]))


def is_share(printed: str, n: int, *, cut: bool = False) -> bool:
    """Whether some k / n is printed so when rounded; with `cut`, when rounded or cut off."""
    value, step = Fraction(printed), unit(printed)
    above = step if cut else step / 2
    first, last = math.ceil((value - step / 2) * n), math.floor((value + above) * n)
    return first <= last


def table(paper: str, name: str) -> list[Published]:
    return [number for number in search(paper=paper) if number.table == name and not number.whose]


def cells(found: Iterable[Published]) -> list[Published]:
    return [number for number in found if number.finding is not None]


def test_shares_are_told_from_others() -> None:
    assert is_share("0.333", 3)
    assert not is_share("0.334", 3)
    assert not is_share("0.666", 3)
    assert is_share("0.666", 3, cut=True)
    assert is_share("1", 7)
    assert is_share("0.000", 7)


@pytest.mark.parametrize(
    ("name", "times", "n_cells"), [("II", 1, 112), ("III", 5, 112), ("IV", 1, 80), ("V", 5, 80)]
)
def test_every_entry_counts_in_every_model_of_gascoigne_burns(name: str, times: int, n_cells: int) -> None:
    """Random splits pool five models over all entries, also those on films a model was trained on."""
    found = cells(table(GASCOIGNE, name))
    assert len(found) == n_cells
    assert [n for n in found if not is_share(n.printed, times * ENTRIES[n.finding])] == []
    if times == 5:
        assert [n for n in found if not is_share(n.printed, ENTRIES[n.finding])] != []


@pytest.mark.parametrize(("later", "first"), [("VI", "II"), ("VII", "IV")])
def test_gascoigne_burns_repeat_themselves(later: str, first: str) -> None:
    printed = {(n.system, n.at, n.finding): n.printed for n in table(GASCOIGNE, first)}
    repeated = table(GASCOIGNE, later)
    assert len(repeated) == 18
    assert [n for n in repeated if n.printed != printed[n.system, n.at, n.finding]] == []


def test_the_accuracies_of_wang_are_shares_of_entries() -> None:
    found = [n for n in search(paper="wang") if n.metric in ("t_iou", "t_iobb")]
    assert len(found) == 136
    assert [n for n in found if not is_share(n.printed, ENTRIES[n.finding], cut=True)] == []


def test_the_false_boxes_of_wang_are_counted_a_box_entry() -> None:
    """Over all 984 entries, rounded or cut off; one value is printed with three decimals."""
    found = [n for n in search(paper="wang") if n.metric.startswith("false")]
    assert len(found) == 136
    assert [n.printed for n in found if not is_share(n.printed, 984, cut=True)] == []
    assert [n.printed for n in found if unit(n.printed) == Fraction(1, 1000)] == ["1.009"]
    for other in (880, 983, 985):
        assert len([n for n in found if not is_share(n.printed, other, cut=True)]) > 90


def test_wang_quoted_is_wang() -> None:
    """Their own table rounded or cut off; what Gascoigne-Burns and Katsigiannis print as 0.723 is 0.7277."""
    own = {(n.system, n.metric, n.at, n.finding): n.printed for n in search(paper="wang")}
    quoted = [n for n in search() if n.whose == "Wang et al. 2017" and n.metric != "auroc" and n.finding]
    assert len(quoted) == 64
    wrong = []
    for number in quoted:
        source = Fraction(own[number.system, number.metric, number.at, number.finding])
        if not 0 <= source - Fraction(number.printed) + unit(number.printed) / 2 <= unit(number.printed):
            wrong.append((number.printed, float(source)))
    assert wrong == [("0.723", 0.7277)]
    assert not is_share("0.723", ENTRIES["Atelectasis"])


def test_four_papers_quote_the_same_auroc_of_wang() -> None:
    by_finding = defaultdict(list)
    for number in search(metric="auroc"):
        if number.whose == "Wang et al. 2017":
            by_finding[number.finding].append(number.printed)
    assert {len(printed) for printed in by_finding.values()} == {3, 4}
    odd = {}
    for finding, printed in by_finding.items():
        finest = Fraction(max(printed, key=len))
        off = [text for text in printed if abs(Fraction(text) - finest) > unit(text) / 2]
        if off:
            odd[finding] = off
    assert odd == {"Atelectasis": ["0.707"], None: ["0.746", "0.738"]}


MEANS_THAT_ARE_NOT = {  # printed mean and the mean of the printed cells, to six digits
    (GASCOIGNE, "IV", "R38LM", 0.75): ("0.111", 0.108),
    (GASCOIGNE, "IV", "R38LM", 0.9): ("0.050", 0.04775),
    (GASCOIGNE, "IV", "CheXNet", 0.5): ("0.161", 0.15475),
    (GASCOIGNE, "IV", "CheXNet", 0.9): ("0.042", 0.034),
    ("Pun et al. 2021", "I", "DenseNet", None): ("0.7980", 0.802714),
    ("Pun et al. 2021", "I", "AG-CNN CapsNet", None): ("0.6652", 0.664964),
    ("D'Souza et al. 2022", "1", "ResNet-50 on ChestX-ray14", None): ("0.738", 0.745143),
}


def test_printed_means_are_means_of_the_cells() -> None:
    """Up to the rounding of cells and mean together."""
    groups = defaultdict(list)
    for n in search():
        if n.metric in ("auroc", "t_iou", "t_iobb"):
            groups[n.paper, n.table, n.whose, n.system, n.setting, n.metric, n.at].append(n)
    checked, wrong = 0, {}
    for (paper, name, _, system, _, _, at), group in groups.items():
        mean = [n.printed for n in group if n.finding is None]
        values = [n.printed for n in group if n.finding is not None]
        if not mean or not values:
            continue
        checked += 1
        exact = sum(map(Fraction, values)) / len(values)
        slack = (unit(mean[0]) + min(map(unit, values))) / 2  # zeros at the end are not always printed
        if abs(exact - Fraction(mean[0])) > slack:
            wrong[paper, name, system, at] = (mean[0], round(float(exact), 6))
    assert checked == 6 + 4 * 7 + 4 * 5 + 10 + 45 + 7
    assert wrong == MEANS_THAT_ARE_NOT


def test_one_other_cell_would_explain_one_average() -> None:
    found = [n for n in table(GASCOIGNE, "IV") if n.system == "CheXNet" and n.at == 0.9 and n.finding]
    (zero,) = [n for n in found if n.finding == "Pneumonia"]
    assert zero.printed == "0.000"
    mean = (sum(n.value for n in found) + 0.067) / 8
    assert f"{mean:.3f}" == "0.042"
    assert is_share("0.067", ENTRIES["Pneumonia"])


def test_the_mean_iou_of_pun_is_over_entries() -> None:
    groups = defaultdict(dict)
    for n in table("Pun et al. 2021", "III"):
        groups[n.system, n.setting][n.finding] = n.value
    assert len(groups) == 9
    off = {}
    for (system, setting), values in groups.items():
        micro = sum(ENTRIES[finding] * values[finding] for finding in BOXED) / 984
        if abs(micro - values[None]) > 1.5e-5:
            off[system, setting.split(",")[0]] = round(micro, 5), round(sum(values[f] for f in BOXED) / 8, 5)
    assert off == {
        ("AG-CNN ResNeXt-101", "global branch; Grad-CAM"): (0.03579, 0.03026),
        ("AG-CNN ResNeXt-101", "global branch; Grad-CAM++"): (0.09787, 0.08902),
        ("AG-CNN ResNeXt-101", "global branch; XGrad-CAM"): (0.03579, 0.03026),
    }


def test_xgrad_cam_is_grad_cam_where_one_linear_layer_follows() -> None:
    """On ResNeXt the gradient is the same in every cell of a channel, so the two maps are one."""
    same = {}
    for net in ("ResNeXt-50", "ResNeXt-101", "DenseNet-121"):
        rows = [n for n in table("Pun et al. 2021", "III") if n.system.endswith(net)]
        by_method = {
            name: [n.printed for n in rows if f"; {name}," in n.setting] for name in ("Grad-CAM", "XGrad-CAM")
        }
        assert len(by_method["Grad-CAM"]) == 9
        same[net] = by_method["Grad-CAM"] == by_method["XGrad-CAM"]
    assert same == {"ResNeXt-50": True, "ResNeXt-101": True, "DenseNet-121": False}


def test_the_columns_of_pun_are_alphabetical_under_the_order_of_chestxray14() -> None:
    rows = defaultdict(list)
    for n in search(paper="pun", metric="auroc"):
        if n.table in ("I", "II") and n.finding is not None:
            rows[n.table, n.whose, n.system, n.setting].append(n)
    own = [row for key, row in rows.items() if not key[1]]
    quoted = [row for key, row in rows.items() if key[1]]
    assert (len(own), len(quoted)) == (36, 9)
    for row in own:
        assert [n.finding for n in row] == sorted(CHESTXRAY14)
        assert [n.printed_as or n.finding for n in row] == list(CHESTXRAY14)
    assert {tuple(n.finding for n in row) for row in quoted} == {CHESTXRAY14}


@pytest.mark.parametrize(("name", "better"), [("as read", 31), ("as printed", 0)])
def test_only_the_true_columns_of_pun_look_like_other_papers(name: str, better: int) -> None:
    """Hernia and Emphysema are the easiest findings and Infiltration the hardest, for all other papers."""
    rows = defaultdict(dict)
    for n in search(paper="pun", metric="auroc"):
        if n.table in ("I", "II") and n.finding is not None and not n.whose:
            head = n.finding if name == "as read" else n.printed_as or n.finding
            rows[n.table, n.system, n.setting][head] = n.value
    plausible = [row for row in rows.values() if min(row["Hernia"], row["Emphysema"]) > row["Infiltration"]]
    assert len(plausible) == better


def test_wildcat_prints_the_plain_gradient_as_the_guided() -> None:
    by_net = defaultdict(dict)
    for n in search(paper="wildcat", metric="localization_utility"):
        net, _, method = n.setting.partition("; ")
        by_net[net][method or n.system] = n.printed
    assert len(by_net) == 8
    twice = {
        net: sorted(m for m, value in row.items() if list(row.values()).count(value) > 1)
        for net, row in by_net.items()
    }
    pair = ["gradient", "guided backpropagation"]
    assert twice.pop("VGG-19") == []
    assert twice.pop("DenseNet-121") == ["SmoothGrad", "SmoothGrad of integrated gradients", *pair][:2] + pair
    assert set(map(tuple, twice.values())) == {tuple(pair)}


def test_dsouza_counts_hits_by_entry_and_false_boxes_by_film() -> None:
    """Wang et al. divide by 984. Of 48 values about 6 would miss 880 by chance; none does.

    Values cut off and not rounded would fit 984 too, but the same paper rounds its hits.
    """
    hits, false = table("D'Souza et al. 2022", "2"), table("D'Souza et al. 2022", "3")
    assert (len(hits), len(false)) == (48, 48)
    assert [n for n in hits if not is_share(n.printed, ENTRIES[n.finding])] == []
    assert [n for n in false if not is_share(n.printed, 880)] == []
    assert [n.printed for n in false if not is_share(n.printed, 984)] == ["0.969", "0.281"]
    assert Fraction(hits[0].printed) > Fraction(77, 180) > Fraction(hits[0].printed) - unit("0.001")
    fits = [n for n in range(600, 920) if all(is_share(number.printed, n) for number in false)]
    assert fits == [800, 880]


def test_parameters_of_the_standard_networks_leave_one_linear_layer() -> None:
    printed = {n.system: n.value for n in search(metric="parameters")}
    assert printed["ResNet-50"] == 23_508_032 + 2048 * 14 + 14
    assert printed["EfficientNet-B4"] == 17_548_616 + 1792 * 14 + 14


def test_sorkhei_count_entries_under_the_last_finding_of_a_film() -> None:
    found = [n for n in search(paper="sorkhei") if n.metric in ("t_iou_mixed", "t_share_of_reference")]
    assert len(found) == 144
    assert sum(LAST_LABEL.values()) == sum(ENTRIES.values()) == 984
    assert [n for n in found if not is_share(n.printed, LAST_LABEL[n.finding])] == []
    misfits = [n for n in found if not is_share(n.printed, ENTRIES[n.finding])]
    assert len(misfits) == 134


def test_a_stricter_threshold_never_finds_more() -> None:
    curves = defaultdict(list)
    for n in search():
        if n.at is not None:
            curves[n.paper, n.whose, n.system, n.setting, n.metric, n.finding].append(n)
    several = [sorted(curve, key=lambda n: n.at) for curve in curves.values() if len(curve) > 1]
    assert len(several) > 100
    for curve in several:
        sign = -1 if curve[0].metric.startswith("false") else 1
        values = [sign * n.value for n in curve]
        assert values == sorted(values, reverse=True), curve[0]


def test_iobb_is_never_below_iou() -> None:
    """It is not for Li et al. as quoted: their two rows cannot be of the same boxes."""
    iou = {}
    for n in search(metric="t_iou"):
        iou[n.paper, n.whose, n.system, n.setting, n.at, n.finding] = n.value
    pairs, below = 0, Counter()
    for n in search(metric="t_iobb"):
        other = iou.get((n.paper, n.whose, n.system, n.setting, n.at, n.finding))
        if other is not None:
            pairs += 1
            below[n.whose, n.finding] += n.value < other
    assert pairs > 100
    assert +below == {
        ("Li et al. 2018", "Cardiomegaly"): 1,
        ("Li et al. 2018", "Pneumonia"): 1,
        ("Li et al. 2018", "Pneumothorax"): 1,
    }
