"""Tools for recorded web pages (Mind2Web): steps, rankers that find elements, and the actions.

    page = StepPage(step)                                   # one recorded step
    page.ranked(LexicalRanker(), "task is: Pickup …")       # ids of its candidates, best first
    session = Session(task.id, "Find pickup …", reprs, pages, LexicalRanker(), top_k=50)   # a task's steps in order
    session.predict("CLICK", query="Search button")

`dom` makes the trees and texts of pages as MindAct does, with `markup` for their syntax; `page_text`, `parts` and
`ancestors` make the same texts for all candidates of a page, in time in proportion to its length.
"""
