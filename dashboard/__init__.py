"""The Streamlit dashboard: pages, charts and state; no arithmetic."""
