"""The bank for other programs: Anki, Moodle, Canvas, a printed sheet, a page for a browser.

sheets.py makes of every item what such programs know (a choice, a number, pairs, an order, gaps, a
text); each writer turns that into its format, and says of every item what got lost on the way.
"""
