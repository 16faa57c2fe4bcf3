"""What was observed: cost, accuracy and latency of tiers, strategies and confidences."""
