"""Reports as one HTML page that needs nothing else: tables, and charts over time that a reader can zoom.

The page holds its style, its numbers, its script and the chart library uPlot, so it works without a network and can be
sent by mail.  Nothing here knows what the numbers mean, and nothing may load anything from another host.
"""
