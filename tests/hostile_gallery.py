"""Every hostile text in every place where Streamlit reads markdown, and in a Plotly figure."""

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
places = list(range(len(names)))
figure = look.base(40 * len(TEXTS) + 80)
figure.add_scatter(x=[1] * len(names), y=places, mode="markers+text", text=names, textposition="middle right")
for place, name in enumerate(names):
    figure.add_annotation(text=name, x=2, y=place, showarrow=False)
    figure.add_scatter(x=[3], y=[place], name=name)
figure.update_yaxes(tickvals=places, ticktext=names)
figure.update_xaxes(title_text=names[1], range=[0, 4])
figure.update_layout(showlegend=True, title_text=names[0])
st.plotly_chart(figure, key="drawn", alt=TEXTS[1])

figure = look.base(40 * len(TEXTS) + 80)
hover = "<b>%{customdata}</b> %{text}<extra></extra>"
figure.add_scatter(
    x=[1] * len(names), y=places, mode="markers", text=names, customdata=names, hovertemplate=hover
)
for place, name in enumerate(names):
    figure.add_scatter(x=[2], y=[place], mode="markers", hovertemplate=f"{name}<extra></extra>")
figure.update_traces(marker_size=12)
st.plotly_chart(figure, key="hovered", alt=TEXTS[1])
