"""hilum: findings, heatmaps, boxes and comparable scores for chest radiographs. Open `hilum.pipeline` first."""

__version__ = "0.1.0"
