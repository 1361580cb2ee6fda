"""What the orchestrator costs, measured against floors in the same run: `make bench`.

One module a benchmark, named after what it measures. A ratio to a floor that was measured beside it
holds on any machine; the figures themselves hold on the one that `results.json` describes.
"""
