"""The kinds of built-in websites: their subject, the content of their pages, and their errands (kinds of tasks).

Ten kinds with five errands each make 50 templates. An errand is a sentence with words to be drawn:

    KINDS[0].errands["search"]   "Find a flight to {place} for {who}, from the page {entry}."
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Words = dict[str, str]  # the words drawn for one errand


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of website.

    Attributes:
        name: Unique name.
        domain: Domain and subdomain, as in the dataset.
        menu: Headings of the menu with their entries; the first heading leads to the form, the second to the list.
        place: Label of the form's text field, and texts to type there.
        who: Label of the form's selection, and its choices.
        when: Label of the form's date.
        things: Two lists of words that form the names of the things it offers.
        filters: Groups of checkboxes, with their labels.
        sorts: Orders of the list.
        option: Label of the selection on an item's page, and its choices.
        act: Button on an item's page.
        errands: Sentence of each errand.
    """

    name: str
    domain: tuple[str, str]
    menu: Mapping[str, tuple[str, ...]]
    place: tuple[str, tuple[str, ...]]
    who: tuple[str, tuple[str, ...]]
    when: str
    things: tuple[tuple[str, ...], tuple[str, ...]]
    filters: Mapping[str, tuple[str, ...]]
    sorts: tuple[str, ...]
    option: tuple[str, tuple[str, ...]]
    act: str
    errands: Mapping[str, str]


_CITIES = (
    "Boston",
    "Oslo",
    "Lima",
    "Kyoto",
    "Porto",
    "Nairobi",
    "Denver",
    "Dublin",
    "Seoul",
    "Quito",
    "Tunis",
    "Perth",
)
_PARTS = ("Harbor", "Summit", "Garden", "River", "Maple", "Crown", "Orchard", "Lantern", "Prairie", "Coral", "Willow")
_PRICES = ("Lowest price", "Highest price", "Best rated", "Newest")

KINDS = (
    Kind(
        "flights",
        ("Travel", "Airlines"),
        {
            "Flights": ("One way trips", "Return trips", "Group bookings"),
            "Offers": ("City breaks", "Last minute fares", "Student fares"),
            "Baggage": ("Cabin bags", "Checked bags", "Sports gear"),
            "Check in": ("Online boarding pass", "Airport desks"),
        },
        ("Flying to", _CITIES),
        ("Passengers", ("1 adult", "2 adults", "3 adults", "2 adults and 1 child", "4 adults")),
        "Departure date",
        (_CITIES, ("Weekend fare", "Night flight", "Saver fare", "Morning flight")),
        {"Stops": ("Nonstop", "One stop", "Two stops"), "Cabin": ("Economy", "Premium", "Business")},
        ("Cheapest first", "Shortest first", "Earliest first"),
        ("Fare class", ("Light", "Standard", "Flexible")),
        "Continue to payment",
        {
            "search": "Find a flight to {place} for {who}, from the page {entry}.",
            "date": "Look up flights to {place} on {day}.",
            "filter": "Among the offers, tick {box}, sort by {sort} and open {thing}.",
            "order": "Look for {thing}, take the fare class {option} and go on to payment.",
            "contact": "Write to customer care as {person} about {topic}.",
        },
    ),
    Kind(
        "hotels",
        ("Travel", "Hotel"),
        {
            "Stays": ("Hotels", "Apartments", "Campsites"),
            "Deals": ("Early booking", "Long stays", "Spa weekends"),
            "Loyalty": ("Collect nights", "Redeem nights", "Tiers"),
            "Groups": ("Weddings", "Conferences"),
        },
        ("Going to", _CITIES),
        ("Guests", ("1 guest", "2 guests", "3 guests", "4 guests", "6 guests")),
        "Arrival date",
        (_PARTS, ("Hotel", "Inn", "Lodge", "Resort", "Suites")),
        {"Facilities": ("Free parking", "Pool", "Breakfast", "Pets welcome"), "Stars": ("Three stars", "Four stars")},
        _PRICES,
        ("Room type", ("Single room", "Double room", "Family room")),
        "Reserve now",
        {
            "search": "Search for a place to stay in {place} for {who}; begin at {entry}.",
            "date": "See what is free in {place} from {day} on.",
            "filter": "Show deals with {box}, ordered by {sort}, and look at {thing}.",
            "order": "Reserve a {option} at {thing}.",
            "contact": "Ask the hotel group about {topic}; my name is {person}.",
        },
    ),
    Kind(
        "cars",
        ("Travel", "Car rental"),
        {
            "Rentals": ("Cars", "Vans", "Campers"),
            "Fleet": ("Electric cars", "Convertibles", "Trucks"),
            "Business": ("Company accounts", "Monthly hire"),
            "Locations": ("Airports", "Train stations", "Downtown"),
        },
        ("Pick-up location", _CITIES),
        ("Age of driver", ("18 to 20", "21 to 24", "25 to 69", "70 or older")),
        "Pick-up date",
        (("Compact", "Electric", "Family", "Luxury", "Open"), ("hatchback", "sedan", "wagon", "minivan", "pickup")),
        {"Gearbox": ("Automatic", "Manual"), "Extras": ("Child seat", "Roof rack", "Winter tyres", "Navigation")},
        _PRICES,
        ("Insurance", ("Basic cover", "Medium cover", "Full cover")),
        "Rent this car",
        {
            "search": "Rent a car in {place} for a driver aged {who}, starting at {entry}.",
            "date": "Check cars in {place}, picked up on {day}.",
            "filter": "In the fleet, choose {box}, sort by {sort}, then open the {thing}.",
            "order": "Rent the {thing} with {option}.",
            "contact": "Send a message about {topic}, signed {person}.",
        },
    ),
    Kind(
        "restaurants",
        ("Shopping", "Restaurant"),
        {
            "Book a table": ("Dinner", "Lunch", "Brunch"),
            "Discover": ("New openings", "Terraces", "Wine bars"),
            "Gift cards": ("Buy a card", "Check balance"),
            "For owners": ("Add a restaurant", "Prices for owners"),
        },
        ("Neighbourhood or town", _CITIES),
        ("Party size", ("2 people", "3 people", "4 people", "5 people", "8 people")),
        "Day of visit",
        (_PARTS, ("Kitchen", "Bistro", "Grill", "Noodle House", "Tavern")),
        {
            "Cuisine": ("Thai", "Mexican", "Greek", "Indian"),
            "Features": ("Outdoor seating", "Live music", "Vegan menu"),
        },
        ("Best rated", "Closest", "Most booked"),
        ("Seating", ("Window table", "Bar stool", "Garden table")),
        "Confirm table",
        {
            "search": "Get a table in {place} for {who} by way of {entry}.",
            "date": "Find restaurants in {place} for {day}.",
            "filter": "Discover places with {box}, sorted by {sort}; open {thing}.",
            "order": "Book a {option} at {thing}.",
            "contact": "Tell the support team about {topic}; sign as {person}.",
        },
    ),
    Kind(
        "events",
        ("Entertainment", "Event"),
        {
            "Tickets": ("Concerts", "Theatre", "Festivals"),
            "Highlights": ("This weekend", "For children", "Free entry"),
            "Venues": ("Arenas", "Clubs", "Open air"),
            "Sell": ("Sell tickets", "Fees for sellers"),
        },
        ("Town of the event", _CITIES),
        ("Number of tickets", ("1 ticket", "2 tickets", "3 tickets", "4 tickets")),
        "Date of the event",
        (_PARTS, ("Jazz Night", "Poetry Slam", "Orchestra", "Comedy Hour", "Film Week")),
        {"Price": ("Under 20", "20 to 50", "Over 50"), "Access": ("Wheelchair places", "Sign language")},
        ("Soonest", "Most popular", "Lowest price"),
        ("Category", ("Standing", "Balcony", "Front rows")),
        "Add tickets to basket",
        {
            "search": "Look for {who} in {place}, in the section {entry}.",
            "date": "What is on in {place} on {day}?",
            "filter": "From the highlights with {box}, by {sort}, open {thing}.",
            "order": "Put {option} tickets for {thing} into the basket.",
            "contact": "Contact the box office as {person}: {topic}.",
        },
    ),
    Kind(
        "shop",
        ("Shopping", "General"),
        {
            "Catalogue": ("Furniture", "Lighting", "Textiles"),
            "Sale": ("Clearance", "Bundles", "Returned goods"),
            "Ideas": ("Small rooms", "Home office", "Balcony"),
            "Services": ("Assembly", "Delivery slots", "Recycling"),
        },
        ("Delivery town", _CITIES),
        ("Kind of delivery", ("Standard delivery", "Express delivery", "Store collection")),
        "Delivery date",
        (("Oak", "Walnut", "Linen", "Copper", "Wool"), ("desk", "armchair", "bookcase", "floor lamp", "rug")),
        {"Colour": ("Black", "White", "Green", "Grey"), "Material": ("Solid wood", "Metal", "Glass")},
        _PRICES,
        ("Size", ("Small", "Medium", "Large")),
        "Add to cart",
        {
            "search": "Check {who} to {place}, beginning with {entry}.",
            "date": "See whether goods can come to {place} on {day}.",
            "filter": "In the sale, pick {box}, sort by {sort} and show the {thing}.",
            "order": "Add the {thing} in size {option} to the cart.",
            "contact": "Write about {topic} under the name {person}.",
        },
    ),
    Kind(
        "library",
        ("Info", "Library"),
        {
            "Borrow": ("Books", "Records", "Board games"),
            "Recommended": ("Crime stories", "Travel writing", "Picture books"),
            "Rooms": ("Study rooms", "Maker space"),
            "Membership": ("Join the library", "Renew a card", "Late fees"),
        },
        ("Branch", _CITIES),
        ("Age group", ("Children", "Teenagers", "Adults", "Seniors")),
        "Collection date",
        (("Silent", "Golden", "Hidden", "Distant", "Broken"), ("Island", "Mirror", "Winter", "Letter", "Voyage")),
        {"Language": ("English", "Spanish", "Arabic"), "Format": ("Large print", "Audio book", "Paperback")},
        ("Title", "Author", "Newest first"),
        ("Loan period", ("Two weeks", "Four weeks", "Eight weeks")),
        "Place hold",
        {
            "search": "Browse {entry} for {who} at the {place} branch.",
            "date": "Which books can I collect at {place} on {day}?",
            "filter": "Of the recommended titles, tick {box}, order by {sort}, and open {thing}.",
            "order": "Place a hold on {thing} for {option}.",
            "contact": "Send the librarians a question on {topic} from {person}.",
        },
    ),
    Kind(
        "clinic",
        ("Service", "Health"),
        {
            "Appointments": ("Family doctor", "Dentist", "Eye test"),
            "Our doctors": ("Heart", "Skin", "Allergies"),
            "Patients": ("Test results", "Prescriptions", "Bills"),
            "Visitors": ("Opening hours", "How to get here"),
        },
        ("Clinic near", _CITIES),
        ("Reason for visit", ("Check-up", "Vaccination", "Follow-up", "Second opinion")),
        "Appointment date",
        (("Dr Amara", "Dr Jonas", "Dr Meera", "Dr Felix", "Dr Ines"), ("Okafor", "Lindgren", "Rao", "Weber", "Costa")),
        {"Languages": ("French", "German", "Hindi"), "Visit": ("Video call", "In person", "Evening hours")},
        ("Earliest free", "Nearest", "Best reviewed"),
        ("Insurance plan", ("Public plan", "Private plan", "No plan")),
        "Request appointment",
        {
            "search": "Arrange a {who} near {place}, going through {entry}.",
            "date": "Find a free appointment near {place} on {day}.",
            "filter": "Show doctors with {box} by {sort} and open {thing}.",
            "order": "Request an appointment with {thing} on a {option}.",
            "contact": "Leave the clinic a note about {topic} from {person}.",
        },
    ),
    Kind(
        "jobs",
        ("Info", "Job"),
        {
            "Find work": ("Full time", "Part time", "Internships"),
            "Openings": ("Remote work", "Night shifts", "Seasonal work"),
            "Employers": ("Post a job", "Plans and prices"),
            "Advice": ("Writing a resume", "Interviews", "Salaries"),
        },
        ("Where", _CITIES),
        ("Experience", ("No experience", "1 to 3 years", "4 to 9 years", "10 years or more")),
        "Start date",
        (("Senior", "Junior", "Lead", "Deputy", "Assistant"), ("baker", "nurse", "welder", "teacher", "analyst")),
        {"Contract": ("Permanent", "Temporary", "Freelance"), "Benefits": ("Company bike", "Meal vouchers")},
        ("Most recent", "Best match", "Highest salary"),
        ("Work permit", ("I have a permit", "I need a permit")),
        "Apply now",
        {
            "search": "Find {entry} work in {place} with {who}.",
            "date": "List jobs in {place} that start on {day}.",
            "filter": "Filter the openings to {box}, sort by {sort}, and read about the {thing}.",
            "order": "Apply as {thing} and state: {option}.",
            "contact": "Report {topic} as {person}.",
        },
    ),
    Kind(
        "courses",
        ("Info", "Education"),
        {
            "Courses": ("Evening classes", "Intensive weeks", "Online classes"),
            "Subjects": ("Languages", "Photography", "Cooking"),
            "Teachers": ("Meet the teachers", "Teach with us"),
            "Campus": ("Rooms to rent", "Cafeteria"),
        },
        ("Campus town", _CITIES),
        ("Level", ("Beginner", "Intermediate", "Advanced")),
        "First lesson",
        (("Practical", "Creative", "Everyday", "Applied", "Modern"), ("pottery", "statistics", "gardening", "Italian")),
        {"Length": ("One day", "One month", "One term"), "Certificate": ("With exam", "Without exam")},
        ("Starting soon", "Lowest fee", "Best rated"),
        ("Payment", ("Pay at once", "Pay monthly", "Voucher")),
        "Enrol",
        {
            "search": "Look up {who} courses in {place} under {entry}.",
            "date": "Which courses in {place} begin on {day}?",
            "filter": "Pick subjects {box}, order them by {sort} and open {thing}.",
            "order": "Enrol in {thing} and choose {option}.",
            "contact": "Message the school office about {topic}; name: {person}.",
        },
    ),
)

TOPICS = ("Refund", "Lost property", "Invoice copy", "Technical problem", "Accessibility", "Press request")
PEOPLE = ("Ana Silva", "Ben Cole", "Chloe Dubois", "Dmitri Orlov", "Emi Sato", "Farid Aziz", "Greta Holm", "Hugo Vance")
MONTHS = ("June", "July", "August", "September", "October")
BRANDS = (  # a website's name is a first part and a second part
    ("Nor", "Bel", "Kav", "Tri", "Sol", "Mer", "Ald", "Fen", "Qui", "Vel", "Zan", "Ori"),
    ("field", "mont", "aro", "ista", "wick", "dale", "ora", "une", "gate", "leaf", "port", "hive"),
)


@dataclass(frozen=True, slots=True)
class Move:
    """One step of a task.

    Attributes:
        view: The page of the step.
        target: Name of its element on that page.
        tag: Kind of the element, as in `action_reprs`.
        label: Text of the element.
        op: CLICK, TYPE, SELECT, or HOVER, which is recorded as a click.
        value: The text to type or select.
    """

    view: str
    target: str
    tag: str
    label: str
    op: str = "CLICK"
    value: str = ""

    @property
    def text(self) -> str:
        """The step's item of `action_reprs`."""
        return f"[{self.tag}]  {self.label} -> {self.op}" + (f": {self.value}" if self.value else "")


@dataclass(frozen=True, slots=True)
class Site:
    """A website.

    Attributes:
        kind: Its kind.
        name: Its name.
        things: The things it offers.
    """

    kind: Kind
    name: str
    things: tuple[str, ...]
