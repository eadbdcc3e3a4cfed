"""The websites of the split "unseen": kinds, errands and pages that no other split of the built-in suite has.

Six kinds with four errands each make 24 templates. The pages are a form with a number, settings with tabs and switches,
a review with radio buttons, and a basket:

    UNSEEN_KINDS[0].errands["track"]    "Find out where parcel {code} with {who} is; use {entry}."
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lumos_rl.envs.mind2web.kinds import Kind, Move, Words

_TOWNS = ("Ghent", "Cork", "Leeds", "Turin", "Malmo", "Basel", "Graz", "Split")
_MAKERS = ("Alder", "Basalt", "Cobalt", "Ember", "Fjord", "Granite", "Juniper", "Kestrel")
_ORDERS = ("Most liked", "Oldest first", "A to Z")

UNSEEN_KINDS = (
    Kind(
        "parcels",
        ("Service", "Shipping"),
        {
            "Receive": ("Parcel status", "Change address", "Missed delivery"),
            "Send": ("Price list", "Print a label", "Pallets"),
            "Shops": ("Drop-off points", "Lockers"),
        },
        ("Consignment number", _TOWNS),
        ("Carrier", ("Road freight", "Air freight", "Courier on bicycle")),
        "Pick-up day",
        (_MAKERS, ("box", "crate", "mailing bag", "tube")),
        {"Notices": ("Text messages", "Weekly summary", "Delay alarms"), "Privacy": ("Hide my name", "No photos")},
        _ORDERS,
        ("Pieces", ("One piece", "Five pieces", "Ten pieces")),
        "Go to checkout",
        {
            "track": "Find out where parcel {code} with {who} is; use {entry}.",
            "settings": "Open {entry}, switch on {box} and set the language to {language}.",
            "review": "Give the {thing} {stars} and write: {remark}.",
            "basket": "Order {option} of the {thing} with the voucher {code}.",
        },
    ),
    Kind(
        "banking",
        ("Service", "Finance"),
        {
            "Payments": ("Transfer status", "Standing orders", "Direct debits"),
            "Cards": ("Credit card", "Debit card", "Lost card"),
            "Saving": ("Fixed deposit", "Fund plans"),
        },
        ("Reference of the transfer", _TOWNS),
        ("Account", ("Current account", "Savings account", "Joint account")),
        "Value date",
        (_MAKERS, ("fund", "bond", "credit card", "savings plan")),
        {"Alerts": ("Large payments", "Low balance", "Foreign payments"), "Post": ("Paperless post", "Yearly letter")},
        _ORDERS,
        ("Units", ("Single unit", "Twenty units", "Hundred units")),
        "Sign the order",
        {
            "track": "What became of transfer {code} from the {who}? Begin with {entry}.",
            "settings": "Under {entry} turn on {box}; then choose {language} as language.",
            "review": "Rate the {thing} with {stars}, with the comment {remark}.",
            "basket": "Buy {option} of {thing} and enter code {code}.",
        },
    ),
    Kind(
        "streaming",
        ("Entertainment", "Music"),
        {
            "Listen": ("Redeem a code", "Charts", "Stations"),
            "My profile": ("Sound quality", "Family members", "Devices"),
            "Artists": ("Upload a song", "Royalties"),
        },
        ("Gift code", _TOWNS),
        ("Plan", ("Solo plan", "Duo plan", "Family plan")),
        "Begin of the plan",
        (_MAKERS, ("sessions", "ballads", "remixes", "nocturnes")),
        {"Sound": ("High bit rate", "Gapless playing", "Equal loudness"), "Sharing": ("Public lists", "Friend feed")},
        _ORDERS,
        ("Edition", ("Digital edition", "Vinyl edition", "Signed edition")),
        "Pay with one tap",
        {
            "track": "Redeem {code} for the {who} by way of {entry}.",
            "settings": "Go to {entry} and enable {box}, with {language} menus.",
            "review": "Say about {thing}: {remark}, and give {stars}.",
            "basket": "Get the {option} of {thing}, using the promotion {code}.",
        },
    ),
    Kind(
        "energy",
        ("Service", "Utilities"),
        {
            "Meter": ("Enter a reading", "Replace a meter", "Past readings"),
            "Contract": ("Green tariff", "Night tariff", "Moving house"),
            "Faults": ("Power cut", "Gas leak"),
        },
        ("Meter number", _TOWNS),
        ("Kind of meter", ("Electricity meter", "Gas meter", "Heat meter")),
        "Day of the reading",
        (_MAKERS, ("heat pump", "solar panel", "wall charger", "battery")),
        {"Reminders": ("Reading due", "Price change", "Peak hours"), "Papers": ("Online bills", "Consumption report")},
        _ORDERS,
        ("Power", ("Small version", "Regular version", "Strong version")),
        "Ask for an offer",
        {
            "track": "Look up the {who} {code}, from {entry}.",
            "settings": "In {entry}, activate {box} and read everything in {language}.",
            "review": "Publish {stars} for the {thing} with the words {remark}.",
            "basket": "Request the {option} of the {thing}; the campaign is {code}.",
        },
    ),
    Kind(
        "museums",
        ("Entertainment", "Museum"),
        {
            "Visit": ("Find my booking", "Guided tours", "Cloakroom"),
            "Collection": ("Paintings", "Coins", "Maps"),
            "Support us": ("Become a friend", "Donate"),
        },
        ("Booking number", _TOWNS),
        ("Visitor", ("Pupil", "Grown-up", "Pensioner")),
        "Day of the tour",
        (_MAKERS, ("catalogue", "poster", "puzzle", "sketchbook")),
        {"Tour": ("Audio guide", "Sign language tour", "Step-free route"), "News": ("Monthly letter", "Previews")},
        _ORDERS,
        ("Wrapping", ("Plain wrapping", "Gift wrapping", "No wrapping")),
        "Finish the purchase",
        {
            "track": "Call up booking {code} as {who}, starting from {entry}.",
            "settings": "On the page {entry} pick {box} and the language {language}.",
            "review": "Award {stars} to the {thing}; text: {remark}.",
            "basket": "Take the {thing}, {option}, and apply {code}.",
        },
    ),
    Kind(
        "gyms",
        ("Service", "Sports"),
        {
            "Train": ("Class check-in", "Trial day", "Swimming lanes"),
            "Members": ("Freeze membership", "Lockers for members", "Guest pass"),
            "Team": ("Coaches", "Vacancies"),
        },
        ("Member number", _TOWNS),
        ("Discipline", ("Rowing", "Climbing", "Boxing", "Pilates")),
        "Day of training",
        (_MAKERS, ("dumbbell", "yoga mat", "rope", "bench")),
        {"Reminders": ("Class reminders", "Waiting list", "Birthday offers"), "Data": ("Share my results", "Rankings")},
        _ORDERS,
        ("Weight", ("Light model", "Middle model", "Heavy model")),
        "Send the order",
        {
            "track": "Check in number {code} for {who}; go through {entry}.",
            "settings": "Visit {entry}, put on {box}, and change the language to {language}.",
            "review": "Let others know that the {thing} earns {stars}: {remark}.",
            "basket": "Purchase the {thing} as {option} at the rebate {code}.",
        },
    ),
)
LANGUAGES = ("Dutch", "Finnish", "Korean", "Portuguese", "Swahili", "Turkish")
STARS = ("One star", "Two stars", "Three stars", "Four stars", "Five stars")
REMARKS = ("Never again", "Rather good", "Too small for me", "Worth every cent", "Arrived late", "A fine gift")
LETTERS, DIGITS = "BCDFGHKMNPRSTVXZ", "23456789"


def _to_entry(words: Words) -> list[Move]:
    return [
        Move("home", "heading", "menuitem", words["heading"], "HOVER"),
        Move("home", "entry", "link", words["entry"]),
    ]


def _track(kind: Kind, words: Words) -> list[Move]:
    return [
        *_to_entry(words),
        Move("track", "code", "textbox", kind.place[0], "TYPE", words["code"]),
        Move("track", "who", "combobox", kind.who[0], "SELECT", words["who"]),
        Move("track", "show", "button", "Show me"),
    ]


def _settings(kind: Kind, words: Words) -> list[Move]:
    return [
        *_to_entry(words),
        Move("settings", "tab", "tab", words["group"]),
        Move("settings", "box", "switch", words["box"]),
        Move("settings", "language", "combobox", "Display language", "SELECT", words["language"]),
        Move("settings", "save", "button", "Save changes"),
    ]


def _review(kind: Kind, words: Words) -> list[Move]:
    return [
        Move("home", "find", "searchbox", "Search this site", "TYPE", words["thing"]),
        Move("list", "thing", "link", words["thing"]),
        Move("review", "stars", "radio", words["stars"]),
        Move("review", "remark", "textbox", "Your review", "TYPE", words["remark"]),
        Move("review", "publish", "button", "Publish review"),
    ]


def _basket(kind: Kind, words: Words) -> list[Move]:
    return [
        Move("home", "find", "searchbox", "Search this site", "TYPE", words["thing"]),
        Move("list", "thing", "link", words["thing"]),
        Move("basket", "option", "combobox", kind.option[0], "SELECT", words["option"]),
        Move("basket", "code", "textbox", "Promotion code", "TYPE", words["code"]),
        Move("basket", "apply", "button", "Apply code"),
        Move("basket", "act", "button", kind.act),
    ]


UNSEEN_MOVES: Mapping[str, Callable[[Kind, Words], list[Move]]] = {
    "track": _track,
    "settings": _settings,
    "review": _review,
    "basket": _basket,
}
