import numpy as np

from hilum.report.training_chart import losses_chart, stages_of, training_chart

STAGED = [
    {
        "epoch": epoch,
        "train_loss": 1.0 / (1 + epoch),
        "val_loss": 0.5,
        "stage": "network" if epoch < 3 else "pcm",
    }
    for epoch in range(5)
]


def test_losses_stand_together_and_auroc_apart(record):
    loss, auroc = training_chart(record().history).panels
    assert [line.label for line in loss.lines] == ["training", "validation"]
    np.testing.assert_array_equal(loss.lines[0].y, [0.5, 0.4])
    np.testing.assert_array_equal(auroc.lines[0].y, [0.6, 0.7])
    assert [word for _, word in loss.ticks] == ["1", "2"]


def test_training_without_validation_draws_the_rest():
    chart = training_chart([{"epoch": 1, "train_loss": 0.5}, {"epoch": 2, "train_loss": 0.4}])
    assert [[line.label for line in panel.lines] for panel in chart.panels] == [["training"]]


def test_one_epoch_has_axes_with_a_width():
    panel = training_chart([{"epoch": 0, "train_loss": 0.5}]).panels[0]
    assert panel.x == (-0.5, 0.5)


def test_a_stage_is_marked_where_it_begins():
    assert stages_of(STAGED) == [(3.0, "pcm")]
    assert stages_of([{"epoch": 0}]) == []
    assert training_chart(STAGED).panels[0].marks == [(3.0, "pcm")]


def test_several_runs_share_both_panels():
    chart = losses_chart({"staged": STAGED, "short": STAGED[:2]})
    assert [panel.title for panel in chart.panels] == ["Training loss", "Validation loss"]
    assert [[len(line.x) for line in panel.lines] for panel in chart.panels] == [[5, 2], [5, 2]]
    assert chart.panels[0].marks == [(3.0, "pcm")]
    assert chart.panels[0].x == (0.0, 4.0)


def test_no_history_no_chart():
    assert training_chart([]) is None
    assert losses_chart({}) is None
    assert losses_chart({"a": []}) is None
