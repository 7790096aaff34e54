"""One TOML file describes the whole service; see `pbx-bridge.example.toml`.

`load` reads it, or reports every mistake in it at once.
"""

from pbx_bridge.config.loading import doubtful, load, parse
from pbx_bridge.config.problems import ConfigError, Problem
from pbx_bridge.config.sections import Config, Pbx, defaults

__all__ = ["Config", "ConfigError", "Pbx", "Problem", "defaults", "doubtful", "load", "parse"]
