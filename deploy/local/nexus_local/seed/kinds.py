"""What kinds of places the demo has, and the words for each. `listings.py` composes listings of them."""

from dataclasses import dataclass

EAST_AFRICA = frozenset({"ET", "KE", "TZ", "UG", "RW", "BI", "DJ", "SO", "ER", "SD", "SS"})
SAFARI = frozenset({"KE", "TZ", "UG", "RW", "ZM", "ZW", "BW", "NA", "ZA"})


@dataclass(frozen=True)
class Kind:
    """One category of places."""

    category: str
    weight: int
    guests: tuple[int, int]
    """From, to."""
    units: tuple[int, ...]
    """Drawn from, so a number that stands here often is frequent."""
    factor: float
    """Of the city's price for a simple place."""
    names: tuple[str, ...]
    """What a title calls it."""
    openings: tuple[str, ...]
    """The first sentence of a description."""
    amenities: tuple[str, ...]
    """What such a place usually has."""
    extras: tuple[str, ...]
    """What some have."""
    countries: frozenset[str] | None = None
    """Only there; none: everywhere."""
    at_water: bool = False
    """Only at a lake or the sea."""


_FLAT = ("wifi", "kitchen", "hot_water", "television", "smoke_alarm")
_HOUSE = ("wifi", "kitchen", "hot_water", "garden", "free_parking")
_HOTEL = ("wifi", "hot_water", "television", "breakfast", "hair_dryer", "fire_extinguisher")
_OUTDOORS = ("hot_water", "breakfast", "free_parking", "first_aid_kit", "fire_extinguisher")
_FLAT_EXTRAS = ("lift", "balcony", "washing_machine", "workspace", "air_conditioning", "coffee_maker", "iron", "gym")
_HOUSE_EXTRAS = (
    *("washing_machine", "barbecue", "fireplace", "workspace", "cot", "high_chair", "pets_allowed", "night_guard"),
    *("gated_compound", "iron", "television", "coffee_maker"),
)
_HOTEL_EXTRAS = ("air_conditioning", "lift", "gym", "pool", "airport_transfer", "workspace", "wheelchair_accessible")

KINDS = (
    Kind(
        *("apartment", 26, (2, 6), (1, 1, 1, 1, 2), 1.25),
        ("apartment", "flat", "two-room apartment", "family apartment", "top-floor apartment"),
        (
            "An apartment that is quiet at night and close to everything by day.",
            "Bright rooms on an upper floor, with windows on two sides.",
            "A home for some days: a proper kitchen, a long table, and beds that people write about.",
            "The rooms were painted last spring, and everything in them works.",
        ),
        _FLAT,
        _FLAT_EXTRAS,
    ),
    Kind(
        *("studio", 14, (1, 3), (1, 1, 1, 2, 3), 0.85),
        ("studio", "ground-floor studio", "one-room flat", "artist's studio", "corner studio"),
        (
            "One room, well thought out: the bed behind a curtain, the desk at the window.",
            "A small place where nothing is missing, for one or two.",
            "Everything within reach, and a door that closes on the noise of the street.",
        ),
        _FLAT,
        _FLAT_EXTRAS,
    ),
    Kind(
        *("loft", 5, (2, 4), (1,), 1.6),
        ("loft", "warehouse loft", "rooftop loft"),
        (
            "High ceilings, tall windows, and the bricks of the old workshop left as they were.",
            "One great room under the roof, with a gallery to sleep on.",
        ),
        _FLAT,
        (*_FLAT_EXTRAS, "fireplace"),
    ),
    Kind(
        *("serviced-apartment", 7, (2, 5), (4, 6, 8, 12, 20), 1.5),
        ("serviced apartment", "apartment with a reception", "residence"),
        (
            "Your own kitchen, and a reception that is awake at any hour.",
            "Cleaned twice a week, with linen that somebody else irons.",
        ),
        (*_FLAT, "lift", "workspace", "night_guard"),
        (*_FLAT_EXTRAS, "pool", "dryer"),
    ),
    Kind(
        *("house", 18, (3, 9), (1,), 1.7),
        ("house", "family house", "stone house", "house with a courtyard", "old house"),
        (
            "A whole house, with a table for everybody and a shady place behind it.",
            "Built by the owner's grandfather, and kept as carefully as he did.",
            "Thick walls, wooden shutters, and rooms that stay cool at noon.",
            "Three generations have lived here; now it is open to guests for most of the year.",
        ),
        _HOUSE,
        _HOUSE_EXTRAS,
    ),
    Kind(
        *("townhouse", 5, (3, 7), (1,), 1.75),
        ("townhouse", "narrow townhouse", "merchant's house"),
        (
            "Four floors, one room wide, with a roof terrace as the reward for the stairs.",
            "The door opens on the street, the other side on a courtyard that nobody expects.",
        ),
        _HOUSE[:3],
        (*_HOUSE_EXTRAS, "balcony"),
    ),
    Kind(
        *("bungalow", 6, (2, 6), (1, 1, 2, 3), 1.3),
        ("bungalow", "old bungalow", "bungalow with a veranda"),
        (
            "All on one floor, with a veranda on which most of the day is spent.",
            "A bungalow among old trees, with birds for an alarm clock.",
        ),
        _HOUSE,
        _HOUSE_EXTRAS,
    ),
    Kind(
        *("tukul", 4, (2, 4), (1, 2, 3, 4, 6), 0.9),
        ("tukul", "stone tukul", "round house", "thatched tukul"),
        (
            "A round house of stone and thatch, warm at night and cool by day.",
            "Built as houses have always been built here, with a bathroom as they have not.",
        ),
        ("hot_water", "breakfast", "garden", "night_guard"),
        ("fireplace", "airport_transfer", "wifi", "balcony", "free_parking"),
        countries=frozenset({"ET", "ER"}),
    ),
    Kind(
        *("villa", 8, (4, 12), (1,), 3.4),
        ("villa", "family villa", "hillside villa", "villa with tall windows"),
        (
            "A villa for the days when everybody comes: long tables, deep chairs, and room for the children.",
            "White walls, wide doors, and a kitchen made for more than one cook.",
        ),
        (*_HOUSE, "pool", "air_conditioning", "barbecue", "washing_machine"),
        (*_HOUSE_EXTRAS, "hot_tub", "gym", "dryer"),
    ),
    Kind(
        *("cabin", 5, (2, 5), (1, 1, 2), 1.1),
        ("cabin", "wooden cabin", "cabin under the trees"),
        (
            "Wood inside and out, a stove, and a bench for the evening.",
            "A cabin small enough to be warm in ten minutes, and far enough to hear nothing.",
        ),
        ("kitchen", "hot_water", "heating", "free_parking"),
        ("fireplace", "barbecue", "pets_allowed", "wifi", "hot_tub", "garden"),
    ),
    Kind(
        *("treehouse", 2, (2, 3), (1, 1, 2), 1.3),
        ("treehouse", "house in a fig tree", "treehouse for two"),
        (
            "Up a stair of twenty-two steps, among the leaves, with a real bed and a real bath.",
            "Children ask whether they may stay; so do their parents.",
        ),
        ("hot_water", "breakfast", "balcony"),
        ("wifi", "garden", "free_parking"),
    ),
    Kind(
        *("guest-house", 12, (1, 4), (2, 3, 4, 5, 6), 0.75),
        ("room in a guest house", "guest house", "family guest house", "small guest house"),
        (
            "A family's guest house: breakfast when you are up, and advice when you ask.",
            "Plain rooms around a courtyard, and coffee roasted in the morning.",
            "You have your own door and bathroom; the kitchen is for everybody.",
        ),
        ("wifi", "hot_water", "breakfast", "garden"),
        ("free_parking", "airport_transfer", "night_guard", "gated_compound", "iron", "kitchen", "workspace"),
    ),
    Kind(
        *("hotel-room", 14, (1, 3), (5, 8, 10, 15, 25, 40), 1.15),
        ("double room", "hotel room", "twin room", "room to the courtyard"),
        (
            "A room in a small hotel that knows its guests by name.",
            "Ironed sheets, a strong shower, and a window that opens.",
            "A hotel of a few floors, with a restaurant that the neighbours go to.",
        ),
        _HOTEL,
        _HOTEL_EXTRAS,
    ),
    Kind(
        *("hotel-suite", 4, (2, 4), (1, 2, 4, 6), 2.5),
        ("suite", "corner suite", "junior suite", "family suite"),
        (
            "Two rooms with a door between them, so that one may sleep while the other works.",
            "The best rooms of the house, kept for those who stay longer.",
        ),
        (*_HOTEL, "air_conditioning", "workspace", "coffee_maker"),
        (*_HOTEL_EXTRAS, "balcony", "hot_tub"),
    ),
    Kind(
        *("lodge", 5, (2, 5), (2, 4, 6, 8), 2.1),
        ("lodge", "lodge on the ridge", "lodge cottage"),
        (
            "Cottages along a ridge, a fire in the evening, and no road to be heard.",
            "A lodge of eight cottages, run by the people who built them.",
        ),
        (*_OUTDOORS, "garden"),
        ("fireplace", "pool", "wifi", "airport_transfer", "balcony", "night_guard"),
        countries=EAST_AFRICA | SAFARI,
    ),
    Kind(
        *("safari-tent", 3, (2, 4), (2, 4, 6, 10), 2.3),
        ("safari tent", "canvas tent with a deck", "tented room"),
        (
            "Canvas, a wooden deck, and a bed with four posts; the night is loud with frogs.",
            "A tent only in name: there is a writing desk, and hot water at five.",
        ),
        _OUTDOORS,
        ("balcony", "airport_transfer", "night_guard", "pool"),
        countries=SAFARI,
    ),
    Kind(
        *("hostel-bed", 5, (1, 1), (6, 8, 10, 12, 20), 0.28),
        ("bed in a dormitory", "hostel bed", "bed in a room for six"),
        (
            "A bed with a curtain, a lamp and a locker, in a house where people cook together.",
            "For those who travel light: clean, friendly, and quiet after eleven.",
        ),
        ("wifi", "hot_water", "kitchen", "smoke_alarm"),
        ("breakfast", "washing_machine", "workspace", "garden"),
    ),
    Kind(
        *("boat", 2, (2, 6), (1,), 1.9),
        ("houseboat", "boat at anchor", "wooden boat"),
        (
            "A boat with two cabins, moored where the water is calm.",
            "You wake up to light on the ceiling, thrown there by the water.",
        ),
        ("kitchen", "hot_water", "first_aid_kit", "fire_extinguisher"),
        ("wifi", "barbecue", "breakfast", "heating"),
        at_water=True,
    ),
)
