"""[pbx.voicemail], [transcriber]: where callers' messages are, and who puts them into writing."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pbx_bridge.config.values import Duration, FilePath, LanguageCode, Name, spell
from pbx_bridge.secret import Secret
from pbx_bridge.transcribers import Transcriber, local, openai

LONGEST_WAIT = timedelta(minutes=30)


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _not_too_long(time: timedelta) -> timedelta:
    if not timedelta(seconds=1) <= time <= LONGEST_WAIT:
        raise ValueError(f'out of range; from "1s" to "{spell(LONGEST_WAIT)}"')
    return time


class VoicemailSettings(_Section):
    """Off unless the table is there."""

    spool: FilePath = Field(
        default=Path("/var/spool/asterisk/voicemail"),
        description="the folder in which this PBX keeps voicemail messages",
        examples=["/var/spool/asterisk/voicemail"],
    )


class TranscriberSettings(_Section):
    """Off unless the table is there."""

    type: Literal["openai", "local"] = Field(
        description="openai: any service that speaks OpenAI's API; local: a model on this machine",
        examples=["openai"],
    )
    model: Name = Field(
        description="what the service calls the model; with local the folder of one",
        examples=["whisper-1"],
    )
    base_url: HttpUrl = Field(
        default=HttpUrl("https://api.openai.com/v1"),
        description="where the service is, up to /audio/transcriptions",
        examples=["https://api.openai.com/v1"],
    )
    api_key: Secret | None = Field(
        default=None,
        description="the service's key; none for a server of your own that wants none",
        examples=['{ file = "/etc/pbx-bridge/openai-key" }'],
    )
    language: LanguageCode | None = Field(
        default=None,
        description="the language of your callers, if it is always the same",
        examples=["en"],
    )
    prompt: Annotated[str, Field(max_length=500)] = Field(
        default="",
        description="words that come up in messages, such as names of your products",
        examples=["Miller & Sons, Acme boilers"],
    )
    response_format: Literal["json", "verbose_json"] = Field(
        default="json",
        description="what to ask the service for; verbose_json tells the language too",
        examples=["json"],
    )
    timeout: Annotated[Duration, AfterValidator(_not_too_long)] = Field(
        default=timedelta(minutes=2),
        description="how long one message may take",
        examples=["2m"],
    )
    wait: Annotated[Duration, AfterValidator(_not_too_long)] = Field(
        default=timedelta(seconds=60),
        description="how long the alert waits for the transcript, before it goes without",
        examples=["60s"],
    )

    @field_validator("base_url")
    @classmethod
    def _plain(cls, url: HttpUrl) -> HttpUrl:
        if url.username or url.password or url.query or url.fragment:
            raise ValueError("only scheme, host and perhaps a path; no user, ? or #")
        return url

    @field_validator("model")
    @classmethod
    def _placed(cls, model: str, info: ValidationInfo) -> str:
        """Find the folder of a model from where the configuration is."""
        if info.data.get("type") != "local":
            return model
        return str(Path((info.context or {}).get("folder", ".")) / Path(model).expanduser())

    @model_validator(mode="after")
    def _of_its_type(self) -> Self:
        asks = self.model_fields_set & {"base_url", "api_key", "response_format"}
        if self.type == "local" and asks:
            raise ValueError(f'type = "local" asks nobody; leave out {", ".join(sorted(asks))}')
        return self

    def build(self) -> Transcriber:
        """Make the transcriber; it connects, or loads anything, only when it is used."""
        seconds, language = self.timeout.total_seconds(), self.language or ""
        if self.type == "local":
            return local.Local(
                local.Settings(
                    model=Path(self.model), language=language, prompt=self.prompt, seconds=seconds
                )
            )
        return openai.OpenAi(
            openai.Settings(
                base_url=str(self.base_url).rstrip("/"),
                model=self.model,
                api_key=self.api_key,
                language=language,
                prompt=self.prompt,
                response_format=self.response_format,
                seconds=seconds,
            )
        )
