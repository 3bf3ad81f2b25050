"""Rig files in: what loads, and what every mistake says."""

import tomllib
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.errors import RigFileError
from genlock.k4a import CameraFps, ColorResolution, DepthMode, ImageFormat, PowerlineFrequency
from genlock.rig import Topology, load_rig, parse_rig, rig_json_schema

STUDIO = """
format_version = 1
name = "studio"
[capture]
camera_fps = 30
depth_mode = "NFOV_UNBINNED"
color_resolution = "1080P"
color_format = "MJPG"
exposure_usec = 8330
powerline_hz = 60
white_balance_k = 4500
[wiring]
topology = "daisy_chain"
master = "000000000001"
order = ["000000000002", "000000000003"]
[plan]
overlap = "all"
[[device]]
serial = "000000000001"
host = "pc-1"
[[device]]
serial = "000000000002"
exposure_usec = "auto"
depth_delay_off_color_usec = -80
position_m = [0, 1.2, 0]
rotation_wxyz = [1, 0, 0, 0]
[[device]]
serial = "000000000003"
depth_mode = "OFF"
camera_fps = 15
gain = 12
"""


def mistakes(text):
    with pytest.raises(RigFileError) as caught:
        parse_rig(text, "rig.toml")
    return {mistake.where: mistake.message for mistake in caught.value.mistakes}


def test_the_file_becomes_a_rig():
    rig = parse_rig(STUDIO)
    assert rig.name == "studio"
    assert rig.capture.camera_fps is CameraFps.FPS_30
    assert rig.capture.color_format is ImageFormat.MJPG
    assert rig.capture.powerline_hz is PowerlineFrequency.HZ_60
    assert rig.wiring.topology is Topology.DAISY_CHAIN
    assert [device.serial for device in rig.devices] == ["000000000001", "000000000002", "000000000003"]
    assert rig.device("000000000002").position_m == (0.0, 1.2, 0.0)
    assert rig.device("000000000002").depth_delay_off_color_usec == -80


def test_a_devices_own_keys_override_the_defaults():
    rig = parse_rig(STUDIO)
    own = rig.settings("000000000003")
    assert own.depth_mode is DepthMode.OFF
    assert own.camera_fps is CameraFps.FPS_15
    assert own.gain == 12
    assert own.color_resolution is ColorResolution.RES_1080P
    assert rig.settings("000000000001") == rig.capture
    assert rig.settings("000000000002").exposure_usec == "auto"


def test_an_unknown_serial_is_a_key_error():
    with pytest.raises(KeyError):
        parse_rig(STUDIO).device("7")


def test_five_different_mistakes_are_told_at_once_with_their_places():
    text = STUDIO.replace("camera_fps = 30", "camera_fps = 25")
    text = text.replace('topology = "daisy_chain"', 'topology = "ring"')
    text = text.replace('color_format = "MJPG"', 'color_fromat = "MJPG"')
    text = text.replace("exposure_usec = 8330", 'exposure_usec = "8330"')
    text = text.replace('serial = "000000000002"', "serial = 2")
    assert mistakes(text) == {
        "capture.camera_fps": "must be one of 5, 15, 30; found 25",
        "capture.color_fromat": 'unknown key; did you mean "color_format"?',
        "capture.exposure_usec": 'must be a whole number from 1 to 1000000 us, or "auto"; found "8330"',
        "wiring.topology": 'must be one of "daisy_chain", "star", "external_trigger", "standalone"; found "ring"',
        "device[1].serial": 'must be a serial number, a string of digits; found 2; write it in quotes, "000000000002"',
    }


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        ("format_version = 2", "format_version", "must be 1"),
        ("name = 5", "name", "text in quotes"),
        ('name = ""', "name", "must not be empty"),
        ("capture = 5", "capture", "must be a table"),
        ("device = 5", "device", "written [[device]]; found 5"),
        ("[device]\nserial = '1'", "device", "written [[device]]"),
        ("[[device]]\nhost = 'a'", "device[0].serial", "is missing"),
        ("host = 5", "host", "written [[host]]; found 5"),
        ("[[host]]\nusb_controllers = 2", "host[0].name", "is missing"),
        ("[[host]]\nname = 'a'\nusb_controllers = 0", "host[0].usb_controllers", "from 1 to 64"),
        ("[[host]]\nname = 'a'\ndisk = 5", "host[0].disk", 'did you mean "disk_mb_per_sec"'),
        ("[[emitter]]\nname = 'a'\nperiod_usec = 5\npulse_usec = 1", "emitter[0].period_usec", "above 10"),
        ("[[emitter]]\nname = 'a'\nperiod_usec = 50", "emitter[0].pulse_usec", "is missing"),
        (
            "[[emitter]]\nname = 'a'\nperiod_usec = 50\npulse_usec = 1\nphase = 5",
            "emitter[0].phase",
            'did you mean "phase_usec"',
        ),
        ("[wiring.trigger]\nrate_hz = 0", "wiring.trigger.rate_hz", "above 0"),
        ("[wiring.trigger]\nhz = 30", "wiring.trigger.hz", "known here are rate_hz"),
        ("[capture]\nrate_hz = 30", "capture.rate_hz", "belongs in [wiring.trigger]"),
        ("[[device]]\nserial = '00a'", "device[0].serial", "string of digits"),
        ("[capture]\nfps = 30", "capture.fps", 'did you mean "camera_fps"'),
        ("[capture]\nmaster = '1'", "capture.master", "belongs in [wiring]"),
        ("[[device]]\nserial='1'\norder = []", "device[0].order", "belongs in [wiring]"),
        ("overlap = 'all'", "overlap", "belongs in [plan]"),
        ("[capture]\nxyzzy = 1", "capture.xyzzy", "known here are camera_fps, depth_mode"),
        ("[capture]\ncamera_fps = true", "capture.camera_fps", "found true"),
        ("[capture]\ndepth_mode = 'NFOV'", "capture.depth_mode", '"WFOV_UNBINNED", "PASSIVE_IR"'),
        ("[capture]\ncolor_format = 'DEPTH16'", "capture.color_format", '"MJPG", "NV12", "YUY2", "BGRA32"'),
        ("[capture]\nimu = 1", "capture.imu", "true or false"),
        ("[capture]\nexposure_usec = 0", "capture.exposure_usec", "from 1 to"),
        ("[capture]\nexposure_usec = nan", "capture.exposure_usec", "whole number"),
        ("[capture]\nwhite_balance_k = 4505", "capture.white_balance_k", "in steps of 10"),
        ("[capture]\ngain = 256", "capture.gain", "from 0 to 255"),
        ("[capture]\ncontrast = true", "capture.contrast", "from 0 to 10"),
        ("[wiring]\nmaster = 'left'", "wiring.master", "string of digits"),
        ("[wiring]\norder = ['1', 2]", "wiring.order[1]", "string of digits"),
        ("[wiring]\norder = '1'", "wiring.order", "must be a list"),
        ("[[wiring.cable]]\nfrom = '1'", "wiring.cable[0].to", "is missing"),
        ("[[wiring.cable]]\nfrom = 'spliter'\nto = '1'", "wiring.cable[0].from", '"splitter" or "trigger"'),
        ("[[wiring.cable]]\nfrom = '1'\nto = '2'\nlength_m = 0", "wiring.cable[0].length_m", "above 0"),
        ("[[wiring.cable]]\nsource = '1'\nto = '2'\nfrom = '3'", "wiring.cable[0].source", "unknown key"),
        ("[plan]\noverlap = 'some'", "plan.overlap", '"all", "none" or a list of pairs'),
        ("[plan]\noverlap = [['1', '2', '3'], ['1', '2']]", "plan.overlap", "two serials"),
        ("[plan]\nmin_guard_usec = -1", "plan.min_guard_usec", "from 0"),
        ("[[device]]\nserial='1'\nposition_m = [0, 1]", "device[0].position_m", "3 numbers"),
        ("[[device]]\nserial='1'\nrotation_wxyz = [1, 0, 0, inf]", "device[0].rotation_wxyz", "4 numbers"),
    ],
)
def test_a_mistake_says_where_and_what(text, where, says):
    told = mistakes(text)
    assert list(told) == [where]
    assert says in told[where]


def test_bad_toml_gives_line_and_column():
    told = mistakes('name = "a"\n[capture\n')
    assert list(told) == ["line 2, column 9"]
    assert list(mistakes('name = "a')) in (["end of the file"], ["line 1, column 10"])


def test_absurd_toml_is_a_mistake_too():
    assert "file" in mistakes("name = " + "[" * 100_000)
    assert mistakes("a = " + "9" * 10_000)


def test_the_error_names_the_file_and_counts():
    with pytest.raises(RigFileError, match=r"studio\.toml: 2 mistakes in this rig file\n  a: .*\n  b: "):
        parse_rig("a = 1\nb = 2", "studio.toml")


def test_a_file_is_read_as_its_text_is(tmp_path):
    path = tmp_path / "rig.toml"
    path.write_bytes(b"\xef\xbb\xbf" + STUDIO.replace("\n", "\r\n").encode())
    assert load_rig(path) == parse_rig(STUDIO)


@pytest.mark.parametrize("kind", ["missing", "folder", "binary"])
def test_what_is_no_file_of_text_is_a_rig_file_error(tmp_path: Path, kind: str):
    path = tmp_path / "rig.toml"
    if kind == "folder":
        path.mkdir()
    elif kind == "binary":
        path.write_bytes(b"\x1a\x45\xdf\xa3\xff")
    with pytest.raises(RigFileError) as caught:
        load_rig(path)
    assert [m.where for m in caught.value.mistakes] == ["file"]


def accepted_by_schema(text):
    validator = jsonschema.Draft202012Validator(rig_json_schema())
    return validator.is_valid(tomllib.loads(text))


def accepted_by_us(text):
    try:
        parse_rig(text)
    except RigFileError:
        return False
    return True


def test_the_schema_is_a_schema_and_takes_the_studio():
    jsonschema.Draft202012Validator.check_schema(rig_json_schema())
    assert accepted_by_schema(STUDIO)


def test_the_schema_describes_every_key_also_on_a_device():
    schema = rig_json_schema()
    device, capture = schema["$defs"]["RigDevice"]["properties"], schema["$defs"]["CaptureSettings"]["properties"]
    assert set(capture) < set(device)
    assert all("description" in key for key in [*device.values(), *capture.values()])
    assert "null" not in str(schema)


VALUES = st.one_of(
    st.sampled_from(
        ["1", "30", "30.0", "5", "50", "60", "4500", "4505", "8330", "true", "false", "-1", "1.5", "[]", "{}", '""']
    ),
    st.sampled_from(["OFF", "720P", "NFOV_UNBINNED", "auto", "all", "none", "star", "trigger", "MJPG", "DEPTH16"]).map(
        lambda word: f'"{word}"'
    ),
    st.sampled_from(['["1"]', '[["1", "2"]]', '[["1"]]', "[0, 1, 2]", "[1, 0, 0, 0.5]", '"000000000001"', '"1x"']),
)
KEYS = {
    "": ["format_version", "name"],
    "[capture]": ["camera_fps", "depth_mode", "color_resolution", "color_format", "exposure_usec", "powerline_hz",
                  "white_balance_k", "gain", "imu", "backlight_compensation", "nonsense"],
    "[wiring]": ["topology", "master", "order"],
    "[plan]": ["overlap", "min_guard_usec", "max_rgbd_skew_usec"],
    "[[device]]": ["serial", "host", "exposure_usec", "camera_fps", "depth_delay_off_color_usec", "position_m",
                   "rotation_wxyz", "topology"],
    "[[wiring.cable]]": ["from", "to", "length_m"],
}  # fmt: skip


@given(st.data())
@settings(max_examples=300)
def test_the_schema_accepts_exactly_the_files_that_we_accept(data):
    lines = []
    for header, keys in KEYS.items():
        values = data.draw(st.dictionaries(st.sampled_from(keys), VALUES, max_size=3))
        if values or not header:
            lines += [header, *(f"{key} = {value}" for key, value in values.items())]
    text = "\n".join(lines)
    assert accepted_by_schema(text) == accepted_by_us(text), text


@given(st.text(max_size=200))
@settings(max_examples=200)
def test_any_text_loads_or_is_a_rig_file_error(text):
    accepted_by_us(text)


@given(st.binary(max_size=100), st.integers(0, len(STUDIO)))
@settings(max_examples=200)
def test_any_damage_to_a_file_is_told_or_harmless(tmp_path_factory, damage, place):
    path = tmp_path_factory.mktemp("rig") / "rig.toml"
    path.write_bytes(STUDIO.encode()[:place] + damage + STUDIO.encode()[place + len(damage) :])
    try:
        load_rig(path)
    except RigFileError as error:
        assert error.mistakes
