"""What does each tier cost and get right, per category, over time?"""

import streamlit as st

from dashboard import components, state, story_tiers, tiers_data, tiers_parts

QUESTION = "What does each tier cost and get right?"

log = state.require_log(QUESTION, then="what every tier costs and gets right, by category and over time")
with components.explained(QUESTION):
    tiers = tiers_data.figures("tier")
    cells = tiers_data.figures("category_tier")
    models = tiers_data.figures("model")
found, why = tiers_data.measured()

components.title_block(QUESTION, story_tiers.answer(tiers, found))
for title, body in story_tiers.gaps(tiers):
    components.finding(title, body)
tiers_parts.tier_cards(tiers)

components.section("Categories by tier")
tiers_parts.matrix(cells)
with st.expander("As a table", icon=":material/table:"):
    by_category, by_model = st.tabs(["By category and tier", "By model"])
    with by_category:
        tiers_parts.figures_table(cells, group="task_category", title="Category", key="category-tier")
    with by_model:
        tiers_parts.figures_table(models, group="model", title="Model", key="model")

components.section("Is the strong model worth its price?")
if found:
    tiers_parts.verdict_table(found)
    components.caption(story_tiers.VERDICTS_READ)
else:
    st.markdown(why)

components.section("Over time")
category = tiers_parts.category_picker(log.facts.categories)
every = category == tiers_parts.ALL
timeline = tiers_data.over_time(story_tiers.name(category, log.facts.categories), every=every)
if timeline.is_empty():
    st.markdown("No call here has a time. Log `ts` to see accuracy, cost, latency and calls over time.")
else:
    with st.container(border=True):
        tiers_parts.lines(timeline)

components.section("Tokens")
tiers_parts.token_mix(tiers)
components.provenance(story_tiers.evidence(tiers))
