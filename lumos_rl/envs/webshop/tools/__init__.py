"""A shop to buy things in: catalogue, goals, search engine, pages, and what a purchase is worth.

The semantics are those of WebShop (Yao et al. 2022), to the letter; nothing here needs Java, a browser or a model.

    product.py    one record of the catalogue file → Product
    analysis.py   text → index terms (words.py finds words, porter.py stems them)
    search.py     BM25 as Lucene computes it, on memory-mapped arrays
    catalogue.py  all products with their search index, in memory or on disk
    goals.py      what to buy: goals made from a catalogue, in a fixed order
    pages.py      what each page shows, and what can be clicked on it
    session.py    one visit: search[…] and click[…] move between pages; buying ends it
    reward.py     what a purchase is worth (fuzzy.py, nouns.py, colours.py)
    actions.py    Search, Click, FeatureRetrieve, Pick: the shop in the action language
"""
