"""Who a caller is in the office's CRM, as rules may ask."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerStatus:
    """What a CRM says of a number. Its texts are what people wrote there: hostile."""

    remote_id: str  #: the CRM's own id of the person
    name: str = ""
    status: str = ""  #: as the office words it there: `customer`, `Gold`; empty if nobody said
