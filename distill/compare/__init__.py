"""Arms side by side: intervals, gap recovered, report and cards."""
