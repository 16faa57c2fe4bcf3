"""Computation: from request logs to thresholds. Imports neither Streamlit nor Plotly."""
