"""hilum: findings, heatmaps, boxes and comparable scores for chest radiographs; start at `pipeline`."""

__version__ = "0.1.0"
