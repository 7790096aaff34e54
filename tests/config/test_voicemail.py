"""[pbx.voicemail] and [transcriber]: what is right in them, and what is said of what is wrong."""

from datetime import timedelta
from pathlib import Path

import pytest

from pbx_bridge.config import Config
from pbx_bridge.transcribers.local import Local
from pbx_bridge.transcribers.openai import OpenAi
from tests.config.test_loading import OFFICE, PBX, read, report

OPENAI = '[transcriber]\ntype = "openai"\nmodel = "whisper-1"\n'
LOCAL = '[transcriber]\ntype = "local"\nmodel = "models/base"\n'


def config(text: str) -> Config:
    return read(OFFICE + PBX + text)


def test_nothing_is_looked_for_unless_the_table_is_there() -> None:
    found = config("").collecting()
    assert found.spools == {}
    assert found.transcriber is None


def test_an_empty_table_is_enough() -> None:
    found = config("[pbx.voicemail]\n").collecting()
    assert found.spools == {"office": Path("/var/spool/asterisk/voicemail")}
    assert found.wait == timedelta()


def test_a_line_is_called_as_the_office_calls_it() -> None:
    found = config('[[lines]]\nnumber = "+12125550100"\nname = "Sales"\n').collecting()
    assert found.line_name("2125550100") == "Sales"
    assert found.line_name("2125550199") == "2125550199"
    assert found.line_name("") == ""


def test_openai_is_asked_unless_another_is_named() -> None:
    found = config(f'{OPENAI}api_key = "sk-secret"\nlanguage = "en"\n')
    transcriber = found.collecting().transcriber
    assert isinstance(transcriber, OpenAi)
    assert transcriber._settings.base_url == "https://api.openai.com/v1"
    assert (transcriber._settings.language, transcriber.seconds) == ("en", 120)
    assert found.collecting().wait == timedelta(seconds=60)
    assert "sk-secret" not in repr(found)


def test_a_slash_at_the_end_is_none() -> None:
    transcriber = config(f'{OPENAI}base_url = "http://127.0.0.1:8000/v1/"\n').collecting()
    assert isinstance(transcriber.transcriber, OpenAi)
    assert transcriber.transcriber._settings.base_url == "http://127.0.0.1:8000/v1"


def test_a_model_on_this_machine_is_found_from_the_configuration() -> None:
    found = config(f'{LOCAL}timeout = "5m"\nwait = "2m"\nprompt = "Acme"\n').collecting()
    assert isinstance(found.transcriber, Local)
    assert found.transcriber._settings.model.is_absolute()
    assert found.transcriber._settings.model.parts[-2:] == ("models", "base")
    assert (found.transcriber.seconds, found.wait) == (300, timedelta(minutes=2))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[transcriber]\ntype = "whisper"\nmodel = "m"\n', "transcriber.type = "),
        ("[transcriber]\ntype = 'openai'\n", "transcriber.model: missing"),
        (f'{OPENAI}base_url = "http://u:p@h/v1"\n', "only scheme, host and perhaps a path"),
        (f'{OPENAI}base_url = "h"\n', "transcriber.base_url"),
        (f'{OPENAI}timeout = "31m"\n', 'out of range; from "1s" to "30m"'),
        (f'{OPENAI}wait = "0s"\n', 'out of range; from "1s" to "30m"'),
        (f'{OPENAI}language = "english"\n', "transcriber.language"),
        (f'{OPENAI}response_format = "srt"\n', "transcriber.response_format"),
        (f'{LOCAL}api_key = "x"\n', 'type = "local" asks nobody; leave out api_key'),
        (f'{OPENAI}modell = "x"\n', "did you mean"),
        ("[pbx.voicemail]\nspool = 7\n", "voicemail.spool"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    assert said in report(OFFICE + PBX + text)
