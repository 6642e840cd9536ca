"""The catalogue of amenities: what a host can promise. Clients read it at its address; nothing else is accepted.

Additions are safe; a removal would break listings and clients that use it.
"""

from enum import StrEnum
from typing import Self

from fastapi import APIRouter
from nexus_kit.schemas import Resource
from pydantic import Field

from nexus_listings.publicly import public


class AmenityGroup(StrEnum):
    """The headings under which clients show amenities. The value is the English label."""

    COMFORT = "Comfort"
    FOOD = "Kitchen and food"
    WORK_AND_PLAY = "Work and play"
    OUTDOORS = "Outdoors"
    ARRIVAL = "Getting there"
    FAMILY = "Children and pets"
    ACCESS = "Accessibility"
    SAFETY = "Safety"


class Amenity(StrEnum):
    """One thing that a place offers. Stored by its value, so a name never changes its meaning."""

    group: AmenityGroup
    label: str
    """In English."""

    def __new__(cls, slug: str, group: AmenityGroup, label: str) -> Self:
        """A row of the table below."""
        member = str.__new__(cls, slug)
        member._value_ = slug
        member.group = group
        member.label = label
        return member

    AIR_CONDITIONING = "air_conditioning", AmenityGroup.COMFORT, "Air conditioning"
    HEATING = "heating", AmenityGroup.COMFORT, "Heating"
    HOT_WATER = "hot_water", AmenityGroup.COMFORT, "Hot water"
    BACKUP_POWER = "backup_power", AmenityGroup.COMFORT, "Backup power"
    WASHING_MACHINE = "washing_machine", AmenityGroup.COMFORT, "Washing machine"
    DRYER = "dryer", AmenityGroup.COMFORT, "Dryer"
    IRON = "iron", AmenityGroup.COMFORT, "Iron"
    HAIR_DRYER = "hair_dryer", AmenityGroup.COMFORT, "Hair dryer"
    FIREPLACE = "fireplace", AmenityGroup.COMFORT, "Fireplace"
    SMOKING_ALLOWED = "smoking_allowed", AmenityGroup.COMFORT, "Smoking allowed"

    KITCHEN = "kitchen", AmenityGroup.FOOD, "Kitchen"
    BREAKFAST = "breakfast", AmenityGroup.FOOD, "Breakfast"
    COFFEE_MAKER = "coffee_maker", AmenityGroup.FOOD, "Coffee maker"

    WIFI = "wifi", AmenityGroup.WORK_AND_PLAY, "Wi-Fi"
    WORKSPACE = "workspace", AmenityGroup.WORK_AND_PLAY, "Workspace"
    TELEVISION = "television", AmenityGroup.WORK_AND_PLAY, "Television"
    POOL = "pool", AmenityGroup.WORK_AND_PLAY, "Pool"
    HOT_TUB = "hot_tub", AmenityGroup.WORK_AND_PLAY, "Hot tub"
    GYM = "gym", AmenityGroup.WORK_AND_PLAY, "Gym"

    GARDEN = "garden", AmenityGroup.OUTDOORS, "Garden"
    BALCONY = "balcony", AmenityGroup.OUTDOORS, "Balcony"
    BARBECUE = "barbecue", AmenityGroup.OUTDOORS, "Barbecue"
    SEA_VIEW = "sea_view", AmenityGroup.OUTDOORS, "Sea view"
    LAKE_ACCESS = "lake_access", AmenityGroup.OUTDOORS, "Lake access"

    FREE_PARKING = "free_parking", AmenityGroup.ARRIVAL, "Free parking"
    AIRPORT_TRANSFER = "airport_transfer", AmenityGroup.ARRIVAL, "Airport transfer"

    COT = "cot", AmenityGroup.FAMILY, "Cot"
    HIGH_CHAIR = "high_chair", AmenityGroup.FAMILY, "High chair"
    PETS_ALLOWED = "pets_allowed", AmenityGroup.FAMILY, "Pets allowed"

    WHEELCHAIR_ACCESSIBLE = "wheelchair_accessible", AmenityGroup.ACCESS, "Wheelchair accessible"
    LIFT = "lift", AmenityGroup.ACCESS, "Lift"

    SMOKE_ALARM = "smoke_alarm", AmenityGroup.SAFETY, "Smoke alarm"
    CARBON_MONOXIDE_ALARM = "carbon_monoxide_alarm", AmenityGroup.SAFETY, "Carbon monoxide alarm"
    FIRST_AID_KIT = "first_aid_kit", AmenityGroup.SAFETY, "First aid kit"
    FIRE_EXTINGUISHER = "fire_extinguisher", AmenityGroup.SAFETY, "Fire extinguisher"
    GATED_COMPOUND = "gated_compound", AmenityGroup.SAFETY, "Gated compound"
    NIGHT_GUARD = "night_guard", AmenityGroup.SAFETY, "Night guard"


# ----------------------------------------------------------------------------------------- its address

router = APIRouter(prefix="/amenities", tags=["amenities"], route_class=public("amenities"))


class AmenityOut(Resource):
    """What a listing names by its slug."""

    slug: Amenity = Field(examples=["wifi"])
    label: str = Field(description="English.", examples=["Wi-Fi"])


class AmenityGroupOut(Resource):
    """Amenities that are shown together."""

    slug: str = Field(examples=["work_and_play"])
    label: str = Field(description="English.", examples=["Work and play"])
    amenities: list[AmenityOut]


class Catalogue(Resource):
    """All there is, in the order in which to show it."""

    items: list[AmenityGroupOut]


@router.get("", summary="What a place can offer")
async def catalogue() -> Catalogue:
    """The amenities that listings and searches may name; it only ever grows."""

    def shown(group: AmenityGroup) -> AmenityGroupOut:
        members = [AmenityOut(slug=each, label=each.label) for each in Amenity if each.group is group]
        return AmenityGroupOut(slug=group.name.lower(), label=group.value, amenities=members)

    return Catalogue(items=[shown(group) for group in AmenityGroup])
