"""Every hostile text in every place where Streamlit reads markdown, and in a Plotly figure."""

import plotly.graph_objects as go
import streamlit as st
from hostile_texts import TEXTS

from dashboard import look, words

for text in TEXTS:
    said = words.plain(text, limit=60)
    st.markdown(said)
    st.markdown(f"**{said}.** and {said}")
    st.caption(said)
    st.subheader(said, anchor=False)
    st.badge(said)
    st.warning(said, title=said)
    st.metric(said, 1, help=said)
    st.progress(0.5, text=said)
    st.checkbox(said, key=f"check-{text}")
    st.button(said, key=f"button-{text}")
    st.radio("r", [text, "b"], format_func=words.plain, key=f"radio-{text}")
    st.expander(said).markdown("inside")
    st.tabs([said, "b"])
    st.selectbox("s", [text, "b"], key=f"select-{text}")
    st.multiselect("m", [text, "b"], [text], key=f"multi-{text}")

names = [words.label(text, limit=60) for text in TEXTS]
figure = look.base(40 * len(TEXTS) + 80)
figure.add_scatter(
    x=[1] * len(names),
    y=list(range(len(names))),
    mode="markers+text",
    text=names,
    textposition="middle right",
    customdata=names,
    hovertemplate="<b>%{customdata}</b> %{text}<extra></extra>",
)
for place, name in enumerate(names):
    figure.add_annotation(text=name, x=2, y=place, showarrow=False)
    figure.add_trace(go.Scatter(x=[3], y=[place], name=name, hovertemplate=f"{name}<extra></extra>"))
figure.update_yaxes(tickvals=list(range(len(names))), ticktext=names)
figure.update_xaxes(title_text=names[1], range=[0, 4])
figure.update_layout(showlegend=True, title_text=names[0])
st.plotly_chart(figure, key="figure", alt=TEXTS[1])
