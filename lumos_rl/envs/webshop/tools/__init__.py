"""A shop: catalogue, goals, search engine, pages, and the reward of a purchase.

The semantics are exactly those of WebShop (Yao et al. 2022); nothing here needs Java, a browser or a model.

    product.py    one record of the catalogue file → Product
    analysis.py   text → index terms (words.py finds words, porter.py stems them)
    search.py     BM25 as Lucene computes it, on memory-mapped arrays
    catalogue.py  all products with their search index, in memory or on disk
    goals.py      what to buy: goals made from a catalogue, in a fixed order
    pages.py      what each page shows, and what can be clicked on it
    session.py    one visit: search[…] and click[…] move between pages; buying ends it
    reward.py     the reward of a purchase (fuzzy.py, nouns.py, colours.py)
    actions.py    Search, Click, FeatureRetrieve, Pick: the shop in the action language
"""
