"""Sentences of the demo's descriptions, and what hosts ask of their guests. `listings.py` draws from them."""

ADJECTIVES = (
    *("Quiet", "Sunny", "Bright", "Cosy", "Calm", "Roomy", "Simple", "Elegant", "Restored", "Airy", "Friendly"),
    *("Hidden", "Cheerful", "Generous", "Peaceful", "Handsome", "Green", "Warm", "Spotless", "Charming"),
)
ENDINGS = ("in {city}", "close to the centre of {city}", "on the edge of {city}", "in a side street of {city}")
AT_WATER = {
    "lake": ("by the lake in {city}", "above the lake, {city}", "a short walk from the lake, {city}"),
    "sea": ("near the sea in {city}", "with a breeze from the sea, {city}", "a short walk from the beach, {city}"),
}
FOR = {
    "wifi": ("The internet is fast enough for calls with a picture.", "The wifi reaches every corner."),
    "kitchen": ("The kitchen has sharp knives and enough pans.", "Spices, oil and coffee are in the kitchen for you."),
    "workspace": ("There is a real desk, with a lamp and a chair to sit on for hours.",),
    "garden": ("The garden is yours to read in.", "Herbs from the garden may be picked."),
    "pool": ("The pool is open from six in the morning until ten at night.",),
    "breakfast": (
        "Breakfast is included: eggs, bread from the baker, fruit.",
        "Breakfast is served until half past ten.",
    ),
    "fireplace": ("Wood for the fire is stacked by the door.",),
    "balcony": ("Morning sun falls on the balcony.", "The balcony is wide enough for a table and four chairs."),
    "free_parking": ("A car can stand inside the gate.", "You can park in front of the door without paying."),
    "airport_transfer": ("We fetch you from the airport if you tell us your flight.",),
    "backup_power": ("When the grid rests, a generator takes over within seconds.",),
    "washing_machine": ("There is a washing machine, and a line in the sun.",),
    "pets_allowed": ("Dogs that do not mind cats are welcome.",),
    "night_guard": ("A guard is at the gate all night.",),
    "air_conditioning": ("Every room has its own air conditioning.",),
    "wheelchair_accessible": ("There are no steps between the street and the bed.",),
    "lift": ("A lift takes you and your luggage up.",),
    "gym": ("There is a small gym on the ground floor.",),
    "barbecue": ("The barbecue stands ready, charcoal included.",),
    "cot": ("A cot for a baby stands in the cupboard; tell us, and it is made up.",),
    "sea_view": ("The sea fills the windows.",),
    "lake_access": ("A path leads down to the water, where you can swim.",),
    "hot_tub": ("The hot tub is heated from the afternoon on.",),
}
"""What a description says of an amenity: only of those that the place has."""
AROUND = (
    "Shops, a baker and a pharmacy are within five minutes on foot.",
    "Buses to the centre pass every few minutes.",
    "The market is ten minutes away; go early.",
    "It is a street where people greet each other.",
    "Two good restaurants are around the corner, and a list of others lies on the table.",
    "The neighbourhood is residential, and still after nine.",
    "Taxis find the address without asking.",
)
HOSTS = (
    "We live next door and are glad to help, or to leave you in peace.",
    "You get the key from a box at the door, at any hour.",
    "Somebody welcomes you, whenever you arrive.",
    "Ask us for walks that are in no guidebook.",
    "We answer messages within the hour, nights excepted.",
    "If something is missing, we bring it the same day.",
)
RULES = (
    "No parties.",
    "Quiet after ten in the evening.",
    "Shoes stay at the door.",
    "No smoking inside.",
    "Children are welcome.",
    "Please sort the waste.",
    "Turn off the water heater when you leave.",
    "Visitors until nine in the evening.",
    "Tell us before you bring another guest.",
    "Please lock the gate behind you.",
)
SEASONS = {
    "ET": (("Timkat", "01-15", "01-21"), ("Ethiopian new year", "09-08", "09-14")),
    "ER": (("Timkat", "01-15", "01-21"),),
    "": (("High season", "12-18", "12-31"), ("Dry season", "07-01", "08-31"), ("Early summer", "06-01", "06-30")),
}
"""By country: name, first night, last night."""
