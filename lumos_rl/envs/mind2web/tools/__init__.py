"""Recorded web pages to act on (Mind2Web): steps, rankers that find elements, and the actions.

    page = StepPage(step)                                   # one recorded step
    page.ranked(LexicalRanker(), "task is: Pickup …")       # ids of its candidates, best first
    session = Session("Find pickup …", reprs, pages)        # a task's steps one after the other
    session.predict("CLICK", query="Search button")

`lumos_rl.envs.mind2web.tools.dom` has the trees and texts of pages.
"""
