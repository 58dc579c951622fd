"""Decide whether a face is good enough to enrol or to verify: measures, limits, reasons.

The measures are named after the quality components of ISO/IEC 29794-5:2025; `embedding.measures` computes
them.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum


class Purpose(StrEnum):
    """What a picture is for; enrolment demands more, because its template is compared many times."""

    ENROL = "enrol"
    VERIFY = "verify"
    CHECKIN = "checkin"
    KIOSK = "kiosk"
    """The picture that a kiosk sends for a check-in: the best of several, so it may be asked for more."""


@dataclass(frozen=True)
class Measures:
    """The measures of one face.

    Attributes:
        inter_eye_distance: Distance of the eye centres, in pixels of the picture.
        sharpness: Share of the crop's contrast that lies in its finest details.
        luminance_mean: Mean over the face, 0 (black) to 1 (white).
        under_exposure: Share of the face's pixels at 0..25 of 255.
        over_exposure: Share of the face's pixels at 247..255 of 255.
        dynamic_range: Entropy of the luminance histogram in bits, at most 8.
        head_pose_yaw: Degrees; positive if turned to the person's left.
        head_pose_pitch: Degrees; positive if looking down.
        head_pose_roll: Degrees; positive if tilted to the person's right.
        face_inside: Share of the face box that lies inside the picture.
        feature_contrast: Contrast of the flattest of eyes and mouth, as a share of the whole face's; low if a
            mask, hair or a hand hides it.
        uprightness: The detector's score for this face alone, rotated by its landmarks, 0..1; low if the
            landmarks may belong to another rotation, in which case the roll is wrong. 1 in records from
            before this measure existed.
        flattest_feature: Contrast of the flattest of eyes and mouth, as a share of the second flattest's.
        ill_lit_half: Share of pixels at 0..25 or 247..255 of 255 in the better half of the face, above or
            below the nose: light spoils both, a mask one.
    """

    inter_eye_distance: float
    sharpness: float
    luminance_mean: float
    under_exposure: float
    over_exposure: float
    dynamic_range: float
    head_pose_yaw: float
    head_pose_pitch: float
    head_pose_roll: float
    face_inside: float
    feature_contrast: float
    uprightness: float = 1.0
    flattest_feature: float = 1.0
    ill_lit_half: float = 0.0


@dataclass(frozen=True)
class Limits:
    """The limits for a face; the names say which side is allowed."""

    inter_eye_distance_min: float
    sharpness_min: float
    luminance_mean_min: float
    luminance_mean_max: float
    under_exposure_max: float
    over_exposure_max: float
    dynamic_range_min: float
    head_pose_yaw_max: float
    head_pose_pitch_max: float
    head_pose_roll_max: float
    face_inside_min: float
    feature_contrast_min: float
    uprightness_min: float


# Set on 775 photographs of LFW: 96 % of their faces pass for enrolment and 99.5 % for verification. After a
# blur of 5 pixels (the eyes are 43 apart) none and 1.5 % pass; with a tenth or four times the light, 0.8 %.
ENROL = Limits(
    inter_eye_distance_min=24.0,
    sharpness_min=0.075,
    luminance_mean_min=0.15,
    luminance_mean_max=0.88,
    under_exposure_max=0.35,
    over_exposure_max=0.2,
    dynamic_range_min=5.5,
    head_pose_yaw_max=35.0,
    head_pose_pitch_max=30.0,
    head_pose_roll_max=30.0,
    face_inside_min=0.9,
    feature_contrast_min=0.3,
    uprightness_min=0.85,
)

VERIFY = Limits(
    inter_eye_distance_min=16.0,
    sharpness_min=0.05,
    luminance_mean_min=0.1,
    luminance_mean_max=0.92,
    under_exposure_max=0.55,
    over_exposure_max=0.4,
    dynamic_range_min=5.0,
    head_pose_yaw_max=50.0,
    head_pose_pitch_max=40.0,
    head_pose_roll_max=45.0,
    face_inside_min=0.75,
    feature_contrast_min=0.2,
    uprightness_min=0.8,
)

KIOSK = Limits(
    inter_eye_distance_min=20.0,
    sharpness_min=0.065,
    luminance_mean_min=0.13,
    luminance_mean_max=0.9,
    under_exposure_max=0.45,
    over_exposure_max=0.3,
    dynamic_range_min=5.25,
    head_pose_yaw_max=40.0,
    head_pose_pitch_max=33.0,
    head_pose_roll_max=35.0,
    face_inside_min=0.85,
    feature_contrast_min=0.25,
    uprightness_min=0.83,
)
"""Between the two: whoever does not reach them is not asked for ever, a person decides."""

TEMPLATE = Limits(
    inter_eye_distance_min=10.0,
    sharpness_min=0.02,
    luminance_mean_min=0.04,
    luminance_mean_max=0.97,
    under_exposure_max=0.9,
    over_exposure_max=0.8,
    dynamic_range_min=3.5,
    head_pose_yaw_max=75.0,
    head_pose_pitch_max=70.0,
    head_pose_roll_max=60.0,
    face_inside_min=0.5,
    feature_contrast_min=0.0,
    uprightness_min=0.75,
)
"""Below these limits no template is made for any purpose: it would say more about the camera than about the
person."""

LIMITS = {Purpose.ENROL: ENROL, Purpose.VERIFY: VERIFY, Purpose.CHECKIN: VERIFY, Purpose.KIOSK: KIOSK}


@dataclass(frozen=True)
class Assessment:
    """The assessment of one face, with the measures and limits behind it.

    Attributes:
        acceptable: Whether there is no reason to refuse the face.
        reasons: Codes, the most basic first: `face_too_small`, `under_exposed`, `over_exposed`,
            `low_sharpness`, `extreme_pose`, `occluded`; if the face is turned or covered, that comes first.
        measures: By name, as in `Measures`.
        limits: By name, as in `Limits`.
    """

    acceptable: bool
    reasons: tuple[str, ...]
    measures: dict[str, float]
    limits: dict[str, float]


# In the order in which a person needs the advice: come closer, then turn on a lamp, then hold still.
REFUSALS: dict[str, Callable[[Measures, Limits], bool]] = {
    "face_too_small": lambda m, limit: m.inter_eye_distance < limit.inter_eye_distance_min,
    "under_exposed": lambda m, limit: (
        m.luminance_mean < limit.luminance_mean_min
        or m.under_exposure > limit.under_exposure_max
        or (m.dynamic_range < limit.dynamic_range_min and m.luminance_mean < 0.5)
    ),
    "over_exposed": lambda m, limit: (
        m.luminance_mean > limit.luminance_mean_max
        or m.over_exposure > limit.over_exposure_max
        or (m.dynamic_range < limit.dynamic_range_min and m.luminance_mean >= 0.5)
    ),
    "low_sharpness": lambda m, limit: m.sharpness < limit.sharpness_min,
    "extreme_pose": lambda m, limit: (
        abs(m.head_pose_yaw) > limit.head_pose_yaw_max
        or abs(m.head_pose_pitch) > limit.head_pose_pitch_max
        or abs(m.head_pose_roll) > limit.head_pose_roll_max
        or m.uprightness < limit.uprightness_min
    ),
    "occluded": lambda m, limit: (
        m.face_inside < limit.face_inside_min or m.feature_contrast < limit.feature_contrast_min
    ),
}

# Causes that distort the measures of light and sharpness come first: a mask is flat and bright, and a turned
# face is measured in the wrong places.
CAUSES: dict[str, Callable[[Measures, Limits], bool]] = {
    "extreme_pose": lambda m, limit: abs(m.head_pose_roll) > limit.head_pose_roll_max,
    "occluded": lambda m, limit: (
        m.flattest_feature < COVERED
        and m.ill_lit_half < EVENLY_ILL_LIT
        and m.luminance_mean >= limit.luminance_mean_min
    ),
}

COVERED = 0.35
"""Behind a mask or a hand, the flattest of eyes and mouth has less than this share of the second flattest's
contrast."""

EVENLY_ILL_LIT = 0.1
"""If both halves of a face have this share of black or burnt-out pixels, light has flattened the feature."""


def assess(measures: Measures, limits: Limits) -> Assessment:
    """Compare the measures with the limits."""
    refused = [reason for reason, refuses in REFUSALS.items() if refuses(measures, limits)]
    causes = [reason for reason, shows in CAUSES.items() if reason in refused and shows(measures, limits)]
    reasons = tuple(dict.fromkeys([*causes, *refused]))
    rounded = {name: round(value, 4) for name, value in asdict(measures).items()}
    return Assessment(not reasons, reasons, rounded, asdict(limits))
