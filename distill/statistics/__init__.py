"""Intervals, paired tests, the gap recovered, forgetting and calibration: what may be said of arms that answered the same items."""
