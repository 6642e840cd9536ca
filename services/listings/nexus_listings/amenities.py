"""The catalogue of amenities: what a host can promise. The schemas refuse anything else.

Additions are safe; a removal would break listings and clients that use it.
"""

from enum import StrEnum


class Amenity(StrEnum):
    """One thing that a place offers. Stored by its value, so a name never changes its meaning."""

    WIFI = "wifi"
    KITCHEN = "kitchen"
    WASHING_MACHINE = "washing_machine"
    DRYER = "dryer"
    AIR_CONDITIONING = "air_conditioning"
    HEATING = "heating"
    HOT_WATER = "hot_water"
    BACKUP_POWER = "backup_power"
    WORKSPACE = "workspace"
    TELEVISION = "television"
    IRON = "iron"
    HAIR_DRYER = "hair_dryer"
    BREAKFAST = "breakfast"
    COFFEE_MAKER = "coffee_maker"
    FREE_PARKING = "free_parking"
    AIRPORT_TRANSFER = "airport_transfer"
    POOL = "pool"
    HOT_TUB = "hot_tub"
    GYM = "gym"
    GARDEN = "garden"
    BALCONY = "balcony"
    BARBECUE = "barbecue"
    FIREPLACE = "fireplace"
    SEA_VIEW = "sea_view"
    LAKE_ACCESS = "lake_access"
    COT = "cot"
    HIGH_CHAIR = "high_chair"
    PETS_ALLOWED = "pets_allowed"
    SMOKING_ALLOWED = "smoking_allowed"
    WHEELCHAIR_ACCESSIBLE = "wheelchair_accessible"
    LIFT = "lift"
    SMOKE_ALARM = "smoke_alarm"
    CARBON_MONOXIDE_ALARM = "carbon_monoxide_alarm"
    FIRST_AID_KIT = "first_aid_kit"
    FIRE_EXTINGUISHER = "fire_extinguisher"
    GATED_COMPOUND = "gated_compound"
    NIGHT_GUARD = "night_guard"
