"""One module per picture: frames and estimates in, a Plotly figure out."""
