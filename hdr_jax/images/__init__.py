"""Pictures on disk: photographs, exposure stacks, radiance maps, response curves, edge maps."""

from hdr_jax.errors import extra

with extra("photographs"):
    from hdr_jax.images._avif import write_avif
    from hdr_jax.images._edges import RELEASED_WEIGHTS, RGB_WEIGHTS, canny, edge_weights
    from hdr_jax.images._exposure_times import exposure_source, exposure_times, read_exposure_time
    from hdr_jax.images._highlights import closed_highlights, rim_distance
    from hdr_jax.images._information import Information, information, stops
    from hdr_jax.images._metadata import OWN_SOFTWARE, Metadata, metadata
    from hdr_jax.images._paths import (
        HDR_SUFFIXES,
        JPEG_SUFFIXES,
        PHOTO_SUFFIXES,
        RAW_SUFFIXES,
        PathLike,
        composed,
        named_errors,
    )
    from hdr_jax.images._photographs import (
        equal_photos,
        is_raw,
        primaries,
        read_photo,
        read_stack,
    )
    from hdr_jax.images._pictures import is_radiance_map, read_hdr, write
    from hdr_jax.images._primaries import in_rec709
    from hdr_jax.images._resizing import reduced, resized
    from hdr_jax.images._response_files import (
        CURVE_SUFFIXES,
        camera_response,
        named_response,
        read_response,
        write_response,
    )
    from hdr_jax.images._screens import write_brightened, write_ultra_hdr
    from hdr_jax.images._stack_files import (
        EXPOSURES_FILE,
        find_photos,
        fraction,
        is_result,
        read_exposures,
        without_results,
    )
    from hdr_jax.images._writing import HIGHEST_PEAK, PEAK

__all__ = [
    "CURVE_SUFFIXES",
    "EXPOSURES_FILE",
    "HDR_SUFFIXES",
    "HIGHEST_PEAK",
    "Information",
    "JPEG_SUFFIXES",
    "Metadata",
    "OWN_SOFTWARE",
    "PEAK",
    "PHOTO_SUFFIXES",
    "RAW_SUFFIXES",
    "PathLike",
    "RELEASED_WEIGHTS",
    "RGB_WEIGHTS",
    "camera_response",
    "canny",
    "closed_highlights",
    "composed",
    "edge_weights",
    "equal_photos",
    "exposure_source",
    "exposure_times",
    "find_photos",
    "fraction",
    "in_rec709",
    "information",
    "is_radiance_map",
    "is_raw",
    "is_result",
    "metadata",
    "named_errors",
    "named_response",
    "primaries",
    "read_exposure_time",
    "read_exposures",
    "read_hdr",
    "read_photo",
    "read_response",
    "read_stack",
    "reduced",
    "resized",
    "rim_distance",
    "stops",
    "without_results",
    "write",
    "write_avif",
    "write_brightened",
    "write_response",
    "write_ultra_hdr",
]
