"""Templates of heatmap-scores.md and heatmap-sanity.md, with what was seen in words."""

PAGES = {
    "heatmap-scores": """\
# Scores of the heatmap methods on phantoms

`python docs/heatmap_tables.py scores DEMO OWN VIT` writes this page from three runs. Phantoms, not people:
the order of the methods may be another on films.

Boxes by `{rule}` at frame size, of {findings}: {n_entries} boxes on {n_films} test films. Methods that take
many passes see every few films only, with fewer samples than their defaults, as their names say; `gradcam`
stands a second time, on just those films. A cell holds the mean over the findings, its 95 % interval
(patients redrawn), and after the stroke what noise of the map's own size reaches; † where the interval does
not lie above it. The last column is the time of one film's maps in forward passes of the same network, the
median over the films, on one core; a pass of the demo's took {forward} ms.

| method | films, boxes | hit rate | T(IoU) 0.1 | T(IoU) 0.3 | T(IoU) 0.5 | forward passes |
|---|---|---|---|---|---|---|
{rows}

Mean AUROC of the three networks: {auroc}. They are the demo; the demo with a WILDCAT head, for `own`; and a
small vision transformer, two epochs from scratch on films of 112 px, for `attention_rollout`. It hardly
learnt.

Seen here:

- Behind average pooling `cam`, `gradcam`, `xgradcam` and `hirescam` are one map. In their family intervals
  overlap, but the Eigen-CAMs, which know no finding, point or box worse than `layercam`. Augmentation has the
  highest T(IoU) 0.5 of Grad-CAM's variants, at eight times the price; eigen smoothing gains nothing.
- WILDCAT's own maps make the best boxes of all maps at T(IoU) 0.3 and 0.5. It is another network.
- Maps of pixels point better, since a cell and its neighbours are larger than a nodule, and box no better: an
  eighth of their pixels is a cloud of specks. `guided_gradcam` points best; [sanity](heatmap-sanity.md) says
  what its texture is worth.
- Noise of pixels falls to specks, so its T(IoU) is 0 and easily passed. The last two rows are the harder
  floors: one Gaussian in the middle, and the mean box of a finding, which has seen no film and still has the
  highest T(IoU) 0.5.
- `attention_rollout` is not above its floor, and neither is its network far above chance.
- Rows of few films tell no two methods apart.
""",
    "heatmap-sanity": """\
# Sanity of the heatmap methods on phantoms

`python docs/heatmap_tables.py sanity DEMO OWN VIT DEMO1 DEMO2` writes this page; `hilum.explain.sanity` holds
the checks, with their sources. None needs a reference box. Each film is asked about the boxed finding of
which the network is surest: a mean probability of {whole} over {n_watched} films.

- **head, half, all**: rank correlation between the maps before and after the head, the upper {half} and all
  {n_blocks} blocks of the network are drawn anew. A map of what was learnt falls to about 0 at the latest at
  "all"; the sign is free. The transformer has two blocks, its head and the rest.
- **deletion**: mean probability while the film loses its pixels, the hottest first. Below noise is good.
- **insertion**: mean probability while the film appears, the hottest first. Above noise is good.
- **again**: rank correlation between the maps of {n_networks} networks that learnt from phantoms of another
  seed each (`scripts/demo 1`). 1 would be perfect, 0 is noise; what knows no network scores 1 for nothing.

*noise* is a map of 14 x 14 random values, *edges* the size of the film's own gradient.

| method | films | head | half | all | deletion | insertion | again |
|---|---|---|---|---|---|---|---|
{rows}

Seen here:

- `cam` and its likes fall at once when the head is drawn anew. `gradcam++`, `layercam` and `scorecam` hardly
  do: without negative weights they mostly show where the last map is active at all. `eigencam` and
  `attention_rollout` do not ask the head. `guided_backprop` does, and shows the same map without it.
- Maps of pixels keep some of their order when nothing learnt is left, `integrated_gradients` most: it
  multiplies by the film. That part is the film, not evidence.
- Deletion is easily passed: `edges`, which knows no network, is far below noise, since a film without its
  edges is no film. Insertion is hardly passed at all: maps that weigh channels by the finding are a little
  above noise; `edges`, both Eigen-CAMs, `gradient` and `guided_backprop` are not, nor is any slow method on
  its two films. Blobs of noise leave enough of every part of a film for this network.
- Maps that say the least of the finding come again the best (`gradcam++`, `layercam`, `eigencam`): alike is
  not right. Eigen smoothing costs much of it.
- Areas are compared with the noise of as many films; `own` and `attention_rollout` are of other networks,
  with other probabilities. Rows of two films are a sketch.
""",
}
