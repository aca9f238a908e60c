"""Metadata of a gain map in XMP, as phones and editors have written them before ISO 21496-1.

Source: Adobe, "Gain map specification" 1.0; Android, "Ultra HDR image format" 1.1.
"""

import re
from xml.etree import ElementTree

import numpy as np

from hdr_jax.images._gain_map import OFFSET, GainMap, checked, triple
from hdr_jax.images._paths import Unsupported

NAMESPACE = "http://ns.adobe.com/hdr-gain-map/1.0/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
LONGEST_PACKET = 60000  # bytes that leave room for more in a segment of 65533
CONTAINER = "http://ns.google.com/photos/1.0/container/"
REQUIRED = ("GainMapMax", "HDRCapacityMax")
DEFAULTS = {
    "GainMapMin": 0, "Gamma": 1, "OffsetSDR": OFFSET, "OffsetHDR": OFFSET, "HDRCapacityMin": 0,
}  # fmt: skip


def from_xmp(xmp: bytes) -> GainMap | None:
    """Metadata in XMP.

    Args:
      xmp: the packet of the gain map's own JPEG.

    Returns:
      The metadata; None if the packet tells of no gain map.

    Raises:
      Unsupported: for an HDR picture whose gain map leads to the SDR one.
      ValueError: if it is damaged or lacks what has no default.
    """
    if NAMESPACE.encode() not in xmp:
        return None
    if b"<!DOCTYPE" in xmp or b"<!ENTITY" in xmp:  # nothing that expands
        raise ValueError("its XMP declares entities")
    found: dict[str, list[str]] = {}
    try:
        tree = ElementTree.fromstring(xmp.strip(b"\0 \r\n\t"))
    except ElementTree.ParseError as error:
        raise ValueError(f"its XMP is damaged ({error})") from error
    for element in tree.iter(f"{{{RDF}}}Description"):
        for name, value in element.attrib.items():
            found[name.removeprefix(f"{{{NAMESPACE}}}")] = [value]
        for child in element:
            items = [item.text or "" for item in child.iter(f"{{{RDF}}}li")]
            found[child.tag.removeprefix(f"{{{NAMESPACE}}}")] = items or [child.text or ""]
    if not set(REQUIRED) <= set(found):
        return None  # of the SDR picture, which tells the version alone
    if found.get("BaseRenditionIsHDR", ["False"])[0].strip().lower() == "true":
        raise Unsupported("is an HDR picture whose gain map leads to the ordinary one")
    values = DEFAULTS | {name: triple([float(x) for x in found[name]]) for name in found
                         if name in DEFAULTS or name in REQUIRED}  # fmt: skip
    names = ("GainMapMin", "GainMapMax", "Gamma", "OffsetSDR", "OffsetHDR")
    triples = [triple(np.atleast_1d(values[name]).tolist()) for name in names]
    return checked(GainMap(*triples, headroom=triple(values["HDRCapacityMax"])[0]))


def to_xmp(gain_map: GainMap) -> bytes:
    """The XMP packet of a gain map's JPEG, with the same numbers for all channels.

    Args:
      gain_map: its metadata.

    Returns:
      XML.
    """
    low, high, gamma, base_offset, offset = (f"{triple[0]:.6f}" for triple in gain_map[:5])
    return _packet(
        f'<rdf:Description rdf:about="" xmlns:hdrgm="{NAMESPACE}" hdrgm:Version="1.0" '
        f'hdrgm:GainMapMin="{low}" hdrgm:GainMapMax="{high}" hdrgm:Gamma="{gamma}" '
        f'hdrgm:OffsetSDR="{base_offset}" hdrgm:OffsetHDR="{offset}" hdrgm:HDRCapacityMin="0" '
        f'hdrgm:HDRCapacityMax="{gain_map.headroom:.6f}" hdrgm:BaseRenditionIsHDR="False"/>'
    )


def directory_xmp(size: int, existing: bytes = b"") -> bytes:
    """The XMP packet of the first picture, which says that a gain map of that size follows.

    Args:
      size: bytes of the gain map's JPEG.
      existing: the picture's packet, kept unless it tells of another gain map or container, or
        is too long to grow.

    Returns:
      XML.
    """
    item = "http://ns.google.com/photos/1.0/container/item/"
    description = (
        f'<rdf:Description rdf:about="" xmlns:hdrgm="{NAMESPACE}" xmlns:Container="{CONTAINER}" '
        f'xmlns:Item="{item}" hdrgm:Version="1.0"><Container:Directory><rdf:Seq>'
        '<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="Primary" '
        'Item:Mime="image/jpeg"/></rdf:li><rdf:li rdf:parseType="Resource"><Container:Item '
        f'Item:Semantic="GainMap" Item:Mime="image/jpeg" Item:Length="{size}"/></rdf:li>'
        "</rdf:Seq></Container:Directory></rdf:Description>"
    )
    ends = [found.start() for found in re.finditer(rb"</rdf:RDF>", existing)]
    told = NAMESPACE.encode() in existing or CONTAINER.encode() in existing
    if told or len(ends) != 1 or len(existing) > LONGEST_PACKET:
        return _packet(description)
    return existing[: ends[0]] + description.encode() + existing[ends[0] :]


def _packet(description: str) -> bytes:
    """A whole XMP packet."""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        f'xmlns:rdf="{RDF}">{description}</rdf:RDF></x:xmpmeta>'
    ).encode()
