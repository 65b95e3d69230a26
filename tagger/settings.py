"""Settings of an installation: environment variables over tagger.toml over the defaults."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from tagger.errors import OptionError

FILE = "tagger.toml"
PREFIX = "TAGGER_"


def _names(given: object) -> object:
    """Return the names of a list as JSON has it, or with commas between."""
    if not isinstance(given, str):
        return given
    found = json.loads(given) if given.startswith("[") else given.split(",")
    return tuple(name.strip() for name in found if name.strip())


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]


class Settings(BaseSettings):
    """What an installation may set: `TAGGER_PORT=8080` in the environment, or `port = 8080` in tagger.toml."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, toml_file=FILE, extra="forbid")

    seeds: Path = Path("seeds")
    models: Path = Path("models")
    state: Path = Path("state")
    """What a running installation keeps: keys, jobs, and what it saw of texts."""
    archives: Path = Path("archives")
    """Files that a comparison of two versions may be asked for by name."""
    signing_key_file: Path | None = None
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    workers: Annotated[int, Field(ge=1)] = 1
    max_body_bytes: Annotated[int, Field(ge=1)] = 10_000_000
    receive_seconds: Annotated[float, Field(gt=0)] = 30.0
    """How long a request may take to arrive, from its first byte to its last."""
    queue_seconds: Annotated[float, Field(gt=0)] = 0.5
    """How much work may wait in a worker before it refuses more."""
    max_connections: Annotated[int, Field(ge=1)] = 2_000
    """For each worker."""
    allowed_hosts: Names = ()
    """Names this service is known by, beside localhost and the one it is bound to."""
    allowed_origins: Names = ()
    """Web pages of other origins that may use it, such as https://desk.example.org."""
    trusted_proxies: Names = ("127.0.0.1", "::1")
    """Addresses that may say for whom they ask (X-Forwarded-For, X-Forwarded-Proto)."""
    without_keys: bool = False
    """Half of what it takes to serve other machines without keys; the other is an option of `tagger serve`."""
    rate: str | None = None
    """How often each key, or address without one, may ask: 100/second. None for as often as it likes."""
    redis_url: str | None = None
    """Where servers that share their rates count them."""
    access_log: bool = False
    """Log every request, not refusals and failures alone."""
    log_texts: bool = False
    """Log the beginning of texts too."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- the names are those of pydantic-settings
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where settings come from, the strongest first."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    def as_environment(self) -> Mapping[str, str]:
        """Return the environment variables that give another process these settings."""
        given = self.model_dump(mode="json", exclude_none=True)
        return {
            f"{PREFIX}{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in given.items()
        }


def load_settings(**given: Any) -> Settings:
    """Return the settings of this process, those `given` first. Raises OptionError that names each wrong one."""
    try:
        return Settings(**given)
    except ValidationError as error:
        sentences = [_sentence(str(wrong["loc"][0]), wrong["input"], wrong["msg"]) for wrong in error.errors()]
        raise OptionError("\n".join(sentences)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"{FILE} is not valid TOML ({error}); write lines like `port = 8000`.") from error
    except OSError as error:
        raise OptionError(f"{FILE} cannot be read: {error.strerror}.") from error


def _sentence(name: str, value: object, message: str) -> str:
    if name not in Settings.model_fields:
        return f"{FILE} sets {name!r}, which is no setting; known are: {', '.join(Settings.model_fields)}."
    default = Settings.model_fields[name].default
    return (
        f"The setting {PREFIX}{name.upper()} (or `{name}` in {FILE}) is {value!r}: {message}. "
        f"Set another value, or none for the default {str(default)!r}."
    )
